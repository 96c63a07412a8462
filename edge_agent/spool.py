"""The outbox: events wait here, on the device's disk, until the broker has them. Nothing is lost in between.

SQLite with a write-ahead log and `synchronous=FULL`: an event that `put` has returned survives a power cut. Rows are
numbered by `seq` without gaps; `(epoch, seq)` is how a consumer drops repeats and sees gaps. The outbox is bounded:
what it has to drop is itself an event that names the range that is gone.
"""

import json
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
            SpoolError: The file cannot be opened, or is not an outbox.
        """
        self._path, self._max_bytes, self._lock = path, max_bytes, threading.Lock()
        with self._translated("opened"):
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
            self._db.execute("INSERT OR IGNORE INTO meta VALUES ('epoch', ?)", (uuid.uuid4().hex[:16],))
            self.epoch: str = self._db.execute("SELECT value FROM meta WHERE key='epoch'").fetchone()[0]

    def put(self, events: Iterable[tuple[str, Mapping[str, Any]]]) -> int:
        """Store events, each a topic and a JSON body, in one transaction.

        Returns:
            The `seq` of the newest event that was ever stored: what a state message is as of.

        Raises:
            SpoolError: The disk does not take them; none of them is stored then.
        """
        rows = [(topic, text := json.dumps(body, separators=(",", ":")), len(text)) for topic, body in events]
        with self._lock, self._translated("written"), self._transaction():
            self._db.executemany("INSERT INTO event (topic, body, bytes) VALUES (?, ?, ?)", rows)
            if rows:
                self._make_room(rows[-1][0])
        return self.last_seq()

    def swap(self, key: str, value: str) -> str | None:
        """Remember a value under a name across restarts, and return the one before; None where there was none.

        Raises:
            SpoolError: The disk does not take it.
        """
        with self._lock, self._translated("written"), self._transaction():
            before = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
        return str(before[0]) if before else None

    def last_seq(self) -> int:
        """The `seq` of the newest event that was ever stored, 0 before the first."""
        with self._translated("read"):
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
        with self._lock, self._translated("written"), self._transaction():
            self._db.executemany("DELETE FROM event WHERE seq = ?", [(seq,) for seq in seqs])

    def depth(self) -> int:
        """How many events wait."""
        with self._lock, self._translated("read"):
            return int(self._db.execute("SELECT count(*) FROM event").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _make_room(self, topic: str) -> None:
        """Drop the oldest rows while there are too many bytes, and leave one event that says which."""
        total = self._db.execute("SELECT coalesce(sum(bytes), 0) FROM event").fetchone()[0]
        if total <= self._max_bytes:
            return
        excess = total - self._max_bytes * (1 - DROP_SHARE)
        last = self._db.execute(
            "SELECT seq FROM (SELECT seq, sum(bytes) OVER (ORDER BY seq) AS upto FROM event) WHERE upto >= ? LIMIT 1",
            (excess,),
        ).fetchone()[0]
        first = self._db.execute("SELECT min(seq) FROM event").fetchone()[0]
        self._db.execute("DELETE FROM event WHERE seq <= ?", (last,))
        body = json.dumps({"type": "dropped", "from_seq": first, "to_seq": last})
        self._db.execute("INSERT INTO event (topic, body, bytes) VALUES (?, ?, ?)", (topic, body, len(body)))

    @contextmanager
    def _transaction(self) -> "Iterator[None]":
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    @contextmanager
    def _translated(self, verb: str) -> "Iterator[None]":
        try:
            yield
        except sqlite3.Error as error:
            raise SpoolError(
                f"the outbox {self._path} cannot be {verb} ({error}). Check that its folder exists, is writable and has"
                " space; if the file is damaged, move it away and start again."
            ) from error
