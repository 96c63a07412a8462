"""Video files: every frame as fast as it decodes, or at the clip's own pace as if it were a camera."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np

from edge_agent.shelf import CameraError, Frame, InputError


@dataclass(frozen=True, slots=True)
class ClipInfo:
    """What a clip says of itself; `frames` is an estimate."""

    frame_wh: tuple[int, int]
    fps: float
    frames: int


def clip_info(path: Path) -> ClipInfo:
    """Look into a clip.

    Raises:
        InputError: It is not there or is not a video.
    """
    capture = _open_clip(path)
    try:
        return ClipInfo(
            (int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))),
            capture.get(cv2.CAP_PROP_FPS) or 25.0,
            max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT))),
        )
    finally:
        capture.release()


def replay(camera: str, path: Path) -> Iterator[Frame]:
    """Every frame of a clip, as fast as it can be decoded; `clock_s` is the position in the clip.

    Raises:
        InputError: The clip is not there, is not a video, or holds no frame.
    """
    started_at = datetime.now(UTC)
    capture = _open_clip(path)
    fps = capture.get(cv2.CAP_PROP_FPS) or 25.0
    seq, clock_s = 0, 0.0
    try:
        while True:
            good, image = capture.read()
            if not good:
                break
            position_s = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            clock_s = position_s if position_s > clock_s or seq == 0 else clock_s + 1 / fps
            yield Frame(camera, seq, started_at + timedelta(seconds=clock_s), clock_s, np.asarray(image, np.uint8))
            seq += 1
    finally:
        capture.release()
    if seq == 0:
        raise InputError(f"clip {path} holds no picture that can be decoded. Give a video file such as MP4 or MKV.")


def _open_clip(path: Path) -> cv2.VideoCapture:
    if not path.exists():
        raise InputError(f"there is no clip at {path}. Give the path of a video file.")
    if not path.is_file() or not os.access(path, os.R_OK):
        what = "may not be read by this user" if path.is_file() else "is no file"
        raise InputError(f"{path} {what}. Give the path of a video file that can be read.")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise InputError(f"{path} is not a video that can be decoded. Give a video file such as MP4 or MKV.")
    return capture


CATCH_UP_S = 0.2
"""So long a reader may be kept with frames that nobody fetched in time; then the clip plays more slowly."""


class PacedClip:
    """A file that plays at its own pace, as a camera would; it ends with the clip. `clock_s` is the monotonic clock."""

    def __init__(self, camera: str, path: Path) -> None:
        """Open the clip; it begins when it is first read.

        Raises:
            InputError: It is not there or is not a video.
        """
        clip_info(path)
        self._frames = replay(camera, path)
        self._began_s: float | None = None
        self._late_s = 0.0
        self._next: Frame | None = None
        self.problem: CameraError | None = None

    def read(self, timeout_s: float) -> Frame | None:
        """The frame whose time has come; older ones that nobody fetched are left out.

        Where it decodes more slowly than it was filmed, it plays as slowly: a frame of a file is never late.
        """
        now_s = time.monotonic()
        self._began_s = self._began_s if self._began_s is not None else now_s
        until_s, tired_s = now_s + timeout_s, now_s + timeout_s + CATCH_UP_S
        due: Frame | None = None
        while True:
            self._next = self._next or self._decoded(self._began_s)
            if self._next is None:
                if due is None:
                    raise EOFError
                return due
            now_s = time.monotonic()
            if self._next.clock_s <= now_s:
                due, self._next = self._next, None
                if now_s >= tired_s:
                    behind_s = now_s - due.clock_s
                    self._late_s += behind_s
                    return replace(due, clock_s=now_s, captured_at=due.captured_at + timedelta(seconds=behind_s))
            elif due is not None or now_s >= until_s:
                return due
            else:
                time.sleep(min(self._next.clock_s, until_s) - now_s)

    def _decoded(self, began_s: float) -> Frame | None:
        """The next frame with its time on the clock; None at the end."""
        frame = next(self._frames, None)
        if frame is None:
            return None
        return replace(
            frame,
            clock_s=began_s + self._late_s + frame.clock_s,
            captured_at=frame.captured_at + timedelta(seconds=self._late_s),
        )

    def close(self) -> None:
        """Close the file."""
        self._frames.close()  # type: ignore[attr-defined]
