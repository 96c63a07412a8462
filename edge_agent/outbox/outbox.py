"""The outbox as the agent uses it: events go in, whatever the disk does, and counting goes on.

A full disk: the ballast is released, so that what waits can be sent and deleted. A disk that takes nothing, or was
remounted read-only: events are held in memory, within bounds, and stored in their order when it is back. They are not
sent before: an event gets its number when it is committed, and what has no number cannot be told from a repeat. A
damaged file: moved aside, and replaced (`edge_agent.outbox.quarantine`). What had to go is reported by an event.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from edge_agent.messages import timestamp
from edge_agent.outbox import quarantine
from edge_agent.outbox.ballast import Ballast
from edge_agent.outbox.errors import DiskFullError, SpoolDamagedError, SpoolUnreadableError
from edge_agent.outbox.files import operator_must_act
from edge_agent.outbox.held import Held
from edge_agent.outbox.rows import Event, Row
from edge_agent.outbox.spool import Spool
from edge_agent.shelf import SpoolError

log = logging.getLogger(__name__)

AT_ONCE = 500
"""Events of a transaction when those in memory are stored at last."""
RETRY_S = (1.0, 30.0)
"""Pause after the first failure, and the longest."""
UNREADABLE = 5
"""Failures, half a minute together, after which a file that cannot be read is replaced: the disk may just be away."""
TEND_S = 60.0
"""How often the age of events, the clock and the ballast are looked after."""
DAY_S = 86400.0
T = TypeVar("T")


class Outbox:
    """The events of one device. `put`, `peek` and the acknowledgements never raise for a disk that fails."""

    def __init__(
        self,
        path: Path | str,
        *,
        max_bytes: int = 64 * 2**20,
        max_age_s: float = 30 * DAY_S,
        ballast_bytes: int = 8 * 2**20,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Open the outbox, or make it; a damaged one is replaced.

        Args:
            path: The database, in a folder that exists; ":memory:" keeps nothing.
            max_bytes: Bodies that may wait, in bytes; beyond that the oldest are dropped, with a report.
            max_age_s: Seconds of a running agent that an event may wait; older ones are dropped, with a report.
            ballast_bytes: Room on the disk that is kept for the outbox; 0 is none.
            clock: Seconds on a clock that never jumps.
            wall: The time of day, which may jump: for reports only.

        Raises:
            SpoolInUseError: Another process has it open.
            SpoolError: An operator must act: the folder is not there, or not ours. What may pass is not raised.
        """
        self._path, self._clock, self._wall = path, clock, wall
        self._open_spool = partial(Spool, path, max_bytes=max_bytes, max_age_s=max_age_s, clock=clock)
        self._ballast = Ballast(path, ballast_bytes)
        self._lock = threading.RLock()
        self._spool: Spool | None = None
        self._held = Held()
        self._last_seq = self._fails = 0
        self._gone: set[int] = set()  # acknowledged, but the disk does not let go of them yet
        self._to_remember: dict[str, str] = {}
        self._retry_at_s = self._tend_at_s = self._let_go_at_s = float("-inf")
        self._opened = self._closed = False
        self.epoch = ""
        """The random id of the outbox; empty while it could not be opened yet."""
        self.begins_at = 1
        """The `seq` of the first event of this epoch: 1, or what follows on a damaged outbox that was replaced."""
        self.trouble: str | None = None
        """Why the disk is not used at present, in words for a person."""
        try:
            self._attempt(lambda _: None)
        except SpoolError as error:
            if operator_must_act(Path(path), error):
                raise
            self._suffer(error)
        self.tend()

    def put(self, events: Iterable[tuple[str, Mapping[str, Any]]]) -> int:
        """Store events, each a topic and a JSON body, in one transaction; in memory where the disk takes none.

        Returns:
            The `seq` of the newest event that was ever stored: what a state message is as of.
        """
        with self._lock:
            for topic, body in events:
                self._held.add(Event.of(topic, body), self._clock())
            self.tend()
            if self._held and self._spool is not None:  # on a full disk; should we be killed, the next run tells
                self._spool.bear_witness(len(self._held) + self._held.lost)
            return self._last_seq

    def peek(self, limit: int, *, after_seq: int = 0) -> list[Row]:
        """The oldest events beyond `after_seq`, in order; none while the disk cannot be read."""
        with self._lock:
            self.tend()
            rows = self._tried(partial(Spool.peek, limit=limit, after_seq=after_seq)) or []
            while rows and rows[-1].seq in self._gone:  # what has gone lies in front
                rows = self._tried(partial(Spool.peek, limit=limit, after_seq=rows[-1].seq)) or []
            return [row for row in rows if row.seq not in self._gone]

    def ack(self, seqs: Iterable[int]) -> None:
        """Remove events that have arrived. Where the disk lets go of none, they are not sent again."""
        with self._lock:
            self._gone.update(seqs)
            self._let_go()

    def ack_upto(self, epoch: str, seq: int) -> int | None:
        """Remove what a consumer has stored: everything up to this event, end to end.

        Returns:
            How many went, at least 0; None, and nothing is done, where there never was such an event of this epoch.
        """
        with self._lock:
            return self._tried(partial(Spool.ack_upto, epoch=epoch, seq=seq))

    def depth(self) -> int:
        """How many events wait, on the disk and in memory."""
        with self._lock:
            return len(self._held) + (self._spool.depth() if self._spool is not None else 0)

    def oldest_age_s(self) -> float | None:
        """For how many seconds of a running agent the oldest event has waited; None where none waits."""
        with self._lock:
            stored_s = self._tried(lambda spool: spool.oldest_age_s())
            ages_s = (stored_s, self._held.oldest_age_s(self._clock()))
            return max((age_s for age_s in ages_s if age_s is not None), default=None)

    def last_seq(self) -> int:
        """The `seq` of the newest event that was ever stored, 0 before the first."""
        return self._last_seq

    def remember(self, key: str, value: str) -> None:
        """Keep a value under a name across restarts, as soon as the disk takes it."""
        with self._lock:
            self._to_remember[key] = value
            self.tend()

    def recall(self, key: str) -> str | None:
        """The value that is kept under a name; None where there is none.

        Raises:
            SpoolError: The disk cannot be read at present, so nobody knows.
        """
        with self._lock:
            if key in self._to_remember:
                return self._to_remember[key]
            found = self._tried(lambda spool: (spool.recall(key),))
            if found is None:
                raise SpoolError(self.trouble or f"the outbox {self._path} is closed.")
            return found[0]

    def tend(self) -> None:
        """Store what is in memory and let go of what has gone, as far as the disk does it, and look after the rest.

        `put` and `peek` do it as well; where neither is called for long, this should be.
        """
        with self._lock:
            if self._closed or (self.trouble is not None and self._clock() < self._retry_at_s):
                return
            whole = self._store() and self._keep() and self._let_go()
            if whole and (self.trouble is not None or self._clock() >= self._tend_at_s):
                self._tend_at_s = self._clock() + TEND_S
                if self._did(lambda spool: spool.tend(timestamp(self._wall()))):
                    self._recover()
                    self._ballast.restore()

    def close(self) -> None:
        """Store what can be stored, and close the file for good: whatever is asked for later finds nothing."""
        with self._lock:
            if self._closed:
                return
            self._retry_at_s = self._tend_at_s = self._let_go_at_s = float("-inf")
            self.tend()
            if self._held:
                log.error("%d events could not be stored, and end with the agent", len(self._held))
            self._closed = True
            self._shut()

    def _store(self) -> bool:
        """Move what is in memory to the disk, in order, a transaction at a time; whether nothing is left there."""
        at_once = AT_ONCE
        while self._held or (self._held.lost and self._tried(Spool.depth)):
            if not self._did(partial(self._move, at_once=at_once)):
                if self._spool is None or at_once == 1:
                    return False
                at_once = max(1, min(at_once, len(self._held)) // 8)  # the room may do for fewer of them
        return True

    def _move(self, spool: Spool, at_once: int) -> None:
        """Store the oldest that are in memory, unless a commit that failed has.

        Raises:
            SpoolError: The disk does not take them.
        """
        if self._held.in_doubt:
            self._held.settle(spool.newest_batch())
        if self._held or (self._held.lost and spool.depth()):
            batch = self._held.batch(at_once, self._clock())
            spool.store(batch.events, lost=batch.lost, held=batch.held, name=batch.name)
            self._held.stored()
        self._note()

    def _keep(self) -> bool:
        """Remember what is still to be; whether nothing is left."""
        for key, value in list(self._to_remember.items()):
            if not self._did(partial(Spool.remember, key=key, value=value)):
                return False
            del self._to_remember[key]
        return True

    def _let_go(self) -> bool:
        """Delete what has been acknowledged; whether nothing is left. On a full disk this is what makes room."""
        if not self._gone or self._clock() < self._let_go_at_s:
            return not self._gone
        if not self._did(partial(Spool.ack, seqs=sorted(self._gone)), wholly=True):
            self._let_go_at_s = self._clock() + RETRY_S[0]
            return False
        self._gone.clear()
        self._retry_at_s = min(self._retry_at_s, self._clock() + RETRY_S[0])
        return True

    def _did(self, action: Callable[[Spool], object], *, wholly: bool = False) -> bool:
        """Whether the disk did it."""
        return self._tried(lambda spool: (action(spool), True)[1], wholly=wholly) is True

    def _tried(self, action: Callable[[Spool], T], *, wholly: bool = False) -> T | None:
        """What the disk answers; None where it fails, which is noted."""
        if self._closed or (self._spool is None and self._clock() < self._retry_at_s):
            return None
        try:
            return self._attempt(action, wholly=wholly)
        except SpoolError as error:
            self._suffer(error)
            return None

    def _attempt(self, action: Callable[[Spool], T], *, wholly: bool = False) -> T:
        """Do it, with ballast released where there is no room, and in a new file where this one is damaged.

        Raises:
            SpoolError: The disk does not do it.
        """
        for last in (False, False, False, True):
            try:
                return action(self._spool if self._spool is not None else self._reopened())
            except SpoolDamagedError as error:
                if last or (isinstance(error, SpoolUnreadableError) and self._fails < UNREADABLE):
                    raise
                self._shut()
                try:
                    aside = quarantine.replace(Path(self._path), error.why, now=self._wall(), beyond=self._last_seq)
                except DiskFullError:
                    if not self._ballast.release(wholly=True):
                        raise
                else:
                    log.error("%s It is kept as %s.", error, aside)  # noqa: TRY400 (where it was found says nothing)
            except DiskFullError:
                if last or not self._ballast.release(wholly=wholly):
                    raise
                if self._spool is not None:
                    self._spool.make_way()
        raise AssertionError  # the last of four returns or raises

    def _reopened(self) -> Spool:
        self._spool = self._open_spool()
        if not self._opened:
            self._opened = True
            self._held.lost += self._spool.held  # what an earlier run had in memory when it was killed
        if self._spool.untold:
            self._spool.store([])  # what was saved of a damaged outbox is followed by the event that says so
        self._note()
        return self._spool

    def _note(self) -> None:
        """Keep what must be known while the file is not open."""
        if self._spool is not None:
            self.epoch, self.begins_at = self._spool.epoch, self._spool.begins_at
            self._last_seq = self._spool.last_seq()

    def _suffer(self, error: SpoolError) -> None:
        """Take note of a failure, and wait for longer each time. From a full disk one can still read and delete."""
        if self.trouble is None:
            log.warning("%s Counting goes on; events wait in memory.", error)
        self.trouble = str(error)
        self._retry_at_s = self._clock() + min(RETRY_S[1], RETRY_S[0] * 2**self._fails)
        self._fails = min(self._fails + 1, 10)
        if self._spool is not None and isinstance(error, DiskFullError):
            self._spool.bear_witness(len(self._held) + self._held.lost)
        else:
            self._shut()  # it must be opened anew; and nobody can unmount what we have open

    def _recover(self) -> None:
        if self.trouble is not None:
            log.info("the outbox %s is stored on the disk again", self._path)
        self.trouble, self._fails = None, 0

    def _shut(self) -> None:
        if self._spool is not None:
            self._spool.close()
            self._spool = None
