"""Hold one thread of a running process inside a library, from outside: ptrace(2). All its other threads go on.

That is what a network that hangs in its driver looks like: the process lives, and never ends its step.
"""

import contextlib
import ctypes
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SEIZE, INTERRUPT, CONT, DETACH = 0x4206, 0x4207, 7, 17
WALL = 0x40000000
"""waitpid's flag for threads."""
_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


def _ptrace(request: int, thread: int) -> None:
    if _libc.ptrace(request, thread, None, None) == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"ptrace of {thread}: {os.strerror(number)}")


@dataclass(frozen=True, slots=True)
class Held:
    """A thread that stands still."""

    thread: int

    def gone(self) -> bool:
        """Whether it was killed; asking lets it be buried, for which the kernel waits."""
        try:
            return os.waitpid(self.thread, WALL | os.WNOHANG)[0] == self.thread
        except ChildProcessError:
            return True


@contextmanager
def held_in(library: str, thread: int, *, timeout_s: float = 60) -> Iterator[Held]:
    """Stop a thread at a moment at which it executes code of `library` (a part of its path), until the end.

    Raises:
        AssertionError: It was never met there.
    """
    _ptrace(SEIZE, thread)
    try:
        _meet(library, thread, time.monotonic() + timeout_s)
        yield Held(thread)
    finally:
        with contextlib.suppress(OSError):  # it is gone, as it should be
            _ptrace(DETACH, thread)


def _meet(library: str, thread: int, until_s: float) -> None:
    code = _code_of(library, thread)
    while True:
        _ptrace(INTERRUPT, thread)
        os.waitpid(thread, WALL)
        counter = int(Path(f"/proc/{thread}/syscall").read_text().split()[-1], 16)
        if any(counter in place for place in code):
            return
        if time.monotonic() > until_s:
            raise AssertionError(f"thread {thread} was never met in {library}")
        _ptrace(CONT, thread)
        time.sleep(0.0005)


def _code_of(library: str, thread: int) -> list[range]:
    """Where a library's code lies in memory."""
    found = []
    for line in Path(f"/proc/{thread}/maps").read_text().splitlines():
        addresses, rights, *_, path = line.split()
        if "x" in rights and library in path:
            first, last = (int(text, 16) for text in addresses.split("-"))
            found.append(range(first, last))
    return found
