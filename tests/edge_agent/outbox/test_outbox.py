"""The outbox on a disk that fails: counting goes on, nothing goes unsaid, and what is damaged is replaced."""

import logging
import os
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.faults.damage import damage_often
from benchmarks.faults.disks import reported
from benchmarks.faults.outbox import at_length, clock_jumps
from edge_agent.outbox import held
from edge_agent.outbox.ballast import Ballast
from edge_agent.outbox.errors import SpoolUnreadableError
from edge_agent.outbox.files import KEPT_DAMAGED, move_aside
from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.spool import Spool, SpoolInUseError
from edge_agent.shelf import SpoolError
from tests.edge_agent.outbox.conftest import empty, fill, numbers, put


def test_counting_goes_on_while_the_disk_is_full(make, clock, caplog):
    """Events wait in memory and are not sent; with room again they are stored in order, and the trouble is over."""
    outbox = make()
    put(outbox, 0)
    fill(outbox)
    assert put(outbox, *range(1, 30), pad=2000) < 29
    assert "disk is full" in outbox.trouble
    stored = numbers(outbox)
    assert stored == list(range(len(stored)))
    assert outbox.depth() == 30
    empty(outbox)
    clock[0] = 40.0
    put(outbox, 30)
    assert outbox.trouble is None
    assert numbers(outbox) == list(range(31))
    assert outbox.last_seq() == 31
    assert [record.levelname for record in caplog.records].count("WARNING") == 1


def test_what_memory_cannot_hold_is_reported_exactly(make, clock, monkeypatch):
    """The oldest go, their numbers are named by an event that comes in their place, and no number is used again."""
    monkeypatch.setattr(held, "HELD_MAX", 10)
    outbox = make()
    fill(outbox)
    put(outbox, *range(60), pad=2000)
    kept = numbers(outbox)
    empty(outbox)
    clock[0] = 40.0
    outbox.tend()
    found = numbers(outbox)
    gap = 60 - 10 - len(kept)
    assert found == [*kept, "dropped", *range(50, 60)]
    rows = outbox.peek(1000)
    assert len(reported(rows)) == gap
    assert reported(rows) | {row.seq for row in rows} == set(range(1, outbox.last_seq() + 1))


def test_events_in_memory_that_a_kill_takes_are_reported_by_the_next_run(tmp_path, make):
    """The mark, which is written over even on a full disk, says how many there were."""
    outbox = make()
    put(outbox, 0)
    fill(outbox)
    put(outbox, *range(1, 40), pad=2000)
    stored = len(numbers(outbox))
    assert stored < 40
    (tmp_path / "killed").mkdir()
    for suffix in ("", "-wal", ".mark"):
        shutil.copy(tmp_path / f"o.db{suffix}", tmp_path / "killed")
    with closing(Outbox(tmp_path / "killed" / "o.db", ballast_bytes=0)) as again:
        put(again, 99)
        assert numbers(again) == [*range(stored), "dropped", 99]
        assert len(reported(again.peek(100))) == 40 - stored


def test_a_full_disk_can_still_be_drained(make, clock):
    """What was delivered goes, or is at least not sent again, and makes room for what waits in memory."""
    outbox = make()
    fill(outbox)
    put(outbox, *range(60), pad=1000)
    assert outbox.trouble is not None
    seen = []
    while len(seen) < 60:
        rows = outbox.peek(5)
        seen += [row.body["n"] for row in rows]
        outbox.ack([row.seq for row in rows])
        clock[0] += 40.0
    assert seen == list(range(60))
    outbox.tend()
    assert (outbox.depth(), outbox.trouble) == (0, None)


def test_what_the_disk_does_not_let_go_of_is_not_sent_again(make, clock):
    """An acknowledgement that cannot be stored is kept in memory until it can."""
    outbox = make()
    put(outbox, *range(6))
    outbox._spool._db.execute("CREATE TEMP TRIGGER no BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'no'); END")
    outbox.ack([1, 2])
    assert outbox.trouble is not None
    clock[0] = 40.0
    assert numbers(outbox) == [2, 3, 4, 5]
    outbox.ack([3])
    assert numbers(outbox) == [3, 4, 5]
    assert outbox.trouble is None


def test_ballast_is_room_that_is_really_kept(tmp_path):
    """Half of it goes for events, the rest for deletes, and it is made again."""
    ballast = Ballast(tmp_path / "o.db", 2**20)
    assert not ballast.release(wholly=True)
    ballast.restore()
    assert ballast.held_bytes == 2**20
    assert ballast.release(wholly=False)
    assert ballast.held_bytes == 2**19
    assert not ballast.release(wholly=False)
    assert ballast.release(wholly=True)
    assert ballast.held_bytes == 0
    ballast.restore()
    assert ballast.held_bytes == 2**20


