"""The outbox's file: its tables, the checksums in them, and what makes a file whole.

Every row and every value carries a CRC-32 of all that it says. The value `head` says what has been numbered and how
much waits, in the same transaction as the rows themselves: a row that vanished is as visible as one that was altered.
"""

import json
import sqlite3
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_agent.outbox.errors import SpoolDamagedError
from edge_agent.sqlite import transaction

VERSION = 2
"""Of the tables, in the file's `user_version`; 0 is the one without checksums."""
_TABLES = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL, crc INTEGER NOT NULL)",
    """CREATE TABLE event (seq INTEGER PRIMARY KEY, epoch TEXT NOT NULL, at_s REAL NOT NULL,
    topic TEXT NOT NULL, body TEXT NOT NULL, bytes INTEGER NOT NULL, crc INTEGER NOT NULL)""",
)
COLUMNS = "seq, epoch, at_s, topic, body, bytes, crc"
INSERT = f"INSERT INTO event ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 (names of ours)

Record = tuple[int, str, float, str, str, int, int]
"""A row of `event`, as `COLUMNS` names it."""


@dataclass(frozen=True, slots=True)
class Head:
    """What an outbox has numbered: the epoch's events are those beyond `base` and up to `last`; `depth` events wait.

    The numbers go on where those of an earlier, damaged file ended. So they grow through the whole file, and what is
    still on its way from before is not mistaken for what is new.
    """

    epoch: str
    base: int
    last: int
    depth: int

    @property
    def text(self) -> str:
        """As it stands in the file."""
        return f"{self.epoch} {self.base} {self.last} {self.depth}"


@dataclass(frozen=True, slots=True)
class Contents:
    """A whole file: its head, the bytes of the bodies that wait, and the latest instant of the outbox's clock in it."""

    head: Head
    size_bytes: int
    clock_s: float


def head_of(text: str) -> Head:
    """The head from its text.

    Raises:
        ValueError: It is none.
    """
    epoch, base, last, depth = text.split(" ")
    return Head(epoch, int(base), int(last), int(depth))


def record(seq: int, epoch: str, at_s: float, topic: str, body: str) -> Record:
    """A row with its size and checksum."""
    return (seq, epoch, at_s, topic, body, len(body), _crc(seq, epoch, at_s, topic, body))


def is_whole(row: Record) -> bool:
    """Whether a row says what was written."""
    return row[6] == _crc(*row[:5]) and row[5] == len(row[4])


def _crc(*values: Any) -> int:
    return zlib.crc32("\n".join(map(str, values)).encode(errors="surrogatepass"))


def connect(path: Path | str) -> sqlite3.Connection:
    """A connection that has the file for itself, with a write-ahead log; every commit is on the disk when it returns.

    Nobody else has it open, so the log's index needs no shared file, which a failing disk could pull away under us.
    """
    db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=1.0)
    try:
        db.execute("PRAGMA locking_mode=EXCLUSIVE")
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
    except BaseException:
        db.close()
        raise
    return db


def secure(db: sqlite3.Connection) -> None:
    """Write what is found in the log into the database, and sync that.

    After a sync that failed, the kernel holds for written what is in its memory only: the log can be read, the next
    sync succeeds, and a power cut takes it all.

    Raises:
        sqlite3.Error: The disk does not take it.
    """
    try:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_FULL:  # from a full disk one must be able to read and delete
            raise


def create(db: sqlite3.Connection, head: Head) -> None:
    """Make the tables, within a transaction."""
    for statement in _TABLES:
        db.execute(statement)
    db.execute(f"PRAGMA user_version={VERSION}")
    remember(db, "head", head.text)


def remember(db: sqlite3.Connection, key: str, value: str) -> None:
    """Keep a value under a name, within a transaction."""
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", (key, value, _crc(key, value)))


