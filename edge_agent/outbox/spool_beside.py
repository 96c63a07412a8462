"""What lies beside the outbox's file: its lock, the mark that bears witness, the ballast, and what was damaged."""

import fcntl
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from edge_agent.outbox.spool_file import Head, SpoolDamagedError, SpoolInUseError, head_of, translated
from edge_agent.shelf import SpoolError

KEPT_DAMAGED = 3
"""Damaged outboxes that are kept for whoever wants to look into them; older ones are deleted."""
_MARK_BYTES = 128
_DAMAGED = ".damaged-"


def lock(path: Path | str) -> int:
    """Lock an outbox: a descriptor, to be closed with it.

    The database has locks of its own, but they go with it when it is moved aside. Reading is enough to lock: the file
    may belong to whoever ran `shelf-agent check` first.

    Raises:
        SpoolInUseError: Another process has it.
        SpoolError: Its folder cannot be used.
    """
    with translated(path, "opened"):
        fd = os.open(f"{path}.lock", os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(fd)
            raise SpoolInUseError(
                f"another shelf-agent uses the outbox {path}: stop it (systemctl stop shelf-agent),"
                " or name another path under [outbox]."
            ) from error
        return fd


@contextmanager
def locked(path: Path | str) -> Iterator[None]:
    """Hold the lock for a while.

    Raises:
        SpoolError: As `lock` does.
    """
    fd = lock(path)
    try:
        yield
    finally:
        os.close(fd)


@dataclass(frozen=True, slots=True)
class Witness:
    """What the mark says: the head as of the last commit, and how many events were in memory only at that time."""

    head: Head
    held: int


def hold_against(path: Path | str, head: Head, witness: Witness | None) -> None:
    """Hold what a database says that it has numbered against its mark.

    Raises:
        SpoolDamagedError: Something that was committed is not there, or may not be.
    """
    said = witness.head.last if witness is not None else 0
    if not (head.last or said):
        return  # nothing was numbered that could be missing
    if witness is None:
        raise SpoolDamagedError(path, "its mark is not there")
    if head.epoch != witness.head.epoch:
        raise SpoolDamagedError(path, "its mark is another outbox's")
    if head.last < said:
        raise SpoolDamagedError(path, f"the last {said - head.last} events that were committed are not there")


class Mark:
    """A line beside the database that is written over after each commit, and says what it must hold.

    SQLite ends a write-ahead log at the first frame that is wrong, and takes what comes before for everything: commits
    that are gone go unnoticed, and their numbers would be given twice. The line is not synced. After a kill it is
    exact; after a power cut it may be behind the database, but never ahead, because that was synced first.
    """

    def __init__(self, path: Path | str, fd: int) -> None:
        """Write over the file of this descriptor, which this object closes."""
        self._path, self._fd = path, fd

    @classmethod
    def begin(cls, path: Path | str, witness: Witness) -> "Mark":
        """Make the mark of an outbox anew, on the disk before this returns.

        Raises:
            SpoolError: The disk does not take it.
        """
        with translated(path, "opened"):
            new = f"{path}.mark.new"
            with suppress(FileNotFoundError):
                os.unlink(new)  # noqa: PTH108 (whoever made it, it is in our folder)
            fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            mark = cls(path, fd)
            try:
                os.pwrite(fd, _line(witness), 0)
                os.fsync(fd)
                os.replace(new, f"{path}.mark")  # noqa: PTH105
                sync_folder(Path(path).parent)
            except BaseException:
                mark.close()
                raise
            return mark

    @staticmethod
    def read(path: Path | str) -> Witness | None:
        """The mark beside a database, None where there is none.

        Raises:
            SpoolDamagedError: It is not what was written.
            SpoolError: It cannot be read.
        """
        with translated(path, "read"):
            try:
                line = Path(f"{path}.mark").read_bytes()
            except FileNotFoundError:
                return None
        head, _, held = line.decode(errors="replace").rpartition(" ")[0].rstrip().rpartition(" ")
        try:
            witness = Witness(head_of(head), int(held))
        except ValueError:
            witness = None
        if witness is None or _line(witness) != line:
            raise SpoolDamagedError(path, "its mark is not what was written")
        return witness

    def write(self, witness: Witness) -> None:
        """Say what has been committed. Where the disk takes no more the mark stays behind, which does no harm."""
        with suppress(OSError):
            os.pwrite(self._fd, _line(witness), 0)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)


def _line(witness: Witness) -> bytes:
    text = f"{witness.head.text} {witness.held}".ljust(_MARK_BYTES - 10)
    return f"{text} {zlib.crc32(text.encode()):08x}\n".encode()


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


def aside_of(path: Path, now: datetime) -> Path:
    """The name under which a damaged database is kept: it tells when, and is not taken yet."""
    aside = path.with_name(f"{path.name}{_DAMAGED}{now:%Y%m%dT%H%M%SZ}")
    n = 1
    while any(Path(f"{aside}{suffix}").exists() for suffix in ("", "-wal")):
        n += 1
        aside = path.with_name(f"{path.name}{_DAMAGED}{now:%Y%m%dT%H%M%SZ}-{n}")
    return aside


def move_aside(path: Path, aside: Path) -> None:
    """Give a database, with what belongs to it, another name. Where it can, the database keeps its own one, too.

    So there is one at any time, should the power be cut before the new one takes that name.

    Raises:
        OSError: The disk does not let us.
    """
    with suppress(OSError):  # there are file systems without links, and the database may be what is missing
        os.link(path, aside)
    for suffix in ("-wal", "-shm") if aside.exists() else ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            os.replace(f"{path}{suffix}", f"{aside}{suffix}")  # noqa: PTH105


def forget_oldest(path: Path) -> None:
    """Delete all damaged outboxes but the `KEPT_DAMAGED` that were last written; whatever cannot be deleted stays."""
    with suppress(OSError):
        found = [
            file for file in path.parent.glob(f"{path.name}{_DAMAGED}*") if not file.name.endswith(("-wal", "-shm"))
        ]
        found.sort(key=lambda file: file.stat().st_ctime_ns)  # not by name: the clock may have been wrong
        for file in found[:-KEPT_DAMAGED]:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{file}{suffix}").unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk.

    Raises:
        OSError: The disk fails.
    """
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def operator_must_act(path: Path, error: SpoolError) -> bool:
    """Whether an outbox that cannot be opened is an operator's affair, and not the disk's, which may pass."""
    if isinstance(error, SpoolInUseError) or not path.parent.is_dir():
        return True
    if os.statvfs(path.parent).f_flag & os.ST_RDONLY:
        return False
    files = [path] if path.exists() else []
    return not all(os.access(file, os.W_OK) for file in [path.parent, *files])