def test_a_damaged_outbox_is_replaced_and_says_so(tmp_path, make, caplog):
    """What is whole is saved with its key; then a new epoch begins with what happened, and goes on from there."""
    with closing(make()) as outbox:
        put(outbox, *range(5))
        epoch = outbox.epoch
    data = (tmp_path / "o.db").read_bytes()
    (tmp_path / "o.db").write_bytes(data.replace(b'"n":3', b'"n":8'))
    again = make()
    put(again, 5)
    rows = again.peek(100)
    assert [(row.key, row.body.get("n")) for row in rows[:4]] == [((epoch, n + 1), n) for n in (0, 1, 2, 4)]
    assert [row.key for row in rows[4:]] == [(again.epoch, 6), (again.epoch, 7)]
    assert again.epoch != epoch
    assert again.begins_at == 6
    told = rows[4].body
    aside = tmp_path / told.pop("moved_to")
    assert told.pop("ts").endswith("Z")
    assert told == {
        "type": "outbox_replaced",
        "why": "the checksum of event 4 is wrong",
        "old_epoch": epoch,
        "old_last_seq": 5,
        "saved": 4,
        "missing": 1,
    }
    assert b'"n":8' in aside.read_bytes()
    assert str(aside) in caplog.text
    assert again.ack_upto(again.epoch, 6) == 5  # what was saved came before it


def test_damage_that_shows_while_running_is_replaced_in_place(make):
    """Counting goes on in a new epoch, with what could be saved, and with the next numbers."""
    outbox = make()
    put(outbox, *range(300), pad=300)
    epoch = outbox.epoch
    outbox._spool._db.execute("UPDATE event SET topic = 'u' WHERE seq = 7")
    assert [row.seq for row in outbox.peek(3)] == [1, 2, 3]
    rows = outbox.peek(1000)
    assert [row.key for row in rows] == [*((epoch, n) for n in range(1, 301) if n != 7), (outbox.epoch, 301)]
    assert rows[-1].body["missing"] == 1
    assert put(outbox, 300) == 302


def test_a_file_with_a_sector_that_cannot_be_read_is_replaced_after_a_while(tmp_path, make, clock):
    """The disk may be away for a moment; when it stays so, but takes a new file, the outbox begins anew."""
    outbox = make()
    put(outbox, *range(5))
    epoch, really = outbox.epoch, outbox._open_spool

    def open_spool():
        if not list(tmp_path.glob("*.damaged-*")):
            raise SpoolUnreadableError(tmp_path / "o.db", "disk I/O error")
        return really()

    outbox._open_spool = open_spool
    outbox._shut()
    began_s = clock[0]
    while outbox.epoch == epoch:
        put(outbox, 5)
        clock[0] += 1.0
        assert clock[0] - began_s < 60.0
    assert clock[0] - began_s > 25.0
    assert outbox.trouble is None
    assert set(numbers(outbox)) == {0, 1, 2, 3, 4, "outbox_replaced", 5}


@pytest.mark.parametrize("step", ["beside", "moved", "renamed"])
def test_a_power_cut_in_the_middle_of_a_replacement_loses_nothing(tmp_path, make, step):
    """However far it came, the next start replaces the outbox again, and every event is there."""
    with closing(make()) as outbox:
        put(outbox, *range(5))
        epoch = outbox.epoch
    path, aside = tmp_path / "o.db", tmp_path / "o.db.damaged-20261123T031209Z"
    mark = Path(f"{path}.mark").read_bytes()
    Path(f"{path}.mark").write_bytes(b"damaged")
    if step == "beside":
        Path(f"{path}.new").write_bytes(b"half a file")
    elif step == "moved":
        move_aside(path, aside)
    else:
        make().close()
        Path(f"{path}.mark").write_bytes(mark)
    again = make()
    put(again, 5)
    assert [n for n in numbers(again) if n != "outbox_replaced"] == list(range(6))
    assert [row.key for row in again.peek(5)] == [(epoch, n) for n in range(1, 6)]
    assert again.epoch != epoch


