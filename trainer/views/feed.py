"""Photographs → arrays, with every core busy: OpenCV lets go of Python's lock, so threads are enough.

Photographs are decoded once and kept in memory, smaller, up to a budget; what is beyond it streams from disk, and gives
the same batches. What cannot be decoded is named and left out.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edge_agent.shelf import DataError, ShelfwatchError
from trainer.photos.data import Photo, open_photo, read
from trainer.report import Watch
from trainer.views.augment import Jitter, shrunk, view
from trainer.views.overflow import Overflow, room

Pixels = NDArray[np.uint8]
T = TypeVar("T")
R = TypeVar("R")

KEPT_BYTES = 2 * 2**30
"""Memory for decoded photographs. The rest lies in a temporary file, or is decoded again in every epoch."""
AHEAD = 4
"""Batches that wait, finished, for the one in training; each thread makes one more."""


@dataclass(frozen=True, slots=True, eq=False)
class Album:
    """Photographs that are known to decode.

    `copies` holds (height, width, 3) uint8 BGR, in memory or mapped from a file, or None where a photograph is decoded
    again in every epoch; `problems` says what was left out and why, a line per photograph.
    """

    photos: tuple[Photo, ...]
    copies: tuple[Pixels | None, ...]
    problems: tuple[str, ...]
    size_px: int

    def image(self, index: int) -> Pixels:
        """A photograph, (height, width, 3) uint8 BGR, at least as large as views need."""
        kept = self.copies[index]
        return _small(self.photos[index], self.size_px) if kept is None else kept


def open_album(photos: Sequence[Photo], *, size_px: int, watch: Watch, kept_bytes: int = KEPT_BYTES) -> Album:
    """Decode photographs for training, and keep smaller copies.

    Beyond `kept_bytes`, a copy that is smaller than its file (a telephone's photograph, a box of a large picture) goes
    to a temporary file: it is read in a moment, where decoding would take longer than a step of training.
    """
    good: list[Photo] = []
    copies: list[Pixels | None] = []
    problems: list[str] = []
    watch.begin("reading photographs", len(photos))
    with Overflow() as overflow:
        for photo, small in _read(photos, lambda photo: _small(photo, size_px), problems, watch):
            keep = small.nbytes <= kept_bytes
            if keep:
                kept_bytes -= small.nbytes
            elif small.nbytes < photo.path.stat().st_size:
                overflow.put(len(good), small)
            good.append(photo)
            copies.append(small if keep else None)
        for index, small in overflow.pictures().items():
            copies[index] = small
    return Album(tuple(good), tuple(copies), tuple(problems), size_px)


def _small(photo: Photo, size_px: int) -> Pixels:
    """A photograph as it is kept, and as it is streamed."""
    return shrunk(open_photo(photo, least_px=round(1.25 * size_px)), size_px=size_px)


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """Photographs exactly as the network sees them on the device, of those that decode.

    `pixels` is (n, size, size, 3) uint8 RGB, `photos` are the n photographs, `truth` is (n,) their label indices, and
    `problems` says what was left out and why, a line per photograph. Many pixels are a map of a temporary file, of
    which the system holds as much in memory as there is room for; slice them rather than copy them whole.
    """

    pixels: Pixels
    photos: tuple[Photo, ...]
    truth: NDArray[np.int64]
    problems: tuple[str, ...]


def look_at(photos: Sequence[Photo], *, size_px: int, watch: Watch, kept_bytes: int = KEPT_BYTES) -> Looks:
    """Read photographs as the device would.

    Raises:
        DataError: None of them decodes.
        ShelfwatchError: They need a temporary file, and the disk has no room for it.
    """
    pixels = room((len(photos), size_px, size_px, 3), kept_bytes=kept_bytes)
    kept: list[Photo] = []
    problems: list[str] = []
    watch.begin("reading photographs to judge by", len(photos))
    for photo, seen in _read(photos, lambda photo: read(photo, size_px), problems, watch):
        pixels[len(kept)] = seen
        kept.append(photo)
    if not kept:
        first = problems[0] if problems else "there are none"
        raise DataError(f"none of the {len(photos)} photographs to judge by can be read: {first}")
    truth = np.asarray([photo.label_index for photo in kept], dtype=np.int64)
    return Looks(pixels[: len(kept)], tuple(kept), truth, tuple(problems))


def _read(
    photos: Sequence[Photo], develop: Callable[[Photo], Pixels], problems: list[str], watch: Watch
) -> Iterator[tuple[Photo, Pixels]]:
    """Decode and develop photographs, in order; why one was left out is added to `problems`."""
    for photo, result in developed(photos, develop):
        watch.advance()
        if isinstance(result, str):
            problems.append(result)
        else:
            yield photo, result


def developed(photos: Sequence[Photo], develop: Callable[[Photo], Pixels]) -> Iterator[tuple[Photo, Pixels | str]]:
    """Photographs in order, each as `develop` makes it, or why it cannot be read."""

    def attempt(photo: Photo) -> Pixels | str:
        try:
            return develop(photo)
        except ShelfwatchError as error:
            return str(error)

    with ThreadPoolExecutor(workers()) as pool:
        yield from zip(photos, _ahead(pool, attempt, photos), strict=True)


def batches(
    album: Album, *, batch: int, jitter: Jitter, seed: int, first_epoch: int = 0
) -> Generator[tuple[Pixels, NDArray[np.int64]], None, None]:
    """Endless batches of random views, all of one size; each epoch passes every photograph in a new order.

    Yields:
        (batch, size, size, 3) uint8 RGB and (batch,) label indices; the same for the same seed.
    """
    truth = np.asarray([photo.label_index for photo in album.photos], dtype=np.int64)

    def make(job: tuple[int, NDArray[np.int64]]) -> tuple[Pixels, NDArray[np.int64]]:
        epoch, chosen = job
        views = [
            view(album.image(i), size_px=album.size_px, jitter=jitter, rng=np.random.default_rng([seed, epoch, i]))
            for i in chosen.tolist()
        ]
        return np.stack(views), truth[chosen]

    with ThreadPoolExecutor(workers()) as pool:
        yield from _ahead(pool, make, shuffled(len(truth), batch=batch, seed=seed, first_epoch=first_epoch))


def steps_per_epoch(count: int, *, batch: int) -> int:
    """Batches that pass every photograph at least once."""
    return -(-count // batch)


def shuffled(count: int, *, batch: int, seed: int, first_epoch: int = 0) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Epoch and photographs of each batch, endlessly; the last batch of an epoch is filled up from its beginning."""
    epoch = first_epoch
    while True:
        order = np.random.default_rng([seed, epoch]).permutation(count)
        steps = steps_per_epoch(count, batch=batch)
        yield from ((epoch, part) for part in np.resize(order, steps * batch).reshape(steps, batch))
        epoch += 1


def _ahead(pool: ThreadPoolExecutor, work: Callable[[T], R], items: Sequence[T] | Iterator[T]) -> Iterator[R]:
    """Like `map`, in order, but only a little ahead of what is asked for, so that endless work is possible."""
    waiting: deque[Future[R]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > AHEAD + workers():
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def workers() -> int:
    """Threads for decoding and augmentation: one per core."""
    return max(2, os.cpu_count() or 2)
