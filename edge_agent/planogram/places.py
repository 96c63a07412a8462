"""A problem of a configuration, in words → which shelf and which slot it is about, so that it can be shown there."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_SHELF = re.compile(r'^(?:shelf|shelves) (?:"([^"]*)"|number (\d+))')
_SLOT = re.compile(r'\b(?:slot|slots) (?:"([^"]*)"|number (\d+))')
_TWICE = re.compile(r'^two shelves have the id "([^"]*)"')
_TWICE_SLOT = re.compile(r'two slots have the id "([^"]*)"')


@dataclass(frozen=True, slots=True)
class Place:
    """A problem, with the position of its shelf and of its slot among those that were sent; None: of no single one."""

    words: str
    shelf: int | None = None
    slot: int | None = None


def placed(problem: str, shelves: Sequence[Mapping[str, Any]]) -> Place:
    """Find the shelf and the slot that a problem names. Of several of one name the last is meant: it came last."""
    twice = _TWICE.match(problem)
    named = twice or _SHELF.match(problem)
    if named is None:
        return Place(problem)
    shelf = _at(named.groups(), shelves)
    slots = (shelves[shelf].get("slots") or []) if shelf is not None else []
    rest = problem[named.end() :]
    slot = _TWICE_SLOT.search(rest) or _SLOT.search(rest)
    return Place(problem, shelf, _at(slot.groups(), slots) if slot is not None and not twice else None)


def _at(groups: Sequence[str | None], tables: Sequence[Mapping[str, Any]]) -> int | None:
    name, number = (*groups, None)[:2]
    if number is not None:
        return int(number) - 1 if int(number) <= len(tables) else None
    return next((place for place in reversed(range(len(tables))) if tables[place].get("id") == name), None)
