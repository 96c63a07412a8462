"""Photographs on disk → a listing with labels, split for training; and one photograph → pixels. No TensorFlow here.

Four layouts are understood: a folder with `train/`, `validation/` and `test/`, each with one folder per class; one
folder per class, split by a seed; a list file with `path, label` on each line; and boxes in COCO's format, a `.json`
file (`trainer.photos.layout`). Everything is checked for sense when it is listed, and nothing is decoded until
`open_photo`.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.regions import whole
from edge_agent.shelf import DataError, InputError, nearest
from trainer.photos import layout, shares
from trainer.photos.classes import agree
from trainer.photos.jpeg import READ_AS, reduction
from trainer.photos.listing import Box, Listed, in_order

Pixels = NDArray[np.uint8]
Part = Literal["all", "train", "validation", "test"]

COLLECTED = re.compile(r"-(\d{8}T\d{4})\d{2}-\d{3}$")
"""How the names of the pictures of `shelf-agent collect` end, without the suffix; the group is the minute."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A photograph of one thing: where it lies, and the index of its label in the list of labels.

    `box_xywh` is the part of the picture that shows the thing, in pixels; None is all of it.
    """

    path: Path
    label_index: int
    box_xywh: Box | None = None

    def __str__(self) -> str:
        """Where it lies, and which part of the picture it is."""
        return str(self.path) if self.box_xywh is None else f"{self.path} box {','.join(map(str, self.box_xywh))}"


@dataclass(frozen=True, slots=True)
class Coarse:
    """Groups of labels, as in "apples" for five kinds of them: `labels[of[i]]` is the group of the fine label i."""

    labels: tuple[str, ...]
    of: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Splits:
    """Photographs by the use that is made of them. `labels[photo.label_index]` is the name of what a photo shows.

    `coarse` has the groups of the labels, where the data set has any. `remarks` are lines for a person, such as what
    was left out of the listing.
    """

    labels: tuple[str, ...]
    train: tuple[Photo, ...]
    validation: tuple[Photo, ...]
    test: tuple[Photo, ...]
    coarse: Coarse | None = None
    remarks: tuple[str, ...] = ()


def load(path: Path, *, validation: Path | None = None, seed: int) -> Splits:
    """List the photographs of a data set, and say which are for training, for validation and for the test.

    Args:
        path: A folder with splits, a folder of class folders, a list file, or a file of boxes.
        validation: A list file or a folder of class folders with the held-out photographs; everything else trains.
        seed: Decides which photographs are held out where the data set does not say so.

    Raises:
        InputError: A folder or list is not there.
        DataError: There is no photograph, only one class, or a label that training does not know.
    """
    parts = layout.parts(path)
    listed = parts["train"]
    labels = listed.labels
    if len(labels) < 2:
        shown = f'only the class "{labels[0]}"' if labels else "no photographs"
        raise DataError(f"{path}: {shown}; a network needs at least two classes to tell apart. Add a folder per class.")
    train = _indexed(listed, labels)
    test = _indexed(parts["test"], labels) if "test" in parts else ()
    if validation is not None:
        parts["validation"] = layout.listed(validation)
        held_out = _indexed(parts["validation"], labels)
    elif "validation" in parts:
        held_out = _indexed(parts["validation"], labels)
    elif "test" in parts:
        train, held_out, more = split(train, seed=seed)
        train += more
    else:
        train, held_out, test = split(train, seed=seed)
    if not held_out:
        raise DataError(
            f"{path}: no photograph is left to validate on. Give each class three or more, or use --validation."
        )
    remarks = tuple(remark for part in parts.values() for remark in part.remarks)
    return Splits(labels, train, held_out, test, _coarse(listed, parts.values()), remarks)


def gather(path: Path, *, labels: Sequence[str], part: Part | None = None, seed: int) -> tuple[Photo, ...]:
    """List the photographs that a trained network is to be judged on.

    Args:
        path: As in `load`.
        labels: What the network tells apart, in the order of its outputs.
        part: Which part; by default the test part of a folder with splits (else its validation part), and all of
            anything else.
        seed: The seed of the training, so that `part` means the same photographs.

    Raises:
        InputError: A folder or list is not there.
        DataError: There is no such part, or a label that the network does not know.
    """
    parts = layout.parts(path)
    if len(parts) == 1:  # no splits on disk
        photos = _indexed(parts["train"], labels)
        if part in (None, "all"):
            return photos
        return dict(zip(("train", "validation", "test"), split(photos, seed=seed), strict=True))[part]
    if part == "all":
        return tuple(photo for listed in parts.values() for photo in _indexed(listed, labels))
    chosen = part or ("test" if "test" in parts else "validation")
    if chosen not in parts:
        raise DataError(f"{path} has no {chosen} folder; it has {', '.join(sorted(parts))}. Choose one with --split.")
    return _indexed(parts[chosen], labels)


def catalogue(path: Path) -> tuple[tuple[str, ...], tuple[Photo, ...]]:
    """All photographs of a data set, whatever their part, and the labels that it has itself.

    Raises:
        InputError: A folder or list is not there.
        DataError: There is no photograph.
    """
    parts = layout.parts(path).values()
    labels = tuple(dict.fromkeys(label for listed in parts for label in listed.labels))
    return labels, tuple(photo for listed in parts for photo in _indexed(listed, labels))


def split(photos: Sequence[Photo], *, seed: int) -> tuple[tuple[Photo, ...], tuple[Photo, ...], tuple[Photo, ...]]:
    """Share photographs out to training, validation and test, 70/15/15, as `trainer.photos.shares` describes.

    What `shelf-agent collect` took of a class in one minute stays together, unless that leaves a part without any.
    Boxes of one picture stay together always.
    """
    label_indices = [photo.label_index for photo in photos]
    if any(photo.box_xywh is not None for photo in photos):
        parts = shares.by_picture(label_indices, [str(photo.path) for photo in photos], seed=seed)
    else:
        groups = [minute(photo.path) or str(photo.path) for photo in photos]
        parts = shares.by_class(label_indices, groups, seed=seed)
    train, validation, test = (tuple(photos[place] for place in part) for part in parts)
    return train, validation, test


def minute(path: Path) -> str | None:
    """The minute in which `shelf-agent collect` took a picture, by its name; None for other photographs.

    >>> minute(Path("aisle-top-a1-20260314T091502-250.png"))
    '20260314T0915'
    """
    found = COLLECTED.search(path.stem)
    return found[1] if found else None


def decode(path: Path, *, least_px: int | None = None) -> Pixels:
    """Decode a photograph, upright by its EXIF note.

    Args:
        path: Of the file.
        least_px: Where given, a JPEG may come out smaller, but not below this along its shorter side.

    Returns:
        (height, width, 3) uint8 BGR.

    Raises:
        InputError: The file is not there or cannot be opened.
        DataError: The file is not a picture, is cut short, or is too large.
    """
    try:
        encoded = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({error.strerror}). Mend the list or bring the file.") from error
    # libjpeg fills what is missing with grey, so a cut-off JPEG is told by its missing end marker
    cut_short = encoded.startswith(b"\xff\xd8") and encoded.rfind(b"\xff\xd9") < len(encoded) // 2
    flag = cv2.IMREAD_COLOR if least_px is None else READ_AS[reduction(encoded, least_px=least_px)]
    try:
        image = None if cut_short or not encoded else cv2.imdecode(np.frombuffer(encoded, np.uint8), flag)
    except cv2.error as error:
        raise DataError(f"{path}: OpenCV refuses it ({error.err}). Remove it or make it smaller.") from error
    if image is None:
        reason = "the JPEG is cut short" if cut_short else f"{len(encoded)} bytes that are no picture"
        raise DataError(f"{path}: {reason}. Remove it or take it again.")
    return image.astype(np.uint8, copy=False)


def open_photo(photo: Photo, *, least_px: int | None = None) -> Pixels:
    """Decode a photograph, and cut it to its box.

    Args:
        photo: Which.
        least_px: As in `decode`; what is cut to a box is decoded in full.

    Returns:
        (height, width, 3) uint8 BGR.

    Raises:
        InputError: The file is not there or cannot be opened.
        DataError: The photograph is corrupt, or its box lies outside of it.
    """
    if photo.box_xywh is None:
        return decode(photo.path, least_px=least_px)
    written_ns = photo.path.stat().st_mtime_ns if photo.path.is_file() else 0
    image = _decoded(photo.path, written_ns)
    left, top, width, height = photo.box_xywh
    part = image[max(0, top) : max(0, top + height), max(0, left) : max(0, left + width)]
    if not part.size:
        raise DataError(
            f"{photo}: the box lies outside of the picture, which is {image.shape[1]}×{image.shape[0]} px."
            " Annotate this picture again, or bring the one that was annotated."
        )
    return part.copy()  # so that the rest of the picture can be forgotten


@lru_cache(maxsize=4)
def _decoded(path: Path, written_ns: int) -> Pixels:
    """The boxes of a picture are mostly asked for one after the other, and a large picture takes long to decode."""
    del written_ns  # it is there so that a file that has changed is decoded again
    return decode(path)


def read(photo: Photo, size_px: int) -> Pixels:
    """A photograph as the network sees it, made by the same function as on the device.

    Returns:
        (size, size, 3) uint8 RGB.

    Raises:
        InputError: The file is not there or cannot be opened.
        DataError: The photograph is corrupt.
    """
    return whole(open_photo(photo), size_px=size_px)


def fingerprint(photos: Iterable[Photo], labels: Sequence[str]) -> str:
    """A SHA-256 (hex) over the labels, boxes and bytes of the photographs, in any order and wherever they lie."""
    content: dict[Path, str] = {}
    lines = []
    for photo in photos:
        if photo.path not in content:
            content[photo.path] = hashlib.sha256(photo.path.read_bytes()).hexdigest()
        box = "" if photo.box_xywh is None else f"\t{photo.box_xywh}"
        lines.append(f"{labels[photo.label_index]}\t{content[photo.path]}{box}")
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def unseen(photos: Sequence[Photo], labels: Sequence[str], *, seed: int, trained_sha256: str) -> tuple[Photo, ...]:
    """Those that a training left for the test, if it was a training on exactly these photographs; else none.

    Args:
        photos: All of a data set.
        labels: Of the network.
        seed: Of the training.
        trained_sha256: The fingerprint of what it trained and validated on.
    """
    train, validation, test = split(photos, seed=seed)
    try:
        same = fingerprint((*train, *validation), labels) == trained_sha256
    except OSError:  # a photograph is gone, so these are not the same
        return ()
    return test if same else ()


def _coarse(train: Listed, parts: Iterable[Listed]) -> Coarse | None:
    """The groups of the labels of training, which no other part may contradict; None without groups."""
    if not train.groups:
        return None
    said = dict(zip(train.labels, train.groups, strict=True))
    for listed in parts:
        for label, group in zip(listed.labels, listed.groups, strict=False):  # a part may say nothing of groups
            agree(label, group, said[label])
    names = {group.key: group.name for group in train.groups}
    labels = tuple(dict.fromkeys(names[key] for key in in_order(names)))
    return Coarse(labels, tuple(labels.index(group.name) for group in train.groups))


def _indexed(listed: Listed, labels: Sequence[str]) -> tuple[Photo, ...]:
    """Photographs with their place in `labels`."""
    index = {label: i for i, label in enumerate(labels)}
    if strangers := [label for label in listed.labels if label not in index]:
        hints = "; ".join(f'"{label}" ({nearest(label, labels)})' for label in strangers[:5])
        raise DataError(
            f"{listed.source}: {len(strangers)} of its labels are not among those that were trained: {hints}. "
            "Rename them, or train on them."
        )
    return tuple(Photo(entry.path, index[entry.label], entry.box_xywh) for entry in listed.photos)
