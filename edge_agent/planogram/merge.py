"""New values into what tomlkit has parsed, so that comments, order and spacing of all that stays are as they were."""

from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import tomlkit
from tomlkit.items import Array, Item

LONG = 110
"""An array that is longer than so many characters is written over several lines."""

Table = dict[str, Any]
Pairs = list[tuple[int | None, Table]]


def paired(old: Sequence[Mapping[str, Any]], wanted: Sequence[Mapping[str, Any]]) -> Pairs:
    """Which of the old tables each wanted one was: those that stay in their old order, then the new ones (None).

    A wanted table names the id that it had as `was` (None: it is new); without that, its id has not changed. What is
    None in it is left away.
    """
    left = {place: table.get("id") for place, table in enumerate(old)}
    found: Pairs = []
    for table in wanted:
        name = table.get("was", table.get("id"))
        place = next((place for place, known in left.items() if name is not None and known == name), None)
        if place is not None:
            del left[place]
        found.append((place, _plain(table)))
    return sorted(found, key=lambda pair: len(old) if pair[0] is None else pair[0])


def settled(old: Sequence[Mapping[str, Any]], pairs: Pairs) -> list[Table]:
    """What the tables will be once they are written, lists of tables in them too: each in the order of its file."""
    found = []
    for place, table in pairs:
        before = old[place] if place is not None else {}
        found.append({key: _settled(before.get(key), value) for key, value in table.items()})
    return found


def _settled(old: Any, value: Any) -> Any:
    if are_tables(value):
        known = old if are_tables(old) else []
        return settled(known, paired(known, value))
    return value


def are_tables(value: Any) -> bool:
    """Whether something is a list of tables."""
    return isinstance(value, list) and all(isinstance(each, Mapping) for each in value)


def _plain(table: Mapping[str, Any]) -> Table:
    return {key: _without_none(value) for key, value in table.items() if value is not None and key != "was"}


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    return value


def merge(container: MutableMapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Make a table hold what is wanted, and nothing else."""
    for key in [key for key in container if key not in wanted]:
        del container[key]
    for key, value in wanted.items():
        put(container, key, value)


def put(container: MutableMapping[str, Any], key: str, value: Any) -> None:
    """Set one key; of a table or a list that is there, only what differs is touched."""
    current = container.get(key)
    if isinstance(current, MutableMapping) and isinstance(value, Mapping):
        if current != value:
            merge(current, value)
    elif isinstance(current, MutableSequence) and isinstance(value, Sequence) and _merged(current, value):
        return
    elif current != value:
        container[key] = fresh(value)


def _merged(current: MutableSequence[Any], value: Sequence[Any]) -> bool:
    """Change a list in place, where that is possible."""
    if value and all(isinstance(each, Mapping) for each in (*value, *current)):
        merge_tables(current, paired(current, value))
        return True
    if len(current) != len(value):
        return False
    for place, inner in enumerate(value):
        if isinstance(current[place], MutableSequence) and isinstance(inner, list | tuple):
            if not _merged(current[place], inner):
                current[place] = fresh(inner)
        elif current[place] != inner:
            current[place] = fresh(inner)
    return True


def merge_tables(current: MutableSequence[Any], pairs: Pairs) -> None:
    """Change an array of inline tables in place: some stay, some go, some are new."""
    stay = {place for place, _ in pairs if place is not None}
    for place, table in pairs:
        if place is not None and current[place] != table:
            merge(current[place], table)
    for place in reversed([place for place in range(len(current)) if place not in stay]):
        del current[place]
    for place, table in pairs:
        if place is None:
            current.append(fresh(table))


def fresh(value: Any) -> Item:
    """A value as it is written where there was none."""
    if isinstance(value, Mapping):
        table = tomlkit.inline_table()
        for key, inner in _plain(value).items():
            table[key] = fresh(inner)
        return table
    if isinstance(value, list | tuple):
        return _array([fresh(inner) for inner in value])
    item: Item = tomlkit.item(value)
    return item


def _array(items: Sequence[Item]) -> Array:
    """A list on one line, or on as few as it needs."""
    array = tomlkit.array()
    if sum(len(item.as_string()) + 2 for item in items) <= LONG:
        array.extend(items)
        return array
    line: list[Item] = []
    for item in items:
        if line and sum(len(each.as_string()) + 2 for each in (*line, item)) > LONG:
            array.add_line(*line, indent="  ")
            line = []
        line.append(item)
    array.add_line(*line, indent="  ")
    array.add_line(indent="")
    return array
