"""The book of alerts: what is open, what is over, who has acknowledged it. Pure values; `telling` writes in it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf
from typing import Literal

from edge_agent.alerts.levels import AlertState, level_of
from edge_agent.shelf import Alert, AlertKind, Shelf

State = Literal["noted", "open", "acknowledged", "closed"]
NAMES_MAX = 6
"""How many names a sentence about a group holds."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Now: `at` is aware UTC and may jump, `clock_s` never does but begins anew with each run."""

    at: datetime
    clock_s: float


@dataclass(frozen=True, slots=True)
class Member:
    """One thing that an alert is about. `told` says that it is out; `closed_s` is on the clock of this run.

    `again` says that it was over and began again, and that nobody was disturbed for that as yet.
    """

    alert: Alert
    opened_at: datetime
    told: bool = False
    closed_at: datetime | None = None
    closed_s: float | None = None
    again: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What is watched: the shelf, and the thing on it."""
        return self.alert.shelf, self.alert.thing


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Somebody sees to it."""

    at: datetime
    by: str
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An alert over its life: of one kind, in one place, about one thing or several that came together.

    `due_s` is when it is to be looked at next, on the clock of this run (None: to be found out); `shut` says that it
    was due while the store was closed. A `quiet` one is no news: it is told without disturbing anybody. `reminded` and
    `reopened` count.
    """

    id: str
    kind: AlertKind
    aisle: str | None
    members: tuple[Member, ...]
    opened_at: datetime
    told_at: datetime | None = None
    acknowledged: Acknowledged | None = None
    closed_at: datetime | None = None
    reminded: int = 0
    reopened: int = 0
    quiet: bool = False
    due_s: float | None = None
    shut: bool = False

    @property
    def number(self) -> int:
        """The how manieth alert of the book it is: the end of its id."""
        return int(self.id.rpartition("-")[2])

    @property
    def standing(self) -> tuple[Member, ...]:
        """The members that are still so."""
        return tuple(member for member in self.members if member.closed_at is None)

    @property
    def state(self) -> State:
        """One word: `noted` is open, but nobody has been told."""
        if self.closed_at is not None:
            return "closed"
        if self.told_at is None:
            return "noted"
        return "open" if self.acknowledged is None else "acknowledged"

    @property
    def message(self) -> str:
        """A sentence for a person, about all that is still so (or was, when it is over)."""
        told = self.standing or self.members
        if len(told) == 1:
            return told[0].alert.message
        place = f"aisle {self.aisle}" if self.aisle is not None else f"camera {told[0].alert.camera}"
        names = list(dict.fromkeys(_name(member.alert) for member in told))
        more = f" and {len(names) - NAMES_MAX} more" if len(names) > NAMES_MAX else ""
        return f"{place}: {len(told)} {_PLURAL[self.kind]}: {', '.join(names[:NAMES_MAX])}{more}"


_PLURAL: dict[AlertKind, str] = {
    "low_stock": "products are low",
    "out_of_stock": "products are out of stock",
    "misplaced": "slots hold another product",
    "view_lost": "shelves cannot be read",
}


def _name(alert: Alert) -> str:
    if alert.slot is not None:
        return f"{alert.shelf} {alert.slot}"
    return alert.sku or alert.shelf


@dataclass(frozen=True, slots=True)
class Book:
    """Alerts that are open and those that are over, oldest first. `number` counts all that there ever were.

    `next_s` is when the next open one is to be looked at, on the clock of this run.
    """

    open: tuple[Entry, ...] = ()
    closed: tuple[Entry, ...] = ()
    number: int = 0
    next_s: float = -inf

    @property
    def told(self) -> tuple[Entry, ...]:
        """What is open for people: somebody was told of it. What is only noted may pass unsaid, and counts nowhere."""
        return tuple(entry for entry in self.open if entry.state != "noted")

    @property
    def waiting(self) -> tuple[Entry, ...]:
        """Of these, those that nobody sees to yet."""
        return tuple(entry for entry in self.open if entry.state == "open")

    def find(self, alert: str) -> Entry | None:
        """The alert with this id."""
        return next((entry for entry in (*self.open, *self.closed) if entry.id == alert), None)

    def standing(self, key: tuple[str, str]) -> tuple[Entry, Member] | None:
        """What is open about a thing: its alert and its place there."""
        for entry in self.open:
            for member in entry.standing:
                if member.key == key:
                    return entry, member
        return None

    def with_entry(self, entry: Entry) -> "Book":
        """The book with this alert as it is now, in the half where it belongs."""
        others = tuple(other for other in self.open if other.id != entry.id)
        over = tuple(other for other in self.closed if other.id != entry.id)
        if entry.closed_at is not None:
            return replace(self, open=others, closed=(*over, entry))
        if len(others) == len(self.open):
            return replace(self, open=(*others, entry), closed=over)
        same = tuple(entry if other.id == entry.id else other for other in self.open)
        return replace(self, open=same, closed=over)


def resume(book: Book, shelf: Shelf) -> AlertState:
    """Where a shelf's levels stood: what is open begins as that, so that it is not raised anew and its end is seen."""
    return AlertState(
        {
            member.alert.thing: level_of(entry.kind)
            for entry in book.open
            for member in entry.standing
            if member.alert.shelf == shelf.id
        }
    )


def is_watched(alert: Alert, shelves: Mapping[str, Shelf]) -> bool:
    """Whether the thing that an alert is about is still one that can be found right again."""
    shelf = shelves.get(alert.shelf)
    if shelf is None:
        return False
    kind, _, name = alert.thing.partition(":")
    match kind:
        case "sku":
            return name in shelf.expected
        case "slot":
            return any(slot.id == name and slot.product is not None for slot in shelf.slots)
        case _:
            return bool(shelf.slots)


def by_id(shelves: Iterable[Shelf]) -> dict[str, Shelf]:
    """Shelves by their ids."""
    return {shelf.id: shelf for shelf in shelves}
