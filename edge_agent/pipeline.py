"""A frame's whole journey, read top to bottom. `step` takes one frame from pixels to counts; `run` is the loop around it.

    capture ─ Frame ─► regions.cut ─ crops ─► classify ─ scores ─► observe ─► count ─► alerts ─► publish (through the outbox)

`step` is pure but for the classifier and the buffer that the crops are cut into: the state of a camera is a value that
goes in and comes out.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge_agent import regions
from edge_agent.alerts import AlertState, alerts
from edge_agent.counting import Rules, ShelfState, count, nothing_seen, observe, start
from edge_agent.inference import Classifier
from edge_agent.regions import Regions
from edge_agent.shelf import Alert, Count, Frame, Observation, Shelf

MOTION_S = 0.2
"""Motion is a difference from the picture at least this long ago, so that a slow hand in a fast camera is seen too."""
TILE_LEVELS = 14
"""Grey levels (0..255) by which a tile must differ: above sensor noise averaged over a tile, and lamp flicker."""
REREAD_FRACTION = 0.02
"""A crop of which more than this has changed since the network last saw it is read again."""
REREAD_AFTER_S = 2.0
"""And even an unchanged crop is read again after this long: changes too slow to be seen add up."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """All that is fixed about one camera: its shelves, where their crops lie, and when to believe what is read.

    `crops` is the (slots, size, size, 3) uint8 buffer that every frame is cut into.
    """

    camera: str
    shelves: tuple[Shelf, ...]
    regions: Regions
    rules: Rules
    hold_s: float
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
    """All that changes: the state of each shelf, and the memory of earlier frames (None before the first)."""

    shelves: tuple[ShelfState, ...]
    alerts: tuple[AlertState, ...]
    memory: _Memory | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a frame led to.

    `counts` holds the count in force of each shelf that has one; `changed` the ids of the shelves whose count is new in
    this frame; `read` how many crops the network had to look at.
    """

    frame: Frame
    observations: tuple[Observation, ...]
    counts: tuple[Count, ...]
    changed: frozenset[str]
    alerts: tuple[Alert, ...] = field(default=())
    read: int = 0


def open_view(
    camera: str,
    shelves: Sequence[Shelf],
    *,
    frame_wh: tuple[int, int],
    size_px: int,
    rules: Rules,
    hold_s: float = 5.0,
) -> tuple[View, ViewState]:
    """Prepare to count the shelves of one camera in frames of `frame_wh` pixels.

    Raises:
        ValueError: There is no slot to look at.
    """
    quads = [slot.quad for shelf in shelves for slot in shelf.slots]
    planned = regions.plan(quads, frame_wh=frame_wh, size_px=size_px)
    crops = np.empty((len(quads), size_px, size_px, 3), dtype=np.uint8)
    view = View(camera, tuple(shelves), planned, rules, hold_s, crops)
    return view, ViewState(tuple(start(shelf) for shelf in shelves), (AlertState(),) * len(shelves))


def step(view: View, state: ViewState, frame: Frame, classifier: Classifier) -> tuple[ViewState, Outcome]:
    """Take one frame through: crops, scores, observations, counts, alerts."""
    crops = regions.cut(frame.image, view.regions, out=view.crops)
    glance = regions.glance(crops)
    memory, moved, read = _look(state.memory, glance, crops, frame.clock_s, view, classifier)
    slots = [slot for shelf in view.shelves for slot in shelf.slots]
    seen = observe(
        slots,
        classifier.labels,
        memory.scores,
        moved=moved,
        brightness=glance.mean(axis=(1, 2, 3), dtype=np.float32),
        rules=view.rules,
    )
    state, outcome = _conclude(view, replace(state, memory=memory), frame, seen)
    return state, replace(outcome, read=read)


def step_blind(view: View, state: ViewState, frame: Frame) -> tuple[ViewState, Outcome]:
    """Let time pass while the camera gives no picture; only the time of `frame` is looked at, not its pixels."""
    slots = [slot for shelf in view.shelves for slot in shelf.slots]
    return _conclude(view, replace(state, memory=None), frame, nothing_seen(slots))


def _look(
    memory: _Memory | None,
    glance: NDArray[np.uint8],
    crops: NDArray[np.uint8],
    clock_s: float,
    view: View,
    classifier: Classifier,
) -> tuple[_Memory, NDArray[np.bool_], int]:
    """Read the crops that have changed; keep the scores of the others. Returns also what moved, and how many were read."""
    if memory is None:
        scores = classifier.classify(crops)
        fresh = _Memory(glance, clock_s, glance, np.full(len(crops), clock_s), scores)
        return fresh, np.zeros(len(crops), dtype=np.bool_), len(crops)
    moved = regions.changed_fraction(glance, memory.motion_glance, levels=TILE_LEVELS) >= view.rules.moving_fraction
    differs = regions.changed_fraction(glance, memory.read_glance, levels=TILE_LEVELS) >= REREAD_FRACTION
    due = np.flatnonzero(differs | (clock_s - memory.read_s >= REREAD_AFTER_S))
    if len(due):
        scores, read_glance, read_s = memory.scores.copy(), memory.read_glance.copy(), memory.read_s.copy()
        scores[due] = classifier.classify(crops[due])
        read_glance[due], read_s[due] = glance[due], clock_s
        memory = replace(memory, scores=scores, read_glance=read_glance, read_s=read_s)
    if clock_s - memory.motion_s >= MOTION_S - 1e-6:
        memory = replace(memory, motion_glance=glance, motion_s=clock_s)
    return memory, moved, len(due)


def _conclude(
    view: View, state: ViewState, frame: Frame, seen: Sequence[Observation]
) -> tuple[ViewState, Outcome]:
    """Observations → counts and alerts of every shelf."""
    shelf_states, alert_states, counts = [], [], []
    changed: set[str] = set()
    raised: tuple[Alert, ...] = ()
    first = 0
    for shelf, shelf_state, alert_state in zip(view.shelves, state.shelves, state.alerts, strict=True):
        looks = seen[first : first + len(shelf.slots)]
        first += len(shelf.slots)
        counted, now = count(shelf, shelf_state, looks, clock_s=frame.clock_s, rules=view.rules)
        shelf_states.append(counted)
        if now is None:
            alert_states.append(alert_state)
            continue
        counts.append(now)
        if now is not shelf_state.count:
            changed.add(shelf.id)
        warned, edges = alerts(shelf, alert_state, now, clock_s=frame.clock_s, hold_s=view.hold_s)
        alert_states.append(warned)
        raised += edges
    fresh = replace(state, shelves=tuple(shelf_states), alerts=tuple(alert_states))
    return fresh, Outcome(frame, tuple(seen), tuple(counts), frozenset(changed), raised)
