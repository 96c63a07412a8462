"""The outbox: ordered, bounded, durable, and honest about what it drops."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from edge_agent.outbox.errors import translated
from edge_agent.outbox.rows import Event, Row
from edge_agent.outbox.spool import Spool, SpoolDamagedError, SpoolInUseError
from edge_agent.shelf import SpoolError


def bodies(spool):
    """What waits, by number."""
    return [(row.seq, row.body) for row in spool.peek(1000)]


def test_events_come_out_in_order_and_stay_until_acknowledged(tmp_path):
    """Rows are numbered from 1 without gaps, survive reopening, and leave by ack alone."""
    spool = Spool(tmp_path / "o.db")
    assert spool.put([("t", {"n": 1}), ("t", {"n": 2})]) == 2
    assert spool.put([("t", {"n": 3})]) == 3
    epoch = spool.epoch
    spool.close()
    again = Spool(tmp_path / "o.db")
    assert again.epoch == epoch
    assert bodies(again) == [(1, {"n": 1}), (2, {"n": 2}), (3, {"n": 3})]
    again.ack([1, 2])
    assert bodies(again) == [(3, {"n": 3})]
    assert again.put([("t", {"n": 4})]) == 4


def test_numbers_are_never_used_twice(tmp_path):
    """Even when everything has been delivered, the next event gets a new number."""
    spool = Spool(tmp_path / "o.db")
    spool.put([("t", {})])
    spool.ack([1])
    spool.close()
    assert Spool(tmp_path / "o.db").put([("t", {})]) == 2


def test_a_full_outbox_drops_the_oldest_and_says_which(tmp_path):
    """Beyond the bound the oldest rows go, and one event names the range that is gone."""
    spool = Spool(tmp_path / "o.db", max_bytes=2000)
    for n in range(300):
        spool.put([("t", {"n": n, "ts": f"2026-11-23T03:12:{n % 60:02}.000Z", "pad": "x" * 50})])
    rows = bodies(spool)
    gone = [body for _, body in rows if body.get("type") == "dropped"]
    kept = {body["n"] for _, body in rows if "n" in body}
    assert 299 in kept
    assert 0 not in kept
    assert all(body["ts"].startswith("2026-11-23T03:12:") for body in gone)
    covered = {seq for body in gone for seq in range(body["from_seq"], body["to_seq"] + 1)}
    assert covered | {seq for seq, _ in rows} == set(range(1, spool.last_seq() + 1))


def test_the_bound_holds_across_restarts_and_acknowledgements(tmp_path):
    """What waits is never more than the bound, and what was delivered no longer counts."""
    path = tmp_path / "o.db"
    for n in range(5):
        spool = Spool(path, max_bytes=2000)
        spool.put([("t", {"pad": "x" * 50})] * 10)
        assert sum(len(row.body["pad"]) for row in spool.peek(1000) if "pad" in row.body) < 2000
        if n < 4:
            spool.close()
    stored = "SELECT sum(bytes) FROM event"
    assert spool._db.execute(stored).fetchone()[0] == spool._books.size_bytes <= 2000
    first = spool.peek(1)[0].seq
    spool.ack([first, first, 10**6])
    assert spool._db.execute(stored).fetchone()[0] == spool._books.size_bytes


def test_one_process_at_a_time_uses_an_outbox(tmp_path):
    """A second agent on the same file is told to stop the first; when that has ended, the file is free."""
    first = Spool(tmp_path / "o.db")
    with pytest.raises(SpoolInUseError, match="systemctl stop shelf-agent"):
        Spool(tmp_path / "o.db")
    first.close()
    Spool(tmp_path / "o.db").close()


def test_an_outbox_in_memory_is_for_whoever_made_it():
    """Two outboxes that keep nothing don't know of each other."""
    assert [Spool(":memory:").put([("t", {})]), Spool(":memory:").put([("t", {})])] == [1, 1]


def test_a_full_disk_is_named_and_passes(tmp_path):
    """The error says that the disk is full, what was stored stays, and with space again puts work again."""
    spool = Spool(tmp_path / "o.db")
    spool._db.execute("PRAGMA max_page_count=8")
    with pytest.raises(SpoolError, match="disk is full"):
        spool.put([("t", {"pad": "x" * 500})] * 500)
    assert spool.depth() == 0
    spool._db.execute("PRAGMA max_page_count=1000")
    assert spool.put([("t", {})]) == 1


def test_what_is_remembered_survives_a_restart(tmp_path):
    """A value under a name is there for the next start, and nothing is before the first."""
    spool = Spool(tmp_path / "o.db")
    assert spool.recall("retained") is None
    spool.remember("retained", "a")
    spool.close()
    assert Spool(tmp_path / "o.db").recall("retained") == "a"


