"""Answers of float and int8 to the same photographs → what differs: in all, by class, by confusion, by photograph."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from converter.judging.evaluate import Scores
from converter.judging.gate import RECALL_COUNT, Indices
from trainer.judging.evaluate import confusion_matrix

Z_TWO_SIDED = 1.959964
"""The 97.5 % quantile of the standard normal distribution: an interval that holds 95 %."""

Side = Literal["float", "int8", "neither"]


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `count`, the share that this is, and the 95 % interval of what it is of; shares in 0..1."""

    hits: int
    count: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ClassChange:
    """How often the photographs of one class are recognized: of `photographs`, so many by float and by int8.

    `drop_points` is what int8 loses, in points of 100. `held` says that there are enough photographs to hold this
    against the bound.
    """

    label: str
    photographs: int
    float_right: int
    int8_right: int
    drop_points: float
    held: bool


@dataclass(frozen=True, slots=True)
class Confused:
    """A class that is taken for another, how often by each network, and how many photographs there are of it."""

    truth: str
    answer: str
    int8: int
    float32: int
    photographs: int


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A photograph, by its index, that float and int8 answer differently; probabilities are in 0..1.

    `float_of_int8` is what float gives to the answer of int8, and `int8_of_float` the reverse: where these are close
    to `float_sure` and `int8_sure`, it was a close call.
    """

    index: int
    truth: str
    float_answer: str
    float_sure: float
    float_of_int8: float
    int8_answer: str
    int8_sure: float
    int8_of_float: float
    right: Side


def share(hits: int, count: int) -> Share:
    """A share with its interval: E. B. Wilson, Journal of the American Statistical Association 22 (1927), 209–212.

    >>> share(245, 296)
    Share(hits=245, count=296, share=0.8277027027027027, low=0.7805..., high=0.8664...)
    """
    part, square = hits / count, Z_TWO_SIDED**2
    middle = part + square / (2 * count)
    reach = Z_TWO_SIDED * math.sqrt(part * (1 - part) / count + square / (4 * count * count))
    whole = 1 + square / count
    return Share(hits, count, part, max(0.0, (middle - reach) / whole), min(1.0, (middle + reach) / whole))


def class_changes(
    truth: Indices, by_float: Indices, by_int8: Indices, labels: Sequence[str]
) -> tuple[ClassChange, ...]:
    """The classes that occur, those that lose most first, and of equals those with more photographs.

    Args:
        truth: (n,) label indices.
        by_float: (n,) what float answers.
        by_int8: (n,) what int8 answers.
        labels: Names of the indices.
    """
    changes = []
    for index, label in enumerate(labels):
        mine = truth == index
        count, before, after = (int((mine & hit).sum()) for hit in (True, by_float == truth, by_int8 == truth))
        if count:
            lost_points = 100 * (before - after) / count
            changes.append(ClassChange(label, count, before, after, lost_points, count >= RECALL_COUNT))
    return tuple(sorted(changes, key=lambda change: (-change.drop_points, -change.photographs, change.label)))


def confusions(truth: Indices, by_float: Indices, by_int8: Indices, labels: Sequence[str]) -> tuple[Confused, ...]:
    """Every pair that one of the networks mixes up, those that int8 mixes up most first; arguments as before."""
    before, after = (confusion_matrix(found, truth, classes=len(labels)) for found in (by_float, by_int8))
    photographs = np.bincount(truth, minlength=len(labels))
    pairs = [
        Confused(labels[t], labels[a], int(after[t, a]), int(before[t, a]), int(photographs[t]))
        for t, a in np.argwhere(before + after).tolist()
        if t != a
    ]
    return tuple(sorted(pairs, key=lambda pair: (-pair.int8, -pair.float32, pair.truth, pair.answer)))


def disagreements(truth: Indices, by_float: Scores, by_int8: Scores, labels: Sequence[str]) -> tuple[Disagreement, ...]:
    """The photographs that are answered differently: what int8 loses, then what it wins, then what both get wrong.

    Of each kind, those come first whose two answers are surest.

    Args:
        truth: (n,) label indices.
        by_float: (n, classes) probabilities.
        by_int8: (n, classes) probabilities.
        labels: Names of the classes.
    """
    first, second = by_float.argmax(axis=1), by_int8.argmax(axis=1)
    found = [
        Disagreement(
            index=index,
            truth=labels[truth[index]],
            float_answer=labels[first[index]],
            float_sure=float(by_float[index, first[index]]),
            float_of_int8=float(by_float[index, second[index]]),
            int8_answer=labels[second[index]],
            int8_sure=float(by_int8[index, second[index]]),
            int8_of_float=float(by_int8[index, first[index]]),
            right=_right(int(truth[index]), int(first[index]), int(second[index])),
        )
        for index in np.flatnonzero(first != second).tolist()
    ]
    order: tuple[Side, ...] = ("float", "int8", "neither")
    return tuple(sorted(found, key=lambda one: (order.index(one.right), -one.float_sure - one.int8_sure, one.index)))


def _right(truth: int, by_float: int, by_int8: int) -> Side:
    return "float" if by_float == truth else "int8" if by_int8 == truth else "neither"
