"""Which photographs are held out, decided by a seed: class by class, or picture by picture where boxes were cut.

Photographs are known here by their places, labels by their indices; there is no disk in it.
"""

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

SPLIT_FRACTION = 0.15
"""Share of each class that is held out for validation, and again for the test."""

Places = list[int]


def by_class(label_indices: Sequence[int], groups: Sequence[str], *, seed: int) -> tuple[Places, Places, Places]:
    """Share photographs out to training, validation and test, class by class, 70/15/15.

    A class of two gives one to validation, a class of three or more at least one to each. Photographs of one class and
    group stay together, unless that leaves a part without any. The same photographs and seed always give the same
    answer, whatever other classes there are.

    Args:
        label_indices: Of each photograph.
        groups: Of each photograph.
        seed: Decides what is held out.
    """
    members: dict[int, Places] = {}
    for place, label_index in enumerate(label_indices):
        members.setdefault(label_index, []).append(place)
    train, validation, test = Places(), Places(), Places()
    for label_index in sorted(members):
        together = _together(members[label_index], groups)
        order = np.random.default_rng([seed, label_index]).permutation(len(together))
        shuffled = [together[i] for i in order]
        share = max(1, round(SPLIT_FRACTION * len(together)))
        held = share if len(together) >= 2 else 0
        kept = share if len(together) >= 3 else 0
        validation += chain.from_iterable(shuffled[:held])
        test += chain.from_iterable(shuffled[held : held + kept])
        train += chain.from_iterable(shuffled[held + kept :])
    return train, validation, test


def _together(members: Places, groups: Sequence[str]) -> list[Places]:
    """Photographs of one class, those of one group together; each alone where there would be too few groups."""
    found: dict[str, Places] = {}
    for place in members:
        found.setdefault(groups[place], []).append(place)
    enough = len(found) >= min(3, len(members))
    return list(found.values()) if enough else [[place] for place in members]


def by_picture(label_indices: Sequence[int], pictures: Sequence[str], *, seed: int) -> tuple[Places, Places, Places]:
    """Share boxes out like `by_class`, as nearly as it goes while all boxes of a picture stay together.

    The rarest class chooses first, and each of its pictures goes where most boxes of that class are still wanted
    (Sechidis, Tsoumakas and Vlahavas, "On the Stratification of Multi-Label Data", 2011). A class that would be held
    out entirely gets a picture back for training.

    Args:
        label_indices: Of each box.
        pictures: That each box was cut from.
        seed: Decides what is held out.
    """
    names = sorted(set(pictures))
    row_of = {name: row for row, name in enumerate(names)}
    boxes = np.zeros((len(names), max(label_indices, default=-1) + 1), dtype=np.int64)  # (pictures, classes)
    np.add.at(boxes, ([row_of[name] for name in pictures], list(label_indices)), 1)
    part_of = _stratified(boxes, np.random.default_rng(seed).permutation(len(names)))
    parts = Places(), Places(), Places()
    for place, name in enumerate(pictures):
        parts[int(part_of[row_of[name]])].append(place)
    return parts


def _stratified(boxes: NDArray[np.int64], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """The part of each picture, 0 to 2; `boxes` are (pictures, classes) counts, `order` is who comes first."""
    wanted = _wanted(boxes)
    part_of = np.full(len(boxes), -1)
    while (part_of < 0).any():
        waiting = (boxes[part_of < 0] > 0).sum(axis=0)  # pictures of each class that have no part yet
        rarest = int(np.where(waiting > 0, waiting, np.iinfo(np.int64).max).argmin())
        for row in order[(part_of[order] < 0) & (boxes[order, rarest] > 0)]:
            part = int(np.lexsort((-wanted.sum(axis=1), -wanted[:, rarest]))[0])
            part_of[row] = part
            wanted[part] -= boxes[row]
    for label_index in np.flatnonzero(boxes.any(axis=0)):
        having = np.flatnonzero(boxes[:, label_index])
        if (part_of[having] > 0).all():
            part_of[having[0]] = 0
    return part_of


def _wanted(boxes: NDArray[np.int64]) -> NDArray[np.float64]:
    """How many boxes of each class each part is to have, (3, classes): a picture's worth at least."""
    total, having = boxes.sum(axis=0), (boxes > 0).sum(axis=0)
    least = np.maximum(SPLIT_FRACTION * total, total / np.maximum(1, having))
    held, kept = np.where(having >= 2, least, 0.0), np.where(having >= 3, least, 0.0)
    return np.stack([total - held - kept, held, kept])
