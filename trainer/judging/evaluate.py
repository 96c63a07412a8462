"""Answers of a network and the truth → figures. Small numpy, each formula with its source; no TensorFlow here.

Formulas: precision, recall and F1 after van Rijsbergen, "Information Retrieval" (1979), ch. 7; macro averages are plain
means over classes (Sokolova & Lapalme 2009, doi:10.1016/j.ipm.2009.03.002); the expected calibration error is that of
Guo et al. 2017 (arXiv 1706.04599) with ten bins of equal width.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.photos.data import Coarse

Scores = NDArray[np.float32]
Indices = NDArray[np.int64]

CALIBRATION_BINS = 10
TINY = 1e-7
"""Probabilities are kept from zero by so much before a logarithm."""


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """How one class fares. All shares in 0..1; `support` photographs show it, `predicted` answers name it.

    Precision is 0 where nothing was predicted, recall where there is no support, F1 where both are.
    """

    label: str
    precision: float
    recall: float
    f1: float
    support: int
    predicted: int


@dataclass(frozen=True, slots=True, eq=False)
class CoarseFigures:
    """How often the group of the answer is the group of the truth; otherwise as in `Evaluation`."""

    classes: tuple[ClassFigures, ...]
    confusion: Indices
    accuracy: float
    macro_precision: float
    macro_recall: float
    macro_f1: float


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of about the same confidence: their mean confidence and their accuracy, 0..1, and how many they are."""

    confidence: float
    accuracy: float
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """The figures of a network on some photographs.

    `accuracy`, `top5_accuracy`, `mean_confidence` and `calibration_error` are in 0..1, `log_loss` is in nats per
    photograph. Macro figures average the classes that occur in the truth. `confusion[truth, answer]` counts.
    `coarse` has the figures of the groups of labels, where there are groups.
    """

    classes: tuple[ClassFigures, ...]
    confusion: Indices
    accuracy: float
    top5_accuracy: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    log_loss: float
    mean_confidence: float
    calibration_error: float
    coarse: CoarseFigures | None = None

    @property
    def photographs(self) -> int:
        """How many were judged."""
        return int(self.confusion.sum())


def judge(scores: Scores, truth: Indices, *, labels: Sequence[str], coarse: Coarse | None = None) -> Evaluation:
    """Compare answers with the truth.

    Args:
        scores: (n, classes) probabilities.
        truth: (n,) label indices.
        labels: Names of the classes.
        coarse: Their groups, if they have any; the coarse answer is the group of the fine one.

    Raises:
        ValueError: There is nothing to judge, or the shapes do not fit each other.
    """
    if not len(truth) or scores.shape != (len(truth), len(labels)):
        raise ValueError(f"{len(truth)} photographs of {len(labels)} classes, but scores of shape {scores.shape}")
    answers = scores.argmax(axis=1).astype(np.int64)
    confusion = confusion_matrix(answers, truth, classes=len(labels))
    classes = class_figures(confusion, labels)
    precision, recall, f1 = _macro(classes)
    return Evaluation(
        classes=classes,
        confusion=confusion,
        accuracy=float((answers == truth).mean()),
        top5_accuracy=top_k_accuracy(scores, truth, k=5),
        macro_precision=precision,
        macro_recall=recall,
        macro_f1=f1,
        log_loss=log_loss(scores, truth),
        mean_confidence=float(scores.max(axis=1).mean()),
        calibration_error=calibration_error(scores, truth),
        coarse=coarse_figures(confusion, coarse) if coarse else None,
    )


def confusion_matrix(answers: Indices, truth: Indices, *, classes: int) -> Indices:
    """(classes, classes) counts: row = truth, column = answer."""
    counts = np.bincount(truth * classes + answers, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)


def class_figures(confusion: Indices, labels: Sequence[str]) -> tuple[ClassFigures, ...]:
    """Precision tp / (tp + fp), recall tp / (tp + fn) and their harmonic mean F1 = 2 tp / (2 tp + fp + fn)."""
    figures = []
    for index, label in enumerate(labels):
        hits = int(confusion[index, index])
        support, predicted = int(confusion[index].sum()), int(confusion[:, index].sum())
        precision, recall, f1 = _share(hits, predicted), _share(hits, support), _share(2 * hits, support + predicted)
        figures.append(ClassFigures(label, precision, recall, f1, support, predicted))
    return tuple(figures)


