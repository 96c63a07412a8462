"""Rows of the outbox's file: what they say, and how they come, go and are dropped within a transaction.

What a transaction changes beside the rows is in `Books`; the caller takes them on when it is committed.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from edge_agent.outbox import tables
from edge_agent.outbox.tables import Head

DROP_SHARE = 0.1
"""How much of the bound is freed at once when the outbox is full, so that it doesn't drop at every put."""
LATE_S = 30.0
"""An event that is sent later than this after it happened is marked `historical`."""
_ABOUT_OTHERS = "json_extract(body, '$.of_epoch') IS NOT NULL OR json_extract(body, '$.type') = 'outbox_replaced'"
_FIRST = "CASE json_extract(body, '$.type') WHEN 'dropped' THEN json_extract(body, '$.from_seq') ELSE seq END"
_SPANS = (
    f"SELECT epoch, min({_FIRST}) FILTER (WHERE NOT ({_ABOUT_OTHERS})), min(seq), max(seq)"  # noqa: S608 (ours)
    " FROM event WHERE seq <= ? GROUP BY epoch"
)
_AGAIN = f"SELECT topic, body FROM event WHERE seq <= ? AND ({_ABOUT_OTHERS}) ORDER BY seq"  # noqa: S608 (ours)
_UPTO = "SELECT seq FROM (SELECT seq, sum(bytes) OVER (ORDER BY seq) AS upto FROM event) WHERE upto >= ? LIMIT 1"


@dataclass(frozen=True, slots=True)
class Event:
    """An event to store: its body as JSON, how long ago it was made, and its own time where it has one."""

    topic: str
    text: str
    age_s: float = 0.0
    ts: str | None = None

    @classmethod
    def of(cls, topic: str, body: Mapping[str, Any]) -> "Event":
        """A body as it is stored."""
        return cls(topic, json.dumps(body, separators=(",", ":")), ts=body.get("ts"))


@dataclass(frozen=True, slots=True)
class Row:
    """An event that waits.

    `epoch` is that of the outbox, save for what was saved of a damaged one, which keeps the `(epoch, seq)` that it had.
    `age_s` counts while the agent runs; None where an earlier run has stored it: nobody knows for how long it was off.
    """

    seq: int
    topic: str
    body: dict[str, Any]
    age_s: float | None
    epoch: str

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from every other event of the device: `(epoch, seq)`."""
        return self.epoch, self.seq

    def late(self, now: datetime) -> bool:
        """Whether it happened more than `LATE_S` ago; for a row of an earlier run the wall clock has to vouch."""
        if self.age_s is not None:
            return self.age_s > LATE_S
        happened = self.body.get("ts")
        return happened is None or not 0 <= (now - datetime.fromisoformat(happened)).total_seconds() <= LATE_S


@dataclass(frozen=True, slots=True)
class Drop:
    """What is to go: the rows up to a place, why, and the topic and the time of the report."""

    last: int
    why: str
    topic: str
    ts: str | None


@dataclass(slots=True)
class Books:
    """What changes with a transaction. `now_s` is the outbox's clock at its beginning."""

    head: Head
    size_bytes: int
    now_s: float = 0.0


def add(db: sqlite3.Connection, books: Books, event: Event) -> None:
    """Store an event under the next number."""
    head = replace(books.head, last=books.head.last + 1, depth=books.head.depth + 1)
    at_s = books.now_s - event.age_s
    db.execute(tables.INSERT, tables.record(head.last, head.epoch, at_s, event.topic, event.text))
    books.head, books.size_bytes = head, books.size_bytes + len(event.text)


def remove(db: sqlite3.Connection, books: Books, first: int, last: int) -> None:
    """Delete the rows from one place to another, as far as they are there."""
    span = "FROM event WHERE seq BETWEEN ? AND ?"
    count, freed_bytes = db.execute(f"SELECT count(*), sum(bytes) {span}", (first, last)).fetchone()
    if count:
        db.execute(f"DELETE {span}", (first, last))
        books.head = replace(books.head, depth=books.head.depth - count)
        books.size_bytes -= freed_bytes


def report_lost(db: sqlite3.Connection, books: Books, lost: int, topic: str, ts: str | None) -> None:
    """Give numbers to events that never came this far, and leave an event that names them."""
    first = books.head.last + 1
    books.head = replace(books.head, last=books.head.last + lost)
    told = {"type": "dropped", "from_seq": first, "to_seq": books.head.last, "why": "disk"}
    add(db, books, _report(topic, told, ts))


def report_replaced(db: sqlite3.Connection, books: Books, topic: str) -> None:
    """The first event of an outbox that took a damaged one's place says so."""
    if books.head.last == books.head.base and (told := tables.recall(db, "replaced")) is not None:
        add(db, books, Event(topic, told))
        db.execute("DELETE FROM meta WHERE key = 'replaced'")


def upto(db: sqlite3.Connection, excess_bytes: float) -> int:
    """The place up to which the rows have at least so many bytes."""
    return int(db.execute(_UPTO, (excess_bytes,)).fetchone()[0])


def drop(db: sqlite3.Connection, books: Books, what: Drop) -> None:
    """Delete the oldest rows, and leave an event for each epoch that says which are gone.

    An earlier report that goes too is taken over: its range becomes part of the new one. What tells of another epoch
    is put again.
    """
    spans = db.execute(_SPANS, (what.last,)).fetchall()
    again = db.execute(_AGAIN, (what.last,)).fetchall()
    remove(db, books, 0, what.last)
    for topic, body in again:
        add(db, books, Event(topic, body))
    for epoch, first, lowest, highest in spans:
        told = {"type": "dropped", "from_seq": lowest if first is None else first, "to_seq": highest, "why": what.why}
        if epoch != books.head.epoch:
            told["of_epoch"] = epoch
        add(db, books, _report(what.topic, told, what.ts))


def _report(topic: str, body: dict[str, Any], ts: str | None) -> Event:
    return Event.of(topic, body | ({"ts": ts} if ts is not None else {}))
