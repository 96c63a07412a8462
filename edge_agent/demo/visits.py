"""What a visit is: an arm that comes in, moves from place to place, changes what stands in slots, and leaves.

A visit is a value: keyframes for the arm, and the moments at which a slot changes. Where the arm is follows from them.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from edge_agent.demo.arm import PIECE_ABOVE, Arm, Placement, Point, in_frame

Piece = tuple[str, int]
"""A product and which of its variants."""
ActionKind = Literal["take", "put", "touch", "linger"]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a hand does at a slot (0..23): `piece` is what it puts there, `stay_s` how long it stays."""

    kind: ActionKind
    slot: int
    stay_s: float
    piece: Piece | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """From `t_s` (seconds) on, a slot (0..23) holds `piece`; None is nothing."""

    t_s: float
    slot: int
    piece: Piece | None


@dataclass(frozen=True, slots=True)
class Key:
    """From `t_s` (seconds) on, the arm moves from `place` to the next key's; grip and piece are this key's."""

    t_s: float
    place: Placement


@dataclass(frozen=True, slots=True)
class Visit:
    """One reach into the shelf. The arm, or its shadow, is in the frame from `start_s` to `end_s` (seconds).

    `before` is what stood in each of the 24 slots before, `changes` what became of it, in order of time.
    """

    start_s: float
    end_s: float
    arm: Arm
    actions: tuple[Action, ...]
    before: tuple[Piece | None, ...]
    changes: tuple[Change, ...]
    keys: tuple[Key, ...]

    def contents(self, t_s: float) -> tuple[Piece | None, ...]:
        """What stands in each slot at a time (seconds) during the visit or after it."""
        standing = list(self.before)
        for change in self.changes:
            if change.t_s <= t_s:
                standing[change.slot] = change.piece
        return tuple(standing)

    def placement(self, t_s: float) -> Placement:
        """Where the arm is at a time (seconds)."""
        return _between(self.keys, t_s)


