"""The files of an outbox as files: who may use them, and where damaged ones go."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from edge_agent.outbox.errors import SpoolInUseError, translated
from edge_agent.shelf import SpoolError

KEPT_DAMAGED = 3
"""Damaged outboxes that are kept for whoever wants to look into them; older ones are deleted."""
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
