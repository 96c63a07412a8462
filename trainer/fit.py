"""A training run from photographs to a network: read this file first. Imports TensorFlow: import it lazily.

Pretrained weights: each photograph passes the backbone, and linear discriminant analysis of what comes out gives the
head to begin with. Then either the head alone is trained, on these features, or the head and the upper part of the
backbone, on new views of the photographs in every epoch. No weights: everything is trained, from random ones.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edge_agent.shelf import DataError
from trainer import head, models
from trainer.data import Photo, Splits, fingerprint
from trainer.evaluate import Evaluation, judge, summary
from trainer.feed import Album, Looks, look_at, open_album
from trainer.loop import Course
from trainer.recipe import Recipe
from trainer.report import Watch, clock, draw_curves, write_history
from trainer.stages import Job, begin, train_head, train_layers

Pixels = NDArray[np.uint8]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A network with the weights of its best epoch, and how it came about.

    `evaluation` is that of the finished network on the validation photographs, which also chose the epoch and one
    factor that makes the network as sure as it is right; `problems` names the photographs that could not be read.
    """

    model: keras.Model
    labels: tuple[str, ...]
    recipe: Recipe
    course: Course
    evaluation: Evaluation
    problems: tuple[str, ...]
    train: tuple[Photo, ...]
    validation: tuple[Photo, ...]
    seconds: float


def fit(splits: Splits, recipe: Recipe, *, watch: Watch) -> Trained:
    """Train a network on photographs.

    Raises:
        InputError: The weights are not there.
        DataError: The weights do not fit, or the photographs that can be read do not cover every class.
        KeyboardInterrupt: Ctrl-C came before there was an epoch to keep.
    """
    began = clock()
    models.be_repeatable(recipe.seed)
    model = models.build(recipe, classes=len(splits.labels))
    album = open_album(splits.train, size_px=recipe.size_px, watch=watch)
    _refuse_gaps(album, splits)
    held_out = look_at(splits.validation, size_px=recipe.size_px, watch=watch)
    problems = (*album.problems, *held_out.problems)
    for problem in problems:
        watch.say(f"left out: {problem}")
    if problems:
        watch.say(
            f"{len(problems)} photographs could not be read; going on with {len(album.photos) + len(held_out.photos)}"
        )
    course = _train(Job(model, album, held_out, splits.coarse.of if splits.coarse else None, recipe, watch))
    _calibrate(model, held_out)
    evaluation = judge(models.predictor(model)(held_out.pixels), held_out.truth, labels=splits.labels)
    return Trained(
        model, splits.labels, recipe, course, evaluation, problems, album.photos, held_out.photos, clock() - began
    )


def _train(job: Job) -> Course:
    """What the recipe asks for: the head alone, the upper layers from a good head on, or everything from nothing."""
    if not job.recipe.pretrained:
        return train_layers(job)
    known = begin(job)
    return train_head(job, known) if job.recipe.frozen else train_layers(job)


def _refuse_gaps(album: Album, splits: Splits) -> None:
    """A class without a photograph cannot be learned."""
    seen = {photo.label_index for photo in album.photos}
    if gone := [label for index, label in enumerate(splits.labels) if index not in seen]:
        raise DataError(
            f"no photograph that can be read is left to train {', '.join(gone)}: {len(album.problems)} are broken, "
            f"the first is {album.problems[0] if album.problems else 'unknown'} Bring others, or remove the class."
        )


def _calibrate(model: keras.Model, held_out: Looks) -> None:
    """Scale the head so that confidences mean what they say; no answer changes."""
    layer = model.get_layer(models.HEAD)
    kernel, bias = (weights.astype(np.float64) for weights in layer.get_weights())
    features = models.predictor(keras.Model(model.input, layer.input))(held_out.pixels)
    scaled = head.calibrate(head.Linear(kernel, bias), features, held_out.truth)
    layer.set_weights([scaled.kernel.astype(np.float32), scaled.bias.astype(np.float32)])


def describe(trained: Trained) -> dict[str, Any]:
    """The card of a trained network, to be saved with it."""
    photos = (*trained.train, *trained.validation)
    return models.card(
        trained.recipe,
        labels=trained.labels,
        metrics={"validation": summary(trained.evaluation)},
        training={
            "epochs": len(trained.course.history),
            "best_epoch": trained.course.best_epoch,
            "interrupted": trained.course.interrupted,
            "seconds": round(trained.seconds, 1),
        },
        data={
            "train": len(trained.train),
            "validation": len(trained.validation),
            "unreadable": len(trained.problems),
            "sha256": fingerprint(photos, trained.labels),
        },
    )


def write(trained: Trained, path: Path) -> tuple[Path, ...]:
    """Write the model, its card, `history.csv`, `accuracy.png` and `loss.png` into one folder.

    Args:
        trained: From `fit`.
        path: Of the model, ending in `.keras`. Its folder is made where it is missing.

    Returns:
        The files.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    models.save(trained.model, path, describe(trained))
    write_history(trained.course.history, path.with_name("history.csv"))
    draw_curves(trained.course.history, path.parent, best_epoch=trained.course.best_epoch)
    beside = [path.with_name(name) for name in ("history.csv", "accuracy.png", "loss.png")]
    return (path, models.card_path(path), *beside)
