"""What happens before one camera in a week: who reaches for what, who stands in the way, and what the light does.

A script is a value that follows from a seed. Facings are several pieces deep, so that most of what is taken leaves the
slot as it looks; twice a day a trolley comes and everything is filled up.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from benchmarks.week.library import Library
from benchmarks.week.measuring import ACTIONS, Effort
from benchmarks.week.shop import CLOSES_H, FPS, LAMPS_H, OPENS_H, Camera
from benchmarks.week.truth import DAY_S
from edge_agent.demo.camera import COLUMNS, ROWS
from edge_agent.shelf import EMPTY

REACHES_PER_H = 42.0
PEAKS = ((8.0, 1.0), (12.3, 1.3), (17.5, 1.8))
"""Hours of the day around which more people come, and how much more than at other times."""
DELIVERIES_H = (11.0, 17.0)
HOUR_S = 3600.0

Kind = Literal["take", "put", "touch"]


@dataclass(frozen=True, slots=True)
class Reach:
    """An arm: clip `clip` of the library runs from `start_s`, moved by `along` places; then `place` holds `label`."""

    start_s: float
    end_s: float
    clip: int
    along: int
    place: int
    change_s: float | None = None
    label: str = EMPTY


@dataclass(frozen=True, slots=True)
class Before:
    """Somebody or something stands before the shelf: clip `clip` of the library, again and again."""

    start_s: float
    end_s: float
    clip: int


@dataclass(frozen=True, slots=True)
class Sun:
    """A streak of sun that crosses a board (0..2) from left to right, or back, while it lasts."""

    start_s: float
    end_s: float
    board: int
    back: bool
    strength: int

    def x(self, t_s: float) -> float:
        """Where its middle is, in 0..1 of the frame."""
        share = (t_s - self.start_s) / (self.end_s - self.start_s)
        return 1 - share if self.back else share


@dataclass(frozen=True, slots=True)
class Lamp:
    """From `t_s` on the lamps are this strong (0.5 is ordinary); `clip` shows how they change, -1 for at once."""

    t_s: float
    level: float
    clip: int


@dataclass(slots=True)
class Script:
    """All of it, each in order of time; `knocked_s` is when the camera stood askew."""

    start: dict[int, str]
    reaches: list[Reach] = field(default_factory=list)
    before: list[Before] = field(default_factory=list)
    suns: list[Sun] = field(default_factory=list)
    lamps: list[Lamp] = field(default_factory=list)
    knocked_s: tuple[float, float] | None = None
    sky: tuple[float, ...] = ()


def written(camera: Camera, number: int, library: Library, effort: Effort, *, days: int, seed: int) -> Script:
    """The script of the camera `number` for some days."""
    author = _Author(camera, library, effort, np.random.default_rng([seed, number, 31]))
    for day in range(days):
        author.day(day)
    script, rng = author.script, np.random.default_rng([seed, number, 32])
    script.sky = tuple(float(one) for one in rng.uniform(0.35, 1.0, days))
    _weather(script, rng, library, number, days)
    return script


def _weather(script: Script, rng: np.random.Generator, library: Library, number: int, days: int) -> None:
    """Sun on some days, lamps that fail or flicker before one camera, and one camera that is knocked."""
    for day in range(days):
        if number != 1 and (day + number) % 2 == 0:
            start_s = day * DAY_S + HOUR_S * float(rng.uniform(8.5, 10.0) if number == 0 else rng.uniform(15.5, 16.5))
            board = int(rng.integers(ROWS if number == 0 else ROWS - 1))
            script.suns.append(Sun(start_s, start_s + HOUR_S, board, bool(rng.uniform() < 0.5), int(rng.integers(2))))
    turns = {name: [library.clips.index(clip) for clip in library.of_kind(name)] for name in ("dim", "bright")}

    def fail(start_s: float, end_s: float) -> None:
        script.lamps.append(Lamp(start_s, 0.24, int(rng.choice(turns["dim"]))))
        script.lamps.append(Lamp(end_s, 0.5, int(rng.choice(turns["bright"]))))

    for day in range(days):
        base_s = day * DAY_S
        script.lamps.append(Lamp(base_s + LAMPS_H[0] * HOUR_S, 0.5, -1))
        if number == 1 and day in {1, 2}:
            for hour in np.sort(rng.uniform(8, 20, 5)):
                fail(base_s + hour * HOUR_S, base_s + hour * HOUR_S + float(rng.uniform(120, 1500)))
        if number == 1 and day == 3:
            at_s, until_s = base_s + 14 * HOUR_S, base_s + 15 * HOUR_S
            while at_s < until_s:
                length_s = float(rng.uniform(2, 15))
                fail(at_s, at_s + length_s)
                at_s += length_s + float(rng.uniform(2, 30))
        script.lamps.append(Lamp(base_s + LAMPS_H[1] * HOUR_S, 0.0, -1))
    script.lamps.sort(key=lambda lamp: lamp.t_s)
    if number == 0 and days > 4:
        start_s = 4 * DAY_S + 13.2 * HOUR_S
        script.knocked_s = start_s, start_s + 3.4 * HOUR_S


class _Author:
    """Writes the reaches of one camera, and knows what stands on its shelf."""

    def __init__(self, camera: Camera, library: Library, effort: Effort, rng: np.random.Generator) -> None:
        self._camera, self._rng, self._places = camera, rng, camera.watched
        self._reaches = {
            (kind, place): [n for n, clip in enumerate(library.clips) if (clip.kind, clip.place) == (kind, place)]
            for kind in ACTIONS
            for place in effort.places
        }
        self._clips = library.clips
        self._standers = {
            kind: [n for n, clip in enumerate(library.clips) if clip.kind == kind] for kind in ("person", "trolley")
        }
        self._shelf = {place: str(camera.planned[place]) for place in self._places}
        self._deep = {place: self._depth() for place in self._places}
        liked = rng.lognormal(0, 0.7, len(self._places))
        self._liked = dict(zip(self._places, liked, strict=True))
        products = sorted(set(self._shelf.values()))
        taste = dict(zip(products, rng.lognormal(0, 0.6, len(products)), strict=True))
        self._liked = {place: self._liked[place] * taste[self._shelf[place]] for place in self._places}
        self.script = Script(dict(self._shelf))

    def _depth(self) -> int:
        return int(self._rng.integers(5, 13))

    def day(self, day: int) -> None:
        """Shoppers over the opening hours, and two deliveries."""
        rng, base_s = self._rng, day * DAY_S
        due_s = [base_s + HOUR_S * (hour + float(rng.uniform(-0.7, 0.7))) for hour in DELIVERIES_H]
        now_s, closes_s = base_s + OPENS_H * HOUR_S, base_s + CLOSES_H * HOUR_S
        while (now_s := now_s + self._until_next_s(now_s)) < closes_s - 60:
            if due_s and now_s >= due_s[0]:
                due_s.pop(0)
                now_s = self._deliver(now_s)
            now_s = self._shop(now_s)

    def _until_next_s(self, now_s: float) -> float:
        hour = now_s % DAY_S / HOUR_S
        busy = 0.4 + sum(more * np.exp(-(((hour - peak) / 1.1) ** 2)) for peak, more in PEAKS)
        return float(self._rng.exponential(HOUR_S / (REACHES_PER_H * busy)))

    def _shop(self, now_s: float) -> float:
        """One shopper, from `now_s` on; returns when the shelf is free again."""
        rng = self._rng
        if rng.uniform() < 0.12:
            stays_s = float(np.clip(rng.lognormal(3.3, 0.8), 6, 300))
            self.script.before.append(Before(now_s, now_s + stays_s, int(rng.choice(self._standers["person"]))))
            return now_s + stays_s
        full = [place for place in self._places if self._shelf[place] != EMPTY]
        if not full:
            return now_s
        weights = np.asarray([self._liked[place] for place in full])
        astray = [place for place in full if self._shelf[place] != self._camera.planned[place]]
        if astray and rng.uniform() < 0.02:
            return self._take(now_s, astray[0])
        mood, place = rng.uniform(), int(rng.choice(full, p=weights / weights.sum()))
        if mood < 0.45:
            return self._reach(now_s, "touch", place)
        gaps = [gap for gap in self._places if self._shelf[gap] == EMPTY]
        if mood < 0.46 and gaps:
            gap, taken = int(rng.choice(gaps)), self._shelf[place]
            if taken != self._camera.planned[gap]:
                free_s = self._take(now_s, place)
                self._deep[gap] = 1
                return self._reach(free_s, "put", gap, taken)
        for _ in range(int(rng.choice([1, 2, 3], p=[0.6, 0.28, 0.12]))):
            now_s = self._take(now_s, place)
            if self._shelf[place] == EMPTY:
                break
        return now_s

    def _take(self, now_s: float, place: int) -> float:
        self._deep[place] -= 1
        if self._deep[place] > 0:
            return self._reach(now_s, "touch", place)  # the next piece stands where this one stood
        return self._reach(now_s, "take", place, EMPTY)

    def _deliver(self, now_s: float) -> float:
        """A trolley stands in the way for some minutes; then everything is filled up, gap by gap."""
        rng = self._rng
        stays_s = float(rng.uniform(90, 480))
        self.script.before.append(Before(now_s, now_s + stays_s, int(rng.choice(self._standers["trolley"]))))
        now_s += stays_s + 3
        for place in self._places:
            planned = str(self._camera.planned[place])
            if self._shelf[place] not in (EMPTY, planned):
                now_s = self._reach(now_s, "take", place, EMPTY)
            self._deep[place] = self._depth()
            if self._shelf[place] == EMPTY:
                now_s = self._reach(now_s, "put", place, planned)
            elif rng.uniform() < 0.3:
                now_s = self._reach(now_s, "touch", place)
        return now_s

    def _reach(self, now_s: float, kind: Kind, place: int, label: str | None = None) -> float:
        """One arm; what stands in `place` becomes `label` at its turn."""
        near = min(
            (known for of, known in self._reaches if of == kind),
            key=lambda known: (abs(known // COLUMNS - place // COLUMNS), abs(known - place)),
        )
        clip = int(self._rng.choice(self._reaches[kind, near]))
        recorded = self._clips[clip]
        end_s = now_s + len(recorded.moved) / FPS
        change_s = now_s + recorded.turn / FPS if label is not None and recorded.turn >= 0 else None
        along = place - near
        self.script.reaches.append(Reach(now_s, end_s, clip, along, place, change_s, label or EMPTY))
        if change_s is not None:
            self._shelf[place] = str(label)
        return end_s + float(self._rng.uniform(0.5, 2.5))


def busy_times(script: Script) -> Iterator[tuple[float, float]]:
    """When something moves: looks are taken at the full rate then."""
    for reach in script.reaches:
        yield reach.start_s - 0.4, reach.end_s + 2.5
    for one in script.before:
        yield one.start_s - 0.4, one.start_s + 3.0
        yield one.end_s - 1.0, one.end_s + 3.0
    for lamp in script.lamps:
        if lamp.clip >= 0:
            yield lamp.t_s - 0.4, lamp.t_s + 4.0
    if script.knocked_s is not None:
        for t_s in script.knocked_s:
            yield t_s - 1.0, t_s + 20.0
