"""A training run from photographs to a network: read this file first. Imports TensorFlow: import it lazily.

Pretrained weights: each photograph passes the backbone, and linear discriminant analysis of what comes out gives the
head to begin with. Then either the head alone is trained, on these features, or the head and the upper part of the
backbone, on new views of the photographs in every epoch. No weights: everything is trained, from random ones.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras

from edge_agent.shelf import DataError
from trainer.judging.evaluate import Evaluation, judge, summary
from trainer.judging.rejection import Rejection, Unknown, judge_unknown, threshold
from trainer.nets import head, models
from trainer.photos.data import Photo, Splits, fingerprint
from trainer.report import Watch, clock, draw_curves, write_history
from trainer.training.checkpoint import Checkpoint
from trainer.training.conditions import affordable, conditions, made_by, precision
from trainer.training.loop import Course
from trainer.training.recipe import Recipe
from trainer.training.run import Run
from trainer.training.stages import Job, begin, train_head, train_layers
from trainer.training.strategy import assemble
from trainer.views.feed import Album, Looks, look_at, open_album


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A network with the weights of its best epoch, and how it came about.

    `splits` holds the photographs that could be read, `problems` names those that could not. `evaluation` is that of
    the finished network on the validation photographs, which also chose the epoch, one factor that makes the network as
    sure as it is right, and the `rejection` threshold. `unknown` says how well photographs of classes that were left
    out are told from the others, where there are any. `sha256` is the `fingerprint` of the photographs, and `chief`
    says whether this process is the one to write what came of it.
    """

    model: keras.Model
    splits: Splits
    recipe: Recipe
    course: Course
    evaluation: Evaluation
    rejection: Rejection
    unknown: Unknown | None
    problems: tuple[str, ...]
    seconds: float
    sha256: str
    chief: bool


def fit(
    splits: Splits, recipe: Recipe, *, watch: Watch, unknown: Sequence[Photo] = (), run: Run | None = None
) -> Trained:
    """Train a network on photographs, and see what it makes of `unknown` ones, of classes that it is not to know.

    Raises:
        ConfigError: An unfinished training lies where this one would keep its epochs, or TF_CONFIG is wrong.
        InputError: The weights are not there.
        DataError: The weights do not fit, or the photographs that can be read do not cover every class.
        HaltedError: There is no room to keep an epoch.
        KeyboardInterrupt: Ctrl-C came before there was an epoch to keep.
    """
    began = clock()
    run = run or Run()
    team = assemble(run.strategy)  # before anything else of TensorFlow
    recipe = affordable(recipe, watch)
    if run.partial is not None and not run.fresh:
        Checkpoint(run.partial, asdict(recipe)).read()  # another recipe is told before the slow work
    models.be_repeatable(recipe.seed)
    with team.strategy.scope(), precision(recipe):
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
    sha256 = fingerprint((*album.photos, *held_out.photos), splits.labels)
    with conditions(run, made_by(recipe, album.photos, sha256), team=team, began_s=began) as under:
        group_of = splits.coarse.of if splits.coarse else None
        course = _train(Job(model, album, held_out, group_of, recipe, watch, under))
    if team.replicas > 1 or recipe.mixed_precision:
        model = _on_one_device(model, recipe)
    _calibrate(model, held_out)
    predict = models.predictor(model)
    scores = predict(held_out.pixels)
    rejection = threshold(scores)
    strange = predict(look_at(unknown, size_px=recipe.size_px, watch=watch).pixels) if unknown else None
    return Trained(
        model=model,
        splits=replace(splits, train=album.photos, validation=held_out.photos),
        recipe=recipe,
        course=course,
        evaluation=judge(scores, held_out.truth, labels=splits.labels, coarse=splits.coarse),
        rejection=rejection,
        unknown=None if strange is None else judge_unknown(scores, strange, rejection),
        problems=problems,
        seconds=clock() - began,
        sha256=sha256,
        chief=team.chief,
    )


def _train(job: Job) -> Course:
    """What the recipe asks for: the head alone, the upper layers from a good head on, or everything from nothing."""
    if not job.recipe.pretrained or (job.under.done and not job.recipe.frozen):  # what goes on has its head
        return train_layers(job)
    known = begin(job)
    return train_head(job, known) if job.recipe.frozen else train_layers(job)


def _on_one_device(model: keras.Model, recipe: Recipe) -> keras.Model:
    """The same network in float32, which is what is judged, written and converted."""
    plain = models.build(recipe, classes=model.output_shape[-1])
    plain.set_weights(model.get_weights())
    return plain


def _refuse_gaps(album: Album, splits: Splits) -> None:
    """A class without a photograph cannot be learned."""
    seen = {photo.label_index for photo in album.photos}
    if gone := [label for index, label in enumerate(splits.labels) if index not in seen]:
        raise DataError(
            f"no photograph that can be read is left to train {', '.join(gone)}. Bring others, or remove the class. "
            f"Left out: {'; '.join(album.problems[:3]) or 'none, so all were held out'}"
        )


def _calibrate(model: keras.Model, held_out: Looks) -> None:
    """Scale the head so that confidences mean what they say; no answer changes."""
    layer = model.get_layer(models.HEAD)
    features = models.predictor(keras.Model(model.input, layer.input))(held_out.pixels)
    models.set_linear(layer, head.calibrate(models.linear_of(layer), features, held_out.truth))


def describe(trained: Trained) -> dict[str, Any]:
    """The card of a trained network, to be saved with it."""
    splits = trained.splits
    unknown = trained.unknown
    groups = {"coarse": {"labels": splits.coarse.labels, "of": splits.coarse.of}} if splits.coarse else {}
    return models.card(
        trained.recipe,
        labels=splits.labels,
        **groups,
        metrics={"validation": summary(trained.evaluation)} | ({"unknown": asdict(unknown)} if unknown else {}),
        rejection=trained.rejection.as_json(),
        training={
            "epochs": len(trained.course.history),
            "best_epoch": trained.course.best_epoch,
            "ended": trained.course.ended,
            "interrupted": trained.course.interrupted,
            "seconds": round(trained.seconds, 1),
        },
        data={
            "train": len(splits.train),
            "validation": len(splits.validation),
            "unreadable": len(trained.problems),
            "sha256": trained.sha256,
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
