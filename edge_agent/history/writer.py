"""What was delivered → the history, in a thread of its own: the loop only puts it into a queue, which is bounded.

Whatever fails here is a log line. What could not be stored leaves a mark, so that a gap shows as a gap and not as the
count before it; the state of all products follows it.
"""

import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge_agent.history import tables
from edge_agent.history.rows import Known, after, alert_of, gone_of, news, points_of
from edge_agent.history.steady import JUMP_S, Steady
from edge_agent.history.tables import Mark, Row
from edge_agent.shelf import Item
from edge_agent.sqlite import transaction

log = logging.getLogger(__name__)

FILE = "history.db"
"""Beside the outbox."""
WAITING = 2000
"""Deliveries that may wait for the disk; beyond that they are dropped and counted."""
ALIVE_S = 60.0
"""How often a run says that it is alive: so exactly is known when one was cut off."""
AGAIN_S = 30.0
"""A file that could not be used is tried again after so long."""
PRUNE_S = 600.0
"""How often it is looked at what is too old or too much."""
DAY_S = 86400.0
SURE_S = DAY_S
"""Where most of the file would be too old, the wall clock must have stood for so long to be believed."""
CLOSE_S = 2.0


def boot_s() -> float:
    """Seconds on a clock that never jumps, and goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True)
class Clocks:
    """The wall clock (seconds of UTC since 1970) and one that never jumps."""

    wall_s: Callable[[], float] = time.time
    mono_s: Callable[[], float] = boot_s


@dataclass(frozen=True, slots=True)
class _Said:
    """Something delivered, with the time of both clocks. `body` is None where it is a mark."""

    wall_s: float
    mono_s: float
    body: Mapping[str, Any] | None
    items: Sequence[Item] = ()
    mark: Mark | None = None


class History:
    """Keeps what is delivered. `keep`, `camera` and `removed` are for the loop's thread, and cost microseconds."""

    def __init__(self, path: Path, *, max_mb: int, days: float, clocks: Clocks | None = None) -> None:
        """Keep it at `path`, which is not touched before `start`."""
        self.path, self.dropped = path, 0
        self._max_bytes, self._days, self._clocks = max_mb * 2**20, days, clocks or Clocks()
        self._queue: queue.Queue[_Said | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._work, name="history", daemon=True)
        self._db: sqlite3.Connection | None = None
        self._run = 0
        self._steady = Steady()
        self._known: Known = {}
        self._lost_ms: int | None = None
        self._complained = self._stopping = False
        self._due_s = {"open": 0.0, "alive": 0.0, "prune": 0.0, "day": 0.0}

    def start(self) -> None:
        """Open the file and begin, in the thread."""
        self._thread.start()

    def leave(self) -> None:
        """Begin to store what waits, note that the run ended, and let go of the file; waits for nothing."""
        self._stopping = True
        with suppress(queue.Full):  # the thread looks at `_stopping` as well
            self._queue.put_nowait(None)

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """The same, and wait for it, for so many seconds at most."""
        self.leave()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def keep(self, body: Mapping[str, Any], items: Sequence[Item] = ()) -> None:
        """Keep the body of an event; `items` are the products of a shelf whose counts it tells."""
        self._put(_Said(self._clocks.wall_s(), self._clocks.mono_s(), body, items))

    def camera(self, camera: str, reason: str | None) -> None:
        """Keep that a camera went, or that its pictures are not ones to count in; None: it is good."""
        self._mark(Mark(0, "camera", camera=camera, reason=reason))

    def removed(self, shelf: str) -> None:
        """Keep that there is no such shelf any more."""
        self._mark(Mark(0, "removed", shelf=shelf))

    def _mark(self, mark: Mark) -> None:
        self._put(_Said(self._clocks.wall_s(), self._clocks.mono_s(), None, mark=mark))

    def _put(self, said: _Said) -> None:
        try:
            self._queue.put_nowait(said)
        except queue.Full:
            self.dropped += 1

    def _work(self) -> None:
        """The thread."""
        dropped = 0
        while True:
            said = self._gather()
            if self.dropped > dropped:
                log.warning("the history cannot keep up: %d of its entries are lost", self.dropped - dropped)
                dropped, self._lost_ms = self.dropped, self._lost_ms or _ms(self._clocks.wall_s())
            try:
                self._take(said)
                self._chores()
            except sqlite3.Error as error:
                self._fail(error)
            except Exception:
                log.exception("the history goes on without what could not be stored")
                self._lost_ms = self._lost_ms or _ms(self._clocks.wall_s())
            if self._stopping and self._queue.empty():
                self._end()
                return

    def _gather(self) -> list[_Said]:
        """What waits, or nothing after a while."""
        found: list[_Said] = []
        try:
            first = self._queue.get(timeout=1.0)
            while first is not None:
                found.append(first)
                first = self._queue.get_nowait()
        except queue.Empty:
            pass
        return found

    def _take(self, said: Sequence[_Said]) -> None:
        """Store, or remember from when on it could not be stored."""
        now_s, mono_s = self._clocks.wall_s(), self._clocks.mono_s()
        jump_s = self._steady.jump_s(now_s, mono_s)
        rows = self._rows(said)
        if self._db is None and mono_s >= self._due_s["open"]:
            self._due_s["open"] = mono_s + AGAIN_S
            self._open(_ms(now_s) if not said else _ms(said[0].wall_s))
        if self._db is None:
            self._lost_ms = self._lost_ms or (rows[0].at_ms if rows else None)
            return
        if jump_s:
            log.info("the clock was set by %+.0f s; the history of this run is dated anew", jump_s)
            if self._lost_ms is not None:
                self._lost_ms += _ms(jump_s)
            self._known = {key: replace(p, at_ms=p.at_ms + _ms(jump_s)) for key, p in self._known.items()}
        if jump_s or rows or self._lost_ms is not None or mono_s >= self._due_s["alive"]:
            self._due_s["alive"] = mono_s + ALIVE_S
            self._store(self._db, rows, jump_ms=_ms(jump_s), now_ms=_ms(now_s))

    def _store(self, db: sqlite3.Connection, rows: Sequence[Row], *, jump_ms: int, now_ms: int) -> None:
        lost_ms, more = self._lost_ms, list(rows)
        try:
            with transaction(db):
                if jump_ms:
                    tables.shift(db, self._run, jump_ms)
                if lost_ms is not None:
                    more.append(Mark(min(lost_ms, now_ms - 1), "lost"))
                    more += [replace(point, at_ms=now_ms, event="state") for point in self._known.values()]
                tables.write(db, self._run, more, alive_ms=now_ms)
            self._lost_ms = None
        except sqlite3.Error:
            self._lost_ms = lost_ms or (rows[0].at_ms if rows else None)
            raise

    def _rows(self, said: Sequence[_Said]) -> list[Row]:
        """Rows of what was delivered, dated by the clock of now: what was said before a jump moves with it."""
        rows: list[Row] = []
        for one in said:
            wall_s = one.wall_s
            if self._steady.offset_s is not None and abs(one.mono_s + self._steady.offset_s - wall_s) > JUMP_S:
                wall_s = one.mono_s + self._steady.offset_s
            if one.mark is not None:
                rows.append(replace(one.mark, at_ms=_ms(wall_s)))
                if one.mark.kind == "removed":
                    self._known = {key: known for key, known in self._known.items() if key[0] != one.mark.shelf}
            elif one.body is not None and one.body["type"] == "counts":
                points = points_of(one.body, one.items, _ms(wall_s))
                points += gone_of(self._known, one.body, points, _ms(wall_s))
                rows += news(self._known, points)
                self._known = after(self._known, points)
            elif one.body is not None:
                rows.append(alert_of(one.body, _ms(wall_s)))
        return rows

    def _chores(self) -> None:
        """What is due: the daily state of all products, and deleting."""
        if self._db is None:
            return
        mono_s, now_ms = self._clocks.mono_s(), _ms(self._clocks.wall_s())
        if mono_s >= self._due_s["day"]:
            again = [replace(point, at_ms=now_ms, event="state") for point in self._known.values()]
            if self._due_s["day"] and again:
                self._store(self._db, again, jump_ms=0, now_ms=now_ms)
            self._due_s["day"] = mono_s + DAY_S
        if mono_s >= self._due_s["prune"]:
            self._due_s["prune"] = mono_s + PRUNE_S
            self._prune(self._db, mono_s, now_ms)

    def _prune(self, db: sqlite3.Connection, mono_s: float, now_ms: int) -> None:
        before_ms = now_ms - _ms(self._days * DAY_S)
        share = tables.too_old(db, before_ms) if self._steady.trusted(mono_s) else 0.0
        sure = share <= tables.MOST_AT_ONCE or mono_s - self._steady.stood_since_s >= SURE_S
        if share and sure:
            tables.forget(db, before_ms)
        if tables.fit(db, self._max_bytes):
            log.info("the history %s was full; its oldest entries are deleted", self.path)

    def _open(self, began_ms: int) -> None:
        try:
            db = tables.connect(self.path)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            try:
                self._set_aside(error)
            except OSError as refused:
                self._complain(refused)
                return
            db = tables.connect(self.path)
        with transaction(db):
            if not self._run:
                self._run = tables.begin_run(db, began_ms)
            elif not db.execute("SELECT 1 FROM run WHERE id = ?", (self._run,)).fetchone():
                db.execute("INSERT INTO run (id, began, alive) VALUES (?, ?, ?)", (self._run, began_ms, began_ms))
        self._db = db
        if self._complained:
            self._complained = False
            log.info("the history is kept in %s again", self.path)

    def _fail(self, error: sqlite3.Error) -> None:
        """Let go of the file; it is tried again later, or begun anew where it is damaged."""
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
            self._db = None
        self._lost_ms = self._lost_ms or _ms(self._clocks.wall_s())
        if not isinstance(error, sqlite3.OperationalError) and isinstance(error, sqlite3.DatabaseError):
            try:
                self._set_aside(error)
            except OSError as refused:  # the card went read-only: the usual company of damage
                self._complain(refused)
            else:
                self._due_s["open"] = 0.0
        else:
            self._complain(error)

    def _complain(self, error: Exception) -> None:
        """Say once that nothing is kept."""
        if not self._complained:
            self._complained = True
            log.warning(
                "the history %s cannot be kept (%s); the counting goes on, and what is missing will show as a gap."
                " Check that its folder is writable and has space.",
                self.path,
                error,
            )

    def _set_aside(self, error: sqlite3.Error) -> None:
        """Give a damaged file another name; one is kept for whoever wants to look into it."""
        for suffix in ("", "-wal", "-shm"):
            file = Path(f"{self.path}{suffix}")
            if file.exists():
                file.replace(f"{self.path}.damaged{suffix}")
        log.warning("the history %s is damaged (%s); it is moved aside, and a new one is begun", self.path, error)

    def _end(self) -> None:
        if self._db is None:
            return
        try:
            self._db.execute("UPDATE run SET alive = ?1, ended = ?1 WHERE id = ?2", (self._now_ms(), self._run))
            self._db.close()
        except sqlite3.Error as error:
            log.warning("the history %s could not be closed (%s)", self.path, error)

    def _now_ms(self) -> int:
        return _ms(self._clocks.wall_s())


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
