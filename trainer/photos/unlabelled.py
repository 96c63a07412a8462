"""Photographs of which nobody says what they show. Nothing is decoded here."""

from pathlib import Path

from edge_agent.shelf import DataError, InputError
from trainer.photos.coco import list_boxes
from trainer.photos.data import Photo
from trainer.photos.listing import PHOTO_SUFFIXES, list_lines

NO_LABEL = 0
"""What stands in for the label; it must not be looked at."""


def pictures(path: Path) -> tuple[Photo, ...]:
    """A picture by its path, or all pictures below a folder in the order of their names; hidden ones are passed over.

    Raises:
        DataError: The folder has none.
    """
    if not path.is_dir():
        return (Photo(path, NO_LABEL),)
    below = sorted(found for found in path.rglob("*") if found.suffix.lower() in PHOTO_SUFFIXES and found.is_file())
    shown = [found for found in below if not any(part.startswith(".") for part in found.relative_to(path).parts)]
    if not shown:
        raise DataError(f"{path} has no photographs ({', '.join(sorted(PHOTO_SUFFIXES))}). Name another folder.")
    return tuple(Photo(found, NO_LABEL) for found in shown)


def strangers(path: Path) -> tuple[Photo, ...]:
    """Photographs of unknown products: a folder, or a list or COCO file whose labels mean nothing.

    Raises:
        InputError: There is no such folder or list.
        DataError: It has no photographs.
    """
    if path.is_dir():
        return pictures(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such folder or list of unknown products. Check --unknown.")
    listed = list_boxes(path) if path.suffix.lower() == ".json" else list_lines(path)
    return tuple(Photo(entry.path, NO_LABEL, entry.box_xywh) for entry in listed.photos)
