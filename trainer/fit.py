"""A training run from photographs to a network: read this file first. Imports TensorFlow: import it lazily.

Pretrained weights: each photograph passes the frozen backbone a few times, and the head is trained on what comes out.
No weights: everything is trained, on new views of the photographs in every epoch.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edge_agent.regions import whole
from edge_agent.shelf import DataError
from trainer import head, models
from trainer.augment import Jitter, view
from trainer.data import Photo, Splits, fingerprint
from trainer.evaluate import Evaluation, judge, log_loss, summary
from trainer.feed import Album, Looks, batches, look_at, open_album, shuffled, steps_per_epoch, workers
from trainer.loop import Course, Work, train
from trainer.recipe import Recipe
from trainer.report import Watch, clock, draw_curves, write_history

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
    course = (_fit_head if recipe.freeze else _fit_all)(model, album, held_out, recipe, watch)
    _calibrate(model, held_out)
    evaluation = judge(models.predictor(model)(held_out.pixels), held_out.truth, labels=splits.labels)
    return Trained(
        model, splits.labels, recipe, course, evaluation, problems, album.photos, held_out.photos, clock() - began
    )


def _refuse_gaps(album: Album, splits: Splits) -> None:
    """A class without a photograph cannot be learned."""
    seen = {photo.label_index for photo in album.photos}
    if gone := [label for index, label in enumerate(splits.labels) if index not in seen]:
        raise DataError(
            f"no photograph that can be read is left to train {', '.join(gone)}: {len(album.problems)} are broken, "
            f"the first is {album.problems[0] if album.problems else 'unknown'} Bring others, or remove the class."
        )


def _fit_all(model: keras.Model, album: Album, held_out: Looks, recipe: Recipe, watch: Watch) -> Course:
    """Train every layer, on new views in every epoch."""
    predict = models.predictor(model)

    def assess() -> tuple[float, float]:
        return _loss_and_accuracy(predict(held_out.pixels), held_out.truth)

    batch = min(recipe.batch, len(album.photos))
    stream = batches(album, batch=batch, jitter=Jitter(flip=recipe.flip), seed=recipe.seed)
    with closing(stream):
        work = Work(lambda: next(stream), assess, steps_per_epoch(len(album.photos), batch=batch))
        return train(model, work, recipe, watch)


def _fit_head(model: keras.Model, album: Album, held_out: Looks, recipe: Recipe, watch: Watch) -> Course:
    """Train the last layer, on features that are computed once, from where linear discriminant analysis leaves it."""
    plain, truth = _features(model, album, recipe, watch)
    held_plain = models.predictor(models.features_of(model))(held_out.pixels)
    standard = head.standardize(plain)
    features, held_features = standard.apply(plain), standard.apply(held_plain)
    start = head.discriminant(features, truth, classes=model.output_shape[-1])
    start = head.calibrate(start, held_features, held_out.truth)

    layer = keras.layers.Dense(model.output_shape[-1], activation="softmax")
    inputs = keras.Input((features.shape[1],))
    small = keras.Model(inputs, layer(keras.layers.Dropout(recipe.dropout)(inputs)))
    layer.set_weights([start.kernel.astype(np.float32), start.bias.astype(np.float32)])

    def assess() -> tuple[float, float]:
        scores = head.softmax(held_features.astype(np.float64) @ layer.get_weights()[0] + layer.get_weights()[1])
        return _loss_and_accuracy(scores.astype(np.float32), held_out.truth)

    batch = min(recipe.batch, len(truth))
    order = shuffled(len(truth), batch=batch, seed=recipe.seed)

    def draw() -> tuple[NDArray[np.float32], Indices]:
        _, chosen = next(order)
        return features[chosen], truth[chosen]

    course = train(small, Work(draw, assess, steps_per_epoch(len(truth), batch=batch)), recipe, watch)
    kernel, bias = (weights.astype(np.float64) for weights in layer.get_weights())
    folded = head.fold(head.Linear(kernel, bias), standard)
    models.set_head(model, folded, centre=standard.mean)
    return course


def _calibrate(model: keras.Model, held_out: Looks) -> None:
    """Scale the head so that confidences mean what they say; no answer changes."""
    layer = model.get_layer(models.HEAD)
    kernel, bias = (weights.astype(np.float64) for weights in layer.get_weights())
    features = models.predictor(keras.Model(model.input, layer.input))(held_out.pixels)
    scaled = head.calibrate(head.Linear(kernel, bias), features, held_out.truth)
    layer.set_weights([scaled.kernel.astype(np.float32), scaled.bias.astype(np.float32)])


def _loss_and_accuracy(scores: NDArray[np.float32], truth: Indices) -> tuple[float, float]:
    return log_loss(scores, truth), float((scores.argmax(axis=1) == truth).mean())


def _features(model: keras.Model, album: Album, recipe: Recipe, watch: Watch) -> tuple[NDArray[np.float32], Indices]:
    """What the backbone makes of each photograph as it is, mirrored, and jittered: (n · views, features) and truth."""
    predict = models.predictor(models.features_of(model))
    jitter = Jitter(flip=recipe.flip)

    def look(index: int) -> Pixels:
        image = album.image(index)
        plain = whole(image, size_px=recipe.size_px)
        views = [plain, plain[:, ::-1]] if recipe.flip else [plain]
        while len(views) < recipe.views:
            rng = np.random.default_rng([recipe.seed, len(views), index])
            views.append(view(image, size_px=recipe.size_px, jitter=jitter, rng=rng))
        return np.stack(views[: recipe.views])

    found: list[NDArray[np.float32]] = []
    at_once = max(1, models.PREDICT_BATCH // recipe.views)
    watch.begin("looking through the backbone", len(album.photos))
    with ThreadPoolExecutor(workers()) as pool:
        for first in range(0, len(album.photos), at_once):
            chunk = range(first, min(first + at_once, len(album.photos)))
            found.append(predict(np.concatenate(list(pool.map(look, chunk)))))
            for _ in chunk:
                watch.advance()
    truth = np.repeat([photo.label_index for photo in album.photos], recipe.views).astype(np.int64)
    return np.concatenate(found), truth


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
