"""A network and photographs that nobody has labelled → what it takes them for. TensorFlow stays with the caller."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.judging.rejection import Rejection, kept
from trainer.photos.data import Photo, read
from trainer.views.feed import developed

Pixels = NDArray[np.uint8]
Scores = NDArray[np.float32]

AT_ONCE = 64
"""Photographs that are held in memory at a time."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """A network with what its answers mean.

    Attributes:
        predict: (n, size, size, 3) uint8 RGB → (n, classes) probabilities.
        labels: Names of the classes.
        size_px: Side of the input.
        rejection: When an answer is none; None where the network always answers.
        top: How many labels an answer has, the likeliest first.
    """

    predict: Callable[[Pixels], Scores]
    labels: tuple[str, ...]
    size_px: int
    rejection: Rejection | None
    top: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a photograph is taken for: label indices with their probabilities (0..1), the likeliest first.

    `unknown` says that the network is not sure enough for an answer; `problem`, why the photograph could not be read.
    """

    path: Path
    ranked: tuple[tuple[int, float], ...] = ()
    unknown: bool = False
    problem: str | None = None


def answers(photos: Sequence[Photo], speaker: Speaker) -> Iterator[Answer]:
    """Ask about photographs, in their order; one that cannot be read has a problem instead of an answer."""
    for at in range(0, len(photos), AT_ONCE):
        seen = list(developed(photos[at : at + AT_ONCE], lambda photo: read(photo, speaker.size_px)))
        good = [image for _, image in seen if not isinstance(image, str)]
        given = iter(_speak(np.stack(good), speaker) if good else ())
        for photo, image in seen:
            if isinstance(image, str):
                yield Answer(photo.path, problem=image)
            else:
                ranked, unknown = next(given)
                yield Answer(photo.path, ranked, unknown)


def _speak(pixels: Pixels, speaker: Speaker) -> Iterator[tuple[tuple[tuple[int, float], ...], bool]]:
    """The likeliest labels of each photograph, and whether even the first is not likely enough."""
    scores = speaker.predict(pixels)
    sure = np.ones(len(scores), bool) if speaker.rejection is None else kept(scores, speaker.rejection)
    order = np.argsort(-scores, axis=1, kind="stable")[:, : speaker.top]
    for row, best, enough in zip(scores, order.tolist(), sure.tolist(), strict=True):
        yield tuple((index, float(row[index])) for index in best), not enough


def described(answer: Answer, labels: Sequence[str]) -> dict[str, Any]:
    """An answer in JSON's own types."""
    if answer.problem is not None:
        return {"image": str(answer.path), "problem": answer.problem}
    named = [{"label": labels[index], "probability": round(share, 6)} for index, share in answer.ranked]
    return {"image": str(answer.path), "unknown": answer.unknown, "answers": named}
