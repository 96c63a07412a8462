"""A file of annotations in COCO's detection format → a listing in which every box is a photograph of its own.

The format: https://cocodataset.org/#format-data. Boxes are `[x, y, width, height]` in pixels of the picture. What is no
single thing (`iscrowd`) or too small to see is left out, and counted in the remarks of the listing.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AllowInfNan, BaseModel, ValidationError

from edge_agent.shelf import DataError, InputError, nearest
from trainer.photos.classes import Group
from trainer.photos.listing import Box, Entry, Listed

MARGIN = 0.05
"""Of a box's width and height, added on each side: annotators cut close, and a slot on a shelf is not."""
LEAST_PX = 8
"""Boxes with a shorter side say nothing about a product."""
PLACES = (".", "images", "..", "../images")
"""Where pictures are looked for, from the folder of the file."""

Finite = Annotated[float, AllowInfNan(False)]  # noqa: FBT003 - pydantic's own spelling


class _Image(BaseModel):
    id: int | str
    file_name: str
    width: int | None = None
    height: int | None = None


class _Category(BaseModel):
    id: int | str
    name: str
    supercategory: str | None = None


class _Annotation(BaseModel):
    id: int | str | None = None
    image_id: int | str
    category_id: int | str
    bbox: tuple[Finite, Finite, Finite, Finite]
    iscrowd: int = 0


class _Coco(BaseModel):
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]


@dataclass(frozen=True, slots=True)
class _Picture:
    """Where a picture lies, and how large it is said to be."""

    path: Path
    wh: tuple[float, float]


def list_boxes(path: Path) -> Listed:
    """List the boxes of a COCO file; classes are in the order of their ids, and groups are the supercategories.

    Raises:
        InputError: The file cannot be read, or a picture that it names is not there.
        DataError: It is no such file, contradicts itself, or has no box to train on.
    """
    coco = _parsed(path)
    categories = {category.id: category for category in coco.categories}
    pictures = _pictures(path, coco.images)
    _refuse_repeats(path, coco)
    entries: list[Entry] = []
    left_out: Counter[str] = Counter()
    used: set[int | str] = set()
    for place, annotation in enumerate(coco.annotations):
        name = f"annotation {place if annotation.id is None else annotation.id}"
        if annotation.category_id not in categories:
            known = nearest(str(annotation.category_id), map(str, categories))
            raise DataError(f'{path}: {name} has the category "{annotation.category_id}"; {known}. Mend either.')
        if annotation.image_id not in pictures:
            raise DataError(f'{path}: {name} is on image "{annotation.image_id}", which is not listed. Mend either.')
        picture = pictures[annotation.image_id]
        box_xywh = _cut(annotation.bbox, picture.wh)
        if annotation.iscrowd:
            left_out["crowds (iscrowd)"] += 1
        elif box_xywh is None:
            left_out[f"with a side below {LEAST_PX} px inside the picture"] += 1
        else:
            used.add(annotation.category_id)
            entries.append(Entry(picture.path, categories[annotation.category_id].name, box_xywh))
    if not entries:
        raise DataError(f"{path} has no box to train on ({_counted(left_out) or 'no annotations'}). Annotate some.")
    shown = [category for category in _in_order(coco.categories) if category.id in used]
    remarks = (f"{path}: boxes left out: {_counted(left_out)}.",) if left_out else ()
    return Listed(path, tuple(c.name for c in shown), tuple(entries), _groups(path, shown), remarks)


def _parsed(path: Path) -> _Coco:
    try:
        return _Coco.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({error.strerror}). Check the path.") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise DataError(
            f"{path}: no annotations in COCO's detection format ({where + ': ' if where else ''}{first['msg']})."
            ' Expected an object with "images", "annotations" and "categories".'
        ) from error


def _pictures(path: Path, images: Sequence[_Image]) -> dict[int | str, _Picture]:
    """The pictures by id, each where it is found."""
    pictures: dict[int | str, _Picture] = {}
    missing: list[str] = []
    for image in images:
        candidates = [path.parent / place / image.file_name for place in PLACES]
        found = next((candidate for candidate in candidates if candidate.is_file()), None)
        if found is None:
            missing.append(image.file_name)
        else:
            pictures[image.id] = _Picture(found, (image.width or math.inf, image.height or math.inf))
    if missing:
        raise InputError(
            f'{path}: {len(missing)} of its {len(images)} pictures are not there, such as "{missing[0]}". Put them'
            ' beside the file or into a folder "images" beside it.'
        )
    return pictures


def _refuse_repeats(path: Path, coco: _Coco) -> None:
    """What is named twice cannot be told apart."""
    for what, values in (
        ("the image id", [image.id for image in coco.images]),
        ("the category id", [category.id for category in coco.categories]),
        ("the category", [category.name for category in coco.categories]),
    ):
        repeated = [value for value, count in Counter(values).items() if count > 1]
        if repeated:
            raise DataError(f'{path}: {what} "{repeated[0]}" is there twice. Give each its own.')


def _cut(bbox: tuple[float, float, float, float], picture_wh: tuple[float, float]) -> Box | None:
    """A box with its margin in whole pixels, inside the picture; None where too little of the box itself is inside."""
    x, y, width, height = bbox
    right, bottom = min(x + width, picture_wh[0]), min(y + height, picture_wh[1])
    x, y = max(0.0, x), max(0.0, y)
    if min(right - x, bottom - y) < LEAST_PX:
        return None
    across, down = MARGIN * (right - x), MARGIN * (bottom - y)
    left_px, top_px = max(0, math.floor(x - across)), max(0, math.floor(y - down))
    right_px, bottom_px = math.ceil(min(right + across, picture_wh[0])), math.ceil(min(bottom + down, picture_wh[1]))
    return left_px, top_px, right_px - left_px, bottom_px - top_px


def _in_order(categories: Sequence[_Category]) -> list[_Category]:
    """By id as numbers, and ids that are text after them."""
    return sorted(categories, key=lambda c: (isinstance(c.id, str), c.id if isinstance(c.id, int) else 0, str(c.id)))


def _groups(path: Path, categories: Sequence[_Category]) -> tuple[Group, ...]:
    """The supercategories, where every class has one and they tell classes apart; many tools fill in one for all."""
    said = [Group(c.supercategory, c.supercategory, f'{path}, "{c.name}"') for c in categories if c.supercategory]
    telling = len(said) == len(categories) and 1 < len({group.name for group in said}) < len(said)
    return tuple(said) if telling else ()


def _counted(left_out: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(left_out.items()))
