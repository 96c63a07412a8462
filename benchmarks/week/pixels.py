"""A moment of the week as pixels: the demo's shelf in any light, with glare, an arm, or something that stands there.

The library of looks is measured on these pictures, and so are the spot checks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.demo.arm import Arm, Placement
from edge_agent.demo.brush import Pixels
from edge_agent.demo.camera import DEFAULT_POSE, SLOTS
from edge_agent.demo.light import Levels, Noise
from edge_agent.demo.view import Contents, Still, View

FRAME_WH = (960, 540)
Mask = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Glare:
    """Sun on the shelf: a streak around (x, y) in 0..1 of the frame, `strength` in grey levels at its middle."""

    x: float
    y: float
    strength: float


@dataclass(frozen=True, slots=True)
class Stander:
    """What stands before the shelf: `kind` is `person` or `trolley`, `x` its middle and `top` its upper end (0..1)."""

    kind: str
    x: float
    top: float
    look: int = 0


@dataclass(frozen=True, slots=True)
class Moment:
    """What is to be seen: contents, light, and whatever hides or disturbs; `shift` is a share of the width."""

    contents: Contents
    levels: Levels
    glare: tuple[Glare, ...] = ()
    arm: tuple[Arm, Placement] | None = None
    stander: Stander | None = None
    shift: float = 0.0
    noise: int = 1


class Studio:
    """One camera's pictures."""

    def __init__(self, planned: Sequence[str], seed: int) -> None:
        """The products on the price tags, and where the light comes from."""
        self._view = View(FRAME_WH, planned, seed=seed)
        self._noise = Noise(FRAME_WH, 2.4, seed)
        self._still: tuple[Contents, Still] | None = None

    def picture(self, moment: Moment) -> Pixels:
        """The picture of a moment: (540, 960, 3) uint8 BGR."""
        if self._still is None or self._still[0] != moment.contents:
            self._still = moment.contents, self._view.still(moment.contents)
        image = self._view.lit(self._still[1], moment.levels)
        for glare in moment.glare:
            _add(image, _streak(), glare)
        if moment.arm is not None:
            self._view.reach(image, moment.levels, *moment.arm)
        if moment.stander is not None:
            _stand(image, moment.stander, moment.levels)
        if moment.shift:
            matrix = np.asarray([[1, 0, moment.shift * FRAME_WH[0]], [0, 1, 0]])
            image = np.asarray(cv2.warpAffine(image, matrix, FRAME_WH, borderMode=cv2.BORDER_REFLECT), dtype=np.uint8)
        self._noise.add(image, moment.noise)
        return image

    def covered(self, moment: Moment) -> NDArray[np.float64]:
        """How much of each of the 24 places an arm or a stander covers, 0..1."""
        covered = np.zeros(SLOTS)
        if moment.arm is not None:
            covered = np.maximum(covered, self._view.hidden(*moment.arm))
        if moment.stander is not None:
            covered = np.maximum(covered, standing_before(moment.stander))
        return covered


@lru_cache(maxsize=1)
def _streak() -> Mask:
    """A slanted band of light around the middle, 0..1; as wide as a slot and a half."""
    x, y = np.meshgrid(np.linspace(-0.3, 0.3, 576), np.linspace(-0.5, 0.5, 540))
    across = np.abs(x + 0.15 * y) / 0.075
    along = np.abs(y) / 0.13
    soft = np.clip(1.3 - across, 0, 1) * np.clip(1.4 - along, 0, 1)
    return soft[166:374, 160:416].astype(np.float32)  # there is nothing beyond


def _add(image: Pixels, mask: Mask, glare: Glare) -> None:
    """Lay light over a picture, in place."""
    height, width = image.shape[:2]
    tall, wide = mask.shape
    left, top = round(glare.x * width - wide / 2), round(glare.y * height - tall / 2)
    x0, y0, x1, y1 = max(0, left), max(0, top), min(width, left + wide), min(height, top + tall)
    if x1 <= x0 or y1 <= y0:
        return
    share = mask[y0 - top : y1 - top, x0 - left : x1 - left, None] * glare.strength
    light = (share * np.asarray([0.86, 0.95, 1.0], dtype=np.float32)).astype(np.uint8)
    image[y0:y1, x0:x1] = cv2.add(image[y0:y1, x0:x1], light)


