"""Bodies of events → rows of the history: only what is new of each product. Pure values."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from edge_agent.history.tables import AlertRow, Point
from edge_agent.shelf import Item

Known = Mapping[tuple[str, str, str], Point]
"""The newest row of each product, by shelf, camera and product."""


def points_of(body: Mapping[str, Any], items: Sequence[Item], at_ms: int) -> list[Point]:
    """What an event of counts says of each product of its shelf."""
    shelf, camera = str(body["shelf"]), str(body["camera"])
    counts: Mapping[str, int | None] = body["counts"] or {}
    return [
        Point(at_ms, shelf, camera, item.sku, counts.get(item.sku), item.expected, item.status, "counts")
        for item in items
    ]


def alert_of(body: Mapping[str, Any], at_ms: int) -> AlertRow:
    """An alert's event as a row."""
    return AlertRow(
        at_ms,
        str(body["type"]),
        str(body.get("shelf") or ""),
        str(body.get("camera") or ""),
        body.get("sku"),
        body.get("slot"),
        body.get("count"),
        str(body.get("message") or ""),
    )


def gone_of(known: Known, body: Mapping[str, Any], points: Sequence[Point], at_ms: int) -> list[Point]:
    """Products of the body's shelf that are not listed any more, neither in its plan nor in its slots.

    What stood there by mistake and was taken away, or is planned no longer, ends with a count of 0 of 0. But while a
    slot is unknown it may stand there still: then its count is unknown.
    """
    shelf, listed = str(body["shelf"]), {_key(point) for point in points}
    gone = [point for key, point in known.items() if point.shelf == shelf and key not in listed]
    hidden = bool(body.get("unknown_slots"))
    count, status = (None, "unknown") if hidden else (0, "ok")
    return [replace(point, at_ms=at_ms, count=count, expected=0, status=status, event="counts") for point in gone]


def news(known: Known, points: Sequence[Point]) -> list[Point]:
    """Those of a shelf's `points` that say something new of a product."""
    found = []
    for point in points:
        before = known.get(_key(point))
        if before is None:
            found.append(replace(point, event="state"))
        elif _says(before) != _says(point):
            found.append(point)
    return found


def after(known: Known, points: Sequence[Point]) -> Known:
    """What is known when the `points` of a shelf are."""
    now = {_key(point): point for point in points}
    return {key: p for key, p in {**known, **now}.items() if p.count != 0 or p.expected or p.status != "ok"}


def _key(point: Point) -> tuple[str, str, str]:
    return point.shelf, point.camera, point.sku


def _says(point: Point) -> tuple[int | None, int, str]:
    return point.count, point.expected, point.status
