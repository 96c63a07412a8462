"""Reading the history beside the thread that writes it: series for a chart, alerts, and lines of a CSV file."""

import heapq
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from edge_agent.history.series import Step, thinned, with_gaps
from edge_agent.history.tables import AlertRow, Point
from edge_agent.shelf import InputError, ShelfwatchError

LIMIT_S = 5.0
"""A question may take so long; a file to download, ten times as long."""
ALIVE_MS = 180_000
"""A run that has not said for so long that it is alive is taken for ended then."""
STEPS_OF_SQLITE = 10_000
ALERTS_AT_MOST = 1000


class TooLongError(ShelfwatchError):
    """A question to the history takes longer than it may."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for: a span of time in milliseconds of UTC since 1970, and where; None is everywhere."""

    from_ms: int
    to_ms: int
    shelf: str | None = None
    sku: str | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """A product on a shelf over time."""

    shelf: str
    camera: str
    sku: str
    steps: tuple[Step, ...]
    thinned: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the CSV file: a change of one product, an alert, or that nothing is known any more."""

    at_ms: int
    shelf: str
    camera: str
    sku: str
    count: int | None
    expected: int | None
    status: str
    event: str


@contextmanager
def opened(path: Path, *, limit_s: float = LIMIT_S) -> Iterator[sqlite3.Connection | None]:
    """A connection that only reads, and only for so long; None where there is no history yet.

    Raises:
        TooLongError: It took longer.
        InputError: The file cannot be read.
    """
    if not path.exists():
        yield None
        return
    until_s = time.monotonic() + limit_s
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False)) as db:
            db.set_progress_handler(lambda: time.monotonic() > until_s, STEPS_OF_SQLITE)
            if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'mark'").fetchone():
                yield db
            else:
                yield None  # it is being made at this moment
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            raise TooLongError(
                f"the history takes longer than {limit_s:.0f} s to answer. Ask for a shorter span, or for one shelf."
            ) from error
        raise InputError(f"the history {path} cannot be read ({error}). The agent's log says more.") from error
    except sqlite3.DatabaseError as error:
        raise InputError(f"the history {path} cannot be read ({error}). The agent begins it anew.") from error


def shelves(db: sqlite3.Connection) -> list[tuple[str, str, str]]:
    """Shelf, camera and product of everything that there is, in order."""
    return list(db.execute("SELECT shelf, camera, sku FROM series ORDER BY shelf, sku, camera"))


def span_ms(db: sqlite3.Connection) -> tuple[int, int] | None:
    """When the history begins and ends; None where it is empty."""
    began, ended = db.execute("SELECT min(began), max(coalesce(ended, alive)) FROM run").fetchone()
    return None if began is None else (int(began), int(ended))


def series(db: sqlite3.Connection, asked: Question, *, most: int, now_ms: int) -> list[Series]:
    """The products of a question that were known at any time in its span, with at most `most` steps each."""
    found = []
    for key, shelf, camera, sku in _listed(db, asked):
        at = (key, asked.from_ms)
        before = db.execute(
            "SELECT at, count, expected, status FROM point WHERE series = ? AND at <= ? ORDER BY at DESC LIMIT 1", at
        ).fetchone()
        rows = db.execute(
            "SELECT at, count, expected, status FROM point WHERE series = ? AND at > ? AND at <= ? ORDER BY at",
            (*at, asked.to_ms),
        )
        cuts = breaks(db, asked, shelf=shelf, since_ms=before[0] if before else asked.from_ms, now_ms=now_ms)
        base = Step(*before) if before else None
        steps = with_gaps(base, (Step(*row) for row in rows), [at for at, _ in cuts], from_ms=asked.from_ms)
        if any(step.count is not None for step in steps) or any(step.expected for step in steps[1:]):
            fewer = thinned(steps, most=most)
            found.append(Series(shelf, camera, sku, tuple(fewer), len(fewer) < len(steps)))
    return found


def _listed(db: sqlite3.Connection, asked: Question) -> list[tuple[int, str, str, str]]:
    return db.execute(
        "SELECT id, shelf, camera, sku FROM series WHERE (?1 IS NULL OR shelf = ?1) AND (?2 IS NULL OR sku = ?2)"
        " ORDER BY shelf, sku, camera",
        (asked.shelf, asked.sku),
    ).fetchall()


def breaks(db: sqlite3.Connection, asked: Question, *, shelf: str, since_ms: int, now_ms: int) -> list[tuple[int, str]]:
    """When nothing was known of a shelf any more, and why: the agent ended, rows were lost, the shelf was removed."""
    runs = db.execute(
        "SELECT coalesce(ended, alive), ended IS NULL FROM run WHERE coalesce(ended, alive) BETWEEN ? AND ?",
        (since_ms, asked.to_ms),
    )
    found = [(at, "agent_off") for at, open_ in runs if not open_ or now_ms - at > ALIVE_MS]
    marks = db.execute(
        "SELECT at, kind FROM mark WHERE at BETWEEN ? AND ? AND (kind = 'lost' OR (kind = 'removed' AND shelf = ?))",
        (since_ms, asked.to_ms, shelf),
    )
    return sorted([*found, *((at, {"lost": "history_lost", "removed": "shelf_removed"}[kind]) for at, kind in marks)])


def alerts(db: sqlite3.Connection, asked: Question) -> list[AlertRow]:
    """The newest alerts of a question, in the order of time. Those of a whole shelf count for each of its products."""
    rows = db.execute(
        "SELECT at, kind, shelf, camera, sku, slot, count, message FROM alert WHERE at BETWEEN ?1 AND ?2"
        " AND (?3 IS NULL OR shelf = ?3) AND (?4 IS NULL OR sku = ?4 OR sku IS NULL) ORDER BY at DESC LIMIT ?5",
        (asked.from_ms, asked.to_ms, asked.shelf, asked.sku, ALERTS_AT_MOST),
    )
    return [AlertRow(*row) for row in rows][::-1]


def outages(db: sqlite3.Connection, asked: Question) -> list[tuple[int, str, str | None]]:
    """When cameras went and came in the span: time, camera, and the reason, None for good."""
    rows = db.execute(
        "SELECT at, camera, reason FROM mark WHERE kind = 'camera' AND at BETWEEN ? AND ? ORDER BY at LIMIT ?",
        (asked.from_ms, asked.to_ms, ALERTS_AT_MOST),
    )
    return list(rows)


def lines(db: sqlite3.Connection, asked: Question, *, now_ms: int) -> Iterator[Line]:
    """The lines of the CSV file in the order of time: what held at first, each change, each alert, and each gap."""
    known: dict[tuple[str, str, str], Point] = {}
    for point in _at_first(db, asked, now_ms=now_ms):
        known[point.shelf, point.camera, point.sku] = point
        yield _line(point)
    for _, _, found in heapq.merge(_points(db, asked), _alerts(db, asked), _gaps(db, asked, now_ms=now_ms)):
        if isinstance(found, Point):
            known[found.shelf, found.camera, found.sku] = found
            yield _line(found)
        elif isinstance(found, AlertRow):
            sku = found.sku or ""
            status = {"low_stock": "low", "out_of_stock": "out", "restocked": "ok"}.get(found.kind, "")
            yield Line(found.at_ms, found.shelf, found.camera, sku, found.count, None, status, found.kind)
        else:
            shelf, at, why = found
            for key, point in sorted(known.items()):
                if point.shelf == shelf and point.count is not None:
                    known[key] = replace(point, count=None)
                    yield Line(at, point.shelf, point.camera, point.sku, None, point.expected, "unknown", why)


def _line(point: Point) -> Line:
    status = "unknown" if point.count is None else point.status
    return Line(point.at_ms, point.shelf, point.camera, point.sku, point.count, point.expected, status, point.event)


def _at_first(db: sqlite3.Connection, asked: Question, *, now_ms: int) -> Iterator[Point]:
    """What held of each product when the span began."""
    for key, shelf, camera, sku in _listed(db, asked):
        row = db.execute(
            "SELECT at, count, expected, status FROM point WHERE series = ? AND at < ? ORDER BY at DESC LIMIT 1",
            (key, asked.from_ms),
        ).fetchone()
        if row is not None and (row[1] is None or row[1] or row[2]):  # a stranger that is gone says nothing
            to_begin = replace(asked, to_ms=asked.from_ms)
            unknown = breaks(db, to_begin, shelf=shelf, since_ms=row[0], now_ms=now_ms)
            yield Point(asked.from_ms, shelf, camera, sku, None if unknown else row[1], row[2], row[3], "state")


_Merged = Iterator[tuple[int, tuple[int, str], Point | AlertRow | tuple[str, int, str]]]
"""Time, what orders things of one time (states, alerts, gaps), and the thing."""


def _points(db: sqlite3.Connection, asked: Question) -> _Merged:
    rows = db.execute(
        "SELECT p.at, s.shelf, s.camera, s.sku, p.count, p.expected, p.status, p.event FROM point p"
        " JOIN series s ON s.id = p.series WHERE p.at BETWEEN ?1 AND ?2 AND (?3 IS NULL OR s.shelf = ?3)"
        " AND (?4 IS NULL OR s.sku = ?4) ORDER BY p.at, s.shelf, s.sku, s.camera",
        (asked.from_ms, asked.to_ms, asked.shelf, asked.sku),
    )
    for place, row in enumerate(rows):
        yield row[0], (1, f"{place:012}"), Point(*row)


def _alerts(db: sqlite3.Connection, asked: Question) -> _Merged:
    rows = db.execute(
        "SELECT at, kind, shelf, camera, sku, slot, count, message FROM alert WHERE at BETWEEN ?1 AND ?2"
        " AND (?3 IS NULL OR shelf = ?3) AND (?4 IS NULL OR sku = ?4 OR sku IS NULL) ORDER BY at, id",
        (asked.from_ms, asked.to_ms, asked.shelf, asked.sku),
    )
    for place, row in enumerate(rows):
        yield row[0], (2, f"{place:012}"), AlertRow(*row)


def _gaps(db: sqlite3.Connection, asked: Question, *, now_ms: int) -> _Merged:
    names: Sequence[str] = sorted({shelf for _, shelf, _, _ in _listed(db, asked)})
    found = [
        (at, (3, shelf), (shelf, at, why))
        for shelf in names
        for at, why in breaks(db, asked, shelf=shelf, since_ms=asked.from_ms, now_ms=now_ms)
    ]
    yield from sorted(found)
