"""Two bundles on the same photographs: how often each is right, and whether the difference may be chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from converter.judging.evaluate import Scores, ask, gathered
from converter.judging.gate import Indices, drop_bound
from converter.judging.latency import Latency, measure
from converter.progress import Track, untracked
from edge_agent.bundle import Bundle, read
from edge_agent.inference import TfliteClassifier
from edge_agent.shelf import DataError
from trainer.photos.data import Photo, gather


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One of the two: how many of the photographs it gets right, its size, and its time per crop on this machine."""

    name: str
    right: int
    model_bytes: int
    latency: tuple[Latency, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Versus:
    """What came of it. `only_a` and `only_b` count photographs that one gets right and the other wrong.

    `classes` names the classes that one gets right more often, by photographs won by b (negative: lost), largest first.
    """

    a: Side
    b: Side
    count: int
    same: int
    only_a: int
    only_b: int
    classes: tuple[tuple[str, int], ...]

    @property
    def sentence(self) -> str:
        """What a person should take from it."""
        gain_points = 100 * (self.only_b - self.only_a) / self.count
        least_points = -100 * drop_bound(self.only_a, self.only_b, self.count)
        most_points = 100 * drop_bound(self.only_b, self.only_a, self.count)
        span = f"between {least_points:+.1f} and {most_points:+.1f} points, 9 times in 10"
        if least_points > 0:
            return f"{self.b.name} is better by {gain_points:.1f} points ({span})."
        if most_points < 0:
            return f"{self.b.name} is worse by {-gain_points:.1f} points ({span})."
        return (
            f"{self.b.name} is right {gain_points:+.1f} points more often, which may be chance ({span})."
            " More photographs would tell."
        )


def versus(first: Path, second: Path, photographs: Path, *, track: Track = untracked) -> Versus:
    """Ask two bundles about the same photographs, each through the agent's preprocessing at its own size.

    Args:
        first: A bundle.
        second: Another with the same labels; their order may differ.
        photographs: A folder or list, all of which is used.
        track: Shows how far it is.

    Raises:
        BundleError: A bundle cannot be used.
        InputError: The photographs are not there.
        DataError: The labels differ, or a photograph is corrupt.
    """
    bundles = read(first), read(second)
    labels = bundles[0].manifest.labels
    _check_labels(first, second, bundles)
    photos = gather(photographs, labels=labels, seed=0)
    truth = np.asarray([photo.label_index for photo in photos])
    answers = [_answers(bundle, photos, labels, track) for bundle in bundles]
    right = [found == truth for found in answers]
    names = _names(first, second, bundles)
    a, b = (
        Side(name, int(hits.sum()), len(bundle.model), measure(bundle, track=track))
        for name, hits, bundle in zip(names, right, bundles, strict=True)
    )
    return Versus(
        a,
        b,
        count=len(photos),
        same=int((answers[0] == answers[1]).sum()),
        only_a=int((right[0] & ~right[1]).sum()),
        only_b=int((right[1] & ~right[0]).sum()),
        classes=_changed(truth, right[1].astype(int) - right[0].astype(int), labels),
    )


def _answers(bundle: Bundle, photos: Sequence[Photo], labels: Sequence[str], track: Track) -> Indices:
    """The winner for each photograph, as an index into `labels`."""
    with gathered(photos, size_px=bundle.manifest.input.size_px, track=track) as crops:
        scores: Scores = ask(TfliteClassifier(bundle, runtime="litert").classify, crops)
    place = np.asarray([labels.index(label) for label in bundle.manifest.labels])
    return np.asarray(place[scores.argmax(axis=1)])


def _check_labels(first: Path, second: Path, bundles: tuple[Bundle, Bundle]) -> None:
    ours, theirs = (set(bundle.manifest.labels) for bundle in bundles)
    if ours != theirs:
        lone = sorted(ours ^ theirs)
        raise DataError(
            f"{first} and {second} tell different things apart: {len(lone)} labels are in one of them only, such as"
            f' "{lone[0]}". Compare bundles with the same labels.'
        )


def _names(first: Path, second: Path, bundles: tuple[Bundle, Bundle]) -> tuple[str, str]:
    """The bundles' ids, or where they are the same, their places."""
    ids = bundles[0].manifest.id, bundles[1].manifest.id
    return ids if ids[0] != ids[1] else (str(first), str(second))


def _changed(truth: Indices, won: Indices, labels: Sequence[str]) -> tuple[tuple[str, int], ...]:
    balance = [(label, int(won[truth == index].sum())) for index, label in enumerate(labels)]
    return tuple(sorted((one for one in balance if one[1]), key=lambda one: (-abs(one[1]), one[0])))
