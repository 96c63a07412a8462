"""What several networks answer to the same held-out photographs, each read once."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from converter.photographs import Track, untracked
from edge_agent.shelf import DataError
from trainer.photos.data import Photo, read

BATCH = 32
"""Photographs in memory at a time."""
CLOSE = 0.002
"""Probability by which the float TFLite file may differ from Keras: its kernels add up in another order."""

Crops = NDArray[np.uint8]
Scores = NDArray[np.float32]
Ask = Callable[[Crops], Scores]
"""A network as a function: crops (n, size, size, 3) uint8 RGB → probabilities (n, classes) float32."""


def ask(
    networks: Mapping[str, Ask],
    photos: Sequence[Photo],
    *,
    size_px: int,
    track: Track = untracked,
    what: str = "Verifying on held-out photographs",
) -> dict[str, Scores]:
    """Ask each network about the same pixels.

    Args:
        networks: By name; each gets the crops as the agent makes them.
        photos: Held-out photographs, one or more.
        size_px: Side of the crops.
        track: Shows how far it is.
        what: What the bar says.

    Returns:
        By name, probabilities (n, classes) in the order of `photos`.

    Raises:
        InputError: A photograph cannot be opened.
        DataError: A photograph is corrupt.
    """
    answers: dict[str, list[Scores]] = {name: [] for name in networks}
    for crops in _batches(track(photos, what), size_px):
        for name, network in networks.items():
            answers[name].append(network(crops))
    return {name: np.concatenate(rows) for name, rows in answers.items()}


def by_keras(network: object) -> Ask:
    """A Keras model, (batch, size, size, 3) float32 → (batch, classes), as a function of crops."""
    predict = network.predict_on_batch  # type: ignore[attr-defined]
    return lambda crops: np.asarray(predict(crops.astype(np.float32)), dtype=np.float32)


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


def _batches(photos: Iterator[Photo] | Sequence[Photo], size_px: int) -> Iterator[Crops]:
    """The pixels of photographs, (≤ BATCH, size, size, 3) at a time."""
    waiting: list[Crops] = []
    for photo in photos:
        waiting.append(read(photo, size_px))
        if len(waiting) == BATCH:
            yield np.stack(waiting)
            waiting = []
    if waiting:
        yield np.stack(waiting)
