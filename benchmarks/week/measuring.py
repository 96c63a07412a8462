"""One part of the library of looks at a time: draws pictures, cuts them as the agent does and asks the network."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from math import inf

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.week.pixels import FRAME_WH, Glare, Moment, Stander, Studio
from benchmarks.week.shop import CAMERAS, FPS
from edge_agent import bundle, regions
from edge_agent.alerts.policy import Patience
from edge_agent.counting import Rules
from edge_agent.demo.arm import random_arm
from edge_agent.demo.camera import COLUMNS, DEFAULT_POSE, SLOTS
from edge_agent.demo.light import Levels
from edge_agent.demo.products import PRODUCTS
from edge_agent.demo.store import BUNDLE
from edge_agent.demo.view import Contents
from edge_agent.demo.visits import Action, Visit, acted, random_stand
from edge_agent.inference import TfliteClassifier
from edge_agent.pictures.picture import Judging
from edge_agent.pipeline import REREAD_FRACTION, TILE_LEVELS, CameraPlan, begin, open_view, step
from edge_agent.shelf import EMPTY, Frame, PictureReason, Shelf, Slot

LAMPS = (0.10, 0.24, 0.5, 0.66)
WINDOWS = (0.03, 0.25, 0.5, 0.75)
LIGHTS = tuple((lamp, window) for lamp in LAMPS for window in WINDOWS)
"""The lights that pieces are measured in: how strong lamps and window are, before the camera adapts."""
GLARE_DX = (-0.09, -0.06, -0.03, 0.0, 0.03, 0.06, 0.09)
"""Where the glare's middle may be beside that of a slot, in widths of the frame."""
GLARE_LEVELS = (120.0, 220.0)
GLARES = tuple((dx, strength) for strength in GLARE_LEVELS for dx in GLARE_DX)
SITUATIONS = len(LIGHTS) + len(GLARES)
ORDINARY = Levels(0.5, 0.5)
VARIANTS = 40
"""How many different pieces of a product there are; the network was trained on others."""
SCALE = 256.0
"""Scores are kept as the network gives them: 256ths."""
ADAPT_S = 1.4
ACTIONS = ("take", "put", "touch")


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured: contents for each camera, repeats in each light, arms for each place and action.

    `places` are those that arms reach for; a reach for another place is that for the nearest one, moved along.
    """

    contents: int = 24
    repeats: int = 3
    arms: int = 2
    places: tuple[int, ...] = tuple(range(SLOTS))
    standers: int = 45
    glare: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """Examples of pieces and gaps; see `Library`."""

    labels: tuple[str, ...]
    label: NDArray[np.int16]
    variant: NDArray[np.int16]
    scores: NDArray[np.uint8]
    bright: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Something that passes or stands before all 24 places, seen over a full (0) and over an empty (1) shelf.

    Attributes:
        kind: `take`, `put`, `touch`, `person`, `trolley`, `dim`, `bright` or `knock`.
        place: Where a hand goes; -1 for what has no place.
        turn: The frame from which on the place has changed; -1 where nothing changes.
        held: (24,) int16, the class that stood in each place of the full shelf.
        scores: (frames, 24, 2, classes) uint8.
        moved: (frames, 24, 2) bool, as the agent tells it.
        touched: (frames, 24, 2) bool: the place does not look as it would without this.
        bright: (frames, 24, 2) uint8, mean grey levels.
        covered: (frames, 24) float32, the share that is hidden.
        number: Which of its kind and place it is, so that it can be drawn again.
    """

    kind: str
    place: int
    turn: int
    held: NDArray[np.int16]
    scores: NDArray[np.uint8]
    moved: NDArray[np.bool_]
    touched: NDArray[np.bool_]
    bright: NDArray[np.uint8]
    covered: NDArray[np.float32]
    number: int = 0


