"""The history's thread: what is delivered is kept, bounded and put right, and nothing of it harms the counting."""

import logging
import multiprocessing
import os
import signal
import sqlite3
import time
from contextlib import suppress
from dataclasses import dataclass

import pytest

from edge_agent.history import reader, tables
from edge_agent.history.reader import Question
from edge_agent.history.writer import Clocks, History
from edge_agent.shelf import InputError, Item
from edge_agent.sqlite import transaction
from tests.conftest import wait_for

T0 = 1_800_000_000.0
"""A wall clock of some day, in seconds."""
DAY_S = 86400.0


@dataclass
class Hands:
    """Both clocks, set by hand."""

    wall: float = T0
    mono: float = 1000.0

    @property
    def clocks(self):
        """As the history takes them."""
        return Clocks(lambda: self.wall, lambda: self.mono)

    def go(self, seconds, *, set_by=0.0):
        """Let time pass, and perhaps set the wall clock."""
        self.wall, self.mono = self.wall + seconds + set_by, self.mono + seconds


def body(counts, *, shelf="a1", kind="counts", **more):
    """The body of an event, as far as the history looks at it."""
    return {"type": kind, "shelf": shelf, "camera": "cam1", "counts": counts, **more}


def items(counts, expected=4):
    """The products of these counts."""
    words = {None: "unknown", 0: "out"}
    return [Item(sku, n, n or 0, expected, words.get(n, "ok"), None) for sku, n in counts.items()]


def keep(history, **counts):
    """Keep an event of counts."""
    history.keep(body(counts), items(counts))


@pytest.fixture
def started(tmp_path):
    """A function that starts a history on hands."""
    running = []

    def start(hands, *, max_mb=8, days=30, path=None):
        history = History(path or tmp_path / "history.db", max_mb=max_mb, days=days, clocks=hands.clocks)
        history.start()
        running.append(history)
        return history

    yield start
    for history in running:
        history.close()


def rows(history, table="point", columns="at, count"):
    """What stands in the file."""
    with reader.opened(history.path) as db:
        asked = f"SELECT {columns} FROM {table} ORDER BY at"  # noqa: S608 (names of ours)
        return db.execute(asked).fetchall() if db is not None else []


def rows_by_now(history):
    """The same while the file is being replaced; who asks in that very moment is told so, and asks again."""
    with suppress(InputError):
        return rows(history)
    return []


def steps(history, hands, *, sku="cola", span_s=DAY_S):
    """The steps of a product: (seconds since T0, count)."""
    now_ms = round(hands.wall * 1000)
    with reader.opened(history.path) as db:
        found = reader.series(db, Question(now_ms - round(span_s * 1000), now_ms, "a1", sku), most=1000, now_ms=now_ms)
    return [(round(step.at_ms / 1000 - T0, 1), step.count) for step in found[0].steps] if found else []


def test_only_what_is_new_of_a_product_is_a_row(started):
    """An event of a shelf tells all its products; only those that changed are stored, and unknown as unknown."""
    hands = Hands()
    history = started(hands)
    keep(history, cola=4, milk=2)
    hands.go(10)
    keep(history, cola=3, milk=2)
    hands.go(10)
    keep(history, cola=None, milk=2)
    history.close()
    assert rows(history, columns="at, count, status, event") == [
        (round(T0 * 1000), 4, "ok", "state"),
        (round(T0 * 1000), 2, "ok", "state"),
        (round(T0 * 1000) + 10_000, 3, "ok", "counts"),
        (round(T0 * 1000) + 20_000, None, "unknown", "counts"),
    ]


def test_a_stranger_that_is_taken_away_ends_with_none(started):
    """A misplaced product that stands there no longer is not drawn on for ever."""
    hands = Hands()
    history = started(hands)
    keep(history, cola=4, tea=1)
    hands.go(5)
    keep(history, cola=4)
    history.close()
    assert steps(history, hands, sku="tea")[:2] == [(0, 1), (5, 0)]


def test_a_stranger_that_may_stand_behind_an_arm_is_unknown_not_gone(started):
    """While a slot of its shelf cannot be read, a misplaced product that isn't listed any more is no 0."""
    hands = Hands()
    history = started(hands)
    keep(history, cola=4, tea=1)
    hands.go(5)
    history.keep(body({"cola": None}, unknown_slots=1), items({"cola": None}))
    hands.go(5)
    keep(history, cola=4)
    history.close()
    assert steps(history, hands, sku="tea")[:3] == [(0, 1), (5, None), (10, 0)]


