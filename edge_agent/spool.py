"""The outbox: events wait here, on the device's disk, until the broker has them. Nothing is lost in between.

SQLite with a write-ahead log and `synchronous=FULL`: an event that `put` has returned survives a power cut. Rows are
numbered by `seq` without gaps; `(epoch, seq)` is how a consumer drops repeats and sees gaps. The outbox is bounded:
what it has to drop is itself an event that names the range that is gone. One process at a time has it open.
"""

import fcntl
import json
import os
import sqlite3
import threading
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_agent.shelf import SpoolError

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, body TEXT NOT NULL, bytes INTEGER NOT NULL
);
"""
DROP_SHARE = 0.1
"""How much of the bound is freed at once when the outbox is full, so that it doesn't drop at every put."""


class SpoolInUseError(SpoolError):
    """Another process has the outbox open."""


@dataclass(frozen=True, slots=True)
class Row:
    """An event that waits: its number, its topic, and its body without the envelope."""

    seq: int
    topic: str
    body: dict[str, Any]


class Spool:
    """The outbox of one device, in one file. Safe for the counting and the publishing thread at once."""

    def __init__(self, path: Path | str, *, max_bytes: int = 64 * 2**20) -> None:
        """Open the outbox, or make it.

        Args:
            path: The database file, in a folder that exists; ":memory:" keeps nothing.
            max_bytes: Bodies that may wait, in bytes; beyond that the oldest are dropped, with a report.

        Raises:
            SpoolInUseError: Another process has it open.
            SpoolError: The file cannot be opened, or is not an outbox.
        """
        self._path, self._max_bytes, self._lock = path, max_bytes, threading.Lock()
        self._lock_fd = self._locked() if str(path) != ":memory:" else None
        try:
            self._open()
        except SpoolError:
            self._unlock()
            raise

    def _locked(self) -> int:
        """A lock beside the database: its descriptor, to be closed with it.

        The database has locks of its own, but for a transaction only. Reading is enough to lock: the file may belong
        to whoever ran `shelf-agent check` first.
        """
        with self._translated("opened"):
            fd = os.open(f"{self._path}.lock", os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                os.close(fd)
                raise SpoolInUseError(
                    f"another shelf-agent uses the outbox {self._path}: stop it (systemctl stop shelf-agent),"
                    " or name another path under [outbox]."
                ) from error
            return fd

    def _unlock(self) -> None:
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def _open(self) -> None:
        with self._translated("opened"):
            self._db = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
            self._db.execute("INSERT OR IGNORE INTO meta VALUES ('epoch', ?)", (uuid.uuid4().hex[:16],))
            self.epoch: str = self._db.execute("SELECT value FROM meta WHERE key='epoch'").fetchone()[0]
            self._bytes: int = self._db.execute("SELECT coalesce(sum(bytes), 0) FROM event").fetchone()[0]

    def put(self, events: Iterable[tuple[str, Mapping[str, Any]]]) -> int:
        """Store events, each a topic and a JSON body, in one transaction.

        Returns:
            The `seq` of the newest event that was ever stored: what a state message is as of.

        Raises:
            SpoolError: The disk does not take them; none of them is stored then.
        """
        new = list(events)
        rows = [(topic, text := json.dumps(body, separators=(",", ":")), len(text)) for topic, body in new]
        with self._lock, self._translated("written"):
            total_bytes = self._bytes + sum(size for _, _, size in rows)
            with self._transaction():
                self._db.executemany("INSERT INTO event (topic, body, bytes) VALUES (?, ?, ?)", rows)
                if rows and total_bytes > self._max_bytes:
                    total_bytes = self._make_room(total_bytes, *new[-1])
            self._bytes = total_bytes
        return self.last_seq()

    def remember(self, key: str, value: str) -> None:
        """Keep a value under a name across restarts.

        Raises:
            SpoolError: The disk does not take it.
        """
        with self._lock, self._translated("written"), self._transaction():
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def recall(self, key: str) -> str | None:
        """The value that is kept under a name; None where there is none.

        Raises:
            SpoolError: The file cannot be read.
        """
        with self._lock, self._translated("read"):
            row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else None

    def last_seq(self) -> int:
        """The `seq` of the newest event that was ever stored, 0 before the first."""
        with self._lock, self._translated("read"):
            row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name='event'").fetchone()
        return int(row[0]) if row else 0

    def peek(self, limit: int, *, after_seq: int = 0) -> list[Row]:
        """The oldest events beyond `after_seq`, in order; they stay until `ack`.

        Raises:
            SpoolError: The file cannot be read.
        """
        query = "SELECT seq, topic, body FROM event WHERE seq > ? ORDER BY seq LIMIT ?"
        with self._lock, self._translated("read"):
            found = self._db.execute(query, (after_seq, limit)).fetchall()
        return [Row(seq, topic, json.loads(body)) for seq, topic, body in found]

    def ack(self, seqs: Sequence[int]) -> None:
        """Remove events that have arrived.

        Raises:
            SpoolError: The disk does not take it; they will be sent again.
        """
        with self._lock, self._translated("written"):
            freed_bytes = 0
            with self._transaction():
                for seq in seqs:
                    row = self._db.execute("SELECT bytes FROM event WHERE seq = ?", (seq,)).fetchone()
                    freed_bytes += row[0] if row else 0
                    self._db.execute("DELETE FROM event WHERE seq = ?", (seq,))
            self._bytes -= freed_bytes

    def depth(self) -> int:
        """How many events wait."""
        with self._lock, self._translated("read"):
            return int(self._db.execute("SELECT count(*) FROM event").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
            self._unlock()

    def _make_room(self, total_bytes: int, topic: str, newest: Mapping[str, Any]) -> int:
        """Drop the oldest rows, and leave one event that says which, at the time of the newest. Returns the new total.

        An earlier report that goes too is taken over: its range becomes part of the new one.
        """
        excess = total_bytes - self._max_bytes * (1 - DROP_SHARE)
        last = self._db.execute(
            "SELECT seq FROM (SELECT seq, sum(bytes) OVER (ORDER BY seq) AS upto FROM event) WHERE upto >= ? LIMIT 1",
            (excess,),
        ).fetchone()[0]
        first, freed_bytes = self._db.execute(
            "SELECT min(CASE json_extract(body, '$.type') WHEN 'dropped' THEN json_extract(body, '$.from_seq') ELSE seq"
            " END), sum(bytes) FROM event WHERE seq <= ?",
            (last,),
        ).fetchone()
        self._db.execute("DELETE FROM event WHERE seq <= ?", (last,))
        report = {"type": "dropped", "from_seq": first, "to_seq": last}
        body = json.dumps(report | ({"ts": newest["ts"]} if "ts" in newest else {}))
        self._db.execute("INSERT INTO event (topic, body, bytes) VALUES (?, ?, ?)", (topic, body, len(body)))
        return total_bytes - int(freed_bytes) + len(body)

    @contextmanager
    def _transaction(self) -> "Iterator[None]":
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # a full disk has ended it already
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _translated(self, verb: str) -> "Iterator[None]":
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise SpoolError(
                f"the outbox {self._path} cannot be {verb} ({error}). Check that its folder exists, is writable and has"
                " space; if the file is damaged, move it away and start again."
            ) from error
