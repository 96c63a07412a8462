"""What a data set is like, before anything is trained on it: its balance, its broken and small files, its doubles."""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edge_agent.shelf import ShelfwatchError
from trainer.photos.alike import Look, look, near_pairs
from trainer.photos.data import Photo, Splits, open_photo
from trainer.photos.layout import PartName
from trainer.report import Watch
from trainer.views.feed import workers

TINY_PX = 64
"""A photograph with a shorter side below this shows little of any product."""
LONG = 2.0
"""A photograph this many times longer than wide, or wider than long, is squeezed visibly into the network's square."""
CHUNK = 64
"""Photographs that are given to the threads at a time, so that Ctrl-C ends soon."""

PARTS: tuple[PartName, ...] = ("train", "validation", "test")


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """One photograph as it was found: its part, size and content, or `problem`, why it cannot be read.

    `digest` is the SHA-256 (hex) of the file, `wh` is in pixels.
    """

    photo: Photo
    part: PartName
    wh: tuple[int, int] = (0, 0)
    digest: str = ""
    look: Look | None = None
    problem: str | None = None

    @property
    def short_px(self) -> int:
        """The shorter side; 0 of what cannot be read."""
        return min(self.wh)


@dataclass(frozen=True, slots=True)
class Double:
    """Two photographs, by their places, that are the same file ("identical") or nearly the same picture ("near").

    `bits` is how many of the 64 bits of their hashes differ, `correlation` (0..1) how alike they look when small.
    """

    first: int
    second: int
    kind: Literal["identical", "near"]
    bits: int = 0
    correlation: float = 1.0


@dataclass(frozen=True, slots=True)
class ClassCount:
    """A class, its group if it has one, and its photographs."""

    label: str
    group: str | None
    train: int
    validation: int
    test: int

    @property
    def total(self) -> int:
        """Photographs of all parts."""
        return self.train + self.validation + self.test


@dataclass(frozen=True, slots=True, eq=False)
class Inspection:
    """What was found. `doubles` has the worst first: other labels, then across parts."""

    classes: tuple[ClassCount, ...]
    sights: tuple[Sight, ...]
    doubles: tuple[Double, ...]
    size_px: int

    @property
    def unreadable(self) -> list[Sight]:
        """Photographs that training would leave out."""
        return [sight for sight in self.sights if sight.problem]

    @property
    def tiny(self) -> list[Sight]:
        """Photographs that show little."""
        return [sight for sight in self.sights if not sight.problem and sight.short_px < TINY_PX]

    @property
    def small(self) -> list[Sight]:
        """Photographs that are enlarged for the network, the tiny ones among them."""
        return [sight for sight in self.sights if not sight.problem and sight.short_px < self.size_px]

    @property
    def long(self) -> list[Sight]:
        """Photographs that are squeezed to a square."""
        return [sight for sight in self.sights if not sight.problem and max(sight.wh) > LONG * sight.short_px]

    @property
    def imbalance(self) -> float:
        """Training photographs of the largest class for one of the smallest."""
        counts = [c.train for c in self.classes]
        return max(counts) / max(1, min(counts))

    def across(self, double: Double) -> bool:
        """Whether one is trained on and the other held out, or they are held out for different uses."""
        return self.sights[double.first].part != self.sights[double.second].part

    def at_odds(self, double: Double) -> bool:
        """Whether the two have different labels."""
        return self.sights[double.first].photo.label_index != self.sights[double.second].photo.label_index


def inspect(splits: Splits, *, size_px: int, watch: Watch) -> Inspection:
    """Open every photograph of a data set once, and see what there is to say; `size_px` is the network's side."""
    sights = tuple(_survey(splits, watch))
    watch.begin("comparing them", len(sights))
    inspection = Inspection(_balance(splits), sights, tuple(_doubles(sights)), size_px)
    worst_first = sorted(
        inspection.doubles,
        key=lambda d: (not inspection.at_odds(d), not inspection.across(d), d.kind, -d.correlation, d.first),
    )
    return Inspection(inspection.classes, sights, tuple(worst_first), size_px)


def _survey(splits: Splits, watch: Watch) -> Iterator[Sight]:
    """Every photograph in the order of the parts, opened by all cores."""
    photos = (splits.train, splits.validation, splits.test)
    todo = [(photo, part) for part, members in zip(PARTS, photos, strict=True) for photo in members]
    watch.begin("looking at photographs", len(todo))
    with ThreadPoolExecutor(workers()) as pool:
        for start in range(0, len(todo), CHUNK):
            for sight in pool.map(lambda job: _see(*job), todo[start : start + CHUNK]):
                watch.advance()
                yield sight


def _see(photo: Photo, part: PartName) -> Sight:
    try:
        image = open_photo(photo)
    except ShelfwatchError as error:
        return Sight(photo, part, problem=str(error))
    digest = hashlib.sha256(photo.path.read_bytes()).hexdigest()
    return Sight(photo, part, (image.shape[1], image.shape[0]), digest, look(image))


def _balance(splits: Splits) -> tuple[ClassCount, ...]:
    counts = [
        np.bincount([photo.label_index for photo in photos], minlength=len(splits.labels)).tolist()
        for photos in (splits.train, splits.validation, splits.test)
    ]
    groups = [splits.coarse.labels[of] for of in splits.coarse.of] if splits.coarse else [None] * len(splits.labels)
    return tuple(ClassCount(*row) for row in zip(splits.labels, groups, *counts, strict=True))


def _doubles(sights: Sequence[Sight]) -> list[Double]:
    """Copies of a file are told from the first of them; what looks alike is sought among the first ones only."""
    first_of: dict[object, int] = {}
    identical: list[Double] = []
    for place, sight in enumerate(sights):
        if sight.look is None:
            continue
        first = first_of.setdefault((sight.digest, sight.photo.box_xywh), place)
        if first != place:
            identical.append(Double(first, place, "identical"))
    places = list(first_of.values())
    looks = [seen for place in places if (seen := sights[place].look)]
    if not looks:
        return identical
    kinds = np.asarray([PARTS.index(sights[place].part) + 3 * sights[place].photo.label_index for place in places])
    pairs = near_pairs(np.stack([seen.bits for seen in looks]), np.stack([seen.small for seen in looks]), kinds=kinds)
    return identical + [
        Double(places[pair.first], places[pair.second], "near", pair.bits, pair.correlation) for pair in pairs
    ]
