"""A disk that may fail: an ext4 file system in a file, to which everything can be done that must not be to a real one.

It takes root and loop devices. It works below a folder that its maker names, and nowhere else.
"""

import fcntl
import os
import shutil
import struct
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

SHUTDOWN = 0x8004587D
"""EXT4_IOC_SHUTDOWN: from now on nothing reaches the disk, as if the plug had been pulled."""
NO_LOG_FLUSH = 2
GONE_S = 10.0
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def why_not() -> str | None:
    """What stands in the way of a disk, in words; None where there is nothing."""
    if os.geteuid() != 0:
        return "loop devices take root"
    for program in ("mkfs.ext4", "e2fsck", "mount", "umount", "losetup"):
        if shutil.which(program, path=PATH) is None:
            return f"{program} is missing: apt-get install e2fsprogs mount"
    if not Path("/dev/loop-control").exists():
        return "there are no loop devices here"
    return None


class LoopDisk:
    """An ext4 file system of its own, mounted at `folder`; a context that leaves nothing behind."""

    def __init__(self, scratch: Path, *, size_mb: int) -> None:
        """Prepare; `scratch` is an empty folder that is only for this."""
        if any(scratch.iterdir()):
            raise ValueError(f"{scratch} is not empty: name a folder that is for nothing else")
        self.folder, self._image, self._size_mb = scratch / "disk", scratch / "disk.img", size_mb
        self._device = ""

    def __enter__(self) -> Self:
        """Make and mount it.

        Where others make mount namespaces meanwhile, such as containers, these get a copy of it, which would keep it
        alive when it is unmounted. So it lies below a mount that shares what happens to it.
        """
        _run("mount", "--bind", str(self.folder.parent), str(self.folder.parent))
        _run("mount", "--make-shared", str(self.folder.parent))
        self.folder.mkdir()
        with self._image.open("wb") as image:
            image.truncate(self._size_mb * 2**20)
        _run("mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(self._image))
        self._device = _run("losetup", "--find", "--show", str(self._image))
        self.mount()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Unmount it, let the loop device go, and delete the file."""
        with suppress(AssertionError):
            self.unmount()
        if self.mounted:
            _run("umount", "--lazy", str(self.folder))
        _run("losetup", "--detach", self._device)
        self._image.unlink()
        self.folder.rmdir()
        _run("umount", "--lazy", str(self.folder.parent))

    @property
    def mounted(self) -> bool:
        """Whether it is mounted."""
        return self.folder.is_mount()

    def mount(self, options: str = "rw,errors=remount-ro") -> None:
        """Mount it: what the journal holds is done first."""
        _run("mount", "-o", options, self._device, str(self.folder))

    def remount(self, options: str) -> None:
        """Change how it is mounted."""
        _run("mount", "-o", f"remount,{options}", str(self.folder))

    def unmount(self) -> None:
        """Unmount it, which succeeds only when nobody has a file open."""
        _run("umount", str(self.folder))
        until_s = time.monotonic() + GONE_S
        while Path(f"/sys/fs/ext4/{Path(self._device).name}").exists():
            if time.monotonic() > until_s:
                raise AssertionError(f"{self._device} is unmounted, but something keeps it alive for {GONE_S:.0f} s")
            time.sleep(0.01)

    def mend(self) -> None:
        """Have its errors forgotten, as an operator would: unmount, check, mount."""
        self.unmount()
        _run("e2fsck", "-f", "-y", self._device, fine=(0, 1))
        self.mount()

    def pull_the_plug(self) -> None:
        """Nothing reaches the disk from now on."""
        fd = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(fd)

    def fail(self) -> None:
        """Have the kernel find an error, upon which it mounts the disk read-only with all that is open."""
        Path(f"/sys/fs/ext4/{Path(self._device).name}/trigger_fs_error").write_text("found by a test")

    def fill(self) -> Path:
        """Leave no room at all. Returns the file to delete."""
        filler = self.folder / "filler"
        with filler.open("wb", buffering=0) as file:
            for size in (2**20, 4096, 1):
                with suppress(OSError):
                    while True:
                        file.write(bytes(size))
            with suppress(OSError):
                os.fsync(file.fileno())
        return filler


def _run(program: str, *arguments: str, fine: tuple[int, ...] = (0,)) -> str:
    done = subprocess.run(  # noqa: S603 (ours)
        [shutil.which(program, path=PATH) or program, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode not in fine:
        raise AssertionError(
            f"{program} {' '.join(arguments)} ended with {done.returncode}: {done.stdout}{done.stderr}"
        )
    return done.stdout.strip()
