"""A trained network on photographs that it has not seen: everything that is said about it afterwards.

Imports TensorFlow: import it lazily.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edge_agent.shelf import DataError
from trainer.judging.evaluate import Evaluation, judge
from trainer.judging.gallery import Shown
from trainer.judging.rejection import Kept, Rejection, Unknown, judge_known, judge_unknown, of_card
from trainer.nets import models
from trainer.photos import data
from trainer.photos.unlabelled import strangers
from trainer.report import Watch
from trainer.views.feed import Looks, look_at


@dataclass(frozen=True, slots=True)
class Asked:
    """Which network is tried on what.

    Attributes:
        model: A `.keras` file, its card beside it.
        photographs: As in `trainer.photos.data.load`.
        split: Which part of them; None for those that are kept for the test.
        seed: Of the split; None for that of the training.
        unknown: Photographs of products that the network does not know: a folder or a list.
    """

    model: Path
    photographs: Path
    split: data.Part | None = None
    seed: int | None = None
    unknown: Path | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Exam:
    """What came of it.

    `scores` are the (n, classes) probabilities for the n photographs of `looks`. `kept` is there where the card has a
    `rejection`, and `unknown` where unknown products were shown.
    """

    network: keras.Model
    card: dict[str, Any]
    labels: tuple[str, ...]
    looks: Looks
    scores: NDArray[np.float32]
    evaluation: Evaluation
    rejection: Rejection | None
    kept: Kept | None
    unknown: Unknown | None

    @property
    def shown(self) -> Shown:
        """The photographs with what was said of them."""
        return Shown(self.looks.pixels, self.scores, self.looks.truth, self.labels)


def hold(asked: Asked, *, watch: Watch) -> Exam:
    """Show a network the photographs and judge its answers.

    Raises:
        InputError: The model, or a folder or list of photographs, is not there.
        DataError: One of them makes no sense, or none of the photographs decodes.
    """
    network, card = models.load(asked.model)
    labels = tuple(str(label) for label in card["labels"])
    coarse, rejection = coarse_of(card), of_card(card)
    strange = strangers(asked.unknown) if asked.unknown else ()
    photos = _photos(asked, card, labels, watch)
    predict = models.predictor(network)
    size_px = int(network.input_shape[1])
    looks = _look(photos, size_px, watch)
    scores = predict(looks.pixels)
    return Exam(
        network=network,
        card=card,
        labels=labels,
        looks=looks,
        scores=scores,
        evaluation=judge(scores, looks.truth, labels=labels, coarse=coarse),
        rejection=rejection,
        kept=judge_known(scores, looks.truth, rejection) if rejection else None,
        unknown=judge_unknown(scores, predict(_look(strange, size_px, watch).pixels), rejection) if strange else None,
    )


def coarse_of(card: dict[str, Any]) -> data.Coarse | None:
    """The groups of labels that a model card holds; None where it has none.

    Raises:
        DataError: They are not for the labels of the card.
    """
    section = card.get("coarse")
    if section is None:
        return None
    try:
        coarse = data.Coarse(tuple(str(label) for label in section["labels"]), tuple(int(of) for of in section["of"]))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f'the card\'s "coarse" is {section!r}, which is none ({error!r}). Train again.') from error
    groups = len(coarse.labels)
    if len(coarse.of) != len(card["labels"]) or not all(0 <= of < groups for of in coarse.of):
        raise DataError(
            f'the card\'s "coarse" puts {len(coarse.of)} labels into {groups} groups, but there are '
            f"{len(card['labels'])} labels. Train again, or bring the right card."
        )
    return coarse


def _photos(asked: Asked, card: dict[str, Any], labels: tuple[str, ...], watch: Watch) -> tuple[data.Photo, ...]:
    """The photographs to judge by; of exactly those that were trained on, only what was kept for the test."""
    seed = int(card.get("recipe", {}).get("seed", 0)) if asked.seed is None else asked.seed
    photos = data.gather(asked.photographs, labels=labels, part=asked.split, seed=seed)
    if asked.split is not None:
        return photos
    trained_sha256 = str(card.get("data", {}).get("sha256"))
    unseen = data.unseen(photos, labels, seed=seed, trained_sha256=trained_sha256)
    if unseen:
        watch.say(f"the network was trained on these; judging the {len(unseen)} kept for the test (see --split)")
    return unseen or photos


def _look(photos: tuple[data.Photo, ...], size_px: int, watch: Watch) -> Looks:
    looks = look_at(photos, size_px=size_px, watch=watch)
    for problem in looks.problems:
        watch.say(f"left out: {problem}")
    return looks