def coarse_figures(confusion: Indices, coarse: Coarse) -> CoarseFigures:
    """The figures of groups of labels, from the confusion matrix (classes, classes) of the labels."""
    groups = len(coarse.labels)
    of = np.asarray(coarse.of)
    merged = np.zeros((groups, groups), np.int64)
    np.add.at(merged, (of[:, None], of[None, :]), confusion)
    classes = class_figures(merged, coarse.labels)
    return CoarseFigures(classes, merged, _share(int(np.trace(merged)), int(merged.sum())), *_macro(classes))


def _macro(classes: Sequence[ClassFigures]) -> tuple[float, float, float]:
    """Plain means of precision, recall and F1 over the classes that occur."""
    occurring = [(figures.precision, figures.recall, figures.f1) for figures in classes if figures.support]
    precision, recall, f1 = np.mean(occurring, axis=0).tolist()
    return precision, recall, f1


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def top_k_accuracy(scores: Scores, truth: Indices, *, k: int) -> float:
    """Share of photographs whose true class has fewer than `k` others above it; ties count for the truth."""
    true_scores = np.take_along_axis(scores, truth[:, None], axis=1)
    return float(((scores > true_scores).sum(axis=1) < k).mean())


def log_loss(scores: Scores, truth: Indices) -> float:
    """Mean negative logarithm of the probability given to the truth, in nats."""
    given = np.take_along_axis(scores, truth[:, None], axis=1).astype(np.float64)
    return float(-np.log(given.clip(TINY, 1.0)).mean())


def reliability(scores: Scores, truth: Indices) -> tuple[Bin, ...]:
    """Confidence and accuracy in each bin of confidence that has answers, from the unsure to the sure."""
    confidence = scores.max(axis=1).astype(np.float64)
    correct = scores.argmax(axis=1) == truth
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    return tuple(
        Bin(float(confidence[bins == b].mean()), float(correct[bins == b].mean()), int((bins == b).sum()))
        for b in np.unique(bins)
    )


def calibration_error(scores: Scores, truth: Indices) -> float:
    """Expected calibration error: by how much confidence and accuracy differ, averaged over bins of confidence."""
    found = reliability(scores, truth)
    return sum(b.count * abs(b.confidence - b.accuracy) for b in found) / len(truth)


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """The whole evaluation in JSON's own types."""
    whole: dict[str, Any] = {
        **summary(evaluation),
        "classes": [asdict(figures) for figures in evaluation.classes],
        "confusion": evaluation.confusion.tolist(),
    }
    if coarse := evaluation.coarse:
        whole["coarse"] = {**asdict(coarse), "confusion": coarse.confusion.tolist()}
    return whole


def summary(evaluation: Evaluation) -> dict[str, float]:
    """The figures of all classes together; those of the groups only where there are groups."""
    groups = evaluation.coarse
    return {
        "photographs": evaluation.photographs,
        "accuracy": evaluation.accuracy,
        **({"coarse_accuracy": groups.accuracy, "coarse_macro_f1": groups.macro_f1} if groups else {}),
        "top5_accuracy": evaluation.top5_accuracy,
        "macro_precision": evaluation.macro_precision,
        "macro_recall": evaluation.macro_recall,
        "macro_f1": evaluation.macro_f1,
        "log_loss": evaluation.log_loss,
        "mean_confidence": evaluation.mean_confidence,
        "calibration_error": evaluation.calibration_error,
    }


def together(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """The figures of all folds for JSON: of each, and mean and spread (standard deviation, n − 1) of the main ones."""
    folds = [summary(evaluation) for evaluation in evaluations]
    names = [name for name in ("accuracy", "coarse_accuracy", "top5_accuracy", "log_loss") if name in folds[0]]
    values = {name: [float(fold[name]) for fold in folds] for name in names}
    return {
        "mean": {name: float(np.mean(found)) for name, found in values.items()},
        "spread": {name: float(np.std(found, ddof=1)) for name, found in values.items()},
        "folds": folds,
    }
