"""Edited shelves → the text of `agent.toml`. Pure: text in, text out.

Only what differs is written anew. A shelf that is as it was keeps every byte, one that was changed its comments and its
order; a new one is appended to the others, and one that is gone takes the comments with it that are its own.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import tomlkit

from edge_agent.planogram.layout import Segment, join, split
from edge_agent.planogram.merge import Pairs, Table, are_tables, fresh, merge, merge_tables, paired, put, settled
from edge_agent.shelf import ConfigError

KEY = "shelves"


def edited(text: str, shelves: Sequence[Mapping[str, Any]]) -> str:
    """The text with these shelves instead of those that it has.

    Args:
        text: A TOML file that can be parsed.
        shelves: What `[[shelves]]` shall hold; nothing of it need be right. A shelf or a slot may name the id that it
            has in the file as `was` (None: it is new); without that, its id has not changed.

    Raises:
        ConfigError: The file is written in a way in which it cannot be edited.
    """
    raw = tomllib.loads(text)
    before = raw.get(KEY, [])
    if not are_tables(before):
        raise ConfigError('"shelves" of the file is no list of tables. Write each shelf as [[shelves]] in the file.')
    pairs = paired(before, shelves)
    after = settled(before, pairs)
    if after == before:
        return text
    segments = split(text)
    if before and not any(segment.path[:1] == (KEY,) for segment in segments):
        segments[0] = _inline(segments[0], pairs)
    else:
        if KEY in raw and not before:
            segments[0] = _put(segments[0], KEY, None)
        segments = _grouped(segments, before, pairs)
    written = _like(text, join(segments))
    _check(written, {**raw, KEY: after})
    return written


def _inline(segment: Segment, pairs: Pairs) -> Segment:
    """Shelves that are written as one list of inline tables."""
    document = tomlkit.parse(segment.body)
    merge_tables(document[KEY], pairs)
    return replace(segment, body=tomlkit.dumps(document))


def _grouped(segments: Sequence[Segment], before: Sequence[Table], pairs: Pairs) -> list[Segment]:
    """All tables of the file, with each shelf edited where it stands, and the new ones behind the last of them."""
    groups: list[list[Segment]] = [[]]
    shelf_at: dict[int, int] = {}  # a shelf → its group
    for segment in segments:
        if segment.path == (KEY,):
            shelf_at[len(shelf_at)] = len(groups)
            groups.append([segment])
        elif segment.path[:1] == (KEY,) or not groups[-1] or groups[-1][0].path != (KEY,):
            groups[-1].append(segment)
        else:
            groups.append([segment])
    wanted = {place: shelf for place, shelf in pairs if place is not None}
    last = shelf_at[max(shelf_at)] if shelf_at else len(groups) - 1
    for place, at in shelf_at.items():
        groups[at] = _shelf(groups[at], before[place], wanted[place]) if place in wanted else _left(groups[at])
    added = [segment for place, shelf in pairs if place is None for segment in _new_shelf(shelf)]
    groups[last] = _followed(groups, last, added)
    return [segment for group in groups for segment in group]


def _shelf(segments: list[Segment], old: Table, new: Table) -> list[Segment]:
    """One shelf: its head, and the tables below it."""
    for key in {**old, **new}:
        value = new.get(key)
        if old.get(key) == value:
            continue
        subs = [place for place, segment in enumerate(segments) if segment.path == (KEY, key)]
        if subs and segments[subs[0]].array:
            segments = _slots(segments, key, old.get(key, []), value or [])
        elif subs and isinstance(value, Mapping):
            segments[subs[0]] = _merged(segments[subs[0]], value)
        elif subs:
            segments[subs[0] : subs[0] + 1] = _left(segments[subs[0] : subs[0] + 1])
        elif key in old or not _is_table(key, value):
            segments[0] = _put(segments[0], key, value)
        else:
            segments = _followed([segments], 0, _new_tables(key, value))
    return segments


def _slots(segments: list[Segment], key: str, old: Sequence[Table], new: Sequence[Mapping[str, Any]]) -> list[Segment]:
    """The slots of a shelf, each a table of its own."""
    pairs = paired(old, new)
    wanted = {place: slot for place, slot in pairs if place is not None}
    found: list[Segment] = []
    places = count()
    for segment in segments:
        place = next(places) if segment.path == (KEY, key) else None
        if place is None or wanted.get(place) == old[place]:
            found.append(segment)
        elif place in wanted:
            found.append(_merged(segment, wanted[place]))
        else:
            found += _left([segment])
    added = [segment for place, slot in pairs if place is None for segment in _new_tables(key, [slot])]
    return _followed([found], 0, added)


def _put(segment: Segment, key: str, value: Any) -> Segment:
    """Set, or with None remove, one key of a table."""
    document = tomlkit.parse(segment.body)
    if value is None:
        del document[key]
    else:
        put(document, key, value)
    return replace(segment, body=tomlkit.dumps(document))


def _merged(segment: Segment, value: Mapping[str, Any]) -> Segment:
    document = tomlkit.parse(segment.body)
    merge(document, value)
    return replace(segment, body=tomlkit.dumps(document))


def _left(gone: Sequence[Segment]) -> list[Segment]:
    """What stays of tables that go: the comments behind them that are nobody's."""
    rest = "".join(segment.gap.lstrip("\r\n") for segment in gone if "#" in segment.gap)
    return [Segment((), rest)] if rest else []


