"""A frame's whole journey, read top to bottom: `step` takes one frame from pixels to counts. Read this first.

    capture ─ Frame ─► judge ─► regions.cut ─ crops ─► classify ─ scores ─► observe ─► count ─► alerts ─► delivery

A picture that is not one to count in (frozen, dark, blocked, blurred, moved) goes from `picture.judge` straight to
`count`, as slots that could not be read. `step` is pure but for the classifier and the buffer that the crops are cut
into: the state of a camera is a value that goes in and comes out. `watch.Watch` keeps it for one camera, and
`edge_agent.loop.run` brings the frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge_agent import regions
from edge_agent.alerts.levels import AlertState, alerts, with_votes
from edge_agent.alerts.policy import Patience
from edge_agent.counting import (
    Rules,
    ShelfState,
    beside_hidden,
    count,
    is_unknown,
    nothing_seen,
    observe,
    start,
    votes,
)
from edge_agent.inference import Classifier
from edge_agent.outcome import Outcome
from edge_agent.pictures import picture
from edge_agent.pictures.picture import Judging, PictureState
from edge_agent.pictures.viewpoint import Viewpoint
from edge_agent.regions import Regions
from edge_agent.shelf import Alert, Frame, Observation, PictureReason, Quad, Shelf, Slot, Unread

MOTION_S = 0.2
"""Motion is a difference from the picture at least this long ago, so that a slow hand in a fast camera is seen too."""
TILE_LEVELS = 14
"""Grey levels (0..255) by which a tile must differ: above sensor noise averaged over a tile, and lamp flicker."""
REREAD_FRACTION = 0.02
"""A crop of which more than this has changed since the network last saw it is read again."""
REREAD_AFTER_S = 2.0
"""And even an unchanged crop is read again after this long: changes too slow to be seen add up."""


@dataclass(frozen=True, slots=True)
class CameraPlan:
    """What one camera is there to count, and when to believe it.

    `patience` says how long a level lasts before it is an alert. `judging` says which pictures are not to be counted
    in; None counts in all.
    """

    camera: str
    shelves: tuple[Shelf, ...]
    rules: Rules
    patience: Patience
    judging: Judging | None = None

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The slots of all its shelves, in order."""
        return tuple(slot for shelf in self.shelves for slot in shelf.slots)

    @property
    def quads(self) -> tuple[Quad, ...]:
        """Where they lie."""
        return tuple(slot.quad for slot in self.slots)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Where a plan's crops lie in frames of one size.

    `near` holds the neighbours of each slot, and `crops` is the (slots, size, size, 3) uint8 buffer that every frame is
    cut into.
    """

    plan: CameraPlan
    regions: Regions
    near: tuple[tuple[int, ...], ...]
    crops: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class _Memory:
    """What earlier frames looked like: for motion, and for the crops that need not be read again."""

    motion_glance: NDArray[np.uint8]
    motion_s: float
    read_glance: NDArray[np.uint8]
    read_s: NDArray[np.float64]
    scores: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class ViewState:
    """All that changes: the state of each shelf, what is thought of the pictures, and the memory of earlier frames.

    `readable` is the share (0..1) of the slots that could be read when last they were looked at.
    """

    shelves: tuple[ShelfState, ...]
    alerts: tuple[AlertState, ...]
    picture: PictureState
    memory: _Memory | None = None
    readable: float = 0.0


def begin(plan: CameraPlan, viewpoint: Viewpoint | None = None) -> ViewState:
    """The state of a camera of which nothing has been seen, but perhaps its reference view by an earlier run."""
    shelves, warned = tuple(start(shelf) for shelf in plan.shelves), (AlertState(),) * len(plan.shelves)
    return ViewState(shelves, warned, picture.begin(viewpoint, plan.quads))


def open_view(plan: CameraPlan, *, frame_wh: tuple[int, int], size_px: int) -> View:
    """Prepare to count in frames of `frame_wh` pixels.

    Raises:
        ValueError: There is no slot to look at.
    """
    quads = plan.quads
    planned = regions.plan(quads, frame_wh=frame_wh, size_px=size_px)
    crops = np.empty((len(quads), size_px, size_px, 3), dtype=np.uint8)
    return View(plan, planned, regions.neighbours(quads), crops)


def step(view: View, state: ViewState, frame: Frame, classifier: Classifier) -> tuple[ViewState, Outcome]:
    """Take one frame through: is it one to count in? Then crops, scores, observations, counts, alerts."""
    plan = view.plan
    state = _judged(plan, state, frame)
    if (reason := state.picture.reason) is not None:
        return _step_bad(plan, state, frame, reason)
    crops = regions.cut(frame.image, view.regions, out=view.crops)
    glance = regions.glance(crops)
    memory, moved, read = _look(state.memory, glance, crops, frame.clock_s, view, classifier)
    seen = observe(
        plan.slots,
        classifier.labels,
        memory.scores,
        moved=moved,
        brightness=glance.mean(axis=(1, 2, 3), dtype=np.float32),
        rules=plan.rules,
    )
    readable = sum(look.unread is None for look in seen) / len(seen)
    unknown = [
        is_unknown(slot, clock_s=frame.clock_s, rules=plan.rules) for shelf in state.shelves for slot in shelf.slots
    ]
    seen = beside_hidden(seen, near=view.near, unknown=unknown)
    state, outcome = _conclude(plan, replace(state, memory=memory, readable=readable), frame, seen)
    return state, replace(outcome, read=read)


def step_bare(plan: CameraPlan, state: ViewState, frame: Frame) -> tuple[ViewState, Outcome]:
    """Take a frame of a camera for which no slot is drawn yet: its picture is judged, and there is nothing to count."""
    state = _judged(plan, state, frame)
    if (reason := state.picture.reason) is not None:
        return _step_bad(plan, state, frame, reason)
    return _conclude(plan, state, frame, ())


def _judged(plan: CameraPlan, state: ViewState, frame: Frame) -> ViewState:
    """What is thought of the camera's pictures after this one, where that is asked for."""
    if plan.judging is None:
        return state
    thought = picture.judge(state.picture, frame, plan.judging, plan.quads, readable=state.readable)
    return replace(state, picture=thought)


