"""What each slot looked like when it was last read for sure: for the pictures before and after an alert.

Crops are copied when a reading changes, and one slot's every now and then, so that the picture before is not of last
week. Nothing here touches disk or network; `Looks` belongs to the loop's thread.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent import regions
from edge_agent.messages import timestamp
from edge_agent.outcome import Outcome
from edge_agent.shelf import Alert, Observation, Quad, Shelf, SlotChange

SIDE_PX = 96
"""The longer side of a picture, at most."""
Place = tuple[str, str]
"""A shelf and a slot of it."""
QUALITIES = (80, 60, 40)
BYTES_MAX = 6000
"""A picture is at most so large, so that two of them as base64 are at most 16 KB of an event."""
COPIES_A_STEP = 4
"""How many crops a step takes at most: a crop of a large slot takes a fraction of a millisecond."""
RENEW_S = 60.0
"""How old the picture of an unchanged slot may become, about."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A clear look at a slot: (height, width, 3) uint8 BGR, of at most `SIDE_PX`, and what was read there."""

    label: str | None
    at: datetime
    crop: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that is kept: of which slot, from when, what was read there (None: nothing could be), and the JPEG."""

    slot: str
    at: datetime
    label: str | None
    jpeg: bytes

    def record(self) -> dict[str, Any]:
        """What is known of it."""
        return {"slot": self.slot, "at": timestamp(self.at), "label": self.label}


@dataclass(frozen=True, slots=True)
class Evidence:
    """A slot before and after; None where there is no picture."""

    before: Picture | None = None
    after: Picture | None = None

    def record(self) -> dict[str, Any]:
        """What is known of both pictures."""
        return {name: picture.record() if picture is not None else None for name, picture in self.named().items()}

    def sent(self) -> dict[str, str]:
        """Both as base64, for an event."""
        return {name: b64encode(picture.jpeg).decode() for name, picture in self.named().items() if picture is not None}

    def named(self) -> Mapping[str, Picture | None]:
        """Both by name."""
        return {"before": self.before, "after": self.after}


@dataclass(slots=True)
class Looks:
    """The newest clear look at each slot of a camera, by shelf and slot, and the last one with another reading."""

    now: dict[Place, Look] = field(default_factory=dict)
    before: dict[Place, Look] = field(default_factory=dict)
    _due: dict[Place, None] = field(default_factory=dict)  # slots to be looked at, in the order in which it came up
    _turn: int = 0
    _renew_at_s: float = -inf

    def note(self, shelves: Sequence[Shelf], outcome: Outcome) -> None:
        """Keep what is new in a step; mostly that is nothing, and never more than a few crops."""
        if outcome.bad is not None or not outcome.frame.image.size or not outcome.observations:
            return
        for shelf in shelves:
            if shelf.id in outcome.changed:
                self._due |= dict.fromkeys((shelf.id, slot.id) for slot in shelf.slots)
        if outcome.frame.clock_s >= self._renew_at_s:
            self._renew_at_s = outcome.frame.clock_s + RENEW_S / len(outcome.observations)
            self._turn = (self._turn + 1) % len(outcome.observations)
            slots = [(shelf.id, slot.id) for shelf in shelves for slot in shelf.slots]
            self._due |= dict.fromkeys(slots[self._turn : self._turn + 1])
        if self._due:
            self._look(shelves, outcome)

    def _look(self, shelves: Sequence[Shelf], outcome: Outcome) -> None:
        """Copy the crops of slots that are due and can be seen; the others wait until they can be."""
        readings = {count.shelf: count.reading for count in outcome.counts}
        clear = {
            (shelf.id, slot.id): (slot.quad, label)
            for shelf in shelves
            if shelf.id in readings
            for slot, label, look in zip(shelf.slots, readings[shelf.id], outcome.looks_at(shelf, shelves), strict=True)
            if _is_clear(look, label)
        }
        for place in [place for place in self._due if place in clear][:COPIES_A_STEP]:
            quad, label = clear[place]
            known = self.now.get(place)
            if known is not None and known.label != label:
                self.before[place] = known
            self.now[place] = _look(outcome, quad, label)
            del self._due[place]

    def evidence(self, alert: Alert, shelves: Sequence[Shelf], outcome: Outcome) -> Evidence:
        """The pictures of the slot that an alert is drawn from, first of all where something changed."""
        quads = {slot.id: slot.quad for shelf in shelves if shelf.id == alert.shelf for slot in shelf.slots}
        change = next((change for change in alert.changes if change.slot in quads), None)
        if change is None:
            return Evidence()
        return Evidence(self._picture_before(alert, change), self._picture_after(alert, change, quads, outcome))

    def _picture_before(self, alert: Alert, change: SlotChange) -> Picture | None:
        place = (alert.shelf, change.slot)
        for look in (self.before.get(place), self.now.get(place)):
            if look is not None and change.before is not None and look.label == change.before != change.after:
                return _picture(change.slot, look)
        return None

    def _picture_after(
        self, alert: Alert, change: SlotChange, quads: Mapping[str, Quad], outcome: Outcome
    ) -> Picture | None:
        known = self.now.get((alert.shelf, change.slot))
        if known is not None and change.after is not None and known.label == change.after:
            return _picture(change.slot, known)
        if not outcome.frame.image.size:
            return None
        return _picture(change.slot, _look(outcome, quads[change.slot], change.after))


def _is_clear(look: Observation, label: str | None) -> bool:
    return look.unread is None and not look.beside_hidden and label is not None and look.label == label


def _look(outcome: Outcome, quad: Quad, label: str | None) -> Look:
    crop = regions.rectified(outcome.frame.image, quad)
    height, width = crop.shape[:2]
    if (longer := max(height, width)) > SIDE_PX:
        small_wh = (max(1, round(width * SIDE_PX / longer)), max(1, round(height * SIDE_PX / longer)))
        crop = cv2.resize(crop, small_wh, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return Look(label, outcome.frame.captured_at, crop)


def _picture(slot: str, look: Look) -> Picture | None:
    """As a JPEG, as good as fits; None where it cannot be made."""
    for quality in QUALITIES:
        encoded, jpeg = cv2.imencode(".jpg", look.crop, (cv2.IMWRITE_JPEG_QUALITY, quality))
        if encoded and len(jpeg) <= BYTES_MAX:
            return Picture(slot, look.at, look.label, jpeg.tobytes())
    return None
