"""Events in memory: each is stored once and in order, and what had to go is counted, whatever a sync says."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.faults.disks import reported
from edge_agent.outbox import held
from edge_agent.outbox import outbox as outboxes
from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.spool import Spool
from edge_agent.shelf import SpoolError
from tests.edge_agent.outbox.conftest import empty, fill, numbers, put


class Unsure:
    """A connection whose commits reach the log, and whose disk then fails to sync it."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __getattr__(self, name: str):
        return getattr(self._db, name)

    def execute(self, statement: str, *values):
        """Commit, and fail."""
        done = self._db.execute(statement, *values)
        if statement == "COMMIT":
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            raise error
        return done


def fail_the_next_sync(outbox: Outbox) -> None:
    """Have the next commit fail at its last step."""
    outbox._spool._db = Unsure(outbox._spool._db)


def test_what_a_failed_sync_has_stored_all_the_same_is_not_stored_twice(make, clock):
    """The file, opened again, says whether it has the batch; what came later follows it."""
    outbox = make()
    put(outbox, 0)
    fail_the_next_sync(outbox)
    put(outbox, 1, 2)
    assert (outbox.trouble is None, outbox.depth()) == (False, 2)
    clock[0] = 40.0
    put(outbox, 3)
    assert outbox.trouble is None
    assert [(row.seq, row.body["n"]) for row in outbox.peek(9)] == [(n + 1, n) for n in range(4)]
    assert outbox.last_seq() == outbox.depth() == 4


def test_what_a_failed_sync_has_not_stored_is_stored_later(tmp_path, make, clock):
    """A batch that the file does not have is still in memory."""
    outbox = make()
    put(outbox, 0)
    before = {suffix: Path(f"{tmp_path / 'o.db'}{suffix}").read_bytes() for suffix in ("", "-wal")}
    fail_the_next_sync(outbox)
    put(outbox, 1, 2)
    for suffix, data in before.items():
        Path(f"{tmp_path / 'o.db'}{suffix}").write_bytes(data)
    clock[0] = 40.0
    put(outbox, 3)
    assert [(row.seq, row.body["n"]) for row in outbox.peek(9)] == [(n + 1, n) for n in range(4)]


@pytest.mark.parametrize("later", [1, 3, 5, 8])
def test_what_is_stored_in_doubt_is_not_reported_as_lost(make, clock, monkeypatch, later):
    """Memory overflows while the file is closed; of a batch that turns out to be in the file nothing went."""
    monkeypatch.setattr(held, "HELD_MAX", 4)
    outbox = make()
    put(outbox, 0)
    fill(outbox)
    put(outbox, *range(1, 5), pad=3000)  # in memory, all four
    empty(outbox)
    fail_the_next_sync(outbox)
    clock[0] = 2.0
    outbox.tend()  # the four, in doubt
    put(outbox, *range(5, 5 + later), pad=3000)
    clock[0] = 80.0
    outbox.tend()
    gone = max(0, later - 4)
    told = ["dropped"] if gone else []
    assert numbers(outbox) == [*range(5), *told, *range(5 + gone, 5 + later)]
    assert len(reported(outbox.peek(99))) == gone


def test_what_the_run_before_had_in_memory_adds_to_what_was_lost_since(tmp_path, make, clock, monkeypatch):
    """An agent that starts on a disk that is away loses events before it can read how many were lost before."""
    outbox = make()
    put(outbox, 0)
    fill(outbox)
    put(outbox, *range(1, 4), pad=3000)
    waited = 4 - len(numbers(outbox))
    (tmp_path / "killed").mkdir()
    for suffix in ("", "-wal", ".mark"):
        shutil.copy(tmp_path / f"o.db{suffix}", tmp_path / "killed")
    monkeypatch.setattr(held, "HELD_MAX", 1)

    def away(*_args, **_options):
        raise SpoolError("disk I/O error")

    with monkeypatch.context() as patched:
        patched.setattr(outboxes, "Spool", away)
        again = Outbox(tmp_path / "killed" / "o.db", ballast_bytes=0, clock=lambda: clock[0])
    with closing(again):
        put(again, 4, 5)
        again._open_spool = lambda: Spool(tmp_path / "killed" / "o.db")
        clock[0] = 40.0
        again.tend()
        assert numbers(again) == [*numbers(outbox), "dropped", 5]
        assert len(reported(again.peek(9))) == waited + 1
