"""The outbox's store: events wait here, on the device's disk, until the broker has them. Nothing is lost in between.

SQLite with a write-ahead log and `synchronous=FULL`: an event that `put` has returned survives a power cut. Events are
numbered without gaps; `(epoch, seq)` is how a consumer drops repeats and sees gaps. The store is bounded, by bytes and
by age: what it has to drop is itself an event that names the range that is gone. One process at a time has it open.
Every error of the disk is raised here; `edge_agent.outbox.outbox` is what goes on all the same.
"""

import json
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_agent.outbox import rows, tables
from edge_agent.outbox.errors import SpoolDamagedError, SpoolInUseError, translated
from edge_agent.outbox.files import lock
from edge_agent.outbox.mark import Mark, Witness, hold_against
from edge_agent.outbox.rows import DROP_SHARE, Books, Drop, Event, Row
from edge_agent.outbox.tables import COLUMNS, Head
from edge_agent.sqlite import transaction

__all__ = ["Event", "Row", "Spool", "SpoolDamagedError", "SpoolInUseError"]


class Spool:
    """The events of one device, in one file. Safe for the counting and the publishing thread at once."""

    def __init__(
        self,
        path: Path | str,
        *,
        max_bytes: int = 64 * 2**20,
        max_age_s: float = float("inf"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open the store, or make it. All of it is read once, and must be what was written.

        Args:
            path: The database file, in a folder that exists; ":memory:" keeps nothing.
            max_bytes: Bodies that may wait, in bytes; beyond that the oldest are dropped, with a report.
            max_age_s: Seconds of a running agent that an event may wait; see `tend`.
            clock: Seconds on a clock that never jumps.

        Raises:
            SpoolInUseError: Another process has it open.
            SpoolDamagedError: The file is not what was written, or misses what was.
            SpoolError: The file cannot be opened.
        """
        self._path, self._max_bytes, self._max_age_s, self._clock = path, max_bytes, max_age_s, clock
        self._lock = threading.Lock()
        self._mark: Mark | None = None
        self.held = 0
        """Events that wait in memory only, for the mark: should the agent be killed, the next one reports them."""
        stored = str(path) != ":memory:"
        self._lock_fd = lock(path) if stored else None
        try:
            self._open(Mark.read(path) if stored else None)
        except BaseException:
            self._unlock()
            raise

    def _unlock(self) -> None:
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def _open(self, witness: Witness | None) -> None:
        path, was_used = Path(self._path), witness is not None and witness.head.last > 0
        with translated(self._path, "opened", opening=True):
            if was_used and not (path.exists() and path.stat().st_size):  # SQLite would throw away its log, too
                raise SpoolDamagedError(self._path, "the file is not there, or is empty")
            self._db = tables.connect(self._path)
            try:
                contents = self._contents(witness)
                tables.secure(self._db)
                self._books = Books(contents.head, contents.size_bytes)
                self._began_s, self._opened_at_s = contents.clock_s, self._clock()
                self._before = contents.head.last
                self.epoch = contents.head.epoch
                same = witness is not None and witness.head.last == contents.head.last
                self.held = witness.held if witness is not None and same else 0
                if self._lock_fd is not None:
                    self._mark = Mark.begin(self._path, Witness(contents.head, self.held))
            except BaseException:
                self._db.close()
                raise

    def _contents(self, witness: Witness | None) -> tables.Contents:
        """What is in the file, which is made where there is none yet, and held against the mark."""
        if not self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            if witness is not None and witness.head.last:
                raise SpoolDamagedError(self._path, "nothing is in it any more")
            with transaction(self._db):
                tables.create(self._db, Head(uuid.uuid4().hex[:16], 0, 0, 0))
            return tables.check(self._db, self._path)
        adopted = tables.adopt(self._db, self._path)
        contents = tables.check(self._db, self._path)
        if not adopted and self._lock_fd is not None:  # before, and in memory, there is no mark
            hold_against(self._path, contents.head, witness)
        return contents

    def put(self, events: Iterable[tuple[str, Mapping[str, Any]]]) -> int:
        """Store events, each a topic and a JSON body, in one transaction.

        Returns:
            The `seq` of the newest event that was ever stored: what a state message is as of.

        Raises:
            SpoolError: The disk does not take them; none of them is stored then.
        """
        return self.store([Event.of(topic, body) for topic, body in events])

    def store(self, events: Sequence[Event], *, lost: int = 0, held: int = 0, name: str | None = None) -> int:
        """Store events that were made some time ago, in one transaction, after what there is to report.

        Args:
            events: In their order.
            lost: How many came before them and will not come: they get numbers, and a report that names these.
            held: How many come after them and are in memory only.
            name: Of this batch, see `newest_batch`.

        Returns:
            As `put` does. Where there is no event yet whose topic a report could go to, nothing is stored.

        Raises:
            SpoolError: As `put` does.
        """
        with self._lock, translated(self._path, "written"):
            topic = events[0].topic if events else self._newest_topic()
            if topic is None:
                return self._books.head.last
            with self._booked() as books:
                rows.report_replaced(self._db, books, topic)
                if lost:
                    rows.report_lost(self._db, books, lost, topic, events[0].ts if events else None)
                for event in events:
                    rows.add(self._db, books, event)
                if books.size_bytes > self._max_bytes:
                    last = rows.upto(self._db, books.size_bytes - self._max_bytes * (1 - DROP_SHARE))
                    drop = Drop(last, "full", topic, events[-1].ts if events else None)
                    rows.drop(self._db, books, drop)
                if name is not None:
                    tables.remember(self._db, "batch", name)
                was, self.held = self.held, held
            if was or held:
                self._bear_witness()
            return self._books.head.last

    def newest_batch(self) -> str | None:
        """The name of the batch that was stored last; None before the first.

        A `store` whose sync fails raises, and yet what it stored may be there when the file has been opened again.

        Raises:
            SpoolError: The file cannot be read.
        """
        return self.recall("batch")

    def _newest_topic(self) -> str | None:
        row = self._db.execute("SELECT topic FROM event ORDER BY seq DESC LIMIT 1").fetchone()
        return str(row[0]) if row else None

    def remember(self, key: str, value: str) -> None:
        """Keep a value under a name across restarts.

        Raises:
            SpoolError: The disk does not take it.
        """
        with self._lock, translated(self._path, "written"), transaction(self._db):
            tables.remember(self._db, key, value)

    def recall(self, key: str) -> str | None:
        """The value that is kept under a name; None where there is none.

        Raises:
            SpoolError: The file cannot be read.
        """
        with self._lock, translated(self._path, "read"):
            return tables.recall(self._db, key)

    def peek(self, limit: int, *, after_seq: int = 0) -> list[Row]:
        """The oldest events beyond `after_seq`, in order; they stay until they are acknowledged.

        Raises:
            SpoolDamagedError: One of them is not what was written.
            SpoolError: The file cannot be read.
        """
        query = f"SELECT {COLUMNS} FROM event WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608 (names of ours)
        with self._lock, translated(self._path, "read"):
            found, now_s = self._db.execute(query, (after_seq, limit)).fetchall(), self._now_s()
        if any(not tables.is_whole(row) for row in found):
            raise SpoolDamagedError(self._path, "the checksum of an event is wrong")
        return [
            Row(seq, topic, json.loads(body), now_s - at_s if seq > self._before else None, epoch)
            for seq, epoch, at_s, topic, body, _, _ in found
        ]

    def ack(self, seqs: Iterable[int]) -> None:
        """Remove events that have arrived. Should a power cut undo it, they are sent again.

        Raises:
            SpoolError: The disk does not take it; they will be sent again.
        """
        with self._lock, translated(self._path, "written"), self._booked(durably=False) as books:
            for seq in seqs:
                rows.remove(self._db, books, seq, seq)

    def ack_upto(self, epoch: str, seq: int) -> int | None:
        """Remove what a consumer has stored: everything up to this event, end to end.

        Returns:
            How many went; None, and nothing is done, where there never was such an event of this epoch.

        Raises:
            SpoolError: As `ack` does.
        """
        with self._lock, translated(self._path, "written"):
            head = self._books.head
            if epoch != head.epoch or not head.base < seq <= head.last:
                return None
            with self._booked(durably=False) as books:
                rows.remove(self._db, books, 0, seq)
            return head.depth - self._books.head.depth

    def last_seq(self) -> int:
        """The `seq` of the newest event that was ever stored, 0 before the first."""
        return self._books.head.last

    @property
    def begins_at(self) -> int:
        """The `seq` of the first event of this epoch: 1, or what follows on a damaged outbox that was replaced."""
        return self._books.head.base + 1

    @property
    def untold(self) -> bool:
        """Whether this outbox holds what was saved of a damaged one, and no event yet that says so."""
        return self._books.head.last == self._books.head.base and self._books.head.depth > 0

    def depth(self) -> int:
        """How many events wait."""
        return self._books.head.depth

    def oldest_age_s(self) -> float | None:
        """For how many seconds of a running agent the oldest event has waited; None where none waits.

        Raises:
            SpoolError: The file cannot be read.
        """
        with self._lock, translated(self._path, "read"):
            row = self._db.execute("SELECT at_s FROM event ORDER BY seq LIMIT 1").fetchone()
            return self._now_s() - row[0] if row else None

    def tend(self, ts: str | None = None) -> None:
        """Drop what has waited for too long, with a report of this time, and have the clock survive a restart.

        Raises:
            SpoolError: The disk does not take it.
        """
        with self._lock, translated(self._path, "written"):
            too_old = self._too_old()
            with self._booked(durably=too_old is not None) as books:  # a report is an event like any other
                tables.remember(self._db, "clock_s", repr(books.now_s))
                if too_old is not None:
                    rows.drop(self._db, books, Drop(too_old[0], "age", too_old[1], ts))

    def _too_old(self) -> tuple[int, str] | None:
        """The last event that has waited for too long, and its topic."""
        since_s = self._now_s() - self._max_age_s
        oldest = self._db.execute("SELECT at_s FROM event ORDER BY seq LIMIT 1").fetchone()
        if oldest is None or oldest[0] >= since_s:
            return None
        last = "SELECT seq, topic FROM event WHERE at_s < ? ORDER BY seq DESC LIMIT 1"
        seq, topic = self._db.execute(last, (since_s,)).fetchone()
        return seq, topic

    def make_way(self) -> None:
        """Have what is in the log taken into the database, so that the log need not grow. Fails silently."""
        with self._lock, suppress(sqlite3.Error):
            self._db.execute("PRAGMA wal_checkpoint(RESTART)")

    def bear_witness(self, held: int) -> None:
        """Have the mark say that so many events are in memory only."""
        with self._lock:
            self.held = held
            self._bear_witness()

    def _bear_witness(self) -> None:
        if self._mark is not None:
            self._mark.write(Witness(self._books.head, self.held))

    def close(self) -> None:
        """Close the file."""
        with self._lock, suppress(sqlite3.Error):  # whatever the disk says now, the commits are on it
            self._db.close()
            if self._mark is not None:
                self._mark.close()
                self._mark = None
            self._unlock()

    def _now_s(self) -> float:
        """Seconds that agents have run with this outbox: no clock that anybody can set."""
        return self._began_s + self._clock() - self._opened_at_s

    @contextmanager
    def _booked(self, *, durably: bool = True) -> Iterator[Books]:
        """A transaction that keeps the books; only what need not survive a power cut may do without `durably`."""
        books = replace(self._books, now_s=self._now_s())
        if not durably:
            self._db.execute("PRAGMA synchronous=NORMAL")
        try:
            with transaction(self._db):
                yield books
                if books.head != self._books.head:
                    tables.remember(self._db, "head", books.head.text)
        finally:
            if not durably:
                self._db.execute("PRAGMA synchronous=FULL")
        self._books = books
        self._bear_witness()
