"""How a data set lies on disk: which part is where, and whether it is folders, a list or boxes."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from edge_agent.shelf import InputError
from trainer.photos.classes import read_table
from trainer.photos.coco import list_boxes
from trainer.photos.listing import Listed, list_folder, list_lines, table_groups

PartName = Literal["train", "validation", "test"]

PART_NAMES: dict[PartName, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid"),
    "test": ("test", "testing"),
}
"""What the folders of the parts may be called."""
BOXES_NAME = "_annotations.coco.json"
"""What Roboflow calls the file of boxes that it puts among the pictures of each part."""


def parts(path: Path) -> dict[PartName, Listed]:
    """List a data set by its parts: training alone, or with validation and test where they are folders of their own.

    Raises:
        InputError: A folder or list is not there.
        DataError: Something in it makes no sense.
    """
    if not path.is_dir():
        return {"train": listed(path)}
    folders: dict[PartName, Path] = {}
    for part, candidates in PART_NAMES.items():
        if found := [path / name for name in candidates if (path / name).is_dir()]:
            folders[part] = found[0]
    if "train" not in folders or len(folders) == 1:
        return {"train": listed(folders.get("train", path))}
    by_part = {part: listed(folder) for part, folder in folders.items()}
    train = by_part["train"]
    if not train.groups:
        table_path = path / "classes.csv"
        groups = table_groups(table_path, train.labels, read_table(table_path, by_id=False).groups)
        by_part["train"] = replace(train, groups=groups)
    return by_part


def listed(path: Path) -> Listed:
    """List the photographs of one folder, list file or file of boxes.

    Raises:
        InputError: It is not there, or cannot be read.
        DataError: Something in it makes no sense.
    """
    if path.is_dir():
        boxes = path / BOXES_NAME
        return list_boxes(boxes) if boxes.is_file() else list_folder(path)
    if path.is_file():
        return list_boxes(path) if path.suffix.lower() == ".json" else list_lines(path)
    raise InputError(f"{path}: there is no such folder or list file. Check the path.")
