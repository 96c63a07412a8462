"""The file of the history: its tables, how rows get into it, and how it stays bounded. One connection writes."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edge_agent.sqlite import transaction

VERSION = 1
FULL_SHARE = 0.75
"""Of `max_mb` the rows may take so much; the log of SQLite and pages that are half empty take the rest."""
PRUNED_SHARE = 0.1
"""So much of the rows, the oldest, goes at once where there is no room."""
MOST_AT_ONCE = 0.5
"""Where more than this share of the rows is too old at once, the clock is suspected before they are deleted."""

_TABLES = """
CREATE TABLE run (id INTEGER PRIMARY KEY, began INTEGER NOT NULL, alive INTEGER NOT NULL, ended INTEGER);
CREATE TABLE series (
    id INTEGER PRIMARY KEY, shelf TEXT NOT NULL, camera TEXT NOT NULL, sku TEXT NOT NULL, UNIQUE (shelf, camera, sku)
);
CREATE TABLE point (
    series INTEGER NOT NULL, at INTEGER NOT NULL, run INTEGER NOT NULL, count INTEGER, expected INTEGER NOT NULL,
    status TEXT NOT NULL, event TEXT NOT NULL, PRIMARY KEY (series, at)
) WITHOUT ROWID;
CREATE TABLE alert (
    id INTEGER PRIMARY KEY, at INTEGER NOT NULL, run INTEGER NOT NULL, kind TEXT NOT NULL, shelf TEXT NOT NULL,
    camera TEXT NOT NULL, sku TEXT, slot TEXT, count INTEGER, message TEXT NOT NULL
);
CREATE INDEX alert_at ON alert (at);
CREATE TABLE mark (
    id INTEGER PRIMARY KEY, at INTEGER NOT NULL, run INTEGER NOT NULL, kind TEXT NOT NULL, shelf TEXT, camera TEXT,
    reason TEXT
);
CREATE INDEX mark_at ON mark (at);
"""
DATED = ("point", "alert", "mark")
"""Tables whose rows have a time, `at`: milliseconds of UTC since 1970."""


@dataclass(frozen=True, slots=True)
class Point:
    """What is known of a product on a shelf from `at_ms` on; `count` is None where it is unknown, which is not 0.

    `event` is `counts` for a change, and `state` where nothing is new: at the start of a run, and once a day.
    """

    at_ms: int
    shelf: str
    camera: str
    sku: str
    count: int | None
    expected: int
    status: str
    event: str


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert as it was published."""

    at_ms: int
    kind: str
    shelf: str
    camera: str
    sku: str | None
    slot: str | None
    count: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Mark:
    """What must be known to read the rows: `camera` (a camera went or came), `removed` (a shelf), `lost` (rows)."""

    at_ms: int
    kind: str
    shelf: str | None = None
    camera: str | None = None
    reason: str | None = None


Row = Point | AlertRow | Mark


def connect(path: Path) -> sqlite3.Connection:
    """Open the file for writing, and make it where it isn't there.

    Raises:
        sqlite3.DatabaseError: It is damaged, or no history of this version. An `OperationalError`: the disk says no.
    """
    db = sqlite3.connect(path, isolation_level=None, timeout=5.0, check_same_thread=False)
    try:
        db.execute("PRAGMA auto_vacuum=INCREMENTAL")
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        db.execute(f"PRAGMA journal_size_limit={2**20}")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            with transaction(db):
                for statement in filter(str.strip, _TABLES.split(";")):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version={VERSION}")
        else:
            _check(db, version)
    except BaseException:
        db.close()
        raise
    return db


def _check(db: sqlite3.Connection, version: int) -> None:
    if version != VERSION:
        raise sqlite3.DatabaseError(f"its tables are of version {version}, not {VERSION}")
    told = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if told != "ok":
        raise sqlite3.DatabaseError(" ".join(str(told).split()))


