"""Live cameras: USB, RTSP and HTTP by newest frame.

A camera is never trusted to be open: one that gives no new frame for `SILENT_S` is closed and opened again, with a
back-off that grows and is spread at random.
"""

import logging
import random
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2

from edge_agent.capture.address import is_device, redacted
from edge_agent.shelf import CameraError, Frame

log = logging.getLogger(__name__)

OPEN_TIMEOUT_S, READ_TIMEOUT_S = 10.0, 3.0
SILENT_S = 5.0
BACK_OFF_S = (1.0, 30.0)


class LiveSource:
    """A camera read in a thread of its own: a slow reader gets the newest frame, never an old one."""

    def __init__(self, camera: str, source: str, *, period_s: float = 0.2, key_frames: bool = False) -> None:
        """Begin to open the camera; `read` tells when there are frames."""
        self._camera, self._source = camera, source
        self._period_s, self._key_frames = period_s, key_frames
        self.problem: CameraError | None = None
        self.replaced = 0
        self._newest: Frame | None = None
        self._fresh = threading.Condition()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"capture-{camera}", daemon=True)
        self._thread.start()

    def read(self, timeout_s: float) -> Frame | None:
        """The newest frame that has not been read yet."""
        with self._fresh:
            if self._newest is None:
                self._fresh.wait(timeout_s)
            frame, self._newest = self._newest, None
            return frame

    def close(self) -> None:
        """Let the camera go."""
        self._stopping.set()
        self._thread.join(timeout=OPEN_TIMEOUT_S + READ_TIMEOUT_S)

    def _run(self) -> None:
        pause_s, seq = BACK_OFF_S[0], 0
        while not self._stopping.is_set():
            before = seq
            try:
                seq = self._read_until_silent(seq)
            except CameraError as error:
                self.problem = error
            if seq > before:
                pause_s = BACK_OFF_S[0]
            if self._stopping.wait(random.uniform(0, pause_s)):
                return
            pause_s = min(BACK_OFF_S[1], pause_s * 2)

    def _read_until_silent(self, seq: int) -> int:
        """Frames of one opening, to its end. Returns the number of the next frame."""
        capture = open_camera(self._source)
        silent_since_s = time.monotonic()
        try:
            while not self._stopping.is_set():
                good, image = capture.read()
                now_s = time.monotonic()
                if good and image is not None:
                    silent_since_s, self.problem = now_s, None
                    frame = Frame(self._camera, seq, datetime.now(UTC), now_s, image)
                    seq += 1
                    with self._fresh:
                        self.replaced += self._newest is not None
                        self._newest = frame
                        self._fresh.notify()
                elif now_s - silent_since_s > SILENT_S or not capture.isOpened():
                    break
                else:
                    self._stopping.wait(0.05)
        except cv2.error as error:
            self.problem = CameraError(
                f"camera {redacted(self._source)} sends what cannot be decoded ({error.err or error});"
                " opening it again",
                reason="decode",
            )
            return seq
        finally:
            capture.release()
        if not self._stopping.is_set():
            self.problem = CameraError(
                f"camera {redacted(self._source)} stopped giving pictures; opening it again", reason="timeout"
            )
        return seq


def open_camera(source: str) -> Any:
    """Open a USB camera or a stream with explicit time-outs.

    Raises:
        CameraError: It does not open, with the reason as far as it can be told.
    """
    began_s = time.monotonic()
    if is_device(source):
        target = int(source) if source.isdigit() else source
        node = Path(f"/dev/video{source}" if source.isdigit() else source)
        if not node.exists():
            raise CameraError(
                f"there is no camera at {node}. Plug it in, or name another under [[cameras]]"
                " (ls /dev/v4l/by-id lists the stable names).",
                reason="not_found",
            )
        capture = cv2.VideoCapture(target, cv2.CAP_V4L2)
    else:
        timeouts = [
            *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, int(OPEN_TIMEOUT_S * 1000)),
            *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, int(READ_TIMEOUT_S * 1000)),
        ]
        capture = cv2.VideoCapture(source, cv2.CAP_FFMPEG, timeouts)
    if capture.isOpened():
        return capture
    silent = time.monotonic() - began_s >= OPEN_TIMEOUT_S - 1
    raise CameraError(
        f"camera {redacted(source)} does not open"
        + (f" within {OPEN_TIMEOUT_S:.0f} s" if silent else "")
        + ". Check its address, user name and password, and that no other program holds it.",
        reason="timeout" if silent else "not_found",
    )
