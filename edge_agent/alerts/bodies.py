"""What is told of alerts → events and the retained list: a part of the contract in docs/mqtt.md. Pure values."""

from datetime import datetime
from typing import Any

from edge_agent.alerts.book import Book, Entry, Member
from edge_agent.alerts.records import change_record, entry_record, member_record
from edge_agent.alerts.telling import Telling
from edge_agent.messages import ModelInfo, timestamp

ALERTS_SCHEMA = "shelfwatch.alerts/1"
ALERTS_MAX, MEMBERS_MAX = 50, 24
"""How many open alerts the retained list holds at most, and how many members of each."""


def alert_body(
    telling: Telling, *, ts: datetime, model: ModelInfo, evidence: dict[str, str] | None = None
) -> dict[str, Any]:
    """The event of an alert, or of what becomes of it.

    Args:
        telling: What is told.
        ts: Now, aware UTC.
        model: The model that counted.
        evidence: Pictures as base64, where they are sent.
    """
    alert, entry = telling.alert, telling.entry
    return {
        "type": telling.type,
        "frame_ts": timestamp(telling.at),
        "ts": timestamp(ts),
        "shelf": alert.shelf,
        "camera": alert.camera,
        "sku": alert.sku,
        "slot": alert.slot,
        "count": alert.count,
        "message": telling.message,
        "alert": entry.id,
        "notify": telling.notify,
        "aisle": entry.aisle,
        "opened_at": timestamp(entry.opened_at),
        "changes": [change_record(change) for change in alert.changes],
        **_more(telling),
        **({"evidence": evidence} if evidence else {}),
        "model": model.payload(),
    }


def _more(telling: Telling) -> dict[str, Any]:
    """What only some events have."""
    entry, more = telling.entry, dict[str, Any]()
    if telling.type in {"reminder", "acknowledged", "closed"}:
        more["kind"] = entry.kind
    if telling.type == "reminder":
        more["reminder"] = entry.reminded
    if telling.type == "acknowledged" and entry.acknowledged is not None:
        more |= {"by": entry.acknowledged.by, "note": entry.acknowledged.note}
    if entry.reopened:
        more["reopened"] = entry.reopened
    if len(entry.members) > 1:
        more["members"] = [_brief(member) for member in entry.members[:MEMBERS_MAX]]
    return more


def _brief(member: Member) -> dict[str, Any]:
    record = member_record(member)
    return {key: record[key] for key in ("shelf", "camera", "sku", "slot", "count")}


def alerts_payload(book: Book, *, ts: datetime) -> dict[str, Any]:
    """The retained list of what is open for people, newest first: not what is noted, which may pass unsaid."""
    told = book.told
    return {
        "schema": ALERTS_SCHEMA,
        "ts": timestamp(ts),
        "open": len(told),
        "unacknowledged": len(book.waiting),
        "alerts": [_listed(entry) for entry in reversed(told[-ALERTS_MAX:])],
    }


def _listed(entry: Entry) -> dict[str, Any]:
    """An alert as the page has it, but for what is long, or never so of one that is open."""
    record = entry_record(entry)
    for key in ("note", "closed_at", "reopened"):
        del record[key]
    return {**record, "members": [_brief(member) for member in entry.standing[:MEMBERS_MAX]]}
