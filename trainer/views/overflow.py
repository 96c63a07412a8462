"""Pictures that memory has no room for: in a temporary file, which the system pages in as they are used."""

import os
from math import prod
from shutil import disk_usage
from tempfile import TemporaryFile, gettempdir
from typing import Self

import numpy as np
from numpy.typing import NDArray

from edge_agent.shelf import ShelfwatchError

Pixels = NDArray[np.uint8]


def room(shape: tuple[int, ...], *, kept_bytes: int) -> Pixels:
    """An uint8 array in memory, or a map of a temporary file where it is larger than `kept_bytes`.

    Raises:
        ShelfwatchError: The disk has no room for it.
    """
    size_bytes = prod(shape)
    if size_bytes <= kept_bytes:
        return np.empty(shape, np.uint8)
    try:
        with TemporaryFile(prefix="shelf-train-") as file:  # the map outlives it, and the file goes with the map
            # reserved at once where that can be done: a page that finds no room later ends the process without a word
            reserve = getattr(os, "posix_fallocate", lambda number, _, length: os.ftruncate(number, length))
            reserve(file.fileno(), 0, size_bytes)
            return np.memmap(file, np.uint8, mode="r+", shape=shape)
    except OSError as error:
        raise ShelfwatchError(
            f"the {shape[0]} photographs to judge by take {size_bytes / 2**30:.1f} GB as pixels, more than is kept in"
            f" memory, and {gettempdir()} has no room for them ({error.strerror}). Set TMPDIR to a folder with more,"
            " or judge by fewer photographs."
        ) from error


class Overflow:
    """A temporary file for pictures of any size. It takes half of the room on the disk at most, and is gone at the end.

    Use it as a context; what `pictures` gave stays valid afterwards.
    """

    def __init__(self) -> None:
        self._file = TemporaryFile(prefix="shelf-train-", buffering=0)  # noqa: SIM115 - closed by __exit__
        self._room_bytes = disk_usage(gettempdir()).free // 2
        self._places: dict[int, tuple[int, tuple[int, ...]]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def put(self, key: int, picture: Pixels) -> None:
        """Write a picture, if there is room for it."""
        at = self._file.tell()
        if at + picture.nbytes > self._room_bytes:
            return
        try:
            whole = self._file.write(np.ascontiguousarray(picture).data) == picture.nbytes
        except OSError:
            whole = False
        if not whole:  # somebody else filled the disk, so it is to be read again from where it came
            self._room_bytes = 0
            return
        self._places[key] = (at, picture.shape)

    def pictures(self) -> dict[int, Pixels]:
        """Every picture that found room, by its key, as a part of a map of the file."""
        if not self._places:
            return {}
        flat = np.memmap(self._file, np.uint8, mode="c").view(np.ndarray)
        return {key: flat[at : at + prod(shape)].reshape(shape) for key, (at, shape) in self._places.items()}
