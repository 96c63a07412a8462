"""What several networks answer to the same held-out photographs, each read once."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.progress import Track, untracked
from converter.scratch import reserve, scratch
from edge_agent.shelf import DataError
from trainer.photos.data import Photo, read

BATCH = 32
"""Crops that a network is asked about at a time."""
CLOSE = 0.002
"""Probability by which the float TFLite file may differ from Keras: its kernels add up in another order."""

Crops = NDArray[np.uint8]
Scores = NDArray[np.float32]
Ask = Callable[[Crops], Scores]
"""A network as a function: crops (n, size, size, 3) uint8 RGB → probabilities (n, classes) float32."""


@contextmanager
def gathered(photos: Sequence[Photo], *, size_px: int, track: Track = untracked) -> Iterator[Crops]:
    """The crops of photographs, made as the agent makes them, (n, size, size, 3) uint8 RGB in a file of the disk's.

    There may be more of them than memory, and each network that is asked goes through all of them again.

    Raises:
        InputError: A photograph cannot be opened.
        DataError: A photograph is corrupt.
    """
    shape = (len(photos), size_px, size_px, 3)
    with scratch() as folder:
        reserve(folder / "crops", math.prod(shape))
        crops = np.memmap(folder / "crops", mode="r+", dtype=np.uint8, shape=shape)
        for row, photo in enumerate(track(photos, "Reading held-out photographs")):
            crops[row] = read(photo, size_px)
        yield crops


def ask(network: Ask, crops: Crops, *, track: Track = untracked, what: str = "Asking the network") -> Scores:
    """What a network answers to crops (n, size, size, 3): probabilities (n, classes); `what` is what the bar says."""
    starts = range(0, len(crops), BATCH)
    return np.concatenate([network(np.asarray(crops[start : start + BATCH])) for start in track(starts, what)])


def by_keras(network: Any) -> Ask:
    """A Keras model, (batch, size, size, 3) float32 → (batch, classes), as a function of crops."""
    return lambda crops: np.asarray(network.predict_on_batch(crops.astype(np.float32)), dtype=np.float32)


def check_float(by_keras: Scores, by_tflite: Scores) -> None:
    """Make sure that the float file is the network: what differs there is no matter of quantizing.

    Raises:
        DataError: A probability differs by more than `CLOSE`.
    """
    worst = float(np.abs(by_keras - by_tflite).max())
    if worst > CLOSE:
        raise DataError(
            f"the float TFLite file answers unlike the Keras network: a probability differs by {worst:.3f}, at most"
            f" {CLOSE} is rounding. A layer is converted wrongly: build the network out of other layers."
        )
