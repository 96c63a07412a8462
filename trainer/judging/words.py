"""Figures in plain words, for people who run a shop rather than a training. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainer.judging.evaluate import Evaluation
from trainer.judging.mistakes import barely_judged, confused_pairs, wanting
from trainer.judging.rejection import KNOWN_LOST, Kept, Rejection, Unknown

FEW_PHOTOGRAPHS = 5
"""With fewer of a product its figures are a hint at best."""
HONEST = 0.05
"""A calibration error up to this is called honest."""
PAIRS_NAMED = 5
CLASSES_NAMED = 8


@dataclass(frozen=True, slots=True)
class Figure:
    """A number large enough to read from afar, and what it means."""

    number: str
    meaning: str


def headline(evaluation: Evaluation) -> tuple[Figure, ...]:
    """The numbers that matter most."""
    figures = [Figure(f"{evaluation.accuracy:.0%}", "name the right product")]
    if evaluation.coarse:
        figures.append(Figure(f"{evaluation.coarse.accuracy:.0%}", "name at least the right kind of product"))
    if len(evaluation.classes) > 5:
        figures.append(Figure(f"{evaluation.top5_accuracy:.0%}", "have the right product among the five best guesses"))
    figures.append(Figure(str(evaluation.photographs), "photographs were judged"))
    return tuple(figures)


def how_often_right(evaluation: Evaluation) -> str:
    """The accuracy, with what chance alone does to it: two standard errors of a share."""
    share, count = evaluation.accuracy, evaluation.photographs
    chance = 2 * float(np.sqrt(max(share * (1 - share), 1 / count) / count))
    line = (
        f"Of every 100 photographs, it names the right product in {100 * share:.0f}. {count} photographs were judged; "
        f"with others, this would be about {100 * chance:.0f} more or fewer by chance alone."
    )
    if evaluation.coarse:
        line += f" The kind of product is right in {100 * evaluation.coarse.accuracy:.0f} of 100."
    return line


def how_sure(evaluation: Evaluation) -> str:
    """Whether its confidence can be believed."""
    gap = evaluation.mean_confidence - evaluation.accuracy
    line = (
        f"It is {evaluation.mean_confidence:.0%} sure on average and right in {evaluation.accuracy:.0%}. "
        f"Where it names a confidence, that is off by {100 * evaluation.calibration_error:.0f} points on average"
    )
    if evaluation.calibration_error <= HONEST:
        return f"{line}: it can be believed."
    lean = "surer than it should be" if gap > 0 else "less sure than it could be"
    return f"{line}; it is {lean}." if abs(gap) > HONEST / 2 else f"{line}, too high for some and too low for others."


def what_of_unknown(rejection: Rejection | None, kept: Kept | None, unknown: Unknown | None) -> str:
    """What happens to products that it was never shown."""
    lines = []
    if rejection is None or kept is None:
        lines.append("It has no threshold for unknown things, so it calls everything by the name of some product.")
    else:
        right = "" if kept.accuracy is None else f", and is right in {kept.accuracy:.0%} of these"
        lines.append(
            "An answer that it is not sure enough of counts as “unknown”. With that it answers "
            f"{kept.coverage:.0%} of the photographs{right}."
        )
    if unknown is None:
        lines.append("Whether it notices products that it was never shown was not tried (option --unknown).")
        return " ".join(lines)
    if unknown.caught is not None:
        lines.append(
            f"Of {unknown.photographs} photographs of products it was never shown, it noticed {unknown.caught:.0%}."
        )
    lines.append(
        f"If {KNOWN_LOST:.0%} of the known products may be missed, it can notice {unknown.caught_at_loss:.0%} of the "
        f"unknown ones; a known one is the surer of the two in {unknown.auroc:.0%} of all pairs."
    )
    return " ".join(lines)


def what_it_mixes_up(evaluation: Evaluation) -> tuple[str, ...]:
    """The most frequent confusions, a sentence each."""
    labels = [figures.label for figures in evaluation.classes]
    return tuple(
        f"{labels[pair.truth]} is taken for {labels[pair.answer]}: {pair.count} of {pair.support}"
        for pair in confused_pairs(evaluation.confusion, most=PAIRS_NAMED)
    )


def what_needs_photographs(evaluation: Evaluation) -> tuple[str, ...]:
    """The products that more photographs would help most, a line each."""
    return tuple(
        f"{figures.label}: {round(figures.recall * figures.support)} of {figures.support} recognized"
        + (
            f", and {_times(wrong)} named where it is not"
            if (wrong := _wrongly_named(figures.precision, figures.predicted))
            else ""
        )
        for figures in wanting(evaluation, most=CLASSES_NAMED)
    )


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _wrongly_named(precision: float, predicted: int) -> int:
    return predicted - round(precision * predicted)


def doubts(evaluation: Evaluation, problems: Sequence[str]) -> tuple[str, ...]:
    """What to keep in mind when reading the figures."""
    lines = []
    classes, few = len(evaluation.classes), len(barely_judged(evaluation, least=FEW_PHOTOGRAPHS))
    none = sum(not figures.support for figures in evaluation.classes)
    if few:
        lines.append(
            f"{few} of {classes} products were judged by fewer than {FEW_PHOTOGRAPHS} photographs"
            + (f", {none} of them by none" if none else "")
            + ": their own figures are a hint at best."
        )
    if problems:
        left = "1 photograph" if len(problems) == 1 else f"{len(problems)} photographs"
        lines.append(f"{left} could not be read and {'was' if len(problems) == 1 else 'were'} left out.")
    return tuple(lines)
