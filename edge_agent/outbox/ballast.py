"""Room on the disk that is kept for the outbox."""

import os
from contextlib import suppress
from pathlib import Path


class Ballast:
    """Room on the disk that is kept for the outbox: on a full disk not even a delete succeeds.

    Half of it may go for events; the other half is for what takes them away again.
    """

    def __init__(self, path: Path | str, size_bytes: int) -> None:
        """Nothing is written before `restore`. A size of 0, or an outbox in memory, has no ballast."""
        self._file = Path(f"{path}.ballast")
        self._size_bytes = size_bytes if str(path) != ":memory:" else 0

    @property
    def held_bytes(self) -> int:
        """What is kept at present."""
        try:
            return self._file.stat().st_blocks * 512
        except OSError:
            return 0

    def release(self, *, wholly: bool) -> bool:
        """Give room back, half of it or all; whether there was any."""
        keep = 0 if wholly else self._size_bytes // 2
        with suppress(OSError):
            if self.held_bytes > keep:
                os.truncate(self._file, keep)
                return True
        return False

    def restore(self) -> None:
        """Take the room again where the disk has twice as much, and lets us."""
        if self.held_bytes >= self._size_bytes:
            return
        with suppress(OSError):
            disk = os.statvfs(self._file.parent)
            if disk.f_bavail * disk.f_frsize < 2 * self._size_bytes:
                return
            fd = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                os.posix_fallocate(fd, 0, self._size_bytes)
            finally:
                os.close(fd)
