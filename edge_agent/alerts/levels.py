"""Counts → alerts: edges only, each held for a while before it is believed. An unknown count never raises one.

What is watched (a product, a slot, the view) has a level. It enters a level at one threshold and leaves it at another,
and either way the new one must last: a count that wavers raises nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from edge_agent.alerts.policy import Patience
from edge_agent.shelf import SPECIAL_LABELS, Alert, AlertKind, Count, Item, Shelf, SlotChange

Level = Literal["ok", "low", "out", "right", "wrong", "seen", "lost"]
Reading = tuple[str | None, ...]
CHANGES_MAX = 12
"""How many slots an alert names, at most, as the reason for it."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A level that waits its time: since when (`clock_s`), and the reading before it (None: nothing had been read)."""

    level: Level
    since_s: float
    before: Reading | None


@dataclass(frozen=True, slots=True)
class AlertState:
    """The level in force of each thing that is watched (`sku:…`, `slot:…`, `view:`), and those that wait their time.

    `count` is the one that was looked at last.
    """

    levels: Mapping[str, Level] = field(default_factory=dict)
    pending: Mapping[str, Waiting] = field(default_factory=dict)
    count: Count | None = None


def alerts(
    shelf: Shelf, state: AlertState, count: Count, *, clock_s: float, patience: Patience
) -> tuple[AlertState, tuple[Alert, ...]]:
    """Compare a shelf's count with what was last said of it.

    Args:
        shelf: The shelf.
        state: `AlertState()`, from `edge_agent.alerts.book.resume`, or from the frame before.
        count: The count in force.
        clock_s: The frame's time on the clock that never jumps.
        patience: How long a level must last before it is an alert, and where stock is back.

    Returns:
        The new state, and the alerts of this moment.
    """
    if count is state.count and not state.pending:
        return state, ()
    levels = dict(state.levels)
    watched = _watched(shelf, count, levels, patience)
    known = {thing for thing, _, _ in watched}
    pending = {
        thing: waits for thing, waits in state.pending.items() if thing in known
    }  # the unknown waits for nothing
    reading = state.count.reading if state.count is not None and _fits(state.count, shelf) else None
    raised = []
    for thing, level, about in watched:
        before = levels.get(thing, _FIRST[thing.split(":", 1)[0]])
        if level == before:
            pending.pop(thing, None)
            continue
        waits = pending.get(thing, Waiting(level, clock_s, reading))
        if waits.level != level:
            waits = replace(waits, level=level, since_s=clock_s)
        pending[thing] = waits
        kind = _KINDS[before, level]
        if clock_s - waits.since_s >= patience.hold_s(kind):
            del pending[thing]
            levels[thing] = level
            raised.append(_named(kind, thing, about, shelf, count, waits.before))
    return AlertState(levels, pending, count), tuple(raised)


def level_of(kind: AlertKind) -> Level:
    """The level of a thing of which an alert of this kind is the newest."""
    return _AFTER[kind]


_FIRST: dict[str, Level] = {"sku": "ok", "slot": "right", "view": "seen"}
_KINDS: dict[tuple[Level, Level], AlertKind] = {
    ("ok", "low"): "low_stock",
    ("out", "low"): "low_stock",
    ("ok", "out"): "out_of_stock",
    ("low", "out"): "out_of_stock",
    ("low", "ok"): "restocked",
    ("out", "ok"): "restocked",
    ("right", "wrong"): "misplaced",
    ("wrong", "right"): "put_right",
    ("seen", "lost"): "view_lost",
    ("lost", "seen"): "view_restored",
}
_AFTER: dict[AlertKind, Level] = {kind: after for (_, after), kind in _KINDS.items()}


@dataclass(frozen=True, slots=True)
class _About:
    """What an alert would be about; `sku` is what stands in a slot where it is about a slot."""

    item: Item | None = None
    slot: str | None = None
    sku: str | None = None


