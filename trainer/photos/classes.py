"""A `classes.csv`: what class ids mean, and which group (coarse label) each class belongs to."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_agent.shelf import DataError, InputError

NAME_COLUMNS = ("class name", "name", "label")
ID_COLUMNS = ("class id", "id")
GROUP_COLUMNS = ("coarse class name", "coarse name", "coarse label", "coarse", "group")
GROUP_ID_COLUMNS = ("coarse class id", "coarse id", "group id")

Row = tuple[int, list[str]]
"""A line number, from 1, and the fields of that line."""


@dataclass(frozen=True, slots=True)
class Group:
    """The group that a class stands under: its name, what it is ordered by, and where that is said."""

    name: str
    key: str
    said: str


@dataclass(frozen=True, slots=True)
class ClassTable:
    """Names by class id, groups by class name; empty where the table does not have the columns for it.

    `numbered` says that groups have ids of their own, which the lines of a list must agree with.
    """

    names: Mapping[str, str]
    groups: Mapping[str, Group]
    numbered: bool


NO_TABLE = ClassTable({}, {}, numbered=False)


def read_table(path: Path, *, by_id: bool) -> ClassTable:
    """Read a table with a header such as `Class Name (str),Class ID (int),Coarse Class Name (str),…`, if it is there.

    Args:
        path: The table; without a file, everything is empty.
        by_id: Whether photographs are labelled with ids, so that the table must have names for them.

    Raises:
        InputError: It cannot be read as text.
        DataError: A column is missing, a line is short, or names and ids contradict each other.
    """
    if not path.is_file():
        return NO_TABLE
    (_, header), *rows = read_rows(path) or [(0, [])]
    titles = [column.lower().split("(")[0].strip() for column in header]
    name_at, id_at = _place(titles, NAME_COLUMNS), _place(titles, ID_COLUMNS)
    if name_at is None or (by_id and id_at is None):
        wanted = 'the columns "Class Name" and "Class ID"' if by_id else 'a column "name"'
        raise DataError(f"{path}: expected {wanted}, got {header}. Mend it.")
    for line, row in rows:
        if len(row) < len(header):
            raise DataError(f"{path}, line {line}: {len(row)} fields for {len(header)} columns. Mend the line.")
    names = {row[id_at]: row[name_at] for _, row in rows} if id_at is not None else {}
    if len(set(names.values())) < len(names):
        raise DataError(f"{path}: two class ids share a name. Give each its own.")
    group_at, key_at = _place(titles, GROUP_COLUMNS), _place(titles, GROUP_ID_COLUMNS)
    if group_at is None:
        return ClassTable(names, {}, numbered=False)
    groups = _groups(path, rows, at=(name_at, group_at, group_at if key_at is None else key_at))
    return ClassTable(names, groups, numbered=key_at is not None)


def _place(titles: Sequence[str], candidates: Sequence[str]) -> int | None:
    return next((titles.index(title) for title in candidates if title in titles), None)


def _groups(path: Path, rows: Sequence[Row], *, at: tuple[int, int, int]) -> dict[str, Group]:
    """Groups by class; `at` are the columns of the class, of its group and of the group's id."""
    groups: dict[str, Group] = {}
    for line, row in rows:
        label, name, key = (row[column] for column in at)
        here = Group(name, key, f"{path}, line {line}")
        if not name or not key:
            raise DataError(f'{here.said}: the class "{label}" has no group. Give every class one, or drop the column.')
        agree(label, here, groups.setdefault(label, here))
        if clash := next((group for group in groups.values() if (group.name == name) != (group.key == key)), None):
            raise DataError(
                f'{here.said}: the group "{name}" has the id {key}, but {clash.said} has "{clash.name}" with the id'
                f" {clash.key}. Give each group one name and one id."
            )
    return groups


def agree(label: str, here: Group, before: Group) -> None:
    """Make sure that a class is said to be in the same group twice.

    Raises:
        DataError: It stands under two.
    """
    if here.name != before.name:
        raise DataError(
            f'{here.said}: "{label}" stands under the group "{here.name}", but under "{before.name}" in {before.said}.'
            " A class has one group; mend either."
        )


def read_rows(path: Path) -> list[Row]:
    """Lines with their numbers, from 1, as fields without spaces around; blank lines and comments are left out.

    Raises:
        InputError: The file cannot be read as text.
        DataError: A line is no line of fields.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f'{path}: cannot be read as a list ({error}). Expected "path, label" lines.') from error
    reader = csv.reader(text.splitlines(), skipinitialspace=True)
    try:
        rows = [(reader.line_num, [field.strip() for field in row]) for row in reader]
    except csv.Error as error:
        raise DataError(
            f'{path}, line {reader.line_num}: this is no line of a list ({error}). Expected "path, label".'
        ) from error
    return [(line, row) for line, row in rows if any(row) and not row[0].startswith("#")]
