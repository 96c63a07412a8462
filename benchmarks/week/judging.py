"""What the alerts of a week were worth: which of them were true, how soon stock-outs were told, and how often."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from math import inf

import numpy as np

from benchmarks.week.shop import CLOSES_H, OPENS_H
from benchmarks.week.truth import DAY_S, StockOut, Truth, open_for_s
from benchmarks.week.watching import BEGAN, Edge, Watched
from edge_agent.alerts.book import Book, Moment
from edge_agent.alerts.policy import Policy
from edge_agent.alerts.telling import take
from edge_agent.counting import Rules
from edge_agent.shelf import Alert

OUT_S = 300.0
"""A stock-out is asked for when it lasts this long in opening hours."""
WITHIN_S = 120.0
KINDS = ("out_of_stock", "low_stock", "misplaced", "view_lost")
"""The kinds that a person is to do something about."""
SLACK_S = 5.0
"""Truth changes this long before the agent can know of it: an arm is in the way, and looks vote."""
TICK_S = 5.0


@dataclass(frozen=True, slots=True)
class Told:
    """Something that the agent published: when, and whether the cause was true; `type` and `notify` as in `Telling`.

    `again` says that it is an alert that was over and has begun again: no new one.
    """

    t_s: float
    type: str
    alert: Alert
    notify: bool
    true: bool
    again: bool = False


@dataclass(slots=True)
class Verdict:
    """The worth of a week of alerts.

    `delays_s` are those of the stock-outs that had to be told, inf for one that never was; `hidden` counts those of
    which there was no clear look with time to tell it before the shop closed.
    """

    told: list[Told]
    delays_s: list[float] = field(default_factory=list)
    missed: list[StockOut] = field(default_factory=list)
    hidden: int = 0

    @property
    def p95_s(self) -> float:
        """The delay that 95 in a hundred stock-outs keep, in seconds; inf where more than that are missed."""
        return (
            float(np.sort(self.delays_s)[max(0, int(np.ceil(0.95 * len(self.delays_s))) - 1)]) if self.delays_s else 0.0
        )

    def by_kind(self) -> dict[str, tuple[int, int]]:
        """For each kind how many were told, and how many of them falsely."""
        fresh = [one for one in self.told if not one.again]
        return {
            kind: (sum(one.type == kind for one in fresh), sum(one.type == kind and not one.true for one in fresh))
            for kind in KINDS
        }

    def false_by_day(self, cameras: Sequence[str], days: int) -> dict[tuple[str, int], int]:
        """False alerts of each camera on each day."""
        false = Counter(
            (one.alert.camera, int(one.t_s // DAY_S))
            for one in self.told
            if one.type in KINDS and not one.true and not one.again
        )
        return {(camera, day): false[camera, day] for camera in cameras for day in range(days)}

    @property
    def rung(self) -> int:
        """How often a person was disturbed, reminders left out."""
        return sum(one.notify and one.type != "reminder" for one in self.told)

    @property
    def reopened(self) -> int:
        """How often an alert that was over began again within its cool-down."""
        return sum(one.again and one.type in KINDS for one in self.told)

    @property
    def reminders(self) -> int:
        """How often somebody was reminded."""
        return sum(one.type == "reminder" for one in self.told)


class Court:
    """Tells whether what an alert says was so when it began to be believed."""

    def __init__(self, cameras: Sequence[Watched], rules: Rules, policy: Policy) -> None:
        self._of = {camera.camera: camera for camera in cameras}
        self._rules, self._policy = rules, policy

    def caused_s(self, edge: Edge) -> float:
        """When its cause began."""
        return edge.t_s - self._policy.patience.hold_s(edge.alert.kind)

    def true(self, edge: Edge) -> bool:
        """Whether it was so at the moment of its first cause."""
        alert, caused_s = edge.alert, self.caused_s(edge)
        camera = self._of[alert.camera]
        truth, since_s = camera.truth, caused_s - SLACK_S
        match alert.kind:
            case "out_of_stock":
                return truth.fewest_and_most(alert.shelf, alert.sku or "", since_s, caused_s)[0] == 0
            case "low_stock":
                planned = truth.shelves[alert.shelf].expected[alert.sku or ""]
                fewest = truth.fewest_and_most(alert.shelf, alert.sku or "", since_s, caused_s)[0]
                return 0 < max(fewest, 1) <= max(1, self._low_at(planned)) and fewest <= self._low_at(planned)
            case "misplaced":
                place = truth.places[alert.shelf][_slot_number(truth, alert)]
                return alert.sku in truth.history[place].between(since_s, caused_s)
            case "view_lost":
                since_s -= self._rules.unknown_after_s
                return any(
                    start_s <= caused_s and since_s <= end_s for start_s, end_s in camera.disturbed.get(alert.shelf, [])
                )
            case _:
                return True

    def _low_at(self, planned: int) -> int:
        return int(self._rules.low_fraction * planned)


def _slot_number(truth: Truth, alert: Alert) -> int:
    return [slot.id for slot in truth.shelves[alert.shelf].slots].index(alert.slot or "")


def told_by_agent(cameras: Sequence[Watched], rules: Rules, policy: Policy, *, until_s: float) -> list[Told]:
    """What the agent makes of the edges of all cameras: grouped, in opening hours, and again as a reminder."""
    court, book, told = Court(cameras, rules, policy), Book(), list[Told]()
    edges = sorted((edge for camera in cameras for edge in camera.edges), key=lambda edge: edge.t_s)
    latest: dict[tuple[str, str], Edge] = {}
    for t_s, found in _steps(edges, until_s):
        for edge in found:
            latest[edge.alert.shelf, edge.alert.thing] = edge
        now = Moment(BEGAN + timedelta(seconds=t_s), t_s)
        book, tellings = take(book, [edge.alert for edge in found], now, policy)
        for one in tellings:
            edge = latest[one.alert.shelf, one.alert.thing]
            again = one.entry.reopened > 0 and not one.notify
            told.append(Told(t_s, one.type, one.alert, one.notify, court.true(edge), again))
    return told


def _steps(edges: Sequence[Edge], until_s: float) -> Iterator[tuple[float, list[Edge]]]:
    """The edges by the moment at which they came, and from the first on moments between them at which none did."""
    at, now_s = 0, edges[0].t_s - TICK_S if edges else until_s
    while now_s < until_s or at < len(edges):
        next_s = edges[at].t_s if at < len(edges) else inf
        now_s = min(next_s, now_s + TICK_S)
        found = []
        while at < len(edges) and edges[at].t_s <= now_s:
            found.append(edges[at])
            at += 1
        yield now_s, found


def told_at_once(cameras: Sequence[Watched], rules: Rules, policy: Policy) -> list[Told]:
    """Every edge told as it comes; `policy` is one without patience."""
    court = Court(cameras, rules, policy)
    edges = sorted((edge for camera in cameras for edge in camera.hasty), key=lambda edge: edge.t_s)
    return [Told(edge.t_s, edge.alert.kind, edge.alert, notify=True, true=court.true(edge)) for edge in edges]


def judged(told: list[Told], ends: Sequence[Edge], cameras: Sequence[Watched]) -> Verdict:
    """How soon each stock-out was told.

    Args:
        told: What was told, in order of time.
        ends: The edges that say that a product is no longer out.
        cameras: The truth.
    """
    verdict, spans = Verdict(told), _spans(told, ends)
    for camera in cameras:
        for one in camera.stock_outs:
            if open_for_s(one.start_s, one.end_s, (OPENS_H, CLOSES_H)) < OUT_S:
                continue
            closes_s = one.start_s // DAY_S * DAY_S + CLOSES_H * 3600
            if one.seen_s is None or one.seen_s > closes_s - WITHIN_S:
                verdict.hidden += 1
                continue
            times = [
                told_s for told_s, over_s in spans[one.shelf, one.sku] if told_s < one.end_s and over_s > one.start_s
            ]
            verdict.delays_s.append(max(0.0, min(times) - one.seen_s) if times else inf)
            if not times:
                verdict.missed.append(one)
    return verdict


def _spans(told: Sequence[Told], ends: Sequence[Edge]) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """For each shelf and product from when to when it was said to be out."""
    over: dict[tuple[str, str], list[float]] = defaultdict(list)
    for edge in ends:
        if edge.alert.kind in {"restocked", "low_stock"}:
            over[edge.alert.shelf, edge.alert.sku or ""].append(edge.t_s)
    spans: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for one in told:
        if one.type == "out_of_stock":
            key = one.alert.shelf, one.alert.sku or ""
            spans[key].append((one.t_s, min((t_s for t_s in over[key] if t_s > one.t_s), default=inf)))
    return spans