def test_the_last_stranger_of_a_shelf_without_a_plan_ends(started):
    """Where nothing is planned and nothing stands any more, no product is listed: what stood there is gone."""
    hands = Hands()
    history = started(hands)
    keep(history, tea=1)
    hands.go(5)
    keep(history)
    history.close()
    assert steps(history, hands, sku="tea")[:2] == [(0, 1), (5, 0)]


def test_a_damaged_file_that_cannot_be_moved_aside_does_not_end_the_thread(started, tmp_path, caplog):
    """A card that went read-only: said once, tried again later, and kept again when it can be."""
    (tmp_path / "history.db").write_bytes(b"no database at all, " * 100)
    (tmp_path / "history.db.damaged").mkdir()  # so that the file cannot take its name
    hands = Hands()
    history = started(hands)
    keep(history, cola=4)
    wait_for(lambda: "cannot be kept" in caplog.text)
    (tmp_path / "history.db.damaged").rmdir()
    hands.go(40)
    keep(history, cola=3)
    wait_for(lambda: "moved aside" in caplog.text)
    wait_for(lambda: rows_by_now(history))
    assert caplog.text.count("cannot be kept") == 1
    assert rows(history, "mark", "kind") == [("lost",)]


def test_a_stop_and_a_crash_show_as_gaps(started, tmp_path):
    """From the end of a run to the first count of the next one nothing is known, whether it ended well or was cut."""
    hands = Hands()
    first = started(hands)
    keep(first, cola=4)
    hands.go(100)
    first.close()
    hands.go(200)
    second = started(hands)
    hands.go(3)
    keep(second, cola=4)
    wait_for(lambda: len(rows(second)) == 2)
    second.close()
    with sqlite3.connect(tmp_path / "history.db") as db:  # as a loss of power would leave it
        db.execute("UPDATE run SET ended = NULL, alive = ? WHERE id = 2", (round((T0 + 350) * 1000),))
    hands.go(1000)
    third = started(hands)
    keep(third, cola=4)
    wait_for(lambda: len(rows(third)) == 3)
    assert steps(third, hands) == [(0, 4), (100, None), (303, 4), (350, None), (1303, 4)]


def test_a_clock_that_boots_in_1970_dates_its_run_anew(started):
    """What was counted before the network set the clock lies where it belongs, and nothing older is deleted."""
    hands = Hands()
    before = started(hands)
    keep(before, cola=4)
    before.close()
    hands.wall, hands.mono = 40.0, 40.0  # booted
    history = started(hands, days=1)
    keep(history, cola=3)
    wait_for(lambda: len(rows(history)) == 2)
    hands.go(20, set_by=T0 + 3600 - 40)
    keep(history, cola=2)
    wait_for(lambda: len(rows(history)) == 3)
    history.close()
    assert steps(history, hands)[:4] == [(0, 4), (0, None), (3600, 3), (3620, 2)]


def test_a_clock_set_far_ahead_deletes_nothing_for_a_day(started, tmp_path, caplog):
    """A year too far is put right by setting it back; until the clock has stood for a day, old is not deleted."""
    hands = Hands()
    history = started(hands)
    keep(history, cola=4)
    wait_for(lambda: rows(history))
    with sqlite3.connect(tmp_path / "history.db") as db:
        db.executemany("INSERT INTO point VALUES (1, ?, 0, 1, 4, 'ok', 'counts')", [(at,) for at in range(1000)])
    hands.go(7200, set_by=300 * DAY_S)
    wait_for(lambda: any(at > (T0 + 200 * DAY_S) * 1000 for at, _ in rows(history)))
    hands.go(7200)
    keep(history, cola=2)
    wait_for(lambda: len(rows(history)) == 1002)
    assert "dated anew" in caplog.text or caplog.text == ""
    hands.go(DAY_S)
    keep(history, cola=1)
    wait_for(lambda: len(rows(history)) <= 4)


def test_it_stays_within_its_megabytes(tmp_path):
    """Row upon row, the file and its log stay below the bound, and the newest are there."""
    path = tmp_path / "history.db"
    db = tables.connect(path)
    run = tables.begin_run(db, 0)
    for batch in range(30):
        with transaction(db):
            made = [
                tables.Point(batch * 5000 + at, "a1", "cam1", f"sku-{at % 7}", at % 5, 4, "ok", "counts")
                for at in range(5000)
            ]
            tables.write(db, run, made, alive_ms=batch)
        tables.fit(db, 2**22)
    size = sum(file.stat().st_size for file in tmp_path.glob("history.db*"))
    newest = db.execute("SELECT max(at), count(*) FROM point").fetchone()
    db.close()
    assert size < 2 * 2**22  # the log may hold one deletion, until it is written back
    assert newest[0] == 30 * 5000 - 1
    assert newest[1] > 40_000


