"""Pixels outside the shelves → black, before a picture is shown to anybody or kept anywhere. Pure values.

What is left are the slots and a narrow margin around each: who walks past a shelf is not in the picture, who reaches
into one is, as far as the arm covers slots. A hull around a whole shelf would be nicer to look at, and would show who
stands between two parts of it.
"""

from collections.abc import Iterable
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.shelf import Quad

Pixels = NDArray[np.uint8]

MARGIN = 0.008
"""What stays around a slot, as a share of the picture's width: its edge, and a label below it."""
LAYOUTS = 8
"""Masks that are remembered: one for each drawing of the shelves and size of picture, up to 2 MB each."""


def black_out(image: Pixels, quads: Iterable[Quad]) -> Pixels:
    """A copy of a picture in which everything but the slots is black.

    Args:
        image: (height, width, 3) uint8, in any order of colours.
        quads: Where the slots lie, in 0..1 of the picture. Without any, all of it is black.

    Returns:
        (height, width, 3) uint8.
    """
    height, width = image.shape[:2]
    return np.asarray(cv2.copyTo(image, _mask(tuple(quads), (width, height))), dtype=np.uint8)


@lru_cache(maxsize=LAYOUTS)
def _mask(quads: tuple[Quad, ...], wh: tuple[int, int]) -> Pixels:
    """(height, width) uint8: 255 where a picture may be seen."""
    mask = np.zeros((wh[1], wh[0]), dtype=np.uint8)
    for quad in quads:
        corners = np.round(np.asarray(quad) * np.asarray(wh)).astype(np.int32)
        cv2.fillConvexPoly(mask, corners, 255)
    margin_px = round(MARGIN * wh[0])
    if margin_px:
        mask = np.asarray(cv2.dilate(mask, np.ones((2 * margin_px + 1,) * 2, np.uint8)), dtype=np.uint8)
    mask.flags.writeable = False  # it is everybody's
    return mask
