"""Events that wait in memory while the disk takes none: in their order, within bounds, each stored once.

A sync that fails leaves it open whether a batch is stored: SQLite takes it back, but it may stand in the log already,
and be found there when the file is opened again. So each batch has a name, which is stored with it.
"""

import uuid
from collections import deque
from dataclasses import dataclass, replace
from itertools import islice

from edge_agent.outbox.rows import Event

HELD_MAX = 20_000
HELD_MAX_BYTES = 8 * 2**20
"""What may wait in memory while the disk takes nothing; beyond either the oldest are dropped, with a report."""


@dataclass(frozen=True, slots=True)
class _Held:
    """An event in memory, and when it came."""

    event: Event
    came_s: float


@dataclass(slots=True)
class Batch:
    """What is to be stored at once: `lost` events to report, and then `events`; `held` more come after them."""

    name: str
    lost: int
    events: list[Event]
    held: int


class Held:
    """Events in memory."""

    def __init__(self) -> None:
        """None yet."""
        self.lost = 0
        """Events that came before these and will not be stored, and that no event reports yet."""
        self._events: deque[_Held] = deque()
        self._bytes = 0
        self._tried: str | None = None  # the batch that may be stored,
        self._tried_lost = self._tried_events = 0  # and what of it is among the lost, and in memory, by now

    def __len__(self) -> int:
        """How many there are."""
        return len(self._events)

    def add(self, event: Event, now_s: float) -> None:
        """Hold an event; the oldest may have to go for it."""
        self._events.append(_Held(event, now_s))
        self._bytes += len(event.text)
        while len(self._events) > HELD_MAX or self._bytes > HELD_MAX_BYTES:
            self._pop()
            self.lost += 1
            if self._tried_events:
                self._tried_events, self._tried_lost = self._tried_events - 1, self._tried_lost + 1

    def oldest_age_s(self, now_s: float) -> float | None:
        """For how many seconds the oldest has waited; None where there is none."""
        return now_s - self._events[0].came_s if self._events else None

    def batch(self, at_most: int, now_s: float) -> Batch:
        """The oldest of them, to be stored: say whether they are (`stored`, `settle`) before asking again."""
        some = list(islice(self._events, at_most))
        events = [replace(held.event, age_s=now_s - held.came_s) for held in some]
        self._tried, self._tried_lost, self._tried_events = uuid.uuid4().hex[:16], self.lost, len(some)
        return Batch(self._tried, self.lost, events, len(self._events) - len(some))

    def stored(self) -> None:
        """Let go of the last batch."""
        self.lost -= self._tried_lost
        for _ in range(self._tried_events):
            self._pop()
        self._tried, self._tried_lost, self._tried_events = None, 0, 0

    @property
    def in_doubt(self) -> bool:
        """Whether there is a batch of which nobody has said that it is stored."""
        return self._tried is not None

    def settle(self, newest: str | None) -> None:
        """Let go of the batch in doubt if it is the newest that the file has, and keep it if it isn't."""
        if self._tried == newest:
            self.stored()
        self._tried, self._tried_lost, self._tried_events = None, 0, 0

    def _pop(self) -> None:
        self._bytes -= len(self._events.popleft().event.text)
