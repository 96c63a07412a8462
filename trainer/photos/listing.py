"""What lies in a folder or stands in a list file: paths with the names of their labels. Nothing is decoded."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_agent.shelf import DataError, InputError, nearest
from trainer.photos.classes import ClassTable, Group, Row, agree, read_rows, read_table

PHOTO_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""What counts as a photograph in a folder. A list file may name anything."""


Box = tuple[int, int, int, int]
"""Left edge, top edge, width and height, in pixels."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A photograph with the name of its label, and the part of the picture that shows it; None is all of it."""

    path: Path
    label: str
    box_xywh: Box | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """What a data set names. `labels` are those that occur, in the order that a network gives them.

    `groups` are those of the labels, in the same order, or () where nothing is said of groups. `remarks` are lines for
    a person, such as what was left out.
    """

    source: Path
    labels: tuple[str, ...]
    photos: tuple[Entry, ...]
    groups: tuple[Group, ...] = ()
    remarks: tuple[str, ...] = ()


def list_folder(folder: Path) -> Listed:
    """List a folder with one folder per class; the classes are in the order of their names.

    Photographs may lie deeper, as in `cola/monday/1.jpg`. Hidden files and folders are passed over. A `classes.csv`
    in the folder, with the columns `name` and `coarse`, says which group each class belongs to.

    Raises:
        InputError: The folder is not there.
        DataError: It has no class folders, or one of them has no photograph.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder. Check the path.")
    classes = sorted(child for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))
    if not classes:
        raise DataError(f"{folder} is empty of class folders. Put the photographs of each class into one of its own.")
    photos: list[Entry] = []
    for class_folder in classes:
        photos += [Entry(path, class_folder.name) for path in photos_below(class_folder)]
    labels = tuple(child.name for child in classes)
    table = read_table(folder / "classes.csv", by_id=False)
    return Listed(folder, labels, tuple(photos), table_groups(folder / "classes.csv", labels, table.groups))


def photos_below(folder: Path) -> list[Path]:
    """All photographs in a folder, however deep, in the order of their paths; what is hidden is passed over.

    Raises:
        DataError: There is none.
    """
    found = sorted(path for path in folder.rglob("*") if _is_photo(path, folder))
    if not found:
        raise DataError(f"{folder} has no photographs ({', '.join(sorted(PHOTO_SUFFIXES))}). Add some or leave it out.")
    return found


def _is_photo(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return not hidden and path.suffix.lower() in PHOTO_SUFFIXES and path.is_file()


def table_groups(path: Path, labels: Sequence[str], groups: Mapping[str, Group]) -> tuple[Group, ...]:
    """The groups of `labels`, in their order; () where the table at `path` knows none of them.

    Raises:
        DataError: The table knows some of the labels and not others.
    """
    if not any(label in groups for label in labels):
        return ()
    if missing := [label for label in labels if label not in groups]:
        raise DataError(
            f'{path}: {len(missing)} of the classes have no line and so no group, such as "{missing[0]}"'
            f" ({nearest(missing[0], groups)}). Add a line for each, or drop the groups."
        )
    return tuple(groups[label] for label in labels)


def list_lines(path: Path) -> Listed:
    """List a file of `path, label` or `path, label, coarse label` lines; paths are relative to the list.

    Where a `classes.csv` lies beside the list, labels are class ids and their names come from there, as do those of
    the groups; otherwise the text is the name. Classes are in the order of their ids, or of their names where they are
    no numbers.

    Raises:
        InputError: The list cannot be read as text.
        DataError: A line or a label makes no sense, or there is none.
    """
    rows = read_rows(path)
    table_path = path.with_name("classes.csv")
    table = read_table(table_path, by_id=True)
    names = table.names
    photos: list[Entry] = []
    keys: set[str] = set()
    for line, row in rows:
        if len(row) not in (2, 3) or not row[0] or not row[1]:
            raise DataError(f'{path}, line {line}: expected "path, label", got "{", ".join(row)}". Mend the line.')
        key = row[1]
        if names and key not in names:
            raise DataError(
                f'{path}, line {line}: class "{key}" is not in classes.csv; {nearest(key, names)}. Mend either.'
            )
        keys.add(key)
        photos.append(Entry(path.parent / row[0], names.get(key, key)))
    if not photos:
        raise DataError(f'{path} lists no photographs. Write a line "path, label" for each.')
    labels = tuple(names.get(key, key) for key in in_order(keys))
    said = _line_groups(path, rows, table)
    groups = tuple(said[label] for label in labels) if said else table_groups(table_path, labels, table.groups)
    return Listed(path, labels, tuple(photos), groups)


def in_order(keys: Iterable[str]) -> list[str]:
    """Ids as numbers where all are numbers, and as text otherwise."""
    unordered = list(keys)
    return sorted(unordered, key=int) if all(key.isdecimal() for key in unordered) else sorted(unordered)


def _line_groups(path: Path, rows: Sequence[Row], table: ClassTable) -> dict[str, Group]:
    """Groups by label, from the third field of the lines; {} where no line has one."""
    grouped = [(line, row) for line, row in rows if len(row) == 3 and row[2]]
    if grouped and len(grouped) < len(rows):
        without = next(line for line, row in rows if len(row) < 3 or not row[2])
        raise DataError(
            f"{path}, line {without}: there is no coarse label, but line {grouped[0][0]} has one."
            " Give every line one, or none."
        )
    groups: dict[str, Group] = {}
    known = {group.key: group.name for group in table.groups.values()} if table.numbered else {}
    for line, row in grouped:
        label, key = table.names.get(row[1], row[1]), row[2]
        if known and key not in known:
            raise DataError(
                f'{path}, line {line}: coarse label "{key}" is not in classes.csv; {nearest(key, known)}. Mend either.'
            )
        here = Group(known.get(key, key), key, f"{path}, line {line}")
        agree(label, here, groups.setdefault(label, here))
        if known:
            agree(label, here, table.groups[label])
    # names without ids in the table: the lines tell the groups apart, and the table says what they are called
    named = {label: table.groups[label] for label in groups if label in table.groups}
    return groups | named
