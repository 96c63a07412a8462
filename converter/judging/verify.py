"""Float against int8 on photographs that neither has seen, int8 through the agent's own code; and the gate."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.photographs import Track, untracked
from edge_agent.bundle import Metrics
from edge_agent.inference import Classifier
from edge_agent.shelf import ShelfwatchError
from trainer.photos.data import Photo, read

BATCH = 32
"""Photographs in memory at a time."""


class Refused(ShelfwatchError):  # noqa: N818  (it is a verdict, not a fault)
    """The int8 network loses more accuracy than it may; no bundle was written."""

    exit_status = 2


@dataclass(frozen=True, slots=True, eq=False)
class Verification:
    """How a network does in float and in int8 on the same photographs.

    `winners` (n,) are int8's answers and `margins` (n,) by how much probability each leads, 0..1; `ms_per_crop` is the
    median over batches, in the agent's classifier on this machine.
    """

    metrics: Metrics
    winners: NDArray[np.int64]
    margins: NDArray[np.float32]
    ms_per_crop: float

    @property
    def drop_points(self) -> float:
        """What int8 loses, in points of 100; negative where it gains."""
        lost = self.metrics.float_top1 - self.metrics.int8_top1
        return round(lost * self.metrics.count) / self.metrics.count * 100


def verify(network: Any, classifier: Classifier, photos: Sequence[Photo], *, track: Track = untracked) -> Verification:
    """Ask both networks about the same pixels.

    Args:
        network: The float Keras model, (batch, size, size, 3) float32 → (batch, classes).
        classifier: The int8 model as the agent runs it.
        photos: Held-out photographs, one or more; their `label_index` counts in `classifier.labels`.
        track: Shows how far it is.

    Raises:
        InputError: A photograph cannot be opened.
        DataError: A photograph is corrupt.
    """
    by_float, by_int8, margins, took_ms = [], [], [], []
    for crops in _batches(photos, classifier.size_px, track):
        by_float.append(np.asarray(network.predict_on_batch(crops.astype(np.float32))).argmax(axis=1))
        started_s = time.perf_counter()
        scores = classifier.classify(crops)
        took_ms.append((time.perf_counter() - started_s) * 1000 / len(crops))
        by_int8.append(scores.argmax(axis=1))
        ordered = np.sort(scores, axis=1)
        margins.append(ordered[:, -1] - ordered[:, -2])
    truth = np.asarray([photo.label_index for photo in photos])
    winners = np.concatenate(by_int8)
    metrics = judge(truth, by_float=np.concatenate(by_float), by_int8=winners, labels=classifier.labels)
    return Verification(metrics, winners, np.concatenate(margins), float(np.median(took_ms)))


def judge(
    truth: NDArray[np.int64], *, by_float: NDArray[np.int64], by_int8: NDArray[np.int64], labels: Sequence[str]
) -> Metrics:
    """Accuracy, agreement and recall per class from label indices, each (n,); n is 1 or more.

    A class without photographs has no recall.
    """
    present = [(name, truth == index) for index, name in enumerate(labels) if (truth == index).any()]
    return Metrics(
        count=len(truth),
        float_top1=float((by_float == truth).mean()),
        int8_top1=float((by_int8 == truth).mean()),
        agreement=float((by_float == by_int8).mean()),
        float_recall={name: float((by_float == truth)[mine].mean()) for name, mine in present},
        int8_recall={name: float((by_int8 == truth)[mine].mean()) for name, mine in present},
    )


def doubt(metrics: Metrics, photos: Sequence[Photo]) -> str | None:
    """Why a small drop would prove nothing: a float network that only guesses has nothing to lose."""
    commonest = max(Counter(photo.label_index for photo in photos).values()) / len(photos)
    if metrics.float_top1 > commonest:
        return None
    return (
        f"the float network itself gets only {metrics.float_top1:.1%} of {metrics.count} held-out photographs right, no"
        f" more than always giving the commonest answer ({commonest:.1%}), so the drop proves nothing. Train it longer."
    )


def gate(verification: Verification, *, max_drop_points: float) -> None:
    """Let a network pass that loses no more than `max_drop_points` of its accuracy.

    Raises:
        Refused: It loses more; the message holds both accuracies, the drop, the bound and what to do.
    """
    metrics, drop_points = verification.metrics, verification.drop_points
    if drop_points <= max_drop_points + 1e-9:
        return
    lost = round(drop_points * metrics.count / 100)
    raise Refused(
        f"refused: of {metrics.count} held-out photographs int8 gets {metrics.int8_top1:.1%} right and float"
        f" {metrics.float_top1:.1%}: a drop of {drop_points:.2f} points ({lost} photographs), at most"
        f" {max_drop_points:g} are allowed. No bundle was written. Calibrate with more photographs, and with ones like"
        f" those of the shelf; judge on more with --evaluate, if {lost} may be chance; or allow more with --max-drop."
    )


def _batches(photos: Sequence[Photo], size_px: int, track: Track) -> Iterator[NDArray[np.uint8]]:
    """The pixels of photographs, (≤ BATCH, size, size, 3) at a time."""
    waiting: list[NDArray[np.uint8]] = []
    for photo in track(photos, "Verifying on held-out photographs"):
        waiting.append(read(photo, size_px))
        if len(waiting) == BATCH:
            yield np.stack(waiting)
            waiting = []
    if waiting:
        yield np.stack(waiting)
