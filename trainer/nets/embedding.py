"""Photographs as points on a sphere: those of one product lie together, and look-alikes are near. Small numpy only.

What tells photographs apart comes in as a function, so nothing here needs TensorFlow.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.shelf import DataError
from trainer.photos import data
from trainer.report import Watch
from trainer.views.feed import developed

Pixels = NDArray[np.uint8]
Vectors = NDArray[np.float32]
Indices = NDArray[np.int64]

AT_ONCE = 32
"""Photographs in memory at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """Photographs with their vectors, (n, dims) float32 of length 1, and what could not be read."""

    photos: tuple[data.Photo, ...]
    vectors: Vectors
    problems: tuple[str, ...]

    @property
    def truth(self) -> Indices:
        """(n,) label indices."""
        return np.asarray([photo.label_index for photo in self.photos], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class LookAlikes:
    """Two classes, and the cosine (-1..1) between the means of their vectors; 1 is the same direction."""

    one: str
    other: str
    cosine: float


def embed(
    photos: Sequence[data.Photo], predict: Callable[[Pixels], Vectors], *, size_px: int, watch: Watch
) -> Embedded:
    """Look at photographs as the device would, and give each its vector.

    Args:
        photos: In any number; few are in memory at a time.
        predict: (n, size, size, 3) uint8 RGB → (n, dims) float32.
        size_px: Side of what `predict` takes.
        watch: Told of every photograph.

    Raises:
        DataError: None of them can be read.
    """
    kept: list[data.Photo] = []
    vectors: list[Vectors] = []
    problems: list[str] = []
    watch.begin("embedding photographs", len(photos))
    for first in range(0, len(photos), AT_ONCE):
        seen = list(developed(photos[first : first + AT_ONCE], lambda photo: data.read(photo, size_px)))
        problems += [pixels for _, pixels in seen if isinstance(pixels, str)]
        good = [(photo, pixels) for photo, pixels in seen if not isinstance(pixels, str)]
        if good:
            kept += [photo for photo, _ in good]
            vectors.append(predict(np.stack([pixels for _, pixels in good])))
        for _ in seen:
            watch.advance()
    if not kept:
        reason = problems[0] if problems else "there are none"
        raise DataError(f"none of the {len(photos)} photographs to embed can be read: {reason}")
    return Embedded(tuple(kept), np.concatenate(vectors), tuple(problems))


def look_alikes(vectors: Vectors, truth: Indices, labels: Sequence[str], *, count: int) -> tuple[LookAlikes, ...]:
    """The pairs of classes whose means point most nearly the same way, the nearest first; at most `count`."""
    occurring = np.unique(truth)
    means = np.stack([vectors[truth == index].mean(axis=0, dtype=np.float64) for index in occurring])
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    ones, others = np.triu_indices(len(occurring), k=1)
    cosines = (means @ means.T)[ones, others]
    nearest_first = np.argsort(-cosines, kind="stable")[:count]
    return tuple(
        LookAlikes(labels[occurring[ones[at]]], labels[occurring[others[at]]], float(cosines[at]))
        for at in nearest_first
    )


def neighbours_agree(vectors: Vectors, truth: Indices) -> float:
    """Share (0..1) of the photographs whose nearest other photograph shows the same class, where there is another.

    NaN where no class has two photographs.
    """
    counts = np.bincount(truth)
    asked = np.flatnonzero(counts[truth] > 1)
    if not len(asked):
        return float("nan")
    hits = 0
    for at in np.array_split(asked, -(-len(asked) // 1024)):
        cosines = vectors[at] @ vectors.T
        cosines[np.arange(len(at)), at] = -np.inf  # nobody is one's own neighbour
        hits += int((truth[cosines.argmax(axis=1)] == truth[at]).sum())
    return hits / len(asked)


def write_vectors(embedded: Embedded, labels: Sequence[str], path: Path, *, embedder_sha256: str) -> None:
    """Write an .npz: `paths` and `labels` (n,) text, `vectors` (n, dims) float32, and of which embedder they are.

    Vectors of two embedders cannot be compared, so `embedder_sha256` (hex) is that of its file.
    """
    with path.open("wb") as file:
        np.savez_compressed(
            file,
            paths=np.asarray([str(photo) for photo in embedded.photos]),
            labels=np.asarray([labels[photo.label_index] for photo in embedded.photos]),
            vectors=embedded.vectors,
            embedder_sha256=np.asarray(embedder_sha256),
        )
