"""Counts → alerts: edges only, each held for a while before it is believed. An unknown count never raises one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from edge_agent.shelf import SPECIAL_LABELS, Alert, AlertKind, Count, Item, Shelf, StockStatus

Level = Literal["ok", "low", "out", "right", "wrong", "seen", "lost"]


@dataclass(frozen=True, slots=True)
class AlertState:
    """The level in force of each thing that is watched (a product, a slot, the view), and the one that waits its time.

    `pending` maps a thing to the level that it would change to and the `clock_s` since which it has been so.
    """

    levels: Mapping[str, Level] = field(default_factory=dict)
    pending: Mapping[str, tuple[Level, float]] = field(default_factory=dict)


def alerts(
    shelf: Shelf, state: AlertState, count: Count, *, clock_s: float, hold_s: float
) -> tuple[AlertState, tuple[Alert, ...]]:
    """Compare a shelf's count with what was last said of it.

    Args:
        shelf: The shelf.
        state: `AlertState()` or from the frame before.
        count: The count in force.
        clock_s: The frame's time on the clock that never jumps.
        hold_s: How long a level must last before it is an alert.

    Returns:
        The new state, and the alerts of this moment.
    """
    levels = dict(state.levels)
    watched = _watched(shelf, count)
    known = {thing for thing, _, _ in watched}
    pending = {
        thing: since for thing, since in state.pending.items() if thing in known
    }  # the unknown waits for nothing
    raised = []
    for thing, level, alert in watched:
        before = levels.get(thing, _FIRST[thing.split(":", 1)[0]])
        if level == before:
            pending.pop(thing, None)
            continue
        waiting, since_s = pending.get(thing, (None, clock_s))
        if waiting != level:
            pending[thing], since_s = (level, clock_s), clock_s
        if clock_s - since_s >= hold_s:
            pending.pop(thing)
            levels[thing] = level
            if (kind := _KINDS.get((before, level))) is not None:
                raised.append(_named(kind, alert, shelf, count))
    if levels == state.levels and pending == state.pending:
        return state, ()
    return AlertState(levels, pending), tuple(raised)


_FIRST: dict[str, Level] = {"sku": "ok", "slot": "right", "view": "seen"}
_KINDS: dict[tuple[Level, Level], AlertKind] = {
    ("ok", "low"): "low_stock",
    ("out", "low"): "low_stock",
    ("ok", "out"): "out_of_stock",
    ("low", "out"): "out_of_stock",
    ("low", "ok"): "restocked",
    ("out", "ok"): "restocked",
    ("right", "wrong"): "misplaced",
    ("seen", "lost"): "view_lost",
    ("lost", "seen"): "view_restored",
}
_LEVELS: dict[StockStatus, Level] = {"ok": "ok", "low": "low", "out": "out"}


@dataclass(frozen=True, slots=True)
class _About:
    """What an alert would be about."""

    item: Item | None = None
    slot: str | None = None
    sku: str | None = None


def _watched(shelf: Shelf, count: Count) -> list[tuple[str, Level, _About]]:
    """Everything that has a level now. What is unknown has none, so that it changes nothing."""
    watched: list[tuple[str, Level, _About]] = [
        (f"sku:{item.sku}", _LEVELS[item.status], _About(item=item, sku=item.sku))
        for item in count.items
        if item.status != "unknown" and item.expected > 0
    ]
    for slot, label in zip(shelf.slots, count.reading, strict=True):
        if slot.product is not None and label is not None:
            wrong = label != slot.product and label not in SPECIAL_LABELS
            watched.append((f"slot:{slot.id}", "wrong" if wrong else "right", _About(slot=slot.id, sku=label)))
    watched.append(("view:", "lost" if count.unknown_slots else "seen", _About()))
    return watched


def _named(kind: AlertKind, about: _About, shelf: Shelf, count: Count) -> Alert:
    """The alert, with a sentence for a person."""
    item = about.item
    match kind:
        case "low_stock" if item is not None:
            words = f"{item.sku} is low: {item.count} of {item.expected} facings"
        case "out_of_stock":
            words = f"{about.sku} is out of stock"
        case "restocked" if item is not None:
            words = f"{item.sku} is back: {item.count} of {item.expected} facings"
        case "misplaced":
            planned = next(slot.product for slot in shelf.slots if slot.id == about.slot)
            words = f"{about.sku} stands in slot {about.slot}, where {planned} belongs"
        case "view_lost":
            words = count.reason or "some slots cannot be read"
        case _:
            words = "every slot can be read again"
    return Alert(
        kind=kind,
        shelf=shelf.id,
        camera=shelf.camera,
        message=f"shelf {shelf.id}: {words}",
        sku=about.sku,
        slot=about.slot,
        count=item.count if item is not None else None,
    )
