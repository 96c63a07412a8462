"""When to answer "unknown": how sure a network must be, and what that costs. Pure numpy.

A network that tells products apart has to choose one even where none is right. A confidence below a threshold is no
answer; the threshold is set on known photographs that the network was not trained on, so that few of them are lost.
The area under the ROC curve is the rank statistic of Mann & Whitney (Hanley & McNeil 1982,
doi:10.1148/radiology.143.1.7063747); ties count one half. Accuracy against coverage is the risk-coverage curve of
El-Yaniv & Wiener 2010 (jmlr.org/papers/v11/el-yaniv10a.html).
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from edge_agent.shelf import DataError

Scores = NDArray[np.float32]
Sureness = NDArray[np.float64]
Indices = NDArray[np.int64]
Score = Literal["max_probability", "certainty"]
"""What tells how sure a network is: its greatest probability, or one minus the entropy of all of them.

Certainty catches a little more, but a device has to know how to measure it; so the greatest probability is usual.
"""

KNOWN_LOST = 0.05
"""Share (0..1) of the known photographs that may be taken for unknown."""
TINY = 1e-12
"""Probabilities are kept from zero by so much before a logarithm."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Below which sureness an answer counts as "unknown".

    Attributes:
        threshold: Answers with less are rejected; 0..1.
        known_lost: Share (0..1) of the known photographs it was set on that it rejects.
        score: What is compared with the threshold.
    """

    threshold: float
    known_lost: float
    score: Score = "max_probability"

    def as_json(self) -> dict[str, Any]:
        """The section "rejection" of a model card."""
        return {"score": self.score, "threshold": self.threshold, "known_lost": self.known_lost}


@dataclass(frozen=True, slots=True)
class Kept:
    """What a threshold does to known photographs: the share that is answered, and the accuracy of these; 0..1.

    `accuracy` is None where nothing is answered.
    """

    coverage: float
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class Unknown:
    """How well unknown products are told from known ones; all shares in 0..1.

    Attributes:
        photographs: How many unknown ones there are.
        auroc: How often a known photograph is surer than an unknown one.
        caught: Share of the unknown ones that the threshold of the model rejects; None where it has none.
        caught_at_loss: The same for a threshold that loses `KNOWN_LOST` of the known photographs at hand.
    """

    photographs: int
    auroc: float
    caught: float | None
    caught_at_loss: float


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """Accuracy against coverage, from the surest answer alone (first) to all of them (last).

    `coverage` is the share of photographs that are answered, `accuracy` the share of those that is right, and
    `threshold` the least sureness among them; all (points,) float64 in 0..1.
    """

    coverage: Sureness
    accuracy: Sureness
    threshold: Sureness

    def at(self, rejection: Rejection) -> tuple[float, float] | None:
        """The share that a threshold answers, and the accuracy of these; None where it rejects everything."""
        kept = np.flatnonzero(self.threshold >= rejection.threshold)
        return (float(self.coverage[kept[-1]]), float(self.accuracy[kept[-1]])) if len(kept) else None


def of_card(card: dict[str, Any]) -> Rejection | None:
    """The rejection that a model card holds; None where it has none.

    Raises:
        DataError: There is one, but not as `as_json` writes it.
    """
    section = card.get("rejection")
    if section is None:
        return None
    try:
        found = Rejection(float(section["threshold"]), float(section["known_lost"]), section["score"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f'the card\'s "rejection" is {section!r}, which is none ({error!r}). Train again.') from error
    if found.score not in get_args(Score) or not 0 <= found.threshold <= 1:
        raise DataError(
            f'the card\'s "rejection" is {section!r}; its score must be one of {", ".join(get_args(Score))} and its '
            "threshold lie in 0..1. Train again, or bring this program up to date."
        )
    return found


def unknown_of_card(card: dict[str, Any]) -> Unknown | None:
    """What a training found about products that were left out of it; None where none were, or it cannot be read."""
    found = card.get("metrics", {}).get("unknown")
    try:
        return Unknown(**found) if found else None
    except TypeError:
        return None


def score_of(rejection: Rejection | None) -> Score:
    """What a network's answers are compared by, whether or not it has a threshold."""
    return rejection.score if rejection else "max_probability"


