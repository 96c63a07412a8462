"""PostgreSQL: a batch goes in whole, at most once per event, and what comes back is how far each device is stored."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from intake import Event, Rejected

log = logging.getLogger(__name__)

_CONNECT: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "application_name": "shelf-ingest",
}
_INSERT = (
    "INSERT INTO shelf_event (site, device, epoch, seq, type, shelf, ts, historical, body)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"
)
_DROPPED = (
    "INSERT INTO shelf_dropped (site, device, epoch, from_seq, to_seq) VALUES (%s, %s, %s, %s, %s)"
    " ON CONFLICT DO NOTHING"
)
_REJECTED = "INSERT INTO shelf_rejected (topic, payload, reason) VALUES (%s, %s, %s)"


class StoreError(Exception):
    """The database does not take it at present; nothing of it is stored, or all of it and nobody has been told."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far a device's events are stored without a gap."""

    site: str
    device: str
    epoch: str
    seq: int


class Store:
    """The database. It connects when it is needed, and again after a failure."""

    def __init__(self, conninfo: str, password: str | None = None) -> None:
        """Know where it is; nothing is connected yet."""
        self._conninfo, self._password = conninfo, password
        self._db: psycopg.Connection | None = None

    def prepare(self) -> None:
        """Make the tables, where they are not there.

        Raises:
            StoreError: The database is not there, or does not allow it.
        """
        try:
            self._connected().execute(Path(__file__).with_name("schema.sql").read_bytes())
        except psycopg.Error as error:
            raise self._failed(error) from error

    def check(self) -> None:
        """See that the database is there and has our tables.

        Raises:
            StoreError: It is not, or has not.
        """
        try:
            self._connected().execute("SELECT FROM shelf_event, shelf_dropped, shelf_watermark, shelf_rejected LIMIT 0")
        except psycopg.Error as error:
            raise self._failed(error) from error

    def commit(self, batch: Sequence[Event | Rejected]) -> list[Watermark]:
        """Store a batch, and find how far each of its devices is stored now. May be repeated at will.

        Raises:
            StoreError: The database does not take it.
        """
        try:
            db = self._connected()
            try:
                with db.transaction():
                    self._insert(db, batch)
            except psycopg.DataError:  # one that PostgreSQL takes offence at must not hold up the others
                for message in batch:
                    self._insert_alone(db, message)
            return self._advance(db, [event for event in batch if isinstance(event, Event)])
        except psycopg.Error as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Leave."""
        if self._db is not None:
            with suppress(psycopg.Error):
                self._db.close()
            self._db = None

    def _connected(self) -> psycopg.Connection:
        if self._db is None or self._db.closed:
            self._db = psycopg.connect(self._conninfo, password=self._password, autocommit=True, **_CONNECT)
            log.info("connected to the database")
        return self._db

    def _failed(self, error: psycopg.Error) -> StoreError:
        self.close()
        words = " ".join(str(error).split()) or type(error).__name__
        missing = isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedFunction)
        remedy = (
            "Run ingest.py with --init once." if missing else "Look into its log, and at conninfo under [database]."
        )
        return StoreError(f"the database does not take events ({words}). {remedy}")

    def _insert(self, db: psycopg.Connection, batch: Sequence[Event | Rejected]) -> None:
        events = [message for message in batch if isinstance(message, Event)]
        dropped = [
            (e.site, e.device, e.dropped.epoch, e.dropped.from_seq, e.dropped.to_seq) for e in events if e.dropped
        ]
        rejected = [(m.topic, m.payload, m.reason) for m in batch if isinstance(m, Rejected)]
        with db.cursor() as cursor:
            if events:
                rows = [(e.site, e.device, e.epoch, e.seq, e.type, e.shelf, e.ts, e.historical, e.body) for e in events]
                cursor.executemany(_INSERT, rows)
            if dropped:
                cursor.executemany(_DROPPED, dropped)
            if rejected:
                cursor.executemany(_REJECTED, rejected)

    def _insert_alone(self, db: psycopg.Connection, message: Event | Rejected) -> None:
        try:
            with db.transaction():
                self._insert(db, [message])
        except psycopg.DataError as error:
            if isinstance(message, Rejected):
                raise
            reason = " ".join(str(error).split())[:512]
            topic = f"shelfwatch/{message.site}/{message.device}/shelf/{message.shelf}/event"
            with db.transaction():
                self._insert(db, [Rejected(topic, message.body.encode(), reason)])

    def _advance(self, db: psycopg.Connection, events: Sequence[Event]) -> list[Watermark]:
        """Find the watermarks, after the commit. A crash may undo them, but not the events: they are found again."""
        floors: dict[tuple[str, str, str], int] = {}
        for event in events:
            key = (event.site, event.device, event.epoch)
            floors[key] = max(floors.get(key, 0), event.oldest_seq - 1)
            if event.dropped is not None and event.dropped.epoch != event.epoch:
                floors.setdefault((event.site, event.device, event.dropped.epoch), 0)
        db.execute("SET synchronous_commit = off")
        try:
            marks = []
            for key, floor in floors.items():
                for (seq,) in db.execute("SELECT shelf_advance(%s, %s, %s, %s)", (*key, floor)):
                    marks.append(Watermark(*key, seq))
        finally:
            db.execute("SET synchronous_commit = on")
        return marks