def glare_on(glare: Glare) -> NDArray[np.float64]:
    """How much light a glare adds to each of the 24 places at its middle, in grey levels."""
    mask = _streak()
    lit = []
    for place in range(SLOTS):
        x, y = DEFAULT_POSE.centre(place)
        column = round((x - glare.x) * FRAME_WH[0] + mask.shape[1] / 2)
        row = round((y - glare.y) * FRAME_WH[1] + mask.shape[0] / 2)
        inside = 0 <= column < mask.shape[1] and 0 <= row < mask.shape[0]
        lit.append(float(mask[row, column]) * glare.strength if inside else 0.0)
    return np.asarray(lit)


_COATS = ((70, 50, 40), (40, 45, 120), (60, 90, 60), (120, 110, 100), (30, 30, 34), (150, 160, 175))
_CARTON = (88, 128, 166)


def _stand(image: Pixels, stander: Stander, levels: Levels) -> None:
    drawn, mask = _drawn(stander)
    light = min(1.4, levels.lamp + levels.window)
    lit = cv2.multiply(drawn, np.asarray([light] * 3 + [0.0]))
    image[mask] = np.asarray(lit, dtype=np.uint8)[mask]


@lru_cache(maxsize=64)
def _drawn(stander: Stander) -> tuple[Pixels, NDArray[np.bool_]]:
    """A person's back, or a trolley full of cartons: (h, w, 3) uint8 BGR, and where it is."""
    width, height = FRAME_WH
    image, mask = np.zeros((height, width, 3), dtype=np.uint8), np.zeros((height, width), dtype=np.uint8)
    middle, top = round(stander.x * width), round(stander.top * height)
    rng = np.random.default_rng([stander.look, 12])
    if stander.kind == "person":
        coat = np.asarray(_COATS[stander.look % len(_COATS)])
        for shape, colour in (("coat", coat), ("hair", np.asarray((34, 44, 60)))):
            part = np.zeros_like(mask)
            if shape == "coat":
                cv2.ellipse(part, (middle, height + 40), (105, height + 40 - top - 70), 0, 0, 360, (255,), -1)
            else:
                cv2.ellipse(part, (middle, top + 55), (42, 55), 0, 0, 360, (255,), -1)
            shade = 1.1 - 0.5 * np.abs(np.arange(width) - middle - 20) / 120
            image[part > 0] = np.clip(colour * shade[None, :, None], 0, 255).repeat(height, 0)[part > 0]
            mask = np.maximum(mask, part)
        return image, mask > 0
    for y in range(top, height, 88):
        for x in range(middle - 140, middle + 140, 140):
            tone = np.asarray(_CARTON) * rng.uniform(0.8, 1.15)
            cv2.rectangle(image, (x, y), (x + 137, y + 86), tuple(map(float, tone)), -1)
            cv2.rectangle(image, (x, y), (x + 137, y + 86), tuple(map(float, tone * 0.6)), 2)
            cv2.rectangle(image, (x, y + 36), (x + 137, y + 48), tuple(map(float, tone * 1.25)), -1)
            cv2.putText(image, "SHOP", (x + 12, y + 76), 0, 0.6, tuple(map(float, tone * 0.5)), 2)
            cv2.rectangle(mask, (x, y), (x + 139, y + 88), (255,), -1)
    for x in range(middle - 150, middle + 151, 30):
        cv2.line(image, (x, top - 20), (x, height), (150, 155, 158), 3)
        cv2.line(mask, (x, top - 20), (x, height), (255,), 3)
    return image, mask > 0


@lru_cache(maxsize=1)
def _owner() -> NDArray[np.int32]:
    owner = np.full(FRAME_WH[::-1], SLOTS, dtype=np.int32)
    for place, quad in enumerate(DEFAULT_POSE.slot_quads()):
        cv2.fillPoly(owner, [np.round(np.asarray(quad) * FRAME_WH).astype(np.int32)], (place,))
    return owner


@lru_cache(maxsize=256)
def standing_before(stander: Stander) -> NDArray[np.float64]:
    """How much of each of the 24 places a stander covers, 0..1."""
    owner = _owner()
    covered = np.bincount(owner[_drawn(stander)[1]], minlength=SLOTS + 1)[:SLOTS]
    return covered / np.bincount(owner.ravel(), minlength=SLOTS + 1)[:SLOTS]
