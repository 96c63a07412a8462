"""A frame in little: a small grey picture, and the few figures that tell whether it is one to count in."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.pictures.viewpoint import Grey, Plane, smooth, tiles

SMALL_PX = 400
"""The longer side of the small picture."""
STRUCTURE_LEVELS = 3.0
"""Grey levels by which a tile must vary to hold something, in a picture of ordinary brightness (100 of 255)."""
SHAPE_PX = 9
"""Side of the square that a shape is told from."""
BLUR_ITSELF = 0.13
"""What is left of the ratio of detail to shape in a picture that is nothing but blur: that is no sharpness."""


@dataclass(frozen=True, slots=True, eq=False)
class Glance:
    """A frame in little: (height, width) uint8 grey, the same smoothed as float32, and what it amounts to.

    `structure` is the share of its tiles in which there is something to see, `sharpness` how much of that is fine: the
    ratio of detail of one pixel to detail of three, which light and contrast leave as it is. `bright` is the share of
    its pixels that are at least as bright as `dark_below`.
    """

    grey: Grey
    smoothed: Plane
    bright: float
    structure: float
    sharpness: float


def small_wh(image: NDArray[np.uint8]) -> tuple[int, int]:
    """The size of the small picture of a frame, (height, width, 3) uint8, which is never made larger."""
    height, width = image.shape[:2]
    shrink = max(1.0, max(width, height) / SMALL_PX)
    return max(1, round(width / shrink)), max(1, round(height / shrink))


def glance(image: NDArray[np.uint8], wh: tuple[int, int], *, dark_below: float) -> Glance:
    """Make a frame small and measure it.

    Args:
        image: (height, width, 3) uint8 BGR.
        wh: The size of the small picture.
        dark_below: Grey levels.
    """
    if image.shape[1] >= 3 * wh[0]:  # an average over all pixels would cost five times as much, and tell no more
        image = np.asarray(cv2.resize(image, (2 * wh[0], 2 * wh[1]), interpolation=cv2.INTER_NEAREST), dtype=np.uint8)
    small = cv2.resize(image, wh, interpolation=cv2.INTER_AREA)
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
    smoothed = smooth(grey)
    detail, shapes = tiles((grey - smoothed) ** 2), tiles((smoothed - cv2.blur(smoothed, (SHAPE_PX, SHAPE_PX))) ** 2)
    level = STRUCTURE_LEVELS * min(1.0, max(0.35, cv2.mean(grey)[0] / 100))
    structured = shapes > level**2
    ratio = float(np.sqrt(detail[structured].sum() / shapes[structured].sum())) if structured.any() else 0.0
    return Glance(
        grey=grey,
        smoothed=smoothed,
        bright=np.count_nonzero(grey >= dark_below) / grey.size,
        structure=float(structured.mean()),
        sharpness=max(0.0, ratio - BLUR_ITSELF),
    )