def test_a_file_that_is_no_outbox_is_an_error_with_a_remedy(tmp_path):
    """A damaged file is named with what will become of it, and is left as it is."""
    path = tmp_path / "o.db"
    path.write_bytes(b"not a database, but long enough to be looked at" * 50)
    with pytest.raises(SpoolDamagedError, match=r"o\.db is damaged \(file is not a database\).*moves it aside"):
        Spool(path)
    assert path.read_bytes().startswith(b"not a database")


def test_a_folder_that_does_not_exist_is_an_error(tmp_path):
    """The outbox names its path where the folder is missing."""
    with pytest.raises(SpoolError, match="its folder exists"):
        Spool(tmp_path / "none" / "o.db")


def test_every_commit_is_on_disk(tmp_path):
    """The database runs with a write-ahead log and full synchronization: a power cut loses no event."""
    spool = Spool(tmp_path / "o.db")
    assert spool._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert spool._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_failed_put_stores_nothing(tmp_path):
    """A transaction is whole or not at all."""
    spool = Spool(tmp_path / "o.db")
    refuse = "WHEN new.topic='bad' BEGIN SELECT RAISE(ABORT, 'no'); END"
    spool._db.execute(f"CREATE TRIGGER no BEFORE INSERT ON event {refuse}")
    with pytest.raises(SpoolError):
        spool.put([("good", {}), ("bad", {})])
    assert bodies(spool) == []
    assert isinstance(spool._db, sqlite3.Connection)


def test_reports_cover_what_is_dropped_however_often(tmp_path):
    """A report that is dropped itself is taken over by the next; numbers of a lost range are never used again."""
    spool = Spool(tmp_path / "o.db", max_bytes=3000)
    assert spool.store([Event.of("t", {"n": "first"})], lost=4) == 6
    assert spool.peek(1)[0].body == {"type": "dropped", "from_seq": 1, "to_seq": 4, "why": "disk"}
    for n in range(100):
        spool.put([("t", {"n": n, "pad": "x" * 100})])
    rows = spool.peek(1000)
    covered = {s for row in rows if "why" in row.body for s in range(row.body["from_seq"], row.body["to_seq"] + 1)}
    assert {row.body["why"] for row in rows if "why" in row.body} == {"full"}
    assert covered | {row.seq for row in rows} == set(range(1, spool.last_seq() + 1))


def test_what_waits_for_too_long_is_dropped_and_reported(tmp_path):
    """Age counts while the agent runs, across restarts, and by no clock that anybody can set."""
    clock = [0.0]
    spool = Spool(tmp_path / "o.db", max_age_s=100, clock=lambda: clock[0])
    spool.put([("t", {"n": 1})])
    clock[0] = 60.0
    spool.put([("t", {"n": 2})])
    assert [row.age_s for row in spool.peek(9)] == [60.0, 0.0]
    spool.tend()
    spool.close()
    clock[0] = 0.0  # another boot
    again = Spool(tmp_path / "o.db", max_age_s=100, clock=lambda: clock[0])
    assert again.oldest_age_s() == 60.0
    assert [row.age_s for row in again.peek(9)] == [None, None]
    clock[0] = 41.0
    again.tend("2026-11-23T03:12:09.412Z")
    report = {"type": "dropped", "from_seq": 1, "to_seq": 1, "why": "age", "ts": "2026-11-23T03:12:09.412Z"}
    assert bodies(again) == [(2, {"n": 2}), (3, report)]


def test_the_report_of_what_was_too_old_is_synced_like_any_event(tmp_path):
    """Only the clock and deletes may go without a sync: a number that was given out is never given again."""
    clock, said = [0.0], []
    spool = Spool(tmp_path / "o.db", max_age_s=100, clock=lambda: clock[0])
    spool.put([("t", {"n": 1})])
    spool._db.set_trace_callback(said.append)
    spool.tend()
    assert "PRAGMA synchronous=NORMAL" in said
    said.clear()
    clock[0] = 101.0
    spool.tend()
    assert spool.last_seq() == 2
    assert "PRAGMA synchronous=NORMAL" not in said


def test_a_bug_of_ours_is_no_damage(tmp_path):
    """A file that was closed, and a statement that lacks a value, tell nothing of what is in the file."""
    spool = Spool(tmp_path / "o.db")
    spool.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        spool.peek(9)
    with (
        pytest.raises(sqlite3.ProgrammingError),
        translated("o.db", "read", opening=True),
        closing(sqlite3.connect(":memory:")) as db,
    ):
        db.execute("SELECT ?", ())
    with (
        pytest.raises(SpoolDamagedError, match="UTF-8"),
        translated("o.db", "read"),
        closing(sqlite3.connect(":memory:")) as db,
    ):
        db.execute("SELECT CAST(x'ff' AS TEXT)").fetchone()