def begin_run(db: sqlite3.Connection, at_ms: int) -> int:
    """A run of the agent begins; one that was cut off ended when it last said that it was alive."""
    db.execute("UPDATE run SET ended = alive WHERE ended IS NULL")
    return int(db.execute("INSERT INTO run (began, alive) VALUES (?, ?)", (at_ms, at_ms)).lastrowid or 0)


def write(db: sqlite3.Connection, run: int, rows: Iterable[Row], *, alive_ms: int) -> None:
    """Store rows, within a transaction, and that the run is alive."""
    for row in rows:
        if isinstance(row, Point):
            values = (_series(db, row), row.at_ms, run, row.count, row.expected, row.status, row.event)
            db.execute("INSERT OR REPLACE INTO point VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        elif isinstance(row, AlertRow):
            told = (row.at_ms, run, row.kind, row.shelf, row.camera, row.sku, row.slot, row.count, row.message)
            db.execute("INSERT INTO alert VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)", told)
        else:
            mark = (row.at_ms, run, row.kind, row.shelf, row.camera, row.reason)
            db.execute("INSERT INTO mark VALUES (NULL, ?, ?, ?, ?, ?, ?)", mark)
    db.execute("UPDATE run SET alive = max(alive, ?) WHERE id = ?", (alive_ms, run))


def _series(db: sqlite3.Connection, row: Point) -> int:
    key = (row.shelf, row.camera, row.sku)
    found = db.execute("SELECT id FROM series WHERE shelf = ? AND camera = ? AND sku = ?", key).fetchone()
    if found is None:
        return int(db.execute("INSERT INTO series (shelf, camera, sku) VALUES (?, ?, ?)", key).lastrowid or 0)
    return int(found[0])


def shift(db: sqlite3.Connection, run: int, by_ms: int) -> None:
    """The clock was set: what this run has written is dated anew, within a transaction."""
    for table in DATED:
        db.execute(f"UPDATE OR REPLACE {table} SET at = at + ? WHERE run = ?", (by_ms, run))  # noqa: S608 (ours)
    db.execute("UPDATE run SET began = began + ?, alive = alive + ? WHERE id = ?", (by_ms, by_ms, run))


def too_old(db: sqlite3.Connection, before_ms: int) -> float:
    """The share (0..1) of the rows that are older than this."""
    old = total = 0
    for table in DATED:
        counts = db.execute(f"SELECT count(*), coalesce(sum(at < ?), 0) FROM {table}", (before_ms,))  # noqa: S608 (ours)
        rows, older = counts.fetchone()
        total, old = total + rows, old + older
    return old / total if total else 0.0


def forget(db: sqlite3.Connection, before_ms: int) -> None:
    """Delete what is older than this, and give the room back."""
    with transaction(db):
        for table in DATED:
            db.execute(f"DELETE FROM {table} WHERE at < ?", (before_ms,))  # noqa: S608 (names of ours)
        db.execute("DELETE FROM run WHERE ended < ?", (before_ms,))
        db.execute("DELETE FROM series WHERE id NOT IN (SELECT DISTINCT series FROM point)")
    db.execute("PRAGMA incremental_vacuum").fetchall()


def fit(db: sqlite3.Connection, max_bytes: int) -> bool:
    """Delete the oldest rows while they take more than their share of `max_bytes`; whether any went."""
    went = False
    while _used_bytes(db) > FULL_SHARE * max_bytes:
        rows = db.execute("SELECT count(*) FROM point").fetchone()[0]
        if rows < 2:
            break
        place = max(1, int(PRUNED_SHARE * rows))
        cut = db.execute("SELECT at FROM point ORDER BY at LIMIT 1 OFFSET ?", (place,)).fetchone()[0]
        forget(db, cut + 1)
        went = True
    return went


def _used_bytes(db: sqlite3.Connection) -> int:
    pages, free, size = (
        int(db.execute(f"PRAGMA {what}").fetchone()[0]) for what in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size