def sureness(scores: Scores, score: Score = "max_probability") -> Sureness:
    """How sure a network is of each photograph: (n, classes) probabilities → (n,) in 0..1, 1 where it has no doubt."""
    exact = scores.astype(np.float64)
    if score == "max_probability":
        greatest: Sureness = exact.max(axis=1)
        return greatest
    entropy = -(exact * np.log(exact.clip(TINY, 1.0))).sum(axis=1)
    certainty: Sureness = 1 - entropy / np.log(scores.shape[1])
    return certainty.clip(0.0, 1.0)


def threshold(scores: Scores, *, loss: float = KNOWN_LOST, score: Score = "max_probability") -> Rejection:
    """The highest threshold that loses no more than `loss` of the known photographs.

    Args:
        scores: (n, classes) probabilities for photographs of known products that were not trained on.
        loss: Share (0..1) of them that may be rejected.
        score: What is compared with the threshold.

    Raises:
        ValueError: There are no scores, or `loss` is no share below 1.
    """
    if not len(scores) or not 0 <= loss < 1:
        raise ValueError(f"scores of shape {scores.shape} and a loss of {loss}; expected some, and 0 <= loss < 1")
    ordered = np.sort(sureness(scores, score))
    chosen = float(ordered[int(loss * len(ordered) + 1e-9)])
    return Rejection(chosen, float((ordered < chosen).mean()), score)


def kept(scores: Scores, rejection: Rejection) -> NDArray[np.bool_]:
    """Which answers are sure enough, (n,) of (n, classes)."""
    sure: NDArray[np.bool_] = sureness(scores, rejection.score) >= rejection.threshold
    return sure


def coverage(scores: Scores, truth: Indices, *, score: Score = "max_probability") -> Coverage:
    """Accuracy of the surest answers, for each share of photographs that can be answered; equal sureness goes together.

    Args:
        scores: (n, classes) probabilities, n at least 1.
        truth: (n,) label indices.
        score: What sureness is.
    """
    sure = sureness(scores, score)
    order = np.argsort(-sure, kind="stable")
    right = np.cumsum(scores.argmax(axis=1)[order] == truth[order])
    ordered = sure[order]
    ends = np.flatnonzero(np.append(ordered[1:] < ordered[:-1], True))  # the last one always ends a tie
    counts = ends + 1
    return Coverage(counts / len(sure), right[ends] / counts, ordered[ends])


def auroc(known: Sureness, unknown: Sureness) -> float:
    """How often a known photograph is surer than an unknown one, ties half: 0.5 is chance, 1 tells all of them apart.

    Args:
        known: (n,) any score that is higher for known photographs, n at least 1.
        unknown: (m,) the same of unknown ones, m at least 1.
    """
    ordered = np.sort(unknown)
    below = np.searchsorted(ordered, known, side="left")
    not_above = np.searchsorted(ordered, known, side="right")
    return float((below + not_above).sum() / (2 * len(known) * len(unknown)))


def caught(unknown: Scores, rejection: Rejection) -> float:
    """Share (0..1) of unknown photographs, (m, classes), that the threshold rejects; m at least 1."""
    return float(1 - kept(unknown, rejection).mean())


def judge_known(scores: Scores, truth: Indices, rejection: Rejection) -> Kept:
    """What a threshold does to photographs of known products, (n, classes) probabilities with the truth (n,)."""
    sure = kept(scores, rejection)
    right = scores.argmax(axis=1) == truth
    return Kept(float(sure.mean()), float(right[sure].mean()) if sure.any() else None)


def judge_unknown(known: Scores, unknown: Scores, rejection: Rejection | None) -> Unknown:
    """How well the probabilities of known (n, classes) and unknown (m, classes) photographs are told apart."""
    score = score_of(rejection)
    return Unknown(
        photographs=len(unknown),
        auroc=auroc(sureness(known, score), sureness(unknown, score)),
        caught=caught(unknown, rejection) if rejection else None,
        caught_at_loss=caught(unknown, threshold(known, score=score)),
    )
