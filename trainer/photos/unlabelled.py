"""Photographs of which nobody says what they show. Nothing is decoded here."""

from pathlib import Path

from edge_agent.shelf import InputError
from trainer.photos.data import Photo
from trainer.photos.layout import listed
from trainer.photos.listing import photos_below

NO_LABEL = 0
"""What stands in for the label; it must not be looked at."""


def pictures(path: Path) -> tuple[Photo, ...]:
    """A picture by its path, or all pictures below a folder in the order of their names; hidden ones are passed over.

    Raises:
        DataError: The folder has none.
    """
    if not path.is_dir():
        return (Photo(path, NO_LABEL),)
    return tuple(Photo(found, NO_LABEL) for found in photos_below(path))


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
    return tuple(Photo(entry.path, NO_LABEL, entry.box_xywh) for entry in listed(path).photos)
