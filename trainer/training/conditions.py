"""Under which conditions a training runs, from what was asked for. Imports TensorFlow: import it lazily."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from typing import Any

import keras
import tensorflow as tf

from edge_agent.shelf import ConfigError
from trainer.photos.data import Photo
from trainer.report import Epoch, Watch
from trainer.training.board import Board
from trainer.training.checkpoint import Checkpoint, State
from trainer.training.loop import Conditions
from trainer.training.recipe import Recipe
from trainer.training.run import Run
from trainer.training.strategy import Team


@contextmanager
def conditions(run: Run, made_by: dict[str, Any], *, team: Team, began_s: float) -> Iterator[Conditions]:
    """What a training needs besides photographs and recipe, as long as the body runs.

    Args:
        run: What was asked for.
        made_by: What must be the same for a training to go on where it was cut off, by name.
        team: The devices.
        began_s: When the time budget began to be spent, by `report.clock`.

    Raises:
        ConfigError: What lies there is another training, or not all workers see it.
        DataError: It cannot be read.
    """
    checkpoint = None if run.partial is None else Checkpoint(run.partial, made_by)
    earlier = None if checkpoint is None else _earlier(checkpoint, run, team)
    spent_s = sum(epoch.seconds for epoch in earlier.history) if earlier else 0.0
    deadline_s = None if run.time_budget_s is None else began_s + run.time_budget_s - spent_s
    with ExitStack() as stack:
        told: list[Callable[[Epoch], None]] = [] if run.after_epoch is None else [run.after_epoch]
        if run.tensorboard is not None and team.chief:
            told.append(stack.enter_context(Board(run.tensorboard)).show)

        def after_epoch(epoch: Epoch) -> None:
            for tell in told:
                tell(epoch)

        yield Conditions(team, checkpoint, earlier, deadline_s, after_epoch)


def _earlier(checkpoint: Checkpoint, run: Run, team: Team) -> State | None:
    """What an earlier run left, the same for every worker; deleted where it is not wanted."""
    if run.fresh:
        if team.chief:
            checkpoint.remove()
        return None
    earlier = checkpoint.read()
    found = len(earlier.history) if earlier else 0
    if found != (expected := int(team.agree([found])[0])):
        problem = f"this worker finds {found} epochs in {checkpoint.folder}, the chief {expected}"
        remedy = "put --out on a disk that all of them see, or give --fresh to all of them"
        raise ConfigError("the training cannot go on:", [f"{problem}; {remedy}"])
    return earlier


def made_by(recipe: Recipe, train: Sequence[Photo], sha256: str) -> dict[str, Any]:
    """What decides the outcome of a training, by name.

    Args:
        recipe: Of it.
        train: The photographs that it learns from, in their order.
        sha256: The fingerprint of these and of those to validate on.
    """
    order = hashlib.sha256("\n".join(f"{photo.path.name} {photo.box_xywh}" for photo in train).encode()).hexdigest()
    return {**asdict(recipe), "photographs": sha256, "those to train on": order}


def affordable(recipe: Recipe, watch: Watch) -> Recipe:
    """The recipe without mixed precision where there is no GPU, with a warning: a processor gets slower from it."""
    if not recipe.mixed_precision or tf.config.list_physical_devices("GPU"):
        return recipe
    watch.say("warning: --mixed-precision is for GPUs, and there is none here; going on in float32")
    return replace(recipe, mixed_precision=False)


@contextmanager
def precision(recipe: Recipe) -> Iterator[None]:
    """Layers that the body makes compute as the recipe says; their weights are float32 in any case."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16" if recipe.mixed_precision else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
