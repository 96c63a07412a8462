"""A line beside the outbox's file that bears witness to what must be in it."""

import os
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edge_agent.outbox.errors import SpoolDamagedError, translated
from edge_agent.outbox.files import sync_folder
from edge_agent.outbox.tables import Head, head_of

_MARK_BYTES = 128


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
