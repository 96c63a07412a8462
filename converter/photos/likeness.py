"""Whether the photographs that calibrate look like those that judge: if not, the ranges are of another world."""

import math
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

Looks = NDArray[np.float32]

TRAITS = ("brightness", "contrast", "colour", "sharpness")
"""What `looks` measures, in this order."""
APART = 0.35
"""Share by which two distributions differ (Kolmogorov and Smirnov's D) from which on it is said."""
CRITICAL = 1.95
"""Times √((n + m) / (n·m)): a D that chance exceeds once in a thousand (Smirnov, 1948)."""


def looks(crops: NDArray[np.uint8]) -> Looks:
    """What can be measured of a picture without knowing what it shows.

    Args:
        crops: (n, size, size, 3) uint8 RGB.

    Returns:
        (n, 4): mean grey, its standard deviation, mean distance of the channels from grey, and mean absolute Laplacian,
        all in levels of 0..255.
    """
    return np.stack([_traits(crop) for crop in crops])


def unlike(calibration: Looks, judged: Looks) -> Iterator[str]:
    """Say in what the photographs that calibrate differ from those that judge.

    Args:
        calibration: (n, 4) from `looks`, n being 1 or more.
        judged: (m, 4) of the others.
    """
    chance = CRITICAL * math.sqrt((len(calibration) + len(judged)) / (len(calibration) * len(judged)))
    for column, trait in enumerate(TRAITS):
        ours, theirs = calibration[:, column], judged[:, column]
        if distance(ours, theirs) > max(APART, chance):
            yield (
                f"the calibration photographs differ in {trait} from those that judge (median {np.median(ours):.0f}"
                f" against {np.median(theirs):.0f}): int8's ranges may not fit what the camera sees. Calibrate with"
                " photographs like those of the shelf."
            )


def distance(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """Kolmogorov and Smirnov's D: the largest gap between two distributions, 0 (alike) to 1 (nothing in common)."""
    both = np.sort(np.concatenate([ours, theirs]))
    below_ours = np.searchsorted(np.sort(ours), both, side="right") / len(ours)
    below_theirs = np.searchsorted(np.sort(theirs), both, side="right") / len(theirs)
    return float(np.abs(below_ours - below_theirs).max())


def _traits(crop: NDArray[np.uint8]) -> Looks:
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    off_grey = np.abs(crop.astype(np.int16) - grey[..., np.newaxis])
    edges = np.abs(cv2.Laplacian(grey, cv2.CV_32F))
    return np.asarray([grey.mean(), grey.std(), off_grey.mean(), edges.mean()], dtype=np.float32)
