"""What the disk or the database says, as errors of ours: full, damaged, unreadable, in use."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_agent.shelf import SpoolError

_DISK = {sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY}
_DISK |= {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH}
"""Primary result codes that tell of the disk, or of who may use it, rather than of what stands in the file."""
_TWICE = {sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID}
_TORN = sqlite3.SQLITE_IOERR_SHORT_READ
_REMEDY = "Check that its folder exists, is writable and has space."


class SpoolInUseError(SpoolError):
    """Another process has the outbox open."""


class DiskFullError(SpoolError):
    """The disk has no room for what the outbox is to store."""


class SpoolDamagedError(SpoolError):
    """The file is not what was written. `why` says what is wrong with it, in a clause."""

    def __init__(self, path: Path | str, why: str) -> None:
        self.why = why
        super().__init__(
            f"the outbox {path} is damaged ({why}). The agent moves it aside when it starts, and saves what it can."
        )


class SpoolUnreadableError(SpoolDamagedError):
    """The disk cannot read the file, or part of it: the whole disk is away, or a sector of it is gone for ever."""


@contextmanager
def translated(path: Path | str, verb: str, *, opening: bool = False) -> Iterator[None]:
    """Raise what the disk or the database says as an error of ours; while opening, more passes for damage.

    Raises:
        SpoolDamagedError: The file is not what was written, or cannot be read.
        DiskFullError: The disk is full.
        SpoolError: Anything else that SQLite or the disk says.
        sqlite3.Error: SQLite was not asked as it should be, or after its end: that tells nothing of the file.
    """
    try:
        yield
    except (sqlite3.ProgrammingError, sqlite3.InterfaceError):
        raise
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)  # without a code: text that is no text
        if code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or code in _TWICE or code == _TORN:
            raise SpoolDamagedError(path, str(error)) from error
        if code in (sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_CORRUPTFS):
            raise SpoolUnreadableError(path, str(error)) from error
        if opening and code & 0xFF not in _DISK:
            raise SpoolDamagedError(path, str(error)) from error
        kind = DiskFullError if code & 0xFF == sqlite3.SQLITE_FULL else SpoolError
        raise kind(f"the outbox {path} cannot be {verb} ({error}). {_REMEDY}") from error
    except OSError as error:
        kind = DiskFullError if error.errno in {errno.ENOSPC, errno.EDQUOT} else SpoolError
        raise kind(f"the outbox {path} cannot be {verb} ({error}). {_REMEDY}") from error