def recall(db: sqlite3.Connection, key: str) -> str | None:
    """The value that is kept under a name; None where there is none."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return str(row[0]) if row else None


def kept(db: sqlite3.Connection) -> dict[str, str]:
    """The values in a damaged file that are what was written, as far as it can be read."""
    try:
        found = db.execute("SELECT key, value, crc FROM meta").fetchall()
    except sqlite3.Error:
        return {}
    return {key: value for key, value, crc in found if crc == _crc(key, value)}


def check(db: sqlite3.Connection, path: Path | str) -> Contents:
    """Look at everything in a file.

    Raises:
        SpoolDamagedError: Something in it is not what was written, or is not there any more.
        sqlite3.Error: The same, as SQLite sees it.
    """
    _check_pages(db, path)
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version != VERSION:
        raise SpoolDamagedError(path, f"its tables are of version {version}, not {VERSION}")
    values = {}
    for key, value, crc in db.execute("SELECT key, value, crc FROM meta"):
        if crc != _crc(key, value):
            raise SpoolDamagedError(path, f'the checksum of its value "{key}" is wrong')
        values[key] = value
    if "head" not in values:
        raise SpoolDamagedError(path, "what it has numbered is not there")
    head, depth, size_bytes = head_of(values["head"]), 0, 0
    clock_s = float(values.get("clock_s", 0.0))
    for row in db.execute(f"SELECT {COLUMNS} FROM event"):  # noqa: S608 (names of ours)
        if not is_whole(row):
            raise SpoolDamagedError(path, f"the checksum of event {row[0]} is wrong")
        depth, size_bytes, clock_s = depth + 1, size_bytes + row[5], max(clock_s, row[2])
    if depth != head.depth:
        raise SpoolDamagedError(path, f"{head.depth} events waited in it, and {depth} are there")
    return Contents(head, size_bytes, clock_s)


def _check_pages(db: sqlite3.Connection, path: Path | str) -> None:
    told = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if told != "ok":
        raise SpoolDamagedError(path, " ".join(str(told).split()))


def adopt(db: sqlite3.Connection, path: Path | str) -> bool:
    """Bring a file of the version without checksums into today's tables, in one transaction; others stay as they are.

    Returns:
        Whether it was such a file.

    Raises:
        SpoolDamagedError: It is damaged, or holds something else than an outbox.
        sqlite3.Error: The same, as SQLite sees it.
    """
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not {"meta", "event"} <= tables:
        raise SpoolDamagedError(path, "it is not an outbox")
    if db.execute("PRAGMA user_version").fetchone()[0] != 0:
        return False
    _check_pages(db, path)
    with transaction(db):
        _bring_over(db)
    return True


def _bring_over(db: sqlite3.Connection) -> None:
    sequence = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'event'").fetchone()
    last, depth = db.execute("SELECT coalesce(max(seq), 0), count(*) FROM event").fetchone()
    kept = dict(db.execute("SELECT key, value FROM meta"))
    db.execute("ALTER TABLE meta RENAME TO meta_before")
    db.execute("ALTER TABLE event RENAME TO event_before")
    epoch = str(kept.pop("epoch"))
    create(db, Head(epoch, 0, max(last, sequence[0] if sequence else 0), depth))
    for key, value in kept.items():
        remember(db, key, value)
    for seq, topic, body in db.execute("SELECT seq, topic, body FROM event_before ORDER BY seq"):
        json.loads(body)  # without a checksum this is all that can be asked of it
        db.execute(INSERT, record(seq, epoch, 0.0, topic, body))
    db.execute("DROP TABLE meta_before")
    db.execute("DROP TABLE event_before")


def rescued(db: sqlite3.Connection) -> Iterator[Record]:
    """What can still be read of a damaged file and is what was written: from the front, then from the back.

    Between the two lies what is gone, so the rows do not come in order.
    """
    reached = 0
    try:
        for row in db.execute(f"SELECT {COLUMNS} FROM event ORDER BY seq"):  # noqa: S608 (names of ours)
            if is_whole(row):
                reached = row[0]
                yield row
    except sqlite3.Error:
        try:
            for row in db.execute(f"SELECT {COLUMNS} FROM event ORDER BY seq DESC"):  # noqa: S608 (names of ours)
                if row[0] <= reached:
                    return
                if is_whole(row):
                    yield row
        except sqlite3.Error:
            return