def _followed(groups: Sequence[list[Segment]], last: int, added: list[Segment]) -> list[Segment]:
    """A group with new tables behind it, and an empty line between."""
    if not added:
        return groups[last]
    group = list(groups[last]) or [Segment((), "")]
    end = group[-1]
    if end.text and not end.text.endswith("\n"):
        end = replace(end, gap=end.gap + "\n")
    if end.path[:1] == (KEY,):  # what separated it from the next table now separates the new one from that
        added = [*added[:-1], replace(added[-1], gap=end.gap)]
        end = replace(end, gap="\n")
    elif end.text and not re.search(r"(^|\n)\r?\n$", end.text):
        end = replace(end, gap=end.gap + "\n")
    return [*group[:-1], end, *added]


def _is_table(key: str, value: Any) -> bool:
    return (key == "grid" and isinstance(value, Mapping)) or (key == "slots" and are_tables(value))


def _new_shelf(shelf: Table) -> list[Segment]:
    head = {key: value for key, value in shelf.items() if not _is_table(key, value)}
    tables = [segment for key, value in shelf.items() if key not in head for segment in _new_tables(key, value)]
    return [_table((KEY,), head, array=True), *tables]


def _new_tables(key: str, value: Any) -> list[Segment]:
    if isinstance(value, Mapping):
        return [_table((KEY, key), value, array=False)]
    return [_table((KEY, key), each, array=True) for each in value]


def _table(path: tuple[str, ...], table: Mapping[str, Any], *, array: bool) -> Segment:
    document = tomlkit.document()
    for key, value in table.items():
        if value is not None and key != "was":
            document[key] = fresh(value)
    name = ".".join(path)
    return Segment(path, tomlkit.dumps(document), f"[[{name}]]\n" if array else f"[{name}]\n", gap="\n", array=array)


def _like(text: str, written: str) -> str:
    """With the ends of lines, and the end, that the text had."""
    if "\r\n" in text:
        written = re.sub(r"\r?\n", "\r\n", written)
    return written


def _check(written: str, wanted: dict[str, Any]) -> None:
    """Never write what does not say what was wanted: a file may be written in ways that nobody thought of.

    Raises:
        ConfigError: It doesn't.
    """
    try:
        found = tomllib.loads(written)
    except tomllib.TOMLDecodeError:
        found = {}
    if {KEY: [], **found} != wanted:
        raise ConfigError(
            "the shelves of this file are written in a way that cannot be edited here without a risk to the rest of it."
            " Write each as [[shelves]] with [[shelves.slots]] or [shelves.grid], or edit the file by hand."
        )
