"""A folder of pictures as a camera: for pictures that something else puts there, such as a camera's FTP upload."""

import logging
import os
import time
from collections import deque
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from edge_agent.capture.outages import outage
from edge_agent.shelf import CameraError, Frame

log = logging.getLogger(__name__)

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}
SETTLED_S = 0.5
"""A file that was written to within so long may not be complete yet."""
LOOK_S = 1.0
"""An empty folder is looked through no more often than this."""


class Folder:
    """Each picture once, in the order of the names, one per period; then it waits for pictures with later names.

    A picture counts as taken when it is read, so that a folder can be replayed. One whose name comes before that of a
    picture already shown is never read: name them by time, as cameras do. A file that cannot be decoded is reported
    and passed over.
    """

    def __init__(self, camera: str, path: Path, *, period_s: float = 0.2) -> None:
        """Nothing is read before it is asked for."""
        self._camera, self._path, self._period_s = camera, path, period_s
        self._waiting: deque[str] = deque()
        self._last, self._seq = "", 0
        self._due_s = self._look_s = 0.0
        self.problem: CameraError | None = None

    def read(self, timeout_s: float) -> Frame | None:
        """The next picture whose turn has come."""
        until_s = time.monotonic() + timeout_s
        while (frame := self._next()) is None and time.monotonic() < until_s:
            time.sleep(min(0.05, max(0.0, until_s - time.monotonic())))
        return frame

    def close(self) -> None:
        """Nothing is held."""

    def _next(self) -> Frame | None:
        now_s = time.monotonic()
        if now_s < self._due_s:
            return None
        if not self._waiting and now_s >= self._look_s:
            self._look_s = now_s + LOOK_S
            self._look()
        while self._waiting:
            name = self._last = self._waiting.popleft()
            if (image := self._decoded(self._path / name)) is not None:
                on_time = now_s - self._due_s < self._period_s
                self._due_s = (self._due_s if on_time else now_s) + self._period_s
                self.problem, self._seq = None, self._seq + 1
                return Frame(self._camera, self._seq - 1, datetime.now(UTC), now_s, image)
        if self.problem is None and now_s > self._due_s + 2 * LOOK_S:
            self.problem = outage(str(self._path), "timeout", "has no new picture: nothing puts any into this folder")
        return None

    def _look(self) -> None:
        """Find the pictures whose names come later than that of the last one, up to the first that is being written."""
        try:
            with os.scandir(self._path) as entries:
                new = {
                    entry.name: entry.stat().st_mtime
                    for entry in entries
                    if entry.name > self._last and Path(entry.name).suffix.lower() in SUFFIXES
                }
        except OSError:
            self.problem = outage(str(self._path), "not_found", "is a folder that is not there or may not be read")
            return
        for name in sorted(new):
            if abs(time.time() - new[name]) < SETTLED_S:
                break
            self._waiting.append(name)

    def _decoded(self, path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]] | None:
        """The picture (height, width, 3) uint8 BGR; None where it is none."""
        try:
            image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        except (OSError, cv2.error):
            image = None
        if image is None:
            log.warning("picture %s cannot be decoded; it is passed over. Put whole JPEG or PNG files there.", path)
            self.problem = outage(str(self._path), "decode", f"has a file that is no picture, {path.name}")
            return None
        return np.asarray(image, np.uint8)
