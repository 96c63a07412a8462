"""The book of alerts at work: kept from step to step, over reloads and restarts, with its pictures.

All of it belongs to the loop's thread, but what `book`, `shown` and `picture` give: these are replaced whole.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from math import inf
from typing import Any, Literal

from edge_agent.alerts.book import Acknowledged, Book, Entry, Moment, by_id, resume
from edge_agent.alerts.levels import AlertState
from edge_agent.alerts.looks import Evidence, Looks
from edge_agent.alerts.policy import Policy
from edge_agent.alerts.telling import Telling, acknowledge, released, take, tidied
from edge_agent.alerts.writer import Keeper, Which
from edge_agent.outcome import Outcome
from edge_agent.shelf import Shelf

Mode = Literal["off", "device", "mqtt"]
RECENT = 200
"""Of how many alerts the pictures are at hand for their event: 12 KB each at most."""


class Alerting:
    """Says after each step what is to be told. Without a keeper, it forgets when it ends."""

    def __init__(self, policy: Policy | None = None, *, mode: Mode = "off", keeper: Keeper | None = None) -> None:
        """Go on with the book that the keeper has."""
        self.policy, self._mode, self._keeper = policy or Policy(), mode, keeper
        self.book: Book = Book()
        self.shown: Mapping[str, Mapping[str, Any]] = {}
        """What is known of the pictures of each alert."""
        if keeper is not None:
            self.book, self.shown = keeper.load()
        self._earlier = _untold_pictures(self.book, keeper)
        self._looks: dict[str, Looks] = {}
        self._shelves: dict[str, Shelf] = {}
        self._recent: dict[str, Evidence] = {}
        self._backlog: tuple[Telling, ...] = ()
        self._unkept: Moment | None = None
        self._clock_s = -inf

    def use(self, policy: Policy, shelves: Iterable[Shelf], *, mode: Mode, at: datetime) -> None:
        """Go on with another configuration, or with the first: what it doesn't watch is closed."""
        known = by_id(shelves)
        self.policy, self._mode = policy, mode
        self.book, told = released(self.book, known, Moment(at, self._clock_s))
        self._backlog += told
        same = {shelf.camera for shelf in known.values()} if mode != "off" else set[str]()
        for shelf in {*known.values(), *self._shelves.values()}:
            if known.get(shelf.id) != self._shelves.get(shelf.id):  # the same name may be another place now
                same.discard(shelf.camera)
        self._looks = {camera: looks for camera, looks in self._looks.items() if camera in same}
        self._shelves = known
        self._unkept = Moment(at, self._clock_s)
        self.keep()

    def resume(self, shelf: Shelf) -> AlertState:
        """Where a shelf's alerts stand."""
        return resume(self.book, shelf)

    def take(self, shelves: Sequence[Shelf], outcome: Outcome, *, at: datetime) -> tuple[Telling, ...]:
        """After every step: what is to be told now. When that is stored, `keep` is to be called.

        Args:
            shelves: Those of the outcome's camera.
            outcome: What the step found.
            at: The time of day, aware; that of the picture where there is one.
        """
        frame = outcome.frame
        now = Moment(frame.captured_at if frame.image.size else at, frame.clock_s)
        self._clock_s = now.clock_s
        looks = None
        if self._mode != "off":
            looks = self._looks.setdefault(frame.camera, Looks())
            looks.note(shelves, outcome)
        before = self.book.number
        self.book, told = take(self.book, outcome.alerts, now, self.policy)
        if looks is not None and self.book.number > before:
            self._show(looks, shelves, outcome, since=before)
        if outcome.alerts or told:
            self._unkept = now
        return self._with_backlog(told)

    def acknowledge(self, alert: str, who: Acknowledged) -> tuple[Entry, tuple[Telling, ...]] | str:
        """Note that somebody sees to an alert: it and what is to be told, or a sentence that says why not.

        When what is to be told is stored, `keep` is to be called.
        """
        done = acknowledge(self.book, alert, who)
        if isinstance(done, str):
            return done
        self.book, told = done
        self._unkept = Moment(who.at, self._clock_s)
        return next(entry for entry in self.book.open if entry.id == alert), self._with_backlog(told)

    def keep(self) -> None:
        """Have the book written, if there is something new in it.

        What it says was told must be stored as an event by then: should the power fail in between, an alert is told
        twice, but never not at all. So it waits for what a change of the configuration closed and nobody heard yet.
        """
        if self._unkept is None or self._backlog:
            return
        self.book = tidied(self.book, self._unkept, self.policy)
        self._unkept = None
        kept = {entry.id for entry in (*self.book.open, *self.book.closed)}
        self.shown = {alert: known for alert, known in self.shown.items() if alert in kept}
        if self._keeper is not None:
            self._keeper.write(self.book, self.shown)

    def evidence(self, telling: Telling) -> dict[str, str] | None:
        """The pictures that go with an event: with the first one of an alert, where they are sent."""
        if self._mode != "mqtt" or not telling.notify or telling.type == "reminder":
            return None
        found = self._recent.get(telling.entry.id)
        return found.sent() if found is not None else self._earlier.get(telling.entry.id)

    def picture(self, alert: str, which: Which) -> bytes | None:
        """A picture of an alert (JPEG), for any thread; None where there is none."""
        return self._keeper.picture(alert, which) if self._keeper is not None else None

    def _show(self, looks: Looks, shelves: Sequence[Shelf], outcome: Outcome, *, since: int) -> None:
        """Take the pictures of alerts that are new since the book counted `since`."""
        for entry in (entry for entry in self.book.open if entry.number > since):
            evidence = looks.evidence(entry.members[0].alert, shelves, outcome)
            self._recent[entry.id] = evidence
            self.shown = {**self.shown, entry.id: evidence.record()}
            if self._keeper is not None:
                self._keeper.show(entry.id, evidence)
        while len(self._recent) > RECENT:
            del self._recent[next(iter(self._recent))]

    def _with_backlog(self, told: tuple[Telling, ...]) -> tuple[Telling, ...]:
        """What is to be told, after what waited for an occasion."""
        told, self._backlog = self._backlog + told, ()
        return told


def _untold_pictures(book: Book, keeper: Keeper | None) -> dict[str, dict[str, str]]:
    """The pictures of what an earlier run noted and did not tell: read now, for later it would be in the loop."""
    if keeper is None:
        return {}
    return {entry.id: keeper.sendable(entry.id) for entry in book.open[-RECENT:] if entry.told_at is None}
