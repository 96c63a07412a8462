"""Photographs → the pixels that set the ranges of the int8 network, made as the agent makes its crops."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from converter.photos.photographs import CALIBRATION_LEAST
from converter.progress import Track, untracked
from edge_agent.shelf import DataError
from trainer.photos.data import Photo, read


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """`crops` is (n, size, size, 3) uint8 RGB; `sha256` (hex) is that of their bytes, in order.

    `names` says `label/file` of each photograph; the hash of this list tells whether another machine took the same.
    """

    crops: NDArray[np.uint8]
    sha256: str
    names: tuple[str, ...] = ()

    @property
    def list_sha256(self) -> str:
        """Hash (hex) of the list of names, one in a line."""
        return hashlib.sha256("\n".join(self.names).encode()).hexdigest()


def calibrate(photos: Sequence[Photo], *, labels: Sequence[str], size_px: int, track: Track = untracked) -> Calibration:
    """Read the photographs that a network is calibrated with.

    Raises:
        InputError: A photograph cannot be opened.
        DataError: A photograph is corrupt, or too few of them differ.
    """
    crops = np.empty((len(photos), size_px, size_px, 3), dtype=np.uint8)
    for row, photo in enumerate(track(photos, "Reading calibration photographs")):
        crops[row] = read(photo, size_px)
    distinct = len({hashlib.sha256(crop.tobytes()).digest() for crop in crops})
    if distinct < CALIBRATION_LEAST:
        raise DataError(
            f"of {len(photos)} photographs to calibrate with, such as {photos[0]}, only {distinct} differ; at least"
            f" {CALIBRATION_LEAST} are needed. Give --calibrate photographs and not copies of them."
        )
    names = names_of(photos, labels)
    return Calibration(crops, hashlib.sha256(crops.tobytes()).hexdigest(), names)


def names_of(photos: Sequence[Photo], labels: Sequence[str]) -> tuple[str, ...]:
    """`label/file` of each photograph, and the box where it is a part: the same on every machine."""
    return tuple(f"{labels[photo.label_index]}/{photo.path.name}{_box(photo)}" for photo in photos)


def _box(photo: Photo) -> str:
    return "" if photo.box_xywh is None else f" box {','.join(map(str, photo.box_xywh))}"