class Reader:
    """The agent's eyes: crops, glance and scores of a picture of all 24 places."""

    def __init__(self) -> None:
        """Load the bundled network, on one thread."""
        self.network = TfliteClassifier(bundle.read(BUNDLE), threads=1)
        quads = DEFAULT_POSE.slot_quads()
        self._regions = regions.plan(quads, frame_wh=FRAME_WH, size_px=self.network.size_px)

    def look(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Scores (24, classes) uint8 as the network gives them, and the glance at the crops."""
        crops = regions.cut(image, self._regions)
        return np.round(self.network.classify(crops) * SCALE).astype(np.uint8), regions.glance(crops)

    def glance(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The glance at the crops alone."""
        return regions.glance(regions.cut(image, self._regions))


@lru_cache(maxsize=1)
def reader() -> Reader:
    """The reader of this process."""
    cv2.setNumThreads(1)
    return Reader()


@lru_cache(maxsize=3)
def studio(camera: int) -> Studio:
    """The pictures of one of the shop's cameras."""
    return Studio(CAMERAS[camera].tags, CAMERAS[camera].seed)


def adapted(lamp: float, window: float) -> Levels:
    """What a camera that adapts makes of a light, as in the demo."""
    gain = float((1.0 / (lamp + window)) ** 0.62)
    return Levels(lamp * gain, window * gain)


def standing_of(camera: int, number: int, effort: Effort) -> Standing:
    """One shelf with anything on it, in every light and under every glare: 24 examples."""
    rng = np.random.default_rng([camera, number, 21])
    mixed = rng.permutation([*PRODUCTS, *[EMPTY] * (SLOTS - len(PRODUCTS))])  # each product once, and some gaps
    contents: Contents = tuple(None if label == EMPTY else (str(label), int(rng.integers(VARIANTS))) for label in mixed)
    labels = reader().network.labels
    scores = np.zeros((SLOTS, SITUATIONS, effort.repeats, len(labels)), dtype=np.uint8)
    bright = np.zeros((SLOTS, SITUATIONS), dtype=np.uint8)
    for situation in range(SITUATIONS if effort.glare else len(LIGHTS)):
        for repeat in range(effort.repeats):
            noise = int(rng.integers(1 << 20))
            for some, moment in _moments(contents, situation, noise):
                said, glance = reader().look(studio(camera).picture(moment))
                scores[some, situation, repeat] = said[some]
                bright[some, situation] = glance[some].mean(axis=(1, 2, 3))
    label = [labels.index(EMPTY if piece is None else piece[0]) for piece in contents]
    variant = [0 if piece is None else piece[1] for piece in contents]
    return Standing(labels, np.asarray(label, np.int16), np.asarray(variant, np.int16), scores, bright)


def _moments(contents: Contents, situation: int, noise: int) -> Iterable[tuple[list[int], Moment]]:
    """The pictures that show a situation, each with the places to read in it."""
    if situation < len(LIGHTS):
        yield list(range(SLOTS)), Moment(contents, adapted(*LIGHTS[situation]), noise=noise)
        return
    dx, strength = GLARES[situation - len(LIGHTS)]
    for third in range(3):  # a streak reaches into the next slots, so only every third has one at a time
        some = [place for place in range(SLOTS) if place % COLUMNS % 3 == third]
        streaks = tuple(Glare(x + dx, y, strength) for x, y in map(DEFAULT_POSE.centre, some))
        yield some, Moment(contents, adapted(0.5, 0.75), glare=streaks, noise=noise)


def clips_of(kind: str, number: int, effort: Effort) -> list[Clip]:
    """Some clips of a kind."""
    rng = np.random.default_rng([*kind.encode(), number, 22])
    if kind == "reach":
        return [
            replace(_reach(action, effort.places[number], *reach(action, effort.places[number], arm)), number=arm)
            for action in ACTIONS
            for arm in range(effort.arms)
        ]
    full = _full(rng)
    if kind in {"person", "trolley"}:
        moments = [Moment(full, ORDINARY, stander=one) for one in standers(kind, number)]
        return [replace(_recorded(kind, full, moments), number=number)]
    if kind == "knock":
        shift = float(rng.choice([-0.06, -0.04, 0.04, 0.06]))
        return [_recorded(kind, full, [Moment(full, ORDINARY, shift=shift)] * 5)]
    before, after = (0.5, 0.24) if kind == "dim" else (0.24, 0.5)
    passed_s = np.arange(8) / FPS
    lamps = [after + (before - after) * float(np.exp(-one_s / ADAPT_S)) for one_s in passed_s]
    gains = [float((1.0 / (lamp + 0.4)) ** 0.62) for lamp in lamps]
    return [_recorded(kind, full, [Moment(full, Levels(after * gain, 0.4 * gain)) for gain in gains])]


CLIP: dict[str, Callable[[Effort], int]] = {
    "reach": lambda effort: len(effort.places),
    "person": lambda effort: effort.standers,
    "trolley": lambda effort: effort.standers,
    "dim": lambda _: 2,
    "bright": lambda _: 2,
    "knock": lambda _: 4,
}
"""How many there are to record of each kind."""


def delays() -> NDArray[np.float64]:
    """How soon the agent itself stops counting: seconds after a knock, after the camera is back, after dark and light.

    Measured with the agent's whole step on pixels, at five frames a second, once the view has been learned.
    """
    plan = CameraPlan("bench", (_shelf(),), Rules(), Patience(), Judging())
    view, state = open_view(plan, frame_wh=FRAME_WH, size_px=reader().network.size_px), begin(plan)
    full = _full(np.random.default_rng(23))
    calm, dark = Moment(full, ORDINARY), Moment(full, Levels(0.01, 0.01))
    began = datetime(2026, 1, 1, tzinfo=UTC)
    phases: list[tuple[Moment, PictureReason | None, float]] = [
        (calm, None, 8.0), (replace(calm, shift=0.05), "moved", 9.0), (calm, None, 6.0), (dark, "dark", 5.0),
        (calm, None, 6.0),
    ]  # fmt: skip
    found, seq = [], 0
    for moment, wanted, lasts_s in phases:
        told_s = inf
        for frame in range(round(lasts_s * FPS)):
            seq += 1
            image = studio(0).picture(replace(moment, noise=seq))
            state, outcome = step(view, state, Frame("bench", seq, began, seq / FPS, image), reader().network)
            if outcome.bad == wanted:
                told_s = min(told_s, frame / FPS)
        found.append(told_s)
    return np.asarray(found[1:])


def _shelf() -> Shelf:
    quads = DEFAULT_POSE.slot_quads()
    return Shelf("bench", "bench", tuple(Slot(f"p{place}", quad) for place, quad in enumerate(quads)))


def _full(rng: np.random.Generator) -> Contents:
    return tuple((str(rng.choice(PRODUCTS)), int(rng.integers(VARIANTS))) for _ in range(SLOTS))


def standers(kind: str, number: int) -> list[Stander]:
    """A person who stands there and sways, or a trolley that doesn't; number `number` of its kind, frame by frame."""
    rng = np.random.default_rng([*kind.encode(), number, 24])
    low, high = (0.05, 0.40) if kind == "person" else (0.15, 0.60)
    x, top, look = float(rng.uniform(0.08, 0.92)), float(rng.uniform(low, high)), int(rng.integers(12))
    swings = [0.004 * round(2 * np.sin(frame)) if kind == "person" else 0.0 for frame in range(10)]
    return [Stander(kind, x + swing, top, look) for swing in swings]


def reach(action: str, place: int, arm: int) -> tuple[Visit, Contents]:
    """An arm that comes, does one thing at a place and goes; and the full shelf that it reaches into."""
    rng = np.random.default_rng([*action.encode(), place, arm, 25])
    full = list(_full(rng))
    piece = full[place]
    centres = [DEFAULT_POSE.centre(slot) for slot in range(SLOTS)]
    visit = acted(
        [Action(action, place, float(rng.uniform(0.3, 1.0)), piece)],  # type: ignore[arg-type]
        start_s=0.0,
        stand=random_stand(centres[place], rng),
        arm=random_arm(rng),
        standing=[None if action == "put" and slot == place else one for slot, one in enumerate(full)],
        centres=centres,
        aspect=FRAME_WH[0] / FRAME_WH[1],
        rng=rng,
    )
    return visit, tuple(full)


def _reach(action: str, place: int, visit: Visit, full: Contents) -> Clip:
    times_s = np.arange(visit.start_s, visit.end_s + 1 / FPS, 1 / FPS).tolist()
    moments = [
        Moment(visit.contents(t_s), ORDINARY, arm=(visit.arm, visit.placement(t_s)) if t_s <= visit.end_s else None)
        for t_s in times_s
    ]
    turns = [n for n, t_s in enumerate(times_s) if visit.changes and t_s >= visit.changes[0].t_s]
    clip = _recorded(action, full, moments)
    return replace(clip, place=place, turn=turns[0] if turns else -1)


def _recorded(kind: str, full: Contents, moments: Sequence[Moment]) -> Clip:
    """Read every moment over its own contents and over an empty shelf, as the agent would at five frames a second."""
    rules, labels, room = Rules(), reader().network.labels, studio(0)
    shape = (len(moments), SLOTS, 2)
    scores = np.zeros((*shape, len(labels)), dtype=np.uint8)
    moved, touched = np.zeros(shape, dtype=np.bool_), np.zeros(shape, dtype=np.bool_)
    bright, covered = np.zeros(shape, dtype=np.uint8), np.zeros(shape[:2], dtype=np.float32)
    for version in range(2):
        before: NDArray[np.uint8] | None = None
        for frame, moment in enumerate(moments):
            contents = moment.contents if version == 0 else (None,) * SLOTS
            calm = Moment(contents, ORDINARY, noise=7)
            shown = replace(moment, contents=contents, noise=frame + 11)
            scores[frame, :, version], glance = reader().look(room.picture(shown))
            without = reader().glance(room.picture(calm))
            bright[frame, :, version] = glance.mean(axis=(1, 2, 3))
            apart = regions.changed_fraction(glance, without, levels=TILE_LEVELS)
            touched[frame, :, version] = apart >= REREAD_FRACTION
            motion = regions.changed_fraction(glance, without if before is None else before, levels=TILE_LEVELS)
            moved[frame, :, version] = motion >= rules.moving_fraction
            covered[frame] = room.covered(shown)
            before = glance
    held = [labels.index(EMPTY if piece is None else piece[0]) for piece in full]
    return Clip(kind, -1, -1, np.asarray(held, np.int16), scores, moved, touched | moved, bright, covered)
