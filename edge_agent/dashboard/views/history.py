"""`/api/history`: counts over hours and days, with the alerts in them, as JSON for a chart and as a CSV file."""

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from edge_agent.counting import low_limit
from edge_agent.dashboard.answers import PageError, Problem, Responses
from edge_agent.dashboard.behind import Behind
from edge_agent.history import reader
from edge_agent.history.reader import LIMIT_S, Line, Question, TooLongError
from edge_agent.history.tables import AlertRow
from edge_agent.history.writer import History
from edge_agent.messages import timestamp
from edge_agent.shelf import InputError

DAY = timedelta(days=1)
EARLIEST = datetime.min.replace(tzinfo=UTC)
COLUMNS = ("time", "shelf", "camera", "sku", "count", "expected", "status", "event")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""
CSV_LIMIT_S = 10 * LIMIT_S
BLOCK_LINES = 500


class StepView(BaseModel):
    """What is known from a time on."""

    at: datetime
    count: int | None = Field(description="Facings; null where it is unknown, which is not 0.")
    expected: int = Field(description="Facings by the planogram.")
    status: str = Field(description="`ok`, `low`, `out` or `unknown`, by the limits that held then.")


class SeriesView(BaseModel):
    """A product on a shelf over time. Each step holds until the next one."""

    shelf: str
    camera: str
    sku: str
    low_at: int | None = Field(
        description="The count at which its stock is low at present; null where it isn't planned."
    )
    thinned: bool = Field(description="Whether steps were left out; zeros, unknowns and extremes stay.")
    steps: list[StepView]


class PastAlertView(BaseModel):
    """An alert as it was published."""

    at: datetime
    kind: str
    shelf: str
    camera: str
    sku: str | None
    slot: str | None
    count: int | None
    message: str


class OutageView(BaseModel):
    """A camera went (with the reason), or gives good pictures again (null)."""

    at: datetime
    camera: str
    reason: str | None


class HistoryView(BaseModel):
    """Counts and alerts of a span of time."""

    start: datetime
    end: datetime
    now: datetime
    series: list[SeriesView]
    alerts: list[PastAlertView]
    cameras: list[OutageView]


class ProductView(BaseModel):
    """A product of which there is a history."""

    shelf: str
    camera: str
    sku: str


class KeptShelvesView(BaseModel):
    """What there is a history of. `first` and `last` are null where there is none yet."""

    enabled: bool
    days: float
    first: datetime | None
    last: datetime | None
    products: list[ProductView]


Shelf = Annotated[str | None, Query(description="The id of a shelf; all without.")]
Sku = Annotated[str | None, Query(description="A product; all without.")]
From = Annotated[datetime | None, Query(alias="from", description="ISO 8601, UTC where no zone is said; a day before.")]
To = Annotated[datetime | None, Query(alias="to", description="ISO 8601; without, now.")]
Most = Annotated[int, Query(ge=50, le=5000, description="Steps of each product at most.")]
ERRORS: Responses = {
    400: {"model": Problem, "description": "The span makes no sense."},
    409: {"model": Problem, "description": "No history is kept."},
    503: {"model": Problem, "description": "It takes too long, or cannot be read."},
}


