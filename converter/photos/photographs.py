"""Which photographs set the ranges of the int8 network, and which it is judged on: never the same ones."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edge_agent.shelf import DataError, nearest
from trainer.photos.data import Photo, gather
from trainer.photos.data import load as load_splits

CALIBRATION_LEAST = 100
"""Fewer photographs than this don't show the ranges of a network: with 1 the loss was up to 19 points, from 100 on it
stayed below a point, for the networks and photographs that were tried."""


@dataclass(frozen=True, slots=True)
class Photographs:
    """Photographs by use; `label_index` counts in the labels of the network. `calibration` is chosen from `train`."""

    calibration: tuple[Photo, ...]
    held_out: tuple[Photo, ...]
    train: tuple[Photo, ...]


def find(data: Path, *, evaluate: Path | None, labels: Sequence[str], count: int, seed: int) -> Photographs:
    """Choose the photographs for a conversion.

    Args:
        data: A data set as `trainer.photos.data.load` takes it; calibration uses its training part only.
        evaluate: Held-out photographs; by default the test part of `data`, or else its validation part.
        labels: What the network tells apart, in the order of its outputs.
        count: Photographs to calibrate with, at most; 100 at least.
        seed: That of the training, so that the parts are the same.

    Raises:
        InputError: A folder or list is not there.
        DataError: A label that the network doesn't know, too few photographs to calibrate with, or none held out.
    """
    whole = evaluate if evaluate is not None and data.is_file() else None  # a list of its own is all training part
    splits = load_splits(data, validation=whole, seed=seed)
    train = _relabelled(data, splits.train, was=splits.labels, now=labels)
    if evaluate is None:
        held_out = _relabelled(data, splits.test or splits.validation, was=splits.labels, now=labels)
    else:
        held_out = gather(evaluate, labels=labels, seed=seed)
    if not held_out:
        raise DataError(
            f"{evaluate or data}: no held-out photographs, so nothing shows what int8 costs."
            " Name some with --evaluate, or give each class three photographs or more."
        )
    if shared := {photo.path.resolve() for photo in train} & {photo.path.resolve() for photo in held_out}:
        raise DataError(
            f"{evaluate or data}: {len(shared)} held-out photographs belong to the training part of {data}, such as"
            f" {min(shared)}; a photograph that was trained on proves nothing. Name others with --evaluate."
        )
    return Photographs(choose(train, count=count, seed=seed, where=data), held_out, train)


def choose(photos: Sequence[Photo], *, count: int, seed: int, where: Path) -> tuple[Photo, ...]:
    """Take up to `count` photographs, in turn from each class, in an order that the seed alone decides.

    Raises:
        DataError: There are fewer than `CALIBRATION_LEAST`.
    """
    by_class: dict[int, list[Photo]] = {}
    for photo in photos:
        by_class.setdefault(photo.label_index, []).append(photo)
    for label_index, members in by_class.items():
        order = np.random.default_rng([seed, label_index]).permutation(len(members))
        by_class[label_index] = [members[i] for i in order]
    rounds = max(map(len, by_class.values()), default=0)
    in_turn = [
        by_class[index][turn] for turn in range(rounds) for index in sorted(by_class) if turn < len(by_class[index])
    ]
    chosen = tuple(in_turn[:count])
    if count < CALIBRATION_LEAST:
        raise DataError(
            f"{count} photographs to calibrate with: at least {CALIBRATION_LEAST} are needed. Raise"
            " --calibration-count."
        )
    if len(chosen) < CALIBRATION_LEAST:
        raise DataError(
            f"{where}: {len(chosen)} photographs to calibrate with, at least {CALIBRATION_LEAST} are needed."
            " Give --calibrate more training photographs."
        )
    return chosen


def _relabelled(where: Path, photos: Sequence[Photo], *, was: Sequence[str], now: Sequence[str]) -> tuple[Photo, ...]:
    """The same photographs, with the indices of the network's labels."""
    if strangers := [label for label in was if label not in now]:
        hints = "; ".join(f'"{label}" ({nearest(label, now)})' for label in strangers[:5])
        raise DataError(
            f"{where}: {len(strangers)} of its labels are not among the network's: {hints}."
            " Rename them, or calibrate with the photographs that the network was trained on."
        )
    return tuple(replace(photo, label_index=now.index(was[photo.label_index])) for photo in photos)
