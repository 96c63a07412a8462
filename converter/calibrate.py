"""Photographs → the pixels that set the ranges of the int8 network, made as the agent makes its crops."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from converter.photographs import Track, untracked
from trainer.photos.data import Photo, read


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """`crops` is (n, size, size, 3) uint8 RGB; `sha256` (hex) is that of their bytes, in order."""

    crops: NDArray[np.uint8]
    sha256: str


def calibrate(photos: Sequence[Photo], *, size_px: int, track: Track = untracked) -> Calibration:
    """Read the photographs that a network is calibrated with.

    Raises:
        InputError: A photograph cannot be opened.
        DataError: A photograph is corrupt.
    """
    crops = np.empty((len(photos), size_px, size_px, 3), dtype=np.uint8)
    for row, photo in enumerate(track(photos, "Reading calibration photographs")):
        crops[row] = read(photo, size_px)
    return Calibration(crops, hashlib.sha256(crops.tobytes()).hexdigest())