def test_a_damaged_outbox_that_was_empty_waits_for_an_event_to_say_so(tmp_path, make):
    """The report needs a topic: it goes out with the first event, before it."""
    (tmp_path / "o.db").write_bytes(b"not a database, but long enough to be looked at" * 50)
    outbox = make()
    assert outbox.depth() == 0
    put(outbox, 0)
    assert numbers(outbox) == ["outbox_replaced", 0]
    body = outbox.peek(1)[0].body
    assert (body["old_epoch"], body["saved"], body["missing"]) == (None, 0, None)


def test_only_the_newest_damaged_files_are_kept(tmp_path):
    """A card that dies slowly doesn't fill itself with its own ruins."""
    for _ in range(KEPT_DAMAGED + 3):
        (tmp_path / "o.db").write_bytes(b"broken" * 1000)
        Outbox(tmp_path / "o.db", ballast_bytes=0).close()
    assert len(list(tmp_path.glob("o.db.damaged-*"))) == KEPT_DAMAGED


def test_files_damaged_in_every_way_are_whole_or_told(caplog):
    """Bits flipped, cut short, missing, zeros: every event is there, or a new epoch says so; never a wrong one."""
    caplog.set_level(logging.CRITICAL)
    trials = damage_often(40, seed=11)
    assert [(trial.how, trial.wrong) for trial in trials if trial.wrong] == []
    assert {trial.replaced for trial in trials} == {True, False}


def test_clocks_that_jump_change_neither_order_nor_age():
    """A year back, a year on, an hour back, a boot in 1970: the wall clock decides nothing."""
    assert [problem for problems in clock_jumps().values() for problem in problems] == []


def test_a_backlog_is_delivered_far_faster_than_it_comes():
    """Deletes need not be durable, and are not."""
    assert at_length(5000).delivered_per_s > 1000


def test_an_operator_is_told_what_only_an_operator_can_mend(tmp_path, make):
    """A folder that is not there, and another agent, end the start; both are named."""
    with pytest.raises(SpoolError, match="its folder exists"):
        Outbox(tmp_path / "none" / "o.db")
    make()
    with pytest.raises(SpoolInUseError, match="systemctl stop"):
        Outbox(tmp_path / "o.db")


def test_what_is_remembered_waits_for_the_disk_too(make, clock):
    """A value is known at once, and stored when the disk is back."""
    outbox = make()
    spool = outbox._spool
    spool._db.execute("CREATE TEMP TRIGGER no BEFORE INSERT ON meta BEGIN SELECT RAISE(ABORT, 'no'); END")
    outbox.remember("retained", "a")
    assert (outbox.recall("retained"), outbox.trouble is None) == ("a", False)
    clock[0] = 40.0
    outbox.tend()
    assert outbox.trouble is None
    outbox.close()
    with closing(Spool(Path(outbox._path))) as stored:
        assert stored.recall("retained") == "a"


def test_nothing_opens_an_outbox_that_was_closed(tmp_path, make):
    """A publisher that is still at it when the agent ends finds nothing, and another agent can have the file."""
    outbox = make()
    put(outbox, 0)
    outbox.close()
    assert outbox.peek(9) == []
    outbox.ack([1])
    outbox.tend()
    assert outbox.ack_upto(outbox.epoch, 1) is None
    assert outbox.oldest_age_s() is None
    outbox.remember("retained", "a")
    with pytest.raises(SpoolError, match="is closed"):
        outbox.recall("another")
    outbox.close()
    with closing(Spool(tmp_path / "o.db")) as stored:
        assert stored.depth() == 1


def test_nobody_knows_what_is_remembered_while_the_disk_cannot_be_read(make, clock):
    """None is said of a value that is not there, and not of one that cannot be read."""
    outbox = make()
    assert outbox.recall("retained") is None
    outbox.remember("retained", "a")
    outbox._suffer(SpoolError("disk I/O error"))
    with pytest.raises(SpoolError, match="disk I/O error"):
        outbox.recall("retained")
    clock[0] = 40.0
    assert outbox.recall("retained") == "a"


def test_nothing_is_kept_open_while_the_disk_takes_nothing(tmp_path, make):
    """Whoever mends a disk must be able to unmount it."""
    outbox = make()
    outbox._suffer(SpoolError("disk I/O error"))
    held = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
    assert not [name for name in held if name.startswith(str(tmp_path))]
    assert outbox.peek(10) == []


def test_an_outbox_in_memory_works_without_a_disk():
    """`:memory:` has neither mark nor ballast."""
    outbox = Outbox(":memory:")
    assert put(outbox, 1, 2) == 2
    assert numbers(outbox) == [1, 2]
    outbox.close()
