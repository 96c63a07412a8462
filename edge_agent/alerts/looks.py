"""What each slot looked like when it was last read for sure: for the pictures before and after an alert.

Crops are copied when a reading changes, and one slot's every now and then, so that the picture before is not of last
week. Nothing here touches disk or network; `Looks` belongs to the loop's thread.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent import regions
from edge_agent.messages import timestamp
from edge_agent.pipeline import Outcome
from edge_agent.shelf import Alert, Observation, Quad, Shelf, SlotChange

SIDE_PX = 96
"""The longer side of a picture, at most."""
QUALITIES = (80, 60, 40)
BYTES_MAX = 6000
"""A picture is at most so large, so that two of them as base64 are at most 16 KB of an event."""
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

    now: dict[tuple[str, str], Look] = field(default_factory=dict)
    before: dict[tuple[str, str], Look] = field(default_factory=dict)
    _turn: int = 0
    _renew_at_s: float | None = None

    def note(self, shelves: Sequence[Shelf], outcome: Outcome) -> None:
        """Keep what is new in a step; mostly that is nothing."""
        if outcome.bad is not None or not outcome.frame.image.size:
            return
        for shelf in shelves:
            if shelf.id in outcome.changed:
                self._changed(shelf, shelves, outcome)
        slots = len(outcome.observations)
        if self._renew_at_s is None or outcome.frame.clock_s >= self._renew_at_s:
            self._renew_at_s = outcome.frame.clock_s + RENEW_S / max(1, slots)
            self._turn = (self._turn + 1) % max(1, slots)
            self._renew(shelves, outcome)

    def _changed(self, shelf: Shelf, shelves: Sequence[Shelf], outcome: Outcome) -> None:
        reading = next(count.reading for count in outcome.counts if count.shelf == shelf.id)
        for slot, label, look in zip(shelf.slots, reading, outcome.looks_at(shelf, shelves), strict=True):
            known = self.now.get((shelf.id, slot.id))
            if _is_clear(look, label) and (known is None or known.label != label):
                if known is not None:
                    self.before[shelf.id, slot.id] = known
                self.now[shelf.id, slot.id] = _look(outcome, slot.quad, label)

    def _renew(self, shelves: Sequence[Shelf], outcome: Outcome) -> None:
        """Look again at the slot whose turn it is, if it still holds what it held."""
        places = [(shelf, slot) for shelf in shelves for slot in shelf.slots]
        if self._turn >= len(places) or len(places) != len(outcome.observations):
            return
        (shelf, slot), look = places[self._turn], outcome.observations[self._turn]
        known = self.now.get((shelf.id, slot.id))
        if known is not None and _is_clear(look, known.label):
            self.now[shelf.id, slot.id] = _look(outcome, slot.quad, known.label)

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
