"""The book of alerts as JSON: for the disk, the page, and the retained list. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from edge_agent.alerts.book import Acknowledged, Book, Entry, Member
from edge_agent.messages import timestamp
from edge_agent.shelf import Alert, SlotChange

BOOK_SCHEMA = "shelfwatch.book/1"


def change_record(change: SlotChange) -> dict[str, Any]:
    """A slot that an alert is drawn from."""
    return {
        "slot": change.slot,
        "from": change.before,
        "to": change.after,
        "votes": change.votes,
        "looks": change.looks,
    }


def member_record(member: Member) -> dict[str, Any]:
    """One thing that an alert is about."""
    alert = member.alert
    return {
        "shelf": alert.shelf,
        "camera": alert.camera,
        "sku": alert.sku,
        "slot": alert.slot,
        "count": alert.count,
        "message": alert.message,
        "opened_at": timestamp(member.opened_at),
        "closed_at": _dated(member.closed_at),
        "changes": [change_record(change) for change in alert.changes],
    }


def entry_record(entry: Entry) -> dict[str, Any]:
    """An alert as people see it."""
    seen_to = entry.acknowledged
    return {
        "id": entry.id,
        "kind": entry.kind,
        "state": entry.state,
        "message": entry.message,
        "aisle": entry.aisle,
        "opened_at": timestamp(entry.opened_at),
        "told_at": _dated(entry.told_at),
        "acknowledged_at": timestamp(seen_to.at) if seen_to is not None else None,
        "acknowledged_by": seen_to.by if seen_to is not None else None,
        "note": seen_to.note if seen_to is not None else None,
        "closed_at": _dated(entry.closed_at),
        "reminded": entry.reminded,
        "reopened": entry.reopened,
        "members": [member_record(member) for member in entry.members],
    }


def book_record(book: Book) -> dict[str, Any]:
    """The whole book, for the disk."""
    entries = [
        {
            **entry_record(entry),
            "quiet": entry.quiet,
            "members": [
                {**member_record(member), "thing": member.alert.thing, "told": member.told} for member in entry.members
            ],
        }
        for entry in (*book.closed, *book.open)
    ]
    return {"schema": BOOK_SCHEMA, "number": book.number, "alerts": entries}


def book_of(record: Mapping[str, Any]) -> Book:
    """A book that was written by an earlier run; what was to come when is found out anew.

    Raises:
        ValueError: It is none.
    """
    try:
        if record["schema"] != BOOK_SCHEMA:
            raise ValueError(f"its schema is {record['schema']!r}, not {BOOK_SCHEMA}")
        entries = [_entry(found) for found in record["alerts"]]
        return Book(
            open=tuple(entry for entry in entries if entry.closed_at is None),
            closed=tuple(entry for entry in entries if entry.closed_at is not None),
            number=int(record["number"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it lacks or misplaces {error}") from error


def _entry(record: Mapping[str, Any]) -> Entry:
    by, at = record["acknowledged_by"], _instant(record["acknowledged_at"])
    kind, aisle = record["kind"], record["aisle"]
    return Entry(
        id=str(record["id"]),
        kind=kind,
        aisle=aisle,
        members=tuple(_member(member, kind, aisle) for member in record["members"]),
        opened_at=_known(record["opened_at"]),
        told_at=_instant(record["told_at"]),
        acknowledged=Acknowledged(at, by, record["note"]) if at is not None else None,
        closed_at=_instant(record["closed_at"]),
        reminded=int(record["reminded"]),
        reopened=int(record["reopened"]),
        quiet=bool(record["quiet"]),
    )


def _member(record: Mapping[str, Any], kind: Any, aisle: str | None) -> Member:
    changes = tuple(
        SlotChange(found["slot"], found["from"], found["to"], found["votes"], found["looks"])
        for found in record["changes"]
    )
    alert = Alert(
        kind=kind,
        shelf=record["shelf"],
        camera=record["camera"],
        message=record["message"],
        sku=record["sku"],
        slot=record["slot"],
        count=record["count"],
        thing=record["thing"],
        aisle=aisle,
        changes=changes,
    )
    opened_at, closed_at = _known(record["opened_at"]), _instant(record["closed_at"])
    return Member(alert, opened_at, told=bool(record["told"]), closed_at=closed_at)


def _dated(instant: datetime | None) -> str | None:
    return timestamp(instant) if instant is not None else None


def _instant(text: str | None) -> datetime | None:
    return _known(text) if text is not None else None


def _known(text: str) -> datetime:
    """An aware instant.

    Raises:
        ValueError: It is none.
    """
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return found
