"""One camera's week through the agent's own code: `observe`, the pipeline's conclusion, and the alerts it leads to.

Looks are taken five times a second, as by default, while anything moves and for a while after, and once a second while
nothing does; five times a second throughout if asked. While the lamps are off, one in five seconds.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.week.eyes import Eyes, Look
from benchmarks.week.library import Library, kept
from benchmarks.week.measuring import Effort
from benchmarks.week.pixels import Moment
from benchmarks.week.script import Script, busy_times, written
from benchmarks.week.shop import CAMERAS, FPS, LAMPS_H, Camera, places_of, settings
from benchmarks.week.truth import DAY_S, StockOut, Truth
from edge_agent.alerts.levels import AlertState, alerts
from edge_agent.alerts.policy import Patience
from edge_agent.config import Settings
from edge_agent.counting import beside_hidden, is_unknown, observe
from edge_agent.outcome import Outcome
from edge_agent.pipeline import CameraPlan, ViewState, _conclude, begin, step_blind
from edge_agent.regions import neighbours
from edge_agent.shelf import Alert, Frame, Observation

BEGAN = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday: second 0 of the week."""
NO_PATIENCE = Patience(stock_s=0, misplaced_s=0, view_s=0, restocked_fraction=0)
"""No hold and no hysteresis."""
QUIET_S, NIGHT_S, SPOT_S = 1.0, 5.0, 1.6
_NO_PIXELS = np.empty((0, 0, 3), dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class Edge:
    """An alert as the pipeline raised it, at a second of the week."""

    t_s: float
    alert: Alert


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of the week to watch: seconds, whether always at the full rate, and where to compare with pixels.

    `confused` is the share of pieces that the network takes for something else in a light, beside what it does anyway.
    """

    start_s: float
    end_s: float
    full_rate: bool = False
    spots: tuple[float, ...] = ()
    confused: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Spot:
    """What was seen at a moment: observations of the watched places, and what to draw for it and just before it."""

    camera: int
    t_s: float
    seen: tuple[Observation, ...]
    moments: tuple[Moment, ...]


@dataclass(slots=True, eq=False)
class Watched:
    """What came of it.

    `edges` are the agent's alerts, `hasty` those without patience, `glimpsed` (t_s, shelf, sku) when single looks said
    that a product is gone. `disturbed` holds, for each shelf, when a place of it could not be seen as it is.
    """

    camera: str
    truth: Truth
    stock_outs: list[StockOut]
    edges: list[Edge] = field(default_factory=list)
    hasty: list[Edge] = field(default_factory=list)
    glimpsed: list[tuple[float, str, str]] = field(default_factory=list)
    disturbed: dict[str, list[list[float]]] = field(default_factory=dict)
    spots: list[Spot] = field(default_factory=list)
    looks: int = 0


def watch(number: int, folder: Path, effort: Effort, *, days: int, seed: int, part: Part) -> Watched:
    """Watch the camera `number`; `folder` holds the library."""
    with TemporaryDirectory(prefix="shelf-week-") as name:
        known = settings(Path(name))
    return watch_with(kept(folder, effort), known, number, effort, days=days, seed=seed, part=part)


def watch_with(
    library: Library, known: Settings, number: int, effort: Effort, *, days: int, seed: int, part: Part
) -> Watched:
    """The same with a library and settings that are at hand."""
    camera = CAMERAS[number]
    script = written(camera, number, library, effort, days=days, seed=seed)
    shelves = known.shelves_of(camera.id)
    plan = CameraPlan(camera.id, shelves, known.rules, known.policy.patience)
    truth = told(camera, script, plan)
    outs = [one for one in truth.stock_outs(part.end_s) if part.start_s <= one.start_s]
    seen = _Watching(
        camera,
        plan,
        Eyes(camera, script, library, seed=seed, confused=part.confused),
        library.labels,
        Watched(camera.id, truth, outs),
    )
    for t_s in looks_at(script, part):
        seen.look(t_s, spot=next((spot for spot in part.spots if spot - SPOT_S < t_s <= spot), None))
    return seen.found


def told(camera: Camera, script: Script, plan: CameraPlan) -> Truth:
    """The truth of a script."""
    truth = Truth(plan.shelves, {shelf.id: places_of(camera, shelf) for shelf in plan.shelves})
    for place, label in script.start.items():
        truth.put(0.0, place, label)
    for reach in script.reaches:
        if reach.change_s is not None:
            truth.put(reach.change_s, reach.place, reach.label)
    return truth


def looks_at(script: Script, part: Part) -> Iterator[float]:
    """When a look is taken, in seconds of the week: on a grid of fifths of a second."""
    busy = _merged([*busy_times(script), *((spot - SPOT_S, spot) for spot in part.spots)])
    ends = [end_s for _, end_s in busy]
    beat, last = round(part.start_s * FPS), round(part.end_s * FPS)
    while beat < last:
        t_s = beat / FPS
        yield t_s
        hour = t_s % DAY_S / 3600
        after = bisect_right(ends, t_s)
        begins_s = busy[after][0] if after < len(busy) else inf
        pause_s = QUIET_S if LAMPS_H[0] - 0.01 <= hour < LAMPS_H[1] else NIGHT_S
        if part.full_rate or begins_s <= t_s:
            pause_s = 1 / FPS
        beat += max(1, round(min(pause_s, max(begins_s - t_s, 1 / FPS)) * FPS))


def _merged(times: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    merged: list[tuple[float, float]] = []
    for start_s, end_s in sorted(times):
        if merged and start_s <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end_s, merged[-1][1]))
        else:
            merged.append((start_s, end_s))
    return merged


class _Watching:
    """The state of a camera that is watched."""

    def __init__(self, camera: Camera, plan: CameraPlan, eyes: Eyes, labels: Sequence[str], found: Watched) -> None:
        self._camera, self._plan, self._eyes, self._labels, self.found = camera, plan, eyes, tuple(labels), found
        self._near = neighbours(plan.quads)
        self._state: ViewState = begin(plan)
        self._hasty = {shelf.id: AlertState() for shelf in plan.shelves}
        self._gone: dict[tuple[str, str], bool] = {}
        self._waiting = list(found.stock_outs)
        self._moments: list[Moment] = []
        first, self._slots = 0, dict[str, slice]()
        for shelf in plan.shelves:
            self._slots[shelf.id] = slice(first, first + len(shelf.slots))
            first += len(shelf.slots)

    def look(self, t_s: float, *, spot: float | None) -> None:
        """One look, as the agent takes it."""
        look = self._eyes.look(t_s)
        self._note_truth(t_s, look)
        frame = Frame(self._camera.id, self.found.looks, BEGAN + timedelta(seconds=t_s), t_s, _NO_PIXELS)
        self.found.looks += 1
        if look.bad is not None:
            self._state, outcome = step_blind(self._plan, self._state, frame, why=look.bad)
        else:
            self._state, outcome = self._count(look, frame)
            self._glimpse(t_s, look)
        self.found.edges += [Edge(t_s, alert) for alert in outcome.alerts]
        self._be_hasty(t_s, outcome)
        if spot is not None and look.bad is None:
            self._moments.append(self._eyes.moment(t_s))
            if t_s == spot:
                number = CAMERAS.index(self._camera)
                self.found.spots.append(Spot(number, t_s, outcome.observations, tuple(self._moments)))
                self._moments = []

    def _count(self, look: Look, frame: Frame) -> tuple[ViewState, Outcome]:
        """What `pipeline.step` does with scores."""
        plan = self._plan
        seen = observe(
            plan.slots, self._labels, look.scores, moved=look.moved, brightness=look.bright, rules=plan.rules
        )
        unknown = [
            is_unknown(slot, clock_s=frame.clock_s, rules=plan.rules)
            for shelf in self._state.shelves
            for slot in shelf.slots
        ]
        return _conclude(plan, self._state, frame, beside_hidden(seen, near=self._near, unknown=unknown))

    def _be_hasty(self, t_s: float, outcome: Outcome) -> None:
        """The same counts, told at once."""
        counts = {count.shelf: count for count in outcome.counts}
        for shelf in self._plan.shelves:
            if (now := counts.get(shelf.id)) is not None and shelf.id not in outcome.held:
                self._hasty[shelf.id], raised = alerts(
                    shelf, self._hasty[shelf.id], now, clock_s=t_s, patience=NO_PATIENCE
                )
                self.found.hasty += [Edge(t_s, alert) for alert in raised]

    def _glimpse(self, t_s: float, look: Look) -> None:
        """What each look alone would say: a product is gone when no slot looks like it most of all."""
        names = [self._labels[one] for one in look.scores.argmax(axis=1)]
        for shelf in self._plan.shelves:
            here = names[self._slots[shelf.id]]
            for sku in shelf.expected:
                gone = sku not in here
                if gone and not self._gone.get((shelf.id, sku), False):
                    self.found.glimpsed.append((t_s, shelf.id, sku))
                self._gone[shelf.id, sku] = gone

    def _note_truth(self, t_s: float, look: Look) -> None:
        """The first clear look at what is gone, and when a shelf could not be seen as it is."""
        for shelf in self._plan.shelves:
            if look.disturbed[self._slots[shelf.id]].any():
                times = self.found.disturbed.setdefault(shelf.id, [])
                if times and t_s - times[-1][1] <= NIGHT_S + 1:
                    times[-1][1] = t_s
                else:
                    times.append([t_s, t_s])
        while self._waiting and self._waiting[0].end_s <= t_s:
            self._waiting.pop(0)
        for one in self._waiting:
            if one.start_s > t_s:
                break
            if one.seen_s is None and t_s < one.end_s:
                shelf = self.found.truth.shelves[one.shelf]
                places = [n for n, slot in enumerate(shelf.slots) if slot.product == one.sku]
                if look.visible[self._slots[one.shelf]][places].all():
                    one.seen_s = t_s