def _between(keys: Sequence[Key], t_s: float) -> Placement:
    at = min(max(0, bisect_right(keys, t_s, key=lambda key: key.t_s) - 1), len(keys) - 2)
    here, then = keys[at], keys[at + 1]
    share = min(1.0, max(0.0, (t_s - here.t_s) / max(1e-6, then.t_s - here.t_s)))
    eased = share * share * share * (share * (6 * share - 15) + 10)
    (x, y), (to_x, to_y) = here.place.palm, then.place.palm
    return replace(
        here.place,
        palm=(x + (to_x - x) * eased, y + (to_y - y) * eased),
        sink=here.place.sink + (then.place.sink - here.place.sink) * share,
    )


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a shopper stands: the shoulder, and where the hand waits, dips to and leaves to (0..1 of the frame)."""

    shoulder: Point
    away: Point
    basket: Point


def random_stand(towards: Point, rng: np.random.Generator) -> Stand:
    """A place to reach `towards` from: below mostly, sometimes from the nearer side of the frame."""
    x, y = towards
    if 0.36 < x < 0.64 or rng.uniform() < 0.75:
        foot = x + rng.uniform(-0.14, 0.14)
        return Stand((foot + rng.uniform(-0.05, 0.05), 1.75), (foot, 1.32), (foot, 1.04))
    side = -1.0 if x < 0.5 else 1.0
    edge = 0.5 + side * 0.5
    low = min(0.95, y + rng.uniform(0.05, 0.25))
    return Stand((edge + side * 0.55, low + 0.25), (edge + side * 0.26, low), (edge + side * 0.03, low))


_SINK = 0.42  # a piece that drops into the basket slides so far, in frame heights


class _Reel:
    """The keyframes of a visit in the making."""

    def __init__(self, stand: Stand, t_s: float) -> None:
        self.t_s = t_s
        self.keys: list[Key] = []
        self.changes: list[Change] = []
        self.now = Placement(stand.away, stand.shoulder)

    def hold(self, **changed: object) -> None:
        """From now on, the arm is as before but for what changed."""
        self.now = replace(self.now, **changed)  # type: ignore[arg-type]
        self.keys.append(Key(self.t_s, self.now))

    def move(self, palm: Point, lasts_s: float) -> None:
        self.t_s += lasts_s
        self.hold(palm=palm)

    def change(self, slot: int, piece: Piece | None) -> None:
        self.changes.append(Change(self.t_s, slot, piece))


def palm_at(centre: Point) -> Point:
    """Where the palm is when the hand holds what stands around `centre` (0..1 of the frame)."""
    return centre[0], centre[1] + PIECE_ABOVE


def acted(
    actions: Sequence[Action],
    *,
    start_s: float,
    stand: Stand,
    arm: Arm,
    standing: Sequence[Piece | None],
    centres: Sequence[Point],
    aspect: float,
    rng: np.random.Generator,
) -> Visit:
    """Turn what a shopper wants into a visit.

    Args:
        actions: What the hand does, one after the other; a take right before a put carries that piece over.
        start_s: The visit starts at about this time (seconds).
        stand: Where the shopper stands.
        arm: How the arm looks.
        standing: What stands in each slot before.
        centres: The middle of each slot, in 0..1 of the frame.
        aspect: Width of the frame over its height.
        rng: Decides the pace.
    """
    reel = _Reel(stand, start_s)
    reel.hold()
    shelf = list(standing)
    for number, action in enumerate(actions):
        palm = palm_at(centres[action.slot])
        if action.kind == "put" and reel.now.held is None:
            _fetch(reel, stand, action.piece)
        reel.move(palm, rng.uniform(0.6, 1.2))
        if action.kind == "take":
            reel.t_s += action.stay_s * 0.6
            reel.hold(grip=True)
            reel.t_s += action.stay_s * 0.4
            reel.change(action.slot, None)
            reel.hold(held=shelf[action.slot])
            shelf[action.slot] = None
        elif action.kind == "put":
            reel.t_s += action.stay_s * 0.4
            shelf[action.slot] = reel.now.held
            reel.change(action.slot, reel.now.held)
            reel.hold(held=None)
            reel.t_s += action.stay_s * 0.6
            reel.hold(grip=False)
        else:
            reel.t_s += action.stay_s
            reel.hold()
        onward = actions[number + 1] if number + 1 < len(actions) else None
        if onward is not None and reel.now.held is not None and onward.kind != "put":
            _drop(reel, stand, rng)
    reel.move(stand.away, rng.uniform(0.8, 1.2))
    start, end = _seen(reel.keys, aspect)
    return Visit(start, end, arm, tuple(actions), tuple(standing), tuple(reel.changes), tuple(reel.keys))


def _fetch(reel: _Reel, stand: Stand, piece: Piece | None) -> None:
    """Come up from the basket with a piece."""
    if len(reel.keys) > 1:
        reel.move(stand.basket, 0.7)
        reel.hold(grip=True, held=piece, sink=_SINK)
        reel.t_s += 0.35
        reel.hold(sink=0.0)
    else:
        reel.hold(grip=True, held=piece)


def _drop(reel: _Reel, stand: Stand, rng: np.random.Generator) -> None:
    """Lay what the hand holds into the basket, just below the frame."""
    reel.move(stand.basket, rng.uniform(0.6, 1.0))
    reel.t_s += 0.3
    reel.hold(sink=_SINK)
    reel.hold(grip=False, held=None, sink=0.0)


def _seen(keys: Sequence[Key], aspect: float) -> tuple[float, float]:
    """When the arm comes into the frame and when it has left it, found by halving (to a millisecond)."""
    first, last = keys[0].t_s, keys[-1].t_s
    inside = [key.t_s for key in keys if in_frame(_between(keys, key.t_s), aspect)]

    def edge(outside_s: float, inside_s: float) -> float:
        while abs(inside_s - outside_s) > 1e-3:
            middle = (inside_s + outside_s) / 2
            if in_frame(_between(keys, middle), aspect):
                inside_s = middle
            else:
                outside_s = middle
        return inside_s

    return edge(first, inside[0]), edge(last, inside[-1])