def test_a_damaged_file_is_moved_aside_and_begun_anew(started, tmp_path, caplog):
    """What is no history is kept under another name, and said once."""
    (tmp_path / "history.db").write_bytes(b"no database at all, " * 100)
    history = started(Hands())
    keep(history, cola=4)
    wait_for((tmp_path / "history.db.damaged").exists)
    wait_for(lambda: rows_by_now(history))
    assert "damaged" in caplog.text


def test_pages_that_break_while_it_runs_begin_a_new_one(started, tmp_path):
    """A disk that returns rubbish costs what was kept, and nothing else; the states are there again at once."""
    hands = Hands()
    history = started(hands)
    for turn in range(200):
        hands.go(1)
        keep(history, cola=turn % 5, milk=turn % 3)
    history.close()
    with (tmp_path / "history.db").open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(4096 * 3))
    again = started(hands)
    keep(again, cola=4)
    wait_for(lambda: [count for _, count in rows_by_now(again)] == [4])


def test_a_folder_that_cannot_be_written_is_said_once_and_no_more(started, tmp_path, caplog):
    """Without a place for it the thread goes on trying; when there is one, the states are written with a mark."""
    caplog.set_level(logging.INFO)
    hands = Hands()
    history = started(hands, path=tmp_path / "later" / "history.db")
    keep(history, cola=4)
    wait_for(lambda: "cannot be kept" in caplog.text)
    hands.go(40)
    keep(history, cola=3)
    wait_for(lambda: history._due_s["open"] > 1060)
    (tmp_path / "later").mkdir()
    hands.go(40)
    keep(history, milk=1, cola=3)
    wait_for(lambda: len(rows(history)) == 2)
    assert caplog.text.count("cannot be kept") == 1
    assert rows(history, "mark", "kind") == [("lost",)]
    assert "again" in caplog.text


def test_a_full_queue_drops_counts_and_says_so_once(tmp_path, caplog):
    """The loop never waits: what the disk cannot take in time is lost, counted, and shows as a gap."""
    hands = Hands()
    history = History(tmp_path / "history.db", max_mb=8, days=30, clocks=hands.clocks)
    for turn in range(2500):  # nobody takes them yet
        keep(history, cola=turn % 5)
    history.start()
    wait_for(lambda: rows(history, "mark", "kind"))
    history.close()
    assert history.dropped == 500
    assert caplog.text.count("cannot keep up") == 1


def _write_until_killed(path):
    history = History(path, max_mb=8, days=30)
    history.start()
    turn = 0
    while True:
        turn += 1
        history.keep(body({"cola": turn % 5}), items({"cola": turn % 5}))
        time.sleep(0.0005)


def _stored(path):
    with reader.opened(path) as db:
        return db.execute("SELECT count(*) FROM point").fetchone()[0] if db is not None else 0


def test_kill_9_while_writing_leaves_a_whole_file(tmp_path):
    """Cut off in the middle of writing, twice over: the file opens, is whole, and what it held is there."""
    path = tmp_path / "history.db"
    context = multiprocessing.get_context("spawn")
    held = 0
    for _ in range(2):
        child = context.Process(target=_write_until_killed, args=(path,))
        child.start()
        wait_for(lambda held=held: _stored(path) > held, timeout_s=30)
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        db = tables.connect(path)
        count = db.execute("SELECT count(*) FROM point").fetchone()[0]
        db.close()
        assert count > held
        held = count
    assert not list(tmp_path.glob("*.damaged"))


def test_a_camera_that_goes_and_a_shelf_that_is_removed_are_marked(started):
    """The page can say why nothing was known."""
    hands = Hands()
    history = started(hands)
    keep(history, cola=4)
    hands.go(1)
    history.camera("cam1", "timeout")
    hands.go(1)
    history.removed("a1")
    hands.go(1)
    history.close()
    assert rows(history, "mark", "kind, camera, reason, shelf") == [
        ("camera", "cam1", "timeout", None),
        ("removed", None, None, "a1"),
    ]
    assert steps(history, hands)[:2] == [(0, 4), (2, None)]