def router(behind: Behind) -> APIRouter:
    """The routes of this view."""
    routes = APIRouter(prefix="/history", tags=["history"], responses=ERRORS)

    @routes.get("", summary="Counts of products over time, and alerts")
    def history(
        shelf: Shelf = None, sku: Sku = None, from_: From = None, to: To = None, max_points: Most = 1000
    ) -> HistoryView:
        asked, now_ms = question(shelf, sku, from_, to), _ms(datetime.now(UTC))
        with _patiently(), reader.opened(_kept(behind).path) as db:
            found = reader.series(db, asked, most=max_points, now_ms=now_ms) if db is not None else []
            alerts = reader.alerts(db, asked) if db is not None else []
            outages = reader.outages(db, asked) if db is not None else []
        limits = low_limits(behind)
        return HistoryView(
            start=_instant(asked.from_ms),
            end=_instant(asked.to_ms),
            now=_instant(now_ms),
            series=[_series(one, limits.get((one.shelf, one.sku))) for one in found],
            alerts=[PastAlertView(at=_instant(row.at_ms), **_fields(row)) for row in alerts],
            cameras=[OutageView(at=_instant(at), camera=camera, reason=why) for at, camera, why in outages],
        )

    @routes.get("/shelves", summary="What there is a history of")
    def shelves() -> KeptShelvesView:
        kept, section = behind.running.outlet.history, behind.running.settings.history
        if kept is None:
            return KeptShelvesView(enabled=False, days=section.days, first=None, last=None, products=[])
        with _patiently(), reader.opened(kept.path) as db:
            found = reader.shelves(db) if db is not None else []
            span = reader.span_ms(db) if db is not None else None
        products = [ProductView(shelf=shelf, camera=camera, sku=sku) for shelf, camera, sku in found]
        first, last = (_instant(span[0]), _instant(span[1])) if span else (None, None)
        return KeptShelvesView(enabled=True, days=section.days, first=first, last=last, products=products)

    @routes.get(".csv", summary="The same as a CSV file, a line for each change", response_class=StreamingResponse)
    def as_csv(shelf: Shelf = None, sku: Sku = None, from_: From = None, to: To = None) -> StreamingResponse:
        asked, kept = question(shelf, sku, from_, to), _kept(behind)
        name = "-".join(["history", *([shelf] if shelf else []), f"{_instant(asked.from_ms):%Y%m%d}"])
        safe = "".join(sign if sign.isalnum() and sign.isascii() else "-" for sign in name)
        headers = {"content-disposition": f'attachment; filename="{safe}.csv"', "cache-control": "no-store"}
        return StreamingResponse(csv_of(kept, asked), media_type="text/csv; charset=utf-8", headers=headers)

    return routes


def question(shelf: str | None, sku: str | None, start: datetime | None, end: datetime | None) -> Question:
    """What is asked for, with what was left out.

    Raises:
        PageError: It ends before it begins.
    """
    end = _aware(end) if end is not None else datetime.now(UTC)
    start = _aware(start) if start is not None else end - min(DAY, end - EARLIEST)
    if start >= end:
        raise PageError(
            f"the span ends ({timestamp(end)}) before it begins ({timestamp(start)}). Give from before to, as in"
            " 2026-11-23T07:00:00Z."
        )
    return Question(_ms(start), _ms(end), shelf, sku)


def csv_of(kept: History, asked: Question) -> Iterator[str]:
    """The blocks of a CSV file as RFC 4180 has it, in UTF-8 when encoded; a count that is unknown is an empty field."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    with reader.opened(kept.path, limit_s=CSV_LIMIT_S) as db:
        lines = reader.lines(db, asked, now_ms=_ms(datetime.now(UTC))) if db is not None else iter(())
        for number, line in enumerate(lines, start=1):
            writer.writerow(fields(line))
            if number % BLOCK_LINES == 0:
                yield text.getvalue()
                text.seek(0)
                text.truncate()
    yield text.getvalue()


def fields(line: Line) -> list[str]:
    """The fields of a line. What a spreadsheet would take for a formula is led by an apostrophe."""
    count = "" if line.count is None else str(line.count)
    expected = "" if line.expected is None else str(line.expected)
    words = [line.shelf, line.camera, line.sku, count, expected, line.status, line.event]
    return [timestamp(_instant(line.at_ms)), *(f"'{word}" if word.startswith(FORMULA) else word for word in words)]


def low_limits(behind: Behind) -> dict[tuple[str, str], int]:
    """The count at which each planned product is low at present, by shelf and product."""
    settings = behind.running.settings
    shelves = [shelf for camera in settings.cameras for shelf in settings.shelves_of(camera.id)]
    return {(shelf.id, sku): low_limit(shelf, sku, settings.rules) for shelf in shelves for sku in shelf.expected}


def _series(one: reader.Series, low_at: int | None) -> SeriesView:
    steps = [StepView(at=_instant(s.at_ms), count=s.count, expected=s.expected, status=s.status) for s in one.steps]
    return SeriesView(shelf=one.shelf, camera=one.camera, sku=one.sku, low_at=low_at, thinned=one.thinned, steps=steps)


def _kept(behind: Behind) -> History:
    history = behind.running.outlet.history
    if history is None:
        raise PageError(
            "no history is kept on this device. Set enabled = true under [history] and restart the agent.", status=409
        )
    return history


@contextmanager
def _patiently() -> Iterator[None]:
    """What takes too long, or cannot be read at this moment, is answered as what may pass."""
    try:
        yield
    except (TooLongError, InputError) as error:
        raise PageError(str(error), status=503) from error


def _fields(row: AlertRow) -> dict[str, Any]:
    values = asdict(row)
    del values["at_ms"]
    return values


def _aware(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def _instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
