"""The stages of a training: a head in closed form, then either the head alone or the layers, step by step.

Imports TensorFlow: import it lazily.
"""

import itertools
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from edge_agent.regions import whole
from trainer.judging.evaluate import log_loss
from trainer.nets import head, models
from trainer.nets.backbones import BACKBONE
from trainer.report import Watch
from trainer.training.loop import Conditions, Course, Work, train
from trainer.training.loss import balanced
from trainer.training.recipe import Recipe
from trainer.views.augment import Jitter, asked, view
from trainer.views.feed import Album, Looks, batches, shuffled, steps_per_epoch, workers
from trainer.views.mix import Mixing, mixed

Pixels = NDArray[np.uint8]
Features = NDArray[np.float32]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """What a stage works on: the model to train in place, the photographs, how, and under which conditions.

    `group_of` holds the group of each label, where labels have groups.
    """

    model: keras.Model
    album: Album
    held_out: Looks
    group_of: tuple[int, ...] | None
    recipe: Recipe
    watch: Watch
    under: Conditions


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What a backbone makes of the photographs, standardized, and the head that this leads to.

    `features` is (n · views, features) with `truth` (n · views,), `held_out` (m, features) float32; `start` works on
    standardized features, `standard` made them so.
    """

    features: Features
    truth: Indices
    held_out: Features
    standard: head.Standard
    start: head.Linear


def begin(job: Job) -> Known:
    """Put a head on a pretrained backbone that linear discriminant analysis of its features gives."""
    plain, truth = _features(job)
    held_plain = models.predictor(models.features_of(job.model))(job.held_out.pixels)
    standard = head.standardize(plain)
    features, held_out = standard.apply(plain), standard.apply(held_plain)
    start = head.discriminant(features, truth, classes=job.model.output_shape[-1])
    start = head.calibrate(start, held_out, job.held_out.truth)
    models.set_head(job.model, head.fold(start, standard), centre=standard.mean)
    return Known(features, truth, held_out, standard, start)


def train_head(job: Job, known: Known) -> Course:
    """Train the head alone, on features that were computed once."""
    classes = job.model.output_shape[-1]
    with job.under.team.strategy.scope():
        layer = keras.layers.Dense(classes, activation="softmax")
        inputs = keras.Input((known.features.shape[1],))
        small = keras.Model(inputs, layer(keras.layers.Dropout(job.recipe.dropout)(inputs)))
    models.set_linear(layer, known.start)

    def assess() -> tuple[float, float]:
        kernel, bias = layer.get_weights()
        scores = head.softmax(known.held_out.astype(np.float64) @ kernel + bias)
        return _loss_and_accuracy(scores.astype(np.float32), job.held_out.truth)

    batch = min(job.recipe.batch, len(known.truth))
    order = shuffled(len(known.truth), batch=batch, seed=job.recipe.seed, first_epoch=job.under.done)
    targets = np.eye(classes, dtype=np.float32)

    def draw() -> tuple[Features, NDArray[np.float32]]:
        _, chosen = next(order)
        return known.features[chosen], targets[known.truth[chosen]]

    work = Work(draw, assess, steps_per_epoch(len(known.truth), batch=batch), job.group_of, _class_weights(job))
    course = train(small, work, job.recipe, job.watch, job.under)
    folded = head.fold(models.linear_of(layer), known.standard)
    models.set_head(job.model, folded, centre=known.standard.mean)
    return course


def train_layers(job: Job) -> Course:
    """Train the head and the upper part of the backbone, or all of it, on new views in every epoch."""
    recipe, album = job.recipe, job.album
    _unfreeze(job.model.get_layer(BACKBONE), recipe)
    predict = models.predictor(job.model)

    def assess() -> tuple[float, float]:
        return _loss_and_accuracy(predict(job.held_out.pixels), job.held_out.truth)

    batch = min(recipe.batch, len(album.photos))
    steps = steps_per_epoch(len(album.photos), batch=batch)
    stream = batches(album, batch=batch, jitter=_jitter(recipe), seed=recipe.seed, first_epoch=job.under.done)
    mixing = Mixing(recipe.mixup, recipe.cutmix)
    step = itertools.count(job.under.done * steps)
    targets = np.eye(job.model.output_shape[-1], dtype=np.float32)

    def draw() -> tuple[Pixels, NDArray[np.float32]]:
        pixels, truth = next(stream)
        return mixed(pixels, targets[truth], mixing, np.random.default_rng([recipe.seed, next(step)]))

    with closing(stream):
        work = Work(draw, assess, steps, job.group_of, _class_weights(job))
        return train(job.model, work, recipe, job.watch, job.under)


def _class_weights(job: Job) -> NDArray[np.float32] | None:
    """How much each class counts, where not all do the same."""
    if job.recipe.class_weights == "none":
        return None
    truth = np.asarray([photo.label_index for photo in job.album.photos], dtype=np.int64)
    return balanced(truth, classes=job.model.output_shape[-1])


def _jitter(recipe: Recipe) -> Jitter:
    """How far the views of a recipe may differ from their photographs."""
    return asked(strength=recipe.augment, crop=recipe.crop, effects=recipe.effects, flip=recipe.flip)


def _unfreeze(backbone: keras.Model, recipe: Recipe) -> None:
    """Leave the lower layers of a backbone as they are, and with pretrained weights the statistics of all of them.

    Batch normalization over a batch of few photographs is worse than what a million left behind.
    """
    if not recipe.pretrained:
        return
    layers = [layer for layer in backbone.layers if layer.weights]
    fixed = len(layers) - round(recipe.unfreeze * len(layers))
    for place, layer in enumerate(layers):
        layer.trainable = place >= fixed and not isinstance(layer, keras.layers.BatchNormalization)


def _features(job: Job) -> tuple[Features, Indices]:
    """What the backbone makes of each photograph as it is, mirrored, and jittered: (n · views, features) and truth."""
    recipe, album = job.recipe, job.album
    predict = models.predictor(models.features_of(job.model))
    jitter = _jitter(recipe)

    def look(index: int) -> Pixels:
        image = album.image(index)
        plain = whole(image, size_px=recipe.size_px)
        views = [plain, plain[:, ::-1]] if recipe.flip else [plain]
        while len(views) < recipe.views:
            rng = np.random.default_rng([recipe.seed, len(views), index])
            views.append(view(image, size_px=recipe.size_px, jitter=jitter, rng=rng))
        return np.stack(views[: recipe.views])

    found: list[Features] = []
    at_once = max(1, models.PREDICT_BATCH // recipe.views)
    job.watch.begin("looking through the backbone", len(album.photos))
    with ThreadPoolExecutor(workers()) as pool:
        for first in range(0, len(album.photos), at_once):
            chunk = range(first, min(first + at_once, len(album.photos)))
            found.append(predict(np.concatenate(list(pool.map(look, chunk)))))
            for _ in chunk:
                job.watch.advance()
    truth = np.repeat([photo.label_index for photo in album.photos], recipe.views).astype(np.int64)
    return np.concatenate(found), truth


def _loss_and_accuracy(scores: NDArray[np.float32], truth: Indices) -> tuple[float, float]:
    return log_loss(scores, truth), float((scores.argmax(axis=1) == truth).mean())
