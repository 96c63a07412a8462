"""Cameras → frames: USB, RTSP, HTTP, file. Live, the newest frame wins; replayed, every frame comes.

A camera is never trusted to be open: one that gives no new frame for `SILENT_S` is closed and opened again, with a
back-off that grows and is spread at random. Addresses lose their passwords before anybody sees them.
"""

import logging
import os
import random
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # our own errors say it in words
os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**26))

import cv2
import numpy as np

from edge_agent.shelf import CameraError, Frame, InputError

log = logging.getLogger(__name__)

OPEN_TIMEOUT_S, READ_TIMEOUT_S = 10.0, 3.0
SILENT_S = 5.0
BACK_OFF_S = (1.0, 30.0)
STREAM_SCHEMES = ("rtsp", "rtsps", "http", "https")


class FrameSource(Protocol):
    """Where the loop takes its frames from."""

    def read(self, timeout_s: float) -> Frame | None:
        """The newest frame that has not been read yet; None where none came in time.

        Raises:
            EOFError: There will be no more frames.
        """

    @property
    def problem(self) -> CameraError | None:
        """Why there is no picture at present."""

    def close(self) -> None:
        """Let the camera go."""


def redacted(source: str) -> str:
    """An address without user name, password and the values of its parameters, fit for logs and messages.

    It hides too much rather than too little: a password may hold any character, an `@` or `/` too.
    """
    scheme, mark, rest = source.partition("://")
    if not mark:
        return source
    shown = "***@" + rest.rpartition("@")[2] if "@" in rest else rest
    return scheme + mark + re.sub(r"=[^&]*", "=***", shown)


def is_stream(source: str) -> bool:
    """Whether a source is an address rather than a file or a device."""
    scheme, mark, _ = source.partition("://")
    return bool(mark) and scheme.lower() in STREAM_SCHEMES


def is_device(source: str) -> bool:
    """Whether a source is a local camera: a number, or a device node."""
    return source.isdigit() or source.startswith("/dev/")


def open_source(camera: str, source: str) -> FrameSource:
    """A live source for a camera: USB, RTSP and HTTP by newest frame, a file at its own pace.

    Raises:
        InputError: The file is not there or is not a video.
    """
    if is_stream(source) or is_device(source):
        return LiveSource(camera, source)
    return PacedClip(camera, Path(source))


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


class PacedClip:
    """A file that plays at its own pace, as a camera would; it ends with the clip. `clock_s` is the monotonic clock."""

    def __init__(self, camera: str, path: Path) -> None:
        """Open the clip.

        Raises:
            InputError: It is not there or is not a video.
        """
        clip_info(path)
        self._frames = replay(camera, path)
        self._began_s = time.monotonic()
        self._next: Frame | None = None
        self.problem: CameraError | None = None

    def read(self, timeout_s: float) -> Frame | None:
        """The frame whose time has come; older ones that nobody fetched are left out, as far as the time allows."""
        until = time.monotonic() + timeout_s
        due: Frame | None = None
        while True:
            if self._next is None:
                frame = next(self._frames, None)
                if frame is None and due is None:
                    raise EOFError
                if frame is None:
                    return due
                self._next = replace(frame, clock_s=self._began_s + frame.clock_s)
            now_s = time.monotonic()
            if self._next.clock_s <= now_s:
                due, self._next = self._next, None
            if now_s >= until or (due is not None and self._next is not None):
                return due
            if self._next is not None:
                time.sleep(min(self._next.clock_s, until) - now_s)

    def close(self) -> None:
        """Close the file."""
        self._frames.close()  # type: ignore[attr-defined]


class LiveSource:
    """A camera read in a thread of its own: a slow reader gets the newest frame, never an old one."""

    def __init__(self, camera: str, source: str) -> None:
        """Begin to open the camera; `read` tells when there are frames."""
        self._camera, self._source = camera, source
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
