"""What the loop takes its frames from, and which kind of source an address or a path stands for."""

from pathlib import Path
from typing import Protocol

from edge_agent.capture.address import STREAM_SCHEMES, is_device, is_stream, redacted
from edge_agent.capture.clips import PacedClip
from edge_agent.capture.live import LiveSource
from edge_agent.shelf import CameraError, Frame, InputError


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


def open_source(camera: str, source: str, *, period_s: float = 0.2, key_frames: bool = False) -> FrameSource:
    """A source for a camera: a file at its own pace, all others by their newest frame.

    Args:
        camera: Its id.
        source: Its address, device or path.
        period_s: How often a frame is wanted, in seconds.
        key_frames: Whether the key frames of a stream are enough.

    Raises:
        InputError: The file is not there or is not a video, or the address is of no known kind.
    """
    path = Path(source)
    if is_stream(source) or is_device(source) or path.is_dir():
        return LiveSource(camera, source, period_s=period_s, key_frames=key_frames)
    if "://" in source:
        known = ", ".join(STREAM_SCHEMES)
        raise InputError(f"camera {camera} has the address {redacted(source)}, whose kind is none of {known}. Use one.")
    return PacedClip(camera, path)
