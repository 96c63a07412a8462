"""Which events of the outbox go to the broker next, and when they have arrived.

By default an event has arrived when the broker acknowledges it. End to end it has arrived when a consumer behind the
broker says so: it names the highest `seq` up to which it has stored everything, the *watermark*. Then

* an event is sent once in a connection, in order, and at most `WINDOW` beyond the watermark, so that a backlog doesn't
  overflow the queue that the broker keeps for the consumer;
* a watermark that stands still for a while (`STALL_S`, longer each time) means that the broker has lost some, or that
  the consumer is away: `WINDOW` events are sent again, and new ones go on, so that news isn't held up;
* a new connection begins with what was sent and not confirmed, `WINDOW` events of it, before what is new.

The order is that of the *places* in the outbox: its numbers, which go on when a damaged outbox is replaced and a new
epoch begins.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from edge_agent.messages import event_payload
from edge_agent.outbox.spool import Row

WINDOW = 500
"""Half of what mosquitto keeps for a consumer (`max_queued_messages`)."""
STALL_S = (10.0, 300.0)
BATCH = 200
"""How many rows are read, or forgotten, at once."""
FORGET_AFTER_S = 0.2


class Rows(Protocol):
    """What is needed of the outbox."""

    epoch: str
    begins_at: int
    """The first event of this epoch has this number: after a damaged outbox the numbers go on."""

    def peek(self, limit: int, *, after_seq: int = 0) -> list[Row]:
        """The oldest events beyond a place, in order."""

    def ack(self, seqs: Iterable[int]) -> None:
        """Remove events by their places."""

    def ack_upto(self, epoch: str, seq: int) -> int | None:
        """Remove everything up to this event; None where there never was one."""


@dataclass(frozen=True, slots=True)
class Sent:
    """An event on its way: its place in the outbox, its topic, and its payload."""

    place: int
    topic: str
    payload: dict[str, Any]


class Flow:
    """The order of events from the outbox to the broker. For one thread."""

    def __init__(
        self,
        rows: Rows,
        *,
        end_to_end: bool = False,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Begin; `connected` comes before the first `take`. `clock` measures in seconds, `wall` tells the time."""
        self._rows, self._end_to_end, self._clock, self._wall = rows, end_to_end, clock, wall
        self._fresh = 0  # the newest place that was sent
        self._buffer: deque[Sent] = deque()
        self._under_way: set[int] = set()
        self._arrived: list[int] = []
        self._arrived_since_s = 0.0
        self._watermark = 0  # everything up to this place has left the outbox
        self._again: deque[Sent] = deque()
        self._again_from = self._again_upto = 0
        self._moved_s, self._stall_s = clock(), STALL_S[0]
        self._open = False  # new events go on, however far the watermark is behind

    def connected(self) -> None:
        """A new connection: what the old one didn't bring home goes again."""
        self.forget(now=True)
        self._buffer.clear()
        first_time = (place for place in self._under_way if place > self._again_upto)
        self._fresh = min(first_time, default=self._fresh + 1) - 1 if self._end_to_end else 0
        self._under_way.clear()
        if self._end_to_end:
            self._find_watermark()
            self._moved_s, self._stall_s, self._open = self._clock(), STALL_S[0], False
            self._repeat()

    def take(self, limit: int) -> list[Sent]:
        """The events to send now, `limit` at most. Each counts as sent."""
        if self._end_to_end:
            self._mind_the_watermark()
        found: list[Sent] = []
        while len(found) < limit and (sent := self._next_again() or self._next_fresh()) is not None:
            found.append(sent)
            self._under_way.add(sent.place)
        return found

    def all_sent(self) -> bool:
        """Whether nothing waits to be sent, or to be acknowledged by the broker."""
        return not (self._under_way or self._buffer or self._rows.peek(1, after_seq=self._fresh))

    def acknowledged(self, sent: Sent) -> None:
        """The broker has an event."""
        self._under_way.discard(sent.place)
        if not self._end_to_end:
            if not self._arrived:
                self._arrived_since_s = self._clock()
            self._arrived.append(sent.place)

    def forget(self, *, now: bool = False) -> None:
        """Remove what has arrived from the outbox: when it is many, or has been a while, or `now`."""
        late = self._clock() - self._arrived_since_s > FORGET_AFTER_S
        if self._arrived and (now or late or len(self._arrived) >= BATCH):
            self._rows.ack(self._arrived)
            self._arrived = []

    def confirmed(self, epoch: str, seq: int) -> bool:
        """A consumer has stored everything up to `seq`. False where it cannot have: there is no such event yet."""
        first = self._rows.peek(1) if self._end_to_end else []
        if not first or epoch != first[0].key[0] or seq < first[0].key[1]:
            return True  # what was saved of a damaged outbox comes first, and has an epoch of its own
        if epoch == self._rows.epoch:
            if self._rows.ack_upto(epoch, seq) is None:
                return False
        else:
            rows = self._rows.peek(min(seq - first[0].key[1] + 1, 10 * BATCH))
            self._rows.ack([row.seq for row in rows if row.key[0] == epoch and row.key[1] <= seq])
        self._find_watermark()
        return True

    def _find_watermark(self) -> None:
        """What has left the outbox: confirmed, or dropped because it was full."""
        first = self._rows.peek(1)
        found = first[0].seq - 1 if first else self._fresh
        if found > self._watermark:
            self._watermark, self._fresh = found, max(self._fresh, found)
            self._moved_s, self._stall_s = self._clock(), STALL_S[0]
        if self._fresh - self._watermark <= WINDOW:
            self._open = False

    def _mind_the_watermark(self) -> None:
        """Send again when the watermark has stood still for too long, and wait longer the next time."""
        if self._fresh <= self._watermark:
            self._moved_s = self._clock()
        elif self._clock() - self._moved_s > self._stall_s and not self._under_way:
            stall_s = min(STALL_S[1], 2 * self._stall_s)
            self._find_watermark()
            self._moved_s, self._stall_s, self._open = self._clock(), stall_s, True
            self._repeat()

    def _repeat(self) -> None:
        """Begin to send again what was sent and isn't confirmed."""
        self._again.clear()
        self._again_from, self._again_upto = self._watermark, self._fresh
        self._open = self._open or self._fresh - self._watermark > WINDOW

    def _next_again(self) -> Sent | None:
        """The next event to repeat; None where there is none, or the watermark is too far behind."""
        while self._again and self._again[0].place <= self._watermark:
            self._again.popleft()
        self._again_from = max(self._again_from, self._watermark)
        room = min(BATCH, self._watermark + WINDOW - self._again_from)
        if not self._again and room > 0 and self._again_from < self._again_upto:
            self._again.extend(sent for sent in self._read(room, self._again_from) if sent.place <= self._again_upto)
            if not self._again:  # what was left of them has been dropped
                self._again_from = self._again_upto
        if not self._again:
            return None
        self._again_from = self._again[0].place
        return self._again.popleft()

    def _next_fresh(self) -> Sent | None:
        """The next event that was not sent yet; None where there is none, or it has to wait for the watermark."""
        if self._end_to_end and not self._open and self._fresh >= self._watermark + WINDOW:
            return None
        while self._buffer and self._buffer[0].place <= self._fresh:  # confirmed meanwhile
            self._buffer.popleft()
        if not self._buffer:
            self._buffer.extend(self._read(BATCH, self._fresh))
        if not self._buffer:
            return None
        sent = self._buffer.popleft()
        if self._fresh <= self._watermark:  # everything was confirmed, and places may have a gap
            self._watermark = sent.place - 1
        self._fresh = sent.place
        return sent

    def _read(self, limit: int, after_place: int) -> list[Sent]:
        """Rows beyond a place, in their envelopes."""
        rows = self._rows.peek(limit, after_seq=after_place)
        first = self._rows.peek(1) if rows and self._end_to_end else []
        now = self._wall()
        found = []
        for row in rows:
            epoch, seq = row.key
            oldest_seq = (first[0].key[1] if first[0].key[0] == epoch else self._rows.begins_at) if first else None
            payload = event_payload(row.body, epoch=epoch, seq=seq, historical=row.late(now), oldest_seq=oldest_seq)
            found.append(Sent(row.seq, row.topic, payload))
        return found