def _watched(
    shelf: Shelf, count: Count, levels: Mapping[str, Level], patience: Patience
) -> list[tuple[str, Level, _About]]:
    """Everything that has a level now. What is unknown has none, so that it changes nothing."""
    back_at = dict(shelf.restocked_at)
    watched: list[tuple[str, Level, _About]] = []
    for item in count.items:
        if item.count is not None and item.expected > 0:
            thing = f"sku:{item.sku}"
            back = item.count >= patience.restocked_at(item.expected, back_at.get(item.sku))
            watched.append((thing, _stock(item, levels.get(thing, "ok"), back=back), _About(item=item, sku=item.sku)))
    for slot, label in zip(shelf.slots, count.reading, strict=True):
        if slot.product is not None and label is not None:
            wrong = label != slot.product and label not in SPECIAL_LABELS
            watched.append((f"slot:{slot.id}", "wrong" if wrong else "right", _About(slot=slot.id, sku=label)))
    if not count.unknown_slots:
        watched.append(("view:", "seen", _About()))
    elif count.quality != "dark" or patience.dark_is_lost:
        watched.append(("view:", "lost", _About()))
    return watched


def _stock(item: Item, before: Level, *, back: bool) -> Level:
    """The level of a product whose count is known: what was low or out is back only from its own threshold on."""
    if item.status == "ok":
        return "ok" if back or before == "ok" else "low"
    return "out" if item.status == "out" else "low"


def _fits(count: Count, shelf: Shelf) -> bool:
    return len(count.reading) == len(shelf.slots)


def _named(kind: AlertKind, thing: str, about: _About, shelf: Shelf, count: Count, before: Reading | None) -> Alert:
    """The alert, with a sentence for a person and the slots that it is drawn from."""
    return Alert(
        kind=kind,
        shelf=shelf.id,
        camera=shelf.camera,
        message=f"shelf {shelf.id}: {_words(kind, about, shelf, count)}",
        sku=about.sku,
        slot=about.slot,
        count=about.item.count if about.item is not None else None,
        thing=thing,
        aisle=shelf.aisle,
        changes=_changes(thing, shelf, count.reading, before or (None,) * len(shelf.slots)),
    )


def _words(kind: AlertKind, about: _About, shelf: Shelf, count: Count) -> str:
    item = about.item
    facings = f"{item.count} of {item.expected} facings" if item is not None else ""
    planned = next((slot.product for slot in shelf.slots if slot.id == about.slot), None)
    words: dict[AlertKind, str] = {
        "low_stock": f"{about.sku} is low: {facings}",
        "out_of_stock": f"{about.sku} is out of stock",
        "restocked": f"{about.sku} is back: {facings}",
        "misplaced": f"{about.sku} stands in slot {about.slot}, where {planned} belongs",
        "put_right": f"slot {about.slot} no longer holds another product",
        "view_lost": count.reason or "some slots cannot be read",
        "view_restored": "every slot can be read again",
    }
    return words[kind]


def _changes(thing: str, shelf: Shelf, after: Reading, before: Reading) -> tuple[SlotChange, ...]:
    """The slots that an alert about a thing is drawn from, those that changed first."""
    kind, _, name = thing.partition(":")
    found = [
        SlotChange(slot.id, was, now)
        for slot, was, now in zip(shelf.slots, before, after, strict=True)
        if (kind == "sku" and name in {slot.product, was, now})
        or (kind == "slot" and name == slot.id)
        or (kind == "view" and (now is None or was is None))
    ]
    return tuple(sorted(found, key=lambda change: change.before == change.after)[:CHANGES_MAX])


def with_votes(raised: Sequence[Alert], votes: Mapping[str, tuple[int, int]]) -> tuple[Alert, ...]:
    """Alerts with the votes that they rest on.

    Args:
        raised: From `alerts`.
        votes: For each slot how many looks of the vote window said what stands there, and how many there were.
    """
    return tuple(
        replace(
            alert,
            changes=tuple(
                replace(change, votes=votes[change.slot][0], looks=votes[change.slot][1]) for change in alert.changes
            ),
        )
        for alert in raised
    )
