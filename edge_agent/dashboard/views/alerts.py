"""`/api/alerts`: what a person should see to, and what became of it."""

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field, field_validator
from starlette.responses import Response

from edge_agent.alerts.book import Entry
from edge_agent.alerts.records import entry_record
from edge_agent.control.commands import BY_MAX, NOTE_MAX, is_name
from edge_agent.dashboard.answers import PageError, Problem, Responses
from edge_agent.dashboard.behind import Behind
from edge_agent.shelf import nearest

UNKNOWN: Responses = {404: {"model": Problem, "description": "There is no such alert, or none any more."}}


class ChangeView(BaseModel):
    """A slot that an alert is drawn from: what stood there, what stands there now (null: unknown), and the vote."""

    slot: str
    was: str | None = Field(alias="from")
    to: str | None
    votes: int | None
    looks: int | None


class MemberView(BaseModel):
    """One thing that an alert is about."""

    shelf: str
    camera: str
    sku: str | None
    slot: str | None
    count: int | None
    message: str
    opened_at: str
    closed_at: str | None
    changes: list[ChangeView]


class PictureView(BaseModel):
    """A picture that there is: of which slot, from when, and what was read there."""

    slot: str
    at: str
    label: str | None


class EvidenceView(BaseModel):
    """The pictures before and after; null where there is none."""

    before: PictureView | None = None
    after: PictureView | None = None


class AlertView(BaseModel):
    """An alert over its life. `noted` is found, but not told yet."""

    id: str
    kind: Literal["low_stock", "out_of_stock", "misplaced", "view_lost"]
    state: Literal["noted", "open", "acknowledged", "closed"]
    message: str
    aisle: str | None
    opened_at: str
    told_at: str | None
    acknowledged_at: str | None
    acknowledged_by: str | None
    note: str | None
    closed_at: str | None
    reminded: int
    reopened: int
    members: list[MemberView]
    evidence: EvidenceView


class AlertsView(BaseModel):
    """Alerts, those that are open first, and the newest first among them."""

    alerts: list[AlertView]
    open: int = Field(description="Those that somebody was told of, and that are not over.")
    unacknowledged: int = Field(description="Of these, those that wait for somebody: not acknowledged.")
    noted: int = Field(description="Those that are found, and not told yet.")


class AcknowledgeRequest(BaseModel):
    """Who sees to an alert, and what they say."""

    by: str = Field(min_length=1, max_length=BY_MAX)
    note: str | None = Field(None, max_length=NOTE_MAX)

    @field_validator("by", "note")
    @classmethod
    def _one_line(cls, value: str | None) -> str | None:
        if value and not is_name(value, longest=NOTE_MAX):
            raise ValueError("write one line of letters, digits and the like")
        return value.strip() or None if value else None


def router(behind: Behind) -> APIRouter:
    """The routes of this view."""
    routes = APIRouter(tags=["alerts"])
    _add_reading(routes, behind)
    _add_acknowledging(routes, behind)
    return routes


def _add_reading(routes: APIRouter, behind: Behind) -> None:
    @routes.get("/alerts", summary="Alerts that are open, and those that were", response_model=AlertsView)
    async def listed(state: Literal["open", "closed", "all"] = "all") -> dict[str, Any]:
        """Open ones first, then those that are over; of either the newest first."""
        book = behind.running.outlet.alerting.book
        halves = {"open": book.open[::-1], "closed": book.closed[::-1]}
        wanted = (*halves["open"], *halves["closed"]) if state == "all" else halves[state]
        return {
            "alerts": [_told(behind, entry) for entry in wanted],
            "open": len(book.told),
            "unacknowledged": len(book.waiting),
            "noted": len(book.open) - len(book.told),
        }

    @routes.get(
        "/alerts/{alert}/evidence/{which}",
        summary="What the slot looked like before or after",
        response_class=Response,
        responses={200: {"content": {"image/jpeg": {}}, "description": "At most 96 pixels wide and high."}, **UNKNOWN},
    )
    def evidence(alert: str, which: Literal["before", "after"]) -> Response:
        """A small picture of the slot that an alert is drawn from."""
        _known(behind, alert)
        jpeg = behind.running.outlet.alerting.picture(alert, which)
        if jpeg is None:
            raise PageError(f"there is no picture {which} alert {alert}. Look at the others.", status=404)
        return Response(jpeg, media_type="image/jpeg", headers={"cache-control": "private, max-age=86400, immutable"})


def _add_acknowledging(routes: APIRouter, behind: Behind) -> None:
    @routes.post(
        "/alerts/{alert}/acknowledge",
        summary="Say that somebody sees to it",
        response_model=AlertView,
        responses={**UNKNOWN, 409: {"model": Problem, "description": "It is over already."}},
    )
    async def acknowledge(alert: str, said: AcknowledgeRequest) -> dict[str, Any]:
        """It is not told again. Acknowledging what is acknowledged changes nothing."""
        _known(behind, alert)
        delivery = behind.running.outlet.delivery
        done = await behind.between_steps(lambda: delivery.acknowledge(alert, by=said.by, note=said.note))
        if isinstance(done, str):
            raise PageError(done, status=409)
        return _told(behind, done)


def _known(behind: Behind, alert: str) -> Entry:
    """The alert with an id.

    Raises:
        PageError: There is none.
    """
    book = behind.running.outlet.alerting.book
    entry = book.find(alert)
    if entry is None:
        known = nearest(alert[:40], (entry.id for entry in book.open))
        raise PageError(f'there is no alert "{alert[:40]}" (any more); {known}.', status=404)
    return entry


def _told(behind: Behind, entry: Entry) -> dict[str, Any]:
    """An alert as the API gives it."""
    return {**entry_record(entry), "evidence": behind.running.outlet.alerting.shown.get(entry.id, {})}
