"""Which crops are worth a person's look: decided in the loop's thread, by rules that cost microseconds.

A look of doubt counts when it lasts: an arm that passes makes many. Of a slot one crop is taken in ten minutes at most,
and only if the slot looks other than in the last one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge_agent.outcome import Outcome
from edge_agent.pipeline import TILE_LEVELS, CameraPlan
from edge_agent.regions import changed_fraction
from edge_agent.review.crop import About, Guess
from edge_agent.shelf import Frame, Quad, Shelf, Slot
from edge_agent.watch import Watch

CHECK_S = 1.0
"""How often a camera's looks are gone through; a doubt must be there twice in a row."""
SLOT_S = 600.0
"""Seconds between two crops of a slot."""
AGAIN_S = 60.0
"""A slot that looks as in its last crop is compared again after so long."""
OTHER_FRACTION = 0.15
"""The share of a glance that must differ from that of the last crop."""
TIE = 0.15
"""Two guesses whose probabilities are as near as this are as good as each other."""
GUESSES = 3
MARGIN_PX = 2


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A crop to be kept: pixels around its slot, (height, width, 3) uint8 BGR, and where in them it lies (0..1)."""

    about: About
    pixels: NDArray[np.uint8]
    quad: Quad


@dataclass(slots=True, eq=False)
class _Camera:
    """What is remembered of a camera: the slots that were in doubt, by place, and the last crops by slot."""

    plan: CameraPlan
    due_s: float = -np.inf
    unsure: set[int] = field(default_factory=set)
    not_before_s: dict[int, float] = field(default_factory=dict)
    kept: dict[int, NDArray[np.uint8]] = field(default_factory=dict)


class Chooser:
    """Goes through what each step found. All of it runs in the loop's thread."""

    def __init__(self) -> None:
        """Nothing was seen."""
        self._cameras: dict[str, _Camera] = {}

    def choose(self, watch: Watch, outcome: Outcome, labels: Sequence[str], model: str) -> Candidate | None:
        """The crop of this step that is worth keeping, if there is one.

        Args:
            watch: The counting of the camera, after the step.
            outcome: What the step found.
            labels: The network's classes.
            model: The SHA-256 of the network.
        """
        camera, clock_s = self._cameras.get(watch.camera), outcome.frame.clock_s
        if camera is not None and clock_s < camera.due_s and camera.plan is watch.plan:
            return None
        if camera is None or camera.plan is not watch.plan:
            camera = self._cameras[watch.camera] = _Camera(watch.plan)
        camera.due_s = clock_s + CHECK_S
        unsure = {
            place
            for place, look in enumerate(outcome.observations)
            if look.unread == "unsure" and not look.beside_hidden
        }
        lasting, camera.unsure = unsure & camera.unsure, unsure
        looked = watch.looked
        if not lasting or looked is None or outcome.bad is not None:
            return None
        scores, glances = looked
        place = self._worst(
            camera, sorted(lasting, key=lambda one: outcome.observations[one].confidence), glances, clock_s
        )
        if place is None:
            return None
        return candidate(watch, outcome, place, guesses=best(scores[place], labels), model=model)

    def _worst(self, camera: _Camera, places: Sequence[int], glances: NDArray[np.uint8], clock_s: float) -> int | None:
        """The first of the places whose turn it is and that looks other than in its last crop."""
        for place in places:
            if clock_s < camera.not_before_s.get(place, -np.inf):
                continue
            last, glance = camera.kept.get(place), glances[place : place + 1]
            if last is not None and changed_fraction(glance, last, levels=TILE_LEVELS)[0] < OTHER_FRACTION:
                camera.not_before_s[place] = clock_s + AGAIN_S
                continue
            camera.not_before_s[place], camera.kept[place] = clock_s + SLOT_S, glance.copy()
            return place
        return None


def best(scores: NDArray[np.float32], labels: Sequence[str]) -> tuple[Guess, ...]:
    """The best guesses of (classes,) scores, the best one first."""
    order = np.argsort(scores)[::-1][:GUESSES].tolist()
    return tuple(Guess(labels[place], round(float(scores[place]), 4)) for place in order)


def candidate(watch: Watch, outcome: Outcome, place: int, *, guesses: tuple[Guess, ...], model: str) -> Candidate:
    """A crop of a slot, by its place among the camera's, with its pixels copied."""
    shelf, slot = _owner(watch.shelves, place)
    first = place - shelf.slots.index(slot)
    reading = next((count.reading for count in outcome.counts if count.shelf == shelf.id), None)
    tied = len(guesses) > 1 and guesses[0].score - guesses[1].score < TIE
    why = "unknown" if reading is not None and reading[place - first] is None else "tie" if tied else "unsure"
    frame = outcome.frame
    about = About(watch.camera, shelf.id, slot.id, slot.product, frame.captured_at, why, guesses, model)
    return Candidate(about, *_around(frame, slot.quad))


def _owner(shelves: Sequence[Shelf], place: int) -> tuple[Shelf, Slot]:
    for shelf in shelves:
        if place < len(shelf.slots):
            return shelf, shelf.slots[place]
        place -= len(shelf.slots)
    raise IndexError(place)


def _around(frame: Frame, quad: Quad) -> tuple[NDArray[np.uint8], Quad]:
    """A copy of the pixels around a slot, and its corners in them: the whole picture would be too much to keep."""
    height, width = frame.image.shape[:2]
    xs, ys = [x * width for x, _ in quad], [y * height for _, y in quad]
    left, right = max(0, int(min(xs)) - MARGIN_PX), min(width, int(max(xs)) + 1 + MARGIN_PX)
    top, bottom = max(0, int(min(ys)) - MARGIN_PX), min(height, int(max(ys)) + 1 + MARGIN_PX)
    a, b, c, d = ((x - left, y - top) for x, y in zip(xs, ys, strict=True))
    wide, high = right - left, bottom - top
    inside: Quad = tuple((x / wide, y / high) for x, y in (a, b, c, d))  # type: ignore[assignment]
    return frame.image[top:bottom, left:right].copy(), inside
