"""Addresses of cameras: what kind they are of, and how they are shown without their passwords."""

import re
from pathlib import Path

STREAM_SCHEMES = ("rtsp", "rtsps", "http", "https")


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


def is_web(source: str) -> bool:
    """Whether a source is an address of HTTP, under which pictures, MJPEG or video may be."""
    scheme, mark, _ = source.partition("://")
    return bool(mark) and scheme.lower() in {"http", "https"}


def is_device(source: str) -> bool:
    """Whether a source is a local camera: a number, or a device node."""
    return source.isdigit() or source.startswith("/dev/")


def node_of(device: str) -> Path:
    """The device node of a local camera that is named by its number or by a path."""
    return Path(f"/dev/video{device}" if device.isdigit() else device)
