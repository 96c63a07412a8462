"""Scores → observations → voted counts. Unknown is not empty.

A slot is read by a k-of-n vote: of all looks of the last `window_s` seconds, the share `agree` must be clear and say
the same. A shelf takes on a new reading only in a frame in which every slot is clear and voted, and in which no slot
that changed lies next to a hidden one: an arm is connected. While a shopper is in the way it holds what it had, so that
a half-seen change is never published. But nothing is held for longer than `unknown_after_s`: a slot that could not be
voted for so long becomes unknown and no longer holds up the others, and a shelf that was held for so long takes on what
each slot was last voted to be.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from edge_agent.shelf import EMPTY, OCCLUDED, Count, Item, Observation, Quality, Shelf, Slot, StockStatus, Unread

LOOKS_MIN = 3
"""Fewer looks than this are never a vote, however long they are apart."""
CAUSE_S = 10.0
"""A shelf that stays unknown is said to be so for another cause no more often than this."""


@dataclass(frozen=True, slots=True)
class Rules:
    """When a look is clear, when looks are a vote, and when stock is low.

    `min_confidence`, `agree`, `moving_fraction` and `low_fraction` are shares, 0..1; `dark_below` is in grey levels.
    """

    min_confidence: float = 0.8
    window_s: float = 0.5
    agree: float = 0.8
    unknown_after_s: float = 30.0
    moving_fraction: float = 0.03
    dark_below: float = 12.0
    low_fraction: float = 0.34


@dataclass(frozen=True, slots=True)
class SlotState:
    """The looks of the vote window, oldest first; when the slot was last voted (None: never yet), and to be what."""

    looks: tuple[tuple[float, Observation], ...] = ()
    first_s: float | None = None
    voted_s: float | None = None
    voted: str | None = None


@dataclass(frozen=True, slots=True)
class ShelfState:
    """What is known of a shelf: the state of each slot, and the count in force (None: not one yet).

    `held` says that the newest frame could not confirm the count: something is in the way, or the vote is not over.
    `since_s` is when it last could, or the first frame; `cause_s` when it was last said why slots are unknown.
    """

    slots: tuple[SlotState, ...]
    count: Count | None = None
    held: bool = True
    since_s: float | None = None
    cause_s: float = 0.0


def start(shelf: Shelf) -> ShelfState:
    """A shelf of which nothing has been seen."""
    return ShelfState(slots=(SlotState(),) * len(shelf.slots))


def observe(
    slots: Sequence[Slot],
    labels: Sequence[str],
    scores: NDArray[np.float32],
    *,
    moved: NDArray[np.bool_],
    brightness: NDArray[np.float32],
    rules: Rules,
) -> tuple[Observation, ...]:
    """What one frame says of each slot.

    Args:
        slots: The slots, in the order of the rows of the arrays.
        labels: The network's classes, in the order of the columns of `scores`.
        scores: (n, classes) float32, 0..1.
        moved: (n,) bool: something in the slot is not where it was a moment ago.
        brightness: (n,) float32, mean grey level, 0..255.
        rules: When a look is clear.
    """
    winners = scores.argmax(axis=1).tolist()
    confidences = scores.max(axis=1).tolist()
    return tuple(
        _look(slot, labels[winner], confidence, moving=is_moving, grey=grey, rules=rules)
        for slot, winner, confidence, is_moving, grey in zip(
            slots, winners, confidences, moved.tolist(), brightness.tolist(), strict=True
        )
    )


def _look(slot: Slot, label: str, confidence: float, *, moving: bool, grey: float, rules: Rules) -> Observation:
    unread: Unread | None = None
    if grey < rules.dark_below:
        unread = "dark"
    elif moving:
        unread = "moving"
    elif label == OCCLUDED:
        unread = "occluded"
    elif confidence < rules.min_confidence:
        unread = "unsure"
    return Observation(slot.id, label, confidence, unread)


def beside_hidden(
    looks: Sequence[Observation], *, near: Sequence[Sequence[int]], unknown: Sequence[bool]
) -> tuple[Observation, ...]:
    """Mark the looks at slots that lie next to a hidden one.

    Args:
        looks: One for each slot of a camera.
        near: The neighbours of each slot, from `edge_agent.regions.neighbours`.
        unknown: Which slots are unknown already: what has hidden them for so long is no arm.
    """
    hidden = {place for place, look in enumerate(looks) if look.unread is not None and not unknown[place]}
    if not hidden:
        return tuple(looks)
    return tuple(
        replace(look, beside_hidden=True) if not hidden.isdisjoint(near[place]) else look
        for place, look in enumerate(looks)
    )


def nothing_seen(slots: Sequence[Slot], why: Unread = "stale") -> tuple[Observation, ...]:
    """What is observed while the camera gives no picture, or none to count in: every slot is unread, none is empty."""
    return tuple(Observation(slot.id, None, 0.0, why) for slot in slots)


def count(
    shelf: Shelf, state: ShelfState, observations: Sequence[Observation], *, clock_s: float, rules: Rules
) -> tuple[ShelfState, Count | None]:
    """Take one frame's observations of a shelf into its count.

    Args:
        shelf: The shelf.
        state: From `start` or the frame before.
        observations: One for each slot, in the shelf's order.
        clock_s: The frame's time on the clock that never jumps.
        rules: When looks are a vote.

    Returns:
        The new state, and the count in force: None until the shelf has been read, or has been unread for long enough
        to be called unknown. The count is the same object as before where nothing has changed; where the same slots
        are unknown for another cause, it is the same count with another `quality` and `reason`.
    """
    slots = tuple(_watch(slot, look, clock_s, rules) for slot, look in zip(state.slots, observations, strict=True))
    gone = tuple(is_unknown(slot, clock_s=clock_s, rules=rules) for slot in slots)
    before = state.count.reading if state.count is not None else (None,) * len(slots)
    steady = all(
        is_gone or (slot.voted_s == clock_s and (look.label == was or not look.beside_hidden))
        for slot, is_gone, look, was in zip(slots, gone, observations, before, strict=True)
    )
    since_s = state.since_s if state.since_s is not None else clock_s
    if not steady and clock_s - since_s < rules.unknown_after_s:
        return replace(state, slots=slots, held=True, since_s=since_s), state.count
    reading = tuple(None if is_gone else slot.voted for slot, is_gone in zip(slots, gone, strict=True))
    fresh, cause_s = state.count, state.cause_s
    if fresh is None or reading != fresh.reading:
        last = [slot.voted for slot in slots]
        fresh, cause_s = _tally(shelf, reading, last, observations, clock_s=clock_s, rules=rules), clock_s
    elif clock_s - cause_s >= CAUSE_S and (why := _quality(reading, observations))[0] != fresh.quality:
        fresh, cause_s = replace(fresh, quality=why[0], reason=why[1]), clock_s
    return ShelfState(slots, fresh, held=False, since_s=clock_s, cause_s=cause_s), fresh


def _watch(slot: SlotState, look: Observation, clock_s: float, rules: Rules) -> SlotState:
    """Add a look, drop those that the window has left behind, and note whether this look carries the vote."""
    looks = (*slot.looks, (clock_s, look))
    begin = clock_s - rules.window_s
    while len(looks) > LOOKS_MIN and looks[1][0] <= begin:  # the first one stays: it shows that the window is covered
        looks = looks[1:]
    first_s = slot.first_s if slot.first_s is not None else clock_s
    covered = len(looks) >= LOOKS_MIN and looks[0][0] <= begin + 1e-6
    alike = sum(1 for _, seen in looks if seen.unread is None and seen.label == look.label)
    if covered and look.unread is None and alike >= ceil(rules.agree * len(looks) - 1e-9):
        return SlotState(looks, first_s, clock_s, look.label)
    return SlotState(looks, first_s, slot.voted_s, slot.voted)


def is_unknown(slot: SlotState, *, clock_s: float, rules: Rules) -> bool:
    """Whether a slot has gone without a vote for too long to say what stands in it."""
    since_s = slot.voted_s if slot.voted_s is not None else slot.first_s
    return since_s is not None and clock_s - since_s >= rules.unknown_after_s


def votes(shelf: Shelf, state: ShelfState) -> dict[str, tuple[int, int]]:
    """For each slot: how many looks of the vote window agree with what is in force there, and how many there are."""
    reading = state.count.reading if state.count is not None else (None,) * len(state.slots)
    return {
        slot.id: (sum(seen.unread is None and seen.label == label for _, seen in watched.looks), len(watched.looks))
        for slot, watched, label in zip(shelf.slots, state.slots, reading, strict=True)
    }


def low_limit(shelf: Shelf, sku: str, rules: Rules) -> int:
    """So many facings of a product, or fewer, are low: what is configured, or else a share of what is planned."""
    return dict(shelf.low_at).get(sku, int(rules.low_fraction * shelf.expected.get(sku, 0)))


def _tally(
    shelf: Shelf,
    reading: tuple[str | None, ...],
    last: Sequence[str | None],
    observations: Sequence[Observation],
    *,
    clock_s: float,
    rules: Rules,
) -> Count:
    """The count of a reading; `last` is what each slot was last voted to be, and may still be where it is unknown."""
    expected = shelf.expected
    seen = Counter(label for label in reading if label not in (None, EMPTY))
    unknown = [place for place, label in enumerate(reading) if label is None]
    open_to_any = any(shelf.slots[place].product is None for place in unknown)
    could = (sku for place in unknown for sku in (shelf.slots[place].product, last[place]))
    perhaps = {sku for sku in could if sku not in (None, EMPTY)}
    items = []
    for sku in [*expected, *sorted({*seen, *perhaps} - set(expected))]:
        known = not (open_to_any or sku in perhaps)
        planned = expected.get(sku, 0)
        shares = [
            look.confidence
            for label, look in zip(reading, observations, strict=True)
            if label == sku and look.label == sku and look.unread is None
        ]
        items.append(
            Item(
                sku=sku,
                count=seen[sku] if known else None,
                at_least=seen[sku],
                expected=planned,
                status=_status(seen[sku], planned, low_limit(shelf, sku, rules)) if known else "unknown",
                confidence=round(sum(shares) / len(shares), 3) if shares else None,
            )
        )
    quality, reason = _quality(reading, observations)
    return Count(shelf.id, shelf.camera, quality, reason, tuple(items), reading, clock_s)


def _status(facings: int, planned: int, low_at: int) -> StockStatus:
    if planned == 0 or facings > low_at:
        return "ok" if facings or planned == 0 else "out"
    return "low" if facings else "out"


UNREAD_WORDS: dict[Unread, tuple[Quality, str]] = {
    "occluded": ("occluded", "something stands in front"),
    "moving": ("occluded", "something keeps moving in front"),
    "dark": ("dark", "too dark to read"),
    "unsure": ("unsure", "the model does not know what it sees"),
    "stale": ("stale", "the camera gives no picture"),
    "frozen": ("frozen", "the camera gives the same picture again and again"),
    "blocked": ("blocked", "something covers the camera"),
    "blurred": ("blurred", "the picture is out of focus, or the lens is dirty"),
    "moved": ("moved", "the camera no longer sees what the slots were drawn in"),
}
"""Why a slot could not be read → what that makes of the count, and words for a person."""


def _quality(reading: Sequence[str | None], observations: Sequence[Observation]) -> tuple[Quality, str | None]:
    """The commonest cause among the slots that are unknown, in one word and in words for a person."""
    causes = Counter(
        look.unread or "unsure" for label, look in zip(reading, observations, strict=True) if label is None
    )
    if not causes:
        return "good", None
    [(cause, slots)] = causes.most_common(1)
    quality, words = UNREAD_WORDS[cause]
    return quality, f"{words}: {slots} of {len(reading)} slots"
