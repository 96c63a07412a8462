"""What a network gets wrong, in an order that says where to look first. Pure numpy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainer.judging.evaluate import ClassFigures, Evaluation, Indices, Scores

RELIABLE_F1 = 0.8
"""A class below it is worth more photographs."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A product that is taken for another: label indices, how often, and of how many photographs of it."""

    truth: int
    answer: int
    count: int
    support: int


def confused_pairs(confusion: Indices, *, most: int) -> tuple[Pair, ...]:
    """The pairs with most mistakes; of equals, the one that loses the larger share of its class.

    Args:
        confusion: (classes, classes) counts, row = truth, column = answer.
        most: Pairs at most.
    """
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    support = confusion.sum(axis=1)
    pairs = [Pair(t, a, int(wrong[t, a]), int(support[t])) for t, a in np.argwhere(wrong).tolist()]
    return tuple(sorted(pairs, key=lambda pair: (-pair.count, pair.support, pair.truth, pair.answer))[:most])


def examples(pair: Pair, answers: Indices, truth: Indices, *, most: int) -> tuple[list[int], list[int]]:
    """Photographs that show a pair: those taken for the other product, and those that are it, right answers first.

    Args:
        pair: One of `confused_pairs`.
        answers: (n,) label indices.
        truth: (n,) label indices.
        most: Of each kind at most.
    """
    wrong = np.flatnonzero((truth == pair.truth) & (answers == pair.answer))
    other = np.flatnonzero(truth == pair.answer)
    other = other[np.argsort(answers[other] != pair.answer, kind="stable")]
    return wrong[:most].tolist(), other[:most].tolist()


def worst(scores: Scores, truth: Indices, *, most: int) -> list[int]:
    """The wrong answers that the network is surest of, the surest first: indices of photographs."""
    sure = scores.max(axis=1)
    wrong = np.flatnonzero(scores.argmax(axis=1) != truth)
    chosen: list[int] = wrong[np.argsort(-sure[wrong], kind="stable")][:most].tolist()
    return chosen


def wanting(evaluation: Evaluation, *, most: int) -> tuple[ClassFigures, ...]:
    """The classes that more photographs would help most: most mistakes first, among those with a low F1."""

    def mistakes(figures: ClassFigures) -> int:
        hits = round(figures.recall * figures.support)
        return figures.support + figures.predicted - 2 * hits

    weak = [figures for figures in evaluation.classes if figures.support and figures.f1 < RELIABLE_F1]
    return tuple(sorted(weak, key=lambda figures: (-mistakes(figures), figures.f1, figures.label))[:most])


def barely_judged(evaluation: Evaluation, *, least: int) -> Sequence[ClassFigures]:
    """The classes with fewer than `least` photographs to judge them by; their figures mean little."""
    return [figures for figures in evaluation.classes if figures.support < least]
