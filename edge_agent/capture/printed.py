"""What the libraries of a camera's process print: only there is said why a stream fails, or that a picture is torn."""

import ctypes
import os
from collections.abc import Iterator

UNBUFFERED = 2
"""_IONBF of stdio.h."""


class Printed:
    """What FFmpeg (by way of OpenCV, to standard output) and libjpeg (to standard error) write from now on."""

    def __init__(self) -> None:
        libc = ctypes.CDLL(None)
        libc.setvbuf(ctypes.c_void_p.in_dll(libc, "stdout"), None, UNBUFFERED, 0)
        self._end, write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)  # if nobody reads, a library must not wait
        os.dup2(write_end, 1)
        os.dup2(write_end, 2)
        os.close(write_end)

    def new(self) -> Iterator[str]:
        """The lines since the last time. They may hold addresses: they are judged, never shown."""
        try:
            while said := os.read(self._end, 2**16):
                yield from said.decode(errors="replace").splitlines()
        except BlockingIOError:
            return
