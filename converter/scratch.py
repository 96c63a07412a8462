"""A folder for what a conversion needs for a while: gone afterwards, and a full disk is told as such."""

import errno
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.shelf import InputError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


@contextmanager
def scratch() -> Iterator[Path]:
    """A new folder, deleted at the end.

    Raises:
        InputError: There is no room for it, or for what is written there.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="shelf-convert-") as folder:
            yield Path(folder)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise InputError(
            f"{tempfile.gettempdir()}: no room for what a conversion needs for a while ({error.strerror})."
            " Make room, or name a folder on another disk in TMPDIR."
        ) from error


def save(path: Path, array: NDArray[Any]) -> None:
    """Write an array as `.npy`. NumPy itself tells of a full disk without its number, so it doesn't get the file.

    Raises:
        OSError: There is no room.
    """
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    path.write_bytes(content.getbuffer())


def reserve(path: Path, size_bytes: int) -> None:
    """Take room for a file before it is mapped into memory: a map that the disk cannot hold kills the process.

    Raises:
        OSError: There is no room.
    """
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size_bytes)
