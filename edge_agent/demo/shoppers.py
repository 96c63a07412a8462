"""Who comes by: a seeded script of visits, so that stock falls, runs low, runs out and is filled up again."""

from collections.abc import Sequence

import numpy as np

from edge_agent.demo.arm import Point, random_arm
from edge_agent.demo.visits import Action, Piece, Visit, acted, random_stand

VARIANTS = 4
"""How many different pieces of a product there are."""

_Rng = np.random.Generator


class Script:
    """The visits of a day, worked out as far as they are asked for; the same seed gives the same day."""

    def __init__(
        self, seed: int, planned: Sequence[str], centres: Sequence[Point], *, aspect: float, duration_s: float | None
    ) -> None:
        """Start with a full shelf.

        Args:
            seed: Decides everything.
            planned: The product of each slot by the planogram.
            centres: The middle of each slot, in 0..1 of the frame.
            aspect: Width of the frame over its height.
            duration_s: Nobody is in the frame from then on (seconds); None is a day without end.
        """
        self._rng = np.random.default_rng([seed, 1])
        self._planned, self._centres, self._aspect = tuple(planned), tuple(centres), aspect
        self._duration_s = duration_s
        self._next_s = float(self._rng.uniform(3, 6))
        self._popular = 0
        self.start: tuple[Piece | None, ...] = tuple(self._fresh(product) for product in planned)
        self._shelf = list(self.start)
        self._visits: list[Visit] = []
        self._done = False

    def until(self, t_s: float) -> Sequence[Visit]:
        """At least all visits that start before `t_s` (seconds), in order."""
        while not self._done and self._next_s <= t_s:
            self._add()
        return self._visits

    def _fresh(self, product: str) -> Piece:
        return product, int(self._rng.integers(VARIANTS))

    def _add(self) -> None:
        rng = self._rng
        actions = self._wanted()
        stand = random_stand(self._centres[actions[0].slot], rng)
        if len({action.slot for action in actions}) > 1 and stand.away[1] < 1.3:
            actions = actions[: 2 if actions[0].kind == "take" and actions[1].kind == "put" else 1]
        visit = acted(
            actions,
            start_s=self._next_s,
            stand=stand,
            arm=random_arm(rng),
            standing=self._shelf,
            centres=self._centres,
            aspect=self._aspect,
            rng=rng,
        )
        if self._duration_s is not None and visit.end_s > self._duration_s:
            self._done = True
            return
        self._visits.append(visit)
        for change in visit.changes:
            self._shelf[change.slot] = change.piece
        self._next_s = visit.end_s + float(3 + min(17, rng.exponential(4.5)))

    def _wanted(self) -> list[Action]:
        """What the next visitor does, given what stands on the shelf."""
        rng = self._rng
        empty = [slot for slot, piece in enumerate(self._shelf) if piece is None]
        full = [slot for slot, piece in enumerate(self._shelf) if piece is not None]
        astray = [slot for slot in full if (piece := self._shelf[slot]) and piece[0] != self._planned[slot]]
        if len(self._visits) % 8 == 0:
            self._popular = int(rng.integers(len(self._planned)))
        if astray and rng.uniform() < 0.45:
            return [self._action("take", astray[0])]
        if empty and rng.uniform() < min(0.8, 0.14 * (len(empty) - 1)):
            return self._restock(empty)
        return self._browsing(full, empty)

    def _browsing(self, full: Sequence[int], empty: Sequence[int]) -> list[Action]:
        """Touch, linger, mislay, look at something and put it back, or most often take something."""
        rng = self._rng
        mood, slot = rng.uniform(), int(rng.choice(full))
        if mood < 0.12:
            return [self._action("touch", slot)]
        if mood < 0.22:
            stay = Action("linger", slot, float(rng.uniform(2.0, 4.0)))
            return [stay] if rng.uniform() < 0.5 else [stay, self._action("take", slot)]
        if mood < 0.27 and empty:
            return self._mislay(full, empty)
        if mood < 0.34:
            return [self._action("take", slot), self._action("put", slot)]
        return self._shopping(full)

    def _shopping(self, full: Sequence[int]) -> list[Action]:
        """Take one to three pieces, the popular product first of all."""
        rng = self._rng
        name = self._planned[self._popular]
        weights = np.asarray([4.0 if self._planned[slot] == name else 1.0 for slot in full])
        many = min(int(rng.choice([1, 2, 3], p=[0.60, 0.28, 0.12])), len(full))
        chosen = rng.choice(np.asarray(full), size=many, replace=False, p=weights / weights.sum())
        return [self._action("take", int(slot)) for slot in chosen]

    def _restock(self, empty: Sequence[int]) -> list[Action]:
        """Fill up to three empty slots with what belongs there."""
        rng = self._rng
        many = min(len(empty), int(rng.integers(1, 4)))
        chosen = sorted(int(slot) for slot in rng.choice(np.asarray(empty), size=many, replace=False))
        return [self._action("put", slot, self._fresh(self._planned[slot])) for slot in chosen]

    def _mislay(self, full: Sequence[int], empty: Sequence[int]) -> list[Action]:
        """Take a piece and leave it where it doesn't belong."""
        goal = int(self._rng.choice(empty))
        others = [slot for slot in full if self._planned[slot] != self._planned[goal]]
        return [self._action("take", int(self._rng.choice(others))), self._action("put", goal)]

    def _action(self, kind: str, slot: int, piece: Piece | None = None) -> Action:
        stay_s = float(self._rng.uniform(0.3, 1.0))
        if kind == "put":
            return Action("put", slot, stay_s, piece)
        return Action("take" if kind == "take" else "touch", slot, stay_s)