def test_what_is_found_in_the_log_is_in_the_database_before_anybody_relies_on_it(tmp_path):
    """After a sync that failed the log may be in memory only; it is written anew when the file is opened."""
    spool = Spool(tmp_path / "o.db")
    spool.put([("t", {"n": 1})])
    (tmp_path / "killed").mkdir()
    for suffix in ("", "-wal", ".mark"):
        shutil.copy(tmp_path / f"o.db{suffix}", tmp_path / "killed")
    with closing(Spool(tmp_path / "killed" / "o.db")) as again:
        assert (tmp_path / "killed" / "o.db-wal").stat().st_size == 0
        assert bodies(again) == [(1, {"n": 1})]


def test_an_event_is_late_by_the_agents_own_clock():
    """A wall clock that jumps makes no news historical; only for a row of an earlier run does it have to vouch."""
    now = datetime(2026, 11, 23, tzinfo=UTC)
    fresh = Row(1, "t", {"ts": (now - timedelta(days=365)).isoformat()}, 3.0, "e")
    assert not fresh.late(now)
    assert replace(fresh, age_s=31.0).late(now)
    assert replace(fresh, age_s=None).late(now)
    before = [replace(fresh, age_s=None, body={"ts": (now - timedelta(seconds=s)).isoformat()}) for s in (-5, 5, 40)]
    assert [row.late(now) for row in before] == [True, False, True]
    assert replace(fresh, age_s=None, body={}).late(now)


def test_a_consumer_acknowledges_end_to_end(tmp_path):
    """A mark removes everything up to it; one of another epoch, or of what never was, removes nothing and is told."""
    spool = Spool(tmp_path / "o.db")
    spool.put([("t", {"n": n}) for n in range(5)])
    assert spool.ack_upto("another", 3) is None
    assert spool.ack_upto(spool.epoch, 6) is None
    assert spool.ack_upto(spool.epoch, 0) is None
    assert spool.depth() == 5
    assert spool.ack_upto(spool.epoch, 3) == 3
    assert spool.ack_upto(spool.epoch, 2) == 0
    assert [seq for seq, _ in bodies(spool)] == [4, 5]


def test_an_outbox_without_checksums_is_brought_over(tmp_path):
    """What the first version wrote keeps its epoch, its numbers, its events and what it remembered."""
    with closing(sqlite3.connect(tmp_path / "o.db")) as old:
        old.executescript(
            "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);"
            "CREATE TABLE event (seq INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, body TEXT NOT NULL,"
            " bytes INTEGER NOT NULL); INSERT INTO meta VALUES ('epoch', 'b7e1'), ('retained', 'a');"
            "INSERT INTO event (topic, body, bytes) VALUES ('t', '{\"n\":1}', 7),"
            "('t', '{\"n\":2}', 7), ('t', '{}', 2);"
            "DELETE FROM event WHERE seq IN (1, 3);"
        )
        old.commit()
    spool = Spool(tmp_path / "o.db")
    assert (spool.epoch, spool.recall("retained"), spool.last_seq()) == ("b7e1", "a", 3)
    assert spool.put([("t", {"n": 4})]) == 4
    spool.close()
    assert bodies(Spool(tmp_path / "o.db")) == [(2, {"n": 2}), (4, {"n": 4})]


@pytest.mark.parametrize("file", ["o.db", "o.db-wal", "o.db.mark"])
def test_what_was_committed_does_not_vanish_silently(tmp_path, file):
    """A database, a log or a mark that is gone is damage: numbers would be given twice, and nobody would know."""
    spool = Spool(tmp_path / "o.db")
    spool.put([("t", {"n": n}) for n in range(5)])
    (tmp_path / "killed").mkdir()
    for suffix in ("", "-wal", ".mark"):
        name = f"o.db{suffix}"
        if name != file:
            shutil.copy(tmp_path / name, tmp_path / "killed" / name)
    with pytest.raises(SpoolDamagedError, match=r"not there|any more"):
        Spool(tmp_path / "killed" / "o.db")


def test_a_power_cut_before_the_mark_was_written_is_no_damage(tmp_path):
    """The mark is not synced, so it may be behind: what the database has is there, and counts."""
    spool = Spool(tmp_path / "o.db")
    before = (tmp_path / "o.db.mark").read_bytes()
    spool.put([("t", {"n": 1})])
    epoch = spool.epoch
    spool.close()
    (tmp_path / "o.db.mark").write_bytes(before)
    again = Spool(tmp_path / "o.db")
    assert (again.epoch, bodies(again)) == (epoch, [(1, {"n": 1})])


def test_a_row_that_was_altered_is_never_sent(tmp_path):
    """A checksum that is wrong is damage when the row is read, even if SQLite sees nothing wrong."""
    spool = Spool(tmp_path / "o.db")
    spool.put([("t", {"n": 1}), ("t", {"n": 2})])
    spool._db.execute("UPDATE event SET body = '{\"n\":3}' WHERE seq = 2")
    with pytest.raises(SpoolDamagedError, match="checksum"):
        spool.peek(9)
    spool.close()
    with pytest.raises(SpoolDamagedError, match="checksum of event 2"):
        Spool(tmp_path / "o.db")