def _step_bad(plan: CameraPlan, state: ViewState, frame: Frame, reason: PictureReason) -> tuple[ViewState, Outcome]:
    """A picture that is not one to count in."""
    state, outcome = step_blind(plan, state, frame, why=reason)
    return state, replace(outcome, bad=reason, declared=state.picture.declared)


def step_blind(plan: CameraPlan, state: ViewState, frame: Frame, *, why: Unread = "stale") -> tuple[ViewState, Outcome]:
    """Let time pass without a picture to count in; only the times of `frame` are looked at, not its pixels."""
    return _conclude(plan, replace(state, memory=None), frame, nothing_seen(plan.slots, why))


def _look(
    memory: _Memory | None,
    glance: NDArray[np.uint8],
    crops: NDArray[np.uint8],
    clock_s: float,
    view: View,
    classifier: Classifier,
) -> tuple[_Memory, NDArray[np.bool_], int]:
    """Read the crops that have changed and keep the scores of the others; also what moved, and how many were read."""
    if memory is None:
        scores = classifier.classify(crops)
        fresh = _Memory(glance, clock_s, glance, np.full(len(crops), clock_s), scores)
        return fresh, np.zeros(len(crops), dtype=np.bool_), len(crops)
    moved = (
        regions.changed_fraction(glance, memory.motion_glance, levels=TILE_LEVELS) >= view.plan.rules.moving_fraction
    )
    differs = regions.changed_fraction(glance, memory.read_glance, levels=TILE_LEVELS) >= REREAD_FRACTION
    due = np.flatnonzero(differs | (clock_s - memory.read_s >= REREAD_AFTER_S))
    if len(due):
        scores, read_glance, read_s = memory.scores.copy(), memory.read_glance.copy(), memory.read_s.copy()
        scores[due] = classifier.classify(crops if len(due) == len(crops) else crops[due])
        read_glance[due], read_s[due] = glance[due], clock_s
        memory = replace(memory, scores=scores, read_glance=read_glance, read_s=read_s)
    if clock_s - memory.motion_s >= MOTION_S - 1e-6:
        memory = replace(memory, motion_glance=glance, motion_s=clock_s)
    return memory, moved, len(due)


def _conclude(
    plan: CameraPlan, state: ViewState, frame: Frame, seen: Sequence[Observation]
) -> tuple[ViewState, Outcome]:
    """Observations → counts and alerts of every shelf. While a shelf is held nothing new is said of it."""
    shelf_states, alert_states, counts = [], [], []
    changed: set[str] = set()
    raised: tuple[Alert, ...] = ()
    first = 0
    for shelf, shelf_state, alert_state in zip(plan.shelves, state.shelves, state.alerts, strict=True):
        looks = seen[first : first + len(shelf.slots)]
        first += len(shelf.slots)
        counted, now = count(shelf, shelf_state, looks, clock_s=frame.clock_s, rules=plan.rules)
        edges: tuple[Alert, ...] = ()
        warned = alert_state
        if now is not None:
            counts.append(now)
            if now is not shelf_state.count:
                changed.add(shelf.id)
            if not counted.held:
                warned, edges = alerts(shelf, alert_state, now, clock_s=frame.clock_s, patience=plan.patience)
                if edges:
                    edges = with_votes(edges, votes(shelf, counted))
        shelf_states.append(counted)
        alert_states.append(warned)
        raised += edges
    fresh = replace(state, shelves=tuple(shelf_states), alerts=tuple(alert_states))
    held = frozenset(shelf.id for shelf, now in zip(plan.shelves, shelf_states, strict=True) if now.held)
    return fresh, Outcome(frame, tuple(seen), tuple(counts), frozenset(changed), held, raised)
