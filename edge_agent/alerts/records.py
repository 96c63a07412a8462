"""The book of alerts as JSON: for the disk, the page, and the retained list. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from edge_agent.alerts.book import Acknowledged, Book, Entry, Member
from edge_agent.messages import timestamp
from edge_agent.shelf import Alert, AlertKind, SlotChange

BOOK_SCHEMA = "shelfwatch.book/1"
ID = re.compile(r"[a-z0-9]{1,40}-[0-9]{1,20}")
"""What an alert's id looks like."""
_THINGS: dict[AlertKind, str] = {
    "low_stock": "sku:",
    "out_of_stock": "sku:",
    "misplaced": "slot:",
    "view_lost": "view:",
}
"""The kinds of alert that a book holds, and what the things are called that each is about."""


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
                {**member_record(member), "thing": member.alert.thing, "told": member.told, "again": member.again}
                for member in entry.members
            ],
        }
        for entry in (*book.closed, *book.open)
    ]
    return {"schema": BOOK_SCHEMA, "number": book.number, "alerts": entries}


def book_of(record: Mapping[str, Any], left_out: list[str] | None = None) -> Book:
    """A book that was written by an earlier run; what was to come when is found out anew.

    Args:
        record: As it was written, or as a worn disk or another version of the agent left it.
        left_out: Where given, an alert that makes no sense is left out, and what is wrong with it is added here.

    Raises:
        ValueError: It is none; or, without `left_out`, one of its alerts makes no sense.
    """
    try:
        if record["schema"] != BOOK_SCHEMA:
            raise ValueError(f"its schema is {record['schema']!r}, not {BOOK_SCHEMA}")
        number, entries = int(record["number"]), list[Entry]()
        for found in record["alerts"]:
            try:
                entries.append(_sensible(found))
            except ValueError as error:
                if left_out is None:
                    raise
                left_out.append(str(error))
        return Book(
            open=tuple(entry for entry in entries if entry.closed_at is None),
            closed=tuple(entry for entry in entries if entry.closed_at is not None),
            number=max(number, *(entry.number for entry in entries)) if entries else number,
        )
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"it lacks or misplaces {error}") from error


def _sensible(record: Mapping[str, Any]) -> Entry:
    """An alert that the rest of the agent can work with.

    Raises:
        ValueError: This one it could not.
    """
    try:
        kind, entry = _text(record["kind"]), _entry(record)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"an alert lacks or misplaces {error}") from error
    if ID.fullmatch(entry.id) is None:
        raise ValueError(f"{entry.id[:60]!r} is no id of an alert")
    if kind not in _THINGS:
        raise ValueError(f"alert {entry.id} is of an unknown kind, {kind!r}")
    if not (entry.members if entry.closed_at is not None else entry.standing):
        raise ValueError(f"alert {entry.id} is about nothing")
    for member in entry.members:
        if not member.alert.thing.startswith(_THINGS[kind]):
            raise ValueError(f"alert {entry.id}: {kind} is not about {member.alert.thing!r}")
    return entry


def _entry(record: Mapping[str, Any]) -> Entry:
    by, at = _text(record["acknowledged_by"] or ""), _instant(record["acknowledged_at"])
    kind, aisle = record["kind"], _text_or_none(record["aisle"])
    return Entry(
        id=str(record["id"]),
        kind=kind,
        aisle=aisle,
        members=tuple(_member(member, kind, aisle) for member in record["members"]),
        opened_at=_known(record["opened_at"]),
        told_at=_instant(record["told_at"]),
        acknowledged=Acknowledged(at, by, _text_or_none(record["note"])) if at is not None else None,
        closed_at=_instant(record["closed_at"]),
        reminded=int(record["reminded"]),
        reopened=int(record["reopened"]),
        quiet=bool(record["quiet"]),
    )


def _member(record: Mapping[str, Any], kind: Any, aisle: str | None) -> Member:
    changes = tuple(
        SlotChange(
            _text(found["slot"]),
            _text_or_none(found["from"]),
            _text_or_none(found["to"]),
            _number_or_none(found["votes"]),
            _number_or_none(found["looks"]),
        )
        for found in record["changes"]
    )
    alert = Alert(
        kind=kind,
        shelf=_text(record["shelf"]),
        camera=_text(record["camera"]),
        message=_text(record["message"]),
        sku=_text_or_none(record["sku"]),
        slot=_text_or_none(record["slot"]),
        count=_number_or_none(record["count"]),
        thing=_text(record["thing"]),
        aisle=aisle,
        changes=changes,
    )
    opened_at, closed_at = _known(record["opened_at"]), _instant(record["closed_at"])
    told, again = bool(record["told"]), bool(record.get("again", False))
    return Member(alert, opened_at, told=told, closed_at=closed_at, again=again)


def _text(found: Any) -> str:
    """A text, and nothing else.

    Raises:
        TypeError: It is none.
    """
    if not isinstance(found, str):
        raise TypeError(f"{str(found)[:60]}, which is no text")
    return found


def _text_or_none(found: Any) -> str | None:
    return _text(found) if found is not None else None


def _number_or_none(found: Any) -> int | None:
    """A whole number or nothing.

    Raises:
        TypeError: It is neither.
    """
    if found is not None and not isinstance(found, int):
        raise TypeError(f"{str(found)[:60]}, which is no number")
    return found


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
    timestamp(found)  # one at the end of the calendar is none in UTC
    return found
