"""What the loop takes its frames from, and which kind of source an address or a path stands for."""

from pathlib import Path
from typing import Protocol

from edge_agent.capture.address import STREAM_SCHEMES, is_device, is_stream, redacted
from edge_agent.capture.clips import PacedClip
from edge_agent.capture.folder import Folder
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
    """A source for a camera: USB, RTSP and HTTP by newest frame, a file at its own pace, a folder picture by picture.

    Args:
        camera: Its id.
        source: Its address, device or path.
        period_s: How often a frame is wanted, in seconds.
        key_frames: Whether the key frames of a stream are enough.

    Raises:
        InputError: The file is not there or is not a video, or the address is of no known kind.
    """
    if is_stream(source) or is_device(source):
        return LiveSource(camera, source, period_s=period_s, key_frames=key_frames)
    if "://" in source:
        known = ", ".join(STREAM_SCHEMES)
        raise InputError(f"camera {camera} has the address {redacted(source)}, whose kind is none of {known}. Use one.")
    path = Path(source)
    return Folder(camera, path, period_s=period_s) if path.is_dir() else PacedClip(camera, path)
