"""A folder of pictures as a camera: for pictures that something else puts there, such as a camera's FTP upload.

Runs in a camera's process, as a share on the network may hang.
"""

import errno
import heapq
import os
import stat
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.capture.mjpeg import PICTURE_BYTES
from edge_agent.capture.outages import outage
from edge_agent.capture.output import Output
from edge_agent.capture.still import Decoder
from edge_agent.shelf import CameraError

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}
SETTLED_S = 0.5
"""A file that was written to within so long may not be complete yet."""
LOOK_S = 1.0
"""A folder is looked through no more often than this."""
NAMES = 1000
"""So many names are kept of a look."""
EMPTY_S = 2.0
"""A folder without a new picture for so long, beyond a period, is said to have none."""
SPOILT_AT_ONCE = 20
"""After so many files in a row that are no pictures, a sign of life is given."""


def read(output: Output) -> None:
    """Pass on each picture once, in the order of the names, one per period; then wait for pictures with later names.

    A picture counts as taken when it is read, so that a folder can be replayed. One whose name comes before that of a
    picture already shown is never read: name them by time, as cameras do. What is no picture is reported and passed
    over.
    """
    folder = Folder(output)
    output.explain = lambda: ("timeout", "hangs: the share behind it does not answer")
    output.opened()
    due_s = time.monotonic()
    while True:
        if folder.show_next():
            now_s = time.monotonic()
            due_s = (due_s if now_s - due_s < output.order.period_s else now_s) + output.order.period_s
            time.sleep(max(0.0, due_s - now_s))
        else:
            output.waits(folder.problem(time.monotonic() - due_s))
            time.sleep(LOOK_S / 2)


class Folder:
    """What is read of a folder, and how far."""

    def __init__(self, output: Output) -> None:
        self._output, self._decoder = output, Decoder()
        self._path, self._last = Path(output.order.source), output.order.after
        self._waiting: list[str] = []
        """Names in reverse, the next one last."""
        self._look_s = 0.0
        self._there = True
        self._passed_over: str | None = None
        """What was no picture, since the last one that was."""

    def show_next(self) -> bool:
        """Pass on the next picture; False: there is none at present."""
        if not self._waiting and time.monotonic() >= self._look_s:
            self._look()
        for _ in range(SPOILT_AT_ONCE):
            if not self._waiting:
                break
            try:
                image = self._picture(self._waiting[-1])
            except BlockingIOError:  # those after it wait too, and one before it may come
                self._waiting = []
                break
            self._last = self._waiting.pop()
            self._output.say("read", name=self._last)
            if image is not None:
                self._output.show(image, time.monotonic())
                self._passed_over = None
                return True
        return False

    def problem(self, late_s: float) -> CameraError | None:
        """Why there is no picture, which has been due for `late_s` seconds; None while it is too soon to say."""
        source = self._output.order.source
        if not self._there:
            return outage(source, "not_found", "is not there or may not be read")
        if self._passed_over is not None:
            return outage(source, "decode", f"has a file that is no picture, {self._passed_over!r}")
        if late_s > EMPTY_S:
            return outage(source, "timeout", "has no new picture")
        return None

    def _look(self) -> None:
        """Find the pictures whose names come next after the last one."""
        self._look_s = time.monotonic() + LOOK_S
        try:
            with os.scandir(self._path) as entries:
                names = (entry.name for entry in entries)
                new = heapq.nsmallest(NAMES, (name for name in names if name > self._last and _is_picture(name)))
        except OSError:
            self._there = False
            return
        self._there, self._waiting = True, new[::-1]

    def _picture(self, name: str) -> NDArray[np.uint8] | None:
        """The picture (height, width, 3) uint8 BGR; None where its file has gone again, or is no picture.

        Raises:
            BlockingIOError: It may still be written.
        """
        try:
            image = self._decoder.decoded(_content(self._path / name))
            what = "cannot be decoded, or is damaged"
        except FileNotFoundError:
            return None
        except BlockingIOError:
            raise
        except OSError as error:
            image, what = None, f"cannot be read ({error.strerror})"
        if image is None:
            self._passed_over = name
            words = f"picture {name!r} of {self._path} {what}; it is passed over. Put whole JPEG or PNG files there."
            self._output.say("spoilt", what=words)
        return image


def _content(path: Path) -> bytes:
    """What a file holds, up to the size of a picture.

    Raises:
        BlockingIOError: It may still be written.
        OSError: It cannot be read, or is no file.
    """
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # else a FIFO keeps us
    try:
        about = os.fstat(file)
        if not stat.S_ISREG(about.st_mode):
            raise OSError(errno.EINVAL, "it is no file")
        if abs(time.time() - about.st_mtime) < SETTLED_S:
            raise BlockingIOError
        return os.read(file, min(about.st_size, PICTURE_BYTES))
    finally:
        os.close(file)


def _is_picture(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122 — of a million names, a path each is slow
