"""What lies in a folder or stands in a list file: paths with the names of their labels. Nothing is decoded."""

import csv
from dataclasses import dataclass
from pathlib import Path

from edge_agent.shelf import DataError, InputError, nearest

PHOTO_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""What counts as a photograph in a folder. A list file may name anything."""


@dataclass(frozen=True, slots=True)
class Listed:
    """Paths with the names of their labels. `labels` are those that occur, in the order that a network gives them."""

    source: Path
    labels: tuple[str, ...]
    photos: tuple[tuple[Path, str], ...]


def list_folder(folder: Path) -> Listed:
    """List a folder with one folder per class; the classes are in the order of their names.

    Photographs may lie deeper, as in `cola/monday/1.jpg`. Hidden files and folders are passed over.

    Raises:
        InputError: The folder is not there.
        DataError: It has no class folders, or one of them has no photograph.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder. Check the path.")
    classes = sorted(child for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))
    if not classes:
        raise DataError(f"{folder} is empty of class folders. Put the photographs of each class into one of its own.")
    photos: list[tuple[Path, str]] = []
    for class_folder in classes:
        found = sorted(path for path in class_folder.rglob("*") if _is_photo(path, class_folder))
        if not found:
            raise DataError(
                f"{class_folder} has no photographs ({', '.join(sorted(PHOTO_SUFFIXES))}). Add some or remove it."
            )
        photos += [(path, class_folder.name) for path in found]
    return Listed(folder, tuple(child.name for child in classes), tuple(photos))


def _is_photo(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return not hidden and path.suffix.lower() in PHOTO_SUFFIXES and path.is_file()


def list_lines(path: Path) -> Listed:
    """List a file of `path, label` or `path, label, coarse label` lines; paths are relative to the list.

    Where a `classes.csv` lies beside the list, labels are class ids and their names come from there; otherwise the
    text is the name. Classes are in the order of their ids, or of their names where they are no numbers.

    Raises:
        InputError: The list cannot be read as text.
        DataError: A line or a label makes no sense, or there is none.
    """
    rows = _rows(path)
    names = _class_names(path.with_name("classes.csv"))
    photos: list[tuple[Path, str]] = []
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
        photos.append((path.parent / row[0], names.get(key, key)))
    if not photos:
        raise DataError(f'{path} lists no photographs. Write a line "path, label" for each.')
    ordered = sorted(keys, key=int) if all(key.isdecimal() for key in keys) else sorted(keys)
    return Listed(path, tuple(names.get(key, key) for key in ordered), tuple(photos))


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Lines with their numbers, from 1; blank lines and comments are left out."""
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


def _class_names(path: Path) -> dict[str, str]:
    """Names by class id, from a table with a header such as `Class Name (str),Class ID (int),…`; {} without a file."""
    if not path.is_file():
        return {}
    (_, header), *rows = _rows(path) or [(0, [])]
    columns = [column.lower().split("(")[0].strip() for column in header]
    try:
        name_at = next(columns.index(title) for title in ("class name", "name", "label") if title in columns)
        id_at = next(columns.index(title) for title in ("class id", "id") if title in columns)
        names = {row[id_at]: row[name_at] for _, row in rows}
    except (StopIteration, IndexError):
        raise DataError(f'{path}: expected the columns "Class Name" and "Class ID", got {header}. Mend it.') from None
    if len(set(names.values())) < len(names):
        raise DataError(f"{path}: two class ids share a name. Give each its own.")
    return names
