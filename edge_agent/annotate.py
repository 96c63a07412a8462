"""A frame with slots, products and counts drawn in, for people who would rather look than read."""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.messages import shelf_status
from edge_agent.outcome import Outcome
from edge_agent.shelf import EMPTY, Count, Observation, Shelf, Slot

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]

_INK, _PAPER = (255, 255, 255), (28, 28, 28)
_COLOURS: dict[str, Colour] = {  # BGR; readable beside each other for the colour-blind too
    "ok": (120, 190, 60),
    "empty": (60, 60, 235),
    "misplaced": (220, 90, 200),
    "unread": (0, 190, 255),
    "unknown": (160, 160, 160),
    "low": (0, 150, 255),
    "out": (60, 60, 235),
}
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_slots(image: Pixels, shelves: Iterable[Shelf]) -> Pixels:
    """A copy of a frame (height, width, 3) uint8 BGR with each slot's outline, id and planned product."""
    canvas = image.copy()
    for shelf in shelves:
        for slot in shelf.slots:
            _outline(canvas, slot, _COLOURS["unread"])
            _write(canvas, slot, slot.product or slot.id, _COLOURS["unread"])
    return canvas


def draw_outcome(image: Pixels, shelves: Sequence[Shelf], outcome: Outcome) -> Pixels:
    """A copy of a frame (height, width, 3) uint8 BGR with what was read in each slot and a panel of counts."""
    canvas = image.copy()
    counts = {count.shelf: count for count in outcome.counts}
    for shelf in shelves:
        looks = outcome.looks_at(shelf, shelves)
        held = counts[shelf.id].reading if shelf.id in counts else (None,) * len(shelf.slots)
        for slot, look, label in zip(shelf.slots, looks, held, strict=True):
            kind, words = _appearance(slot, look, label)
            _outline(canvas, slot, _COLOURS[kind])
            _write(canvas, slot, words, _COLOURS[kind])
    return np.concatenate([canvas, _panel(canvas.shape[1], shelves, counts, _headline(outcome))])


def _appearance(slot: Slot, look: Observation, held: str | None) -> tuple[str, str]:
    """Which colour a slot has, and what is written in it."""
    if look.unread is not None:
        return "unread", f"{look.unread}: {held} held" if held else look.unread
    if held is None:
        return "unknown", "unknown"
    if held == EMPTY:
        return "empty", EMPTY
    return ("misplaced" if slot.product not in (None, held) else "ok"), held


def _outline(canvas: Pixels, slot: Slot, colour: Colour) -> None:
    corners = np.asarray(slot.quad) * np.asarray(canvas.shape[1::-1])
    thickness = max(1, canvas.shape[1] // 640)
    cv2.polylines(canvas, [np.round(corners).astype(np.int32)], True, colour, thickness, cv2.LINE_AA)  # noqa: FBT003


def _write(canvas: Pixels, slot: Slot, words: str, colour: Colour) -> None:
    """Words on a plate at the foot of a slot, as large as its width allows."""
    corners = np.asarray(slot.quad) * np.asarray(canvas.shape[1::-1])
    left, bottom = corners[3]
    width_px = max(20.0, float(corners[2][0] - left) - 6)
    scale = min(0.5 * canvas.shape[1] / 960, width_px / max(1, cv2.getTextSize(words, _FONT, 1, 1)[0][0]))
    (text_w, text_h), below = cv2.getTextSize(words, _FONT, scale, 1)
    x, y = round(left), round(bottom) - below - 1
    cv2.rectangle(canvas, (x, y - text_h - 3), (x + text_w + 2, y + below), _PAPER, cv2.FILLED)
    cv2.putText(canvas, words, (x + 1, y - 1), _FONT, scale, colour, 1, cv2.LINE_AA)


def _headline(outcome: Outcome) -> str:
    """When it was, and why nothing is counted in this picture."""
    return f"{outcome.frame.clock_s:8.2f} s" + (f"  not counted: {outcome.bad}" if outcome.bad is not None else "")


def _panel(width: int, shelves: Sequence[Shelf], counts: dict[str, Count], headline: str) -> Pixels:
    """A strip below the picture: one line of counts per shelf."""
    line_px = max(18, width // 45)
    panel = np.full((line_px * (len(shelves) + 1), width, 3), _PAPER, dtype=np.uint8)
    scale = line_px / 36
    cv2.putText(panel, headline, (6, round(line_px * 0.7)), _FONT, scale, _INK, 1, cv2.LINE_AA)
    for row, shelf in enumerate(shelves, start=1):
        count = counts.get(shelf.id)
        words = f"{shelf.id}: " + (_summary(count) if count is not None else "starting")
        colour = _COLOURS[shelf_status(count)] if count is not None else _COLOURS["unknown"]
        fit = min(scale, (width - 12) / max(1, cv2.getTextSize(words, _FONT, 1, 1)[0][0]))
        cv2.putText(panel, words, (6, round(line_px * (row + 0.7))), _FONT, fit, colour, 1, cv2.LINE_AA)
    return panel


def _summary(count: Count) -> str:
    parts = [
        f"{item.sku} {'?' if item.count is None else item.count}/{item.expected}"
        if item.expected
        else f"{item.sku} {item.count}"
        for item in count.items
    ]
    return "  ".join(parts) + (f"  ({count.reason})" if count.reason else "")
