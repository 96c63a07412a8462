"""Epochs over batches until nothing gets better; the best one is what remains. Imports TensorFlow: import it lazily."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edge_agent.shelf import DataError
from trainer.recipe import Recipe
from trainer.report import Epoch, Watch, clock

WARM_UP = 0.1
"""Share of all steps in which the learning rate climbs to its peak."""
WEIGHT_DECAY = 0.02
"""Of AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101), on kernels only."""
CLIP_NORM = 1.0
"""Greatest norm of a step's gradient: one strange batch does not undo an epoch."""


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """What there is to train on.

    `draw` gives a batch: inputs, and targets (n, classes) float32 that sum to 1 per row. `judge` gives the validation's
    loss (nats) and accuracy (0..1) as the model is now. `steps` batches make an epoch. `group_of` holds the group of
    each label, where labels have groups.
    """

    draw: Callable[[], tuple[NDArray[Any], NDArray[np.float32]]]
    judge: Callable[[], tuple[float, float]]
    steps: int
    group_of: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """How a training went: its epochs, the number of the best, and whether Ctrl-C ended it."""

    history: tuple[Epoch, ...]
    best_epoch: int
    interrupted: bool


def train(model: keras.Model, work: Work, recipe: Recipe, watch: Watch) -> Course:
    """Train a model in place, and leave it with the weights of its best epoch, averaged where the recipe says so.

    The best epoch has the highest validation accuracy, and of equals the lowest validation loss. Ctrl-C ends the
    training as patience does, once there is an epoch to keep.

    Raises:
        KeyboardInterrupt: Ctrl-C came before the first epoch was over.
        DataError: The loss is not a number any more.
    """
    trainee = _compiled(model, recipe, work)
    history: list[Epoch] = []
    best: Epoch | None = None
    best_weights: list[NDArray[Any]] = []
    interrupted = False
    watch.begin("training", recipe.epochs * work.steps)
    try:
        while len(history) < recipe.epochs and (best is None or len(history) - best.epoch < recipe.patience):
            began = clock()
            note = f"epoch {len(history) + 1}/{recipe.epochs}" + (f", {_figures(history[-1])}" if history else "")
            loss, accuracy = _pass(trainee, work, watch, note)
            if not np.isfinite(loss):
                raise DataError(f"the loss is {loss} in epoch {len(history) + 1}: the training diverged. Lower --lr.")
            with _averaged(trainee):
                judged, weights = work.judge(), model.get_weights()
            epoch = Epoch(len(history) + 1, loss, accuracy, *judged, _rate(trainee), clock() - began)
            history.append(epoch)
            if best is None or epoch.validation_accuracy > best.validation_accuracy:
                watch.say(f"epoch {epoch.epoch}/{recipe.epochs}: {_figures(epoch)}, {epoch.seconds:.1f} s")
            if best is None or _rank(epoch) > _rank(best):
                best, best_weights = epoch, weights
    except KeyboardInterrupt:
        if best is None:
            raise
        interrupted = True
    if best is None:
        raise ValueError("a training of no epochs")
    model.set_weights(best_weights)
    return Course(tuple(history), best.epoch, interrupted)


def _pass(trainee: Any, work: Work, watch: Watch, note: str) -> tuple[float, float]:
    """Train for one epoch: mean loss (of the last batch where it is no number), and accuracy on the views."""
    losses: list[float] = []
    hits: list[float] = []
    for _ in range(work.steps):
        inputs, targets = work.draw()
        trainee.reset_metrics()  # some versions of Keras average over the batches since, others do not
        logs = trainee.train_on_batch(inputs, targets, return_dict=True)
        losses.append(float(logs["loss"]))
        hits.append(float(logs["accuracy"]))
        watch.advance(note)
    loss = float(np.mean(losses)) if np.isfinite(losses[-1]) else losses[-1]  # batches are all of one size
    return loss, float(np.mean(hits))


@contextmanager
def _averaged(trainee: Any) -> Iterator[None]:
    """With the moving average of the weights in place of the weights themselves, where there is one."""
    if not trainee.optimizer.use_ema:
        yield
        return
    variables = trainee.trainable_variables
    kept = [variable.numpy() for variable in variables]
    trainee.optimizer.finalize_variable_values(variables)
    try:
        yield
    finally:
        for variable, value in zip(variables, kept, strict=True):
            variable.assign(value)


def _compiled(model: keras.Model, recipe: Recipe, work: Work) -> Any:
    """A model that shares all weights, with an optimizer of its own, so that `model` is saved without one."""
    total_steps = recipe.epochs * work.steps
    warm_up = max(1, round(WARM_UP * total_steps))
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.01 * recipe.lr,
        decay_steps=max(1, total_steps - warm_up),
        warmup_target=recipe.lr,
        warmup_steps=warm_up,
    )
    average = {"use_ema": True, "ema_momentum": recipe.ema} if recipe.ema else {}
    optimizer = keras.optimizers.AdamW(rate, weight_decay=WEIGHT_DECAY, global_clipnorm=CLIP_NORM, **average)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    trainee = keras.Model(model.input, model.output)
    trainee.compile(
        optimizer=optimizer,
        loss=loss_of(recipe, work.group_of),
        metrics=["accuracy"],
        jit_compile=False,  # XLA compiles for a minute and runs depthwise convolutions no faster on a CPU
    )
    return trainee


def loss_of(recipe: Recipe, group_of: tuple[int, ...] | None) -> Any:
    """Cross entropy of the labels with smoothing, and beside it that of their groups, by the sums of their scores."""
    of_labels = keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing)
    if not recipe.coarse or group_of is None:
        return of_labels
    groups = np.eye(max(group_of) + 1, dtype=np.float32)[list(group_of)]  # (classes, groups)
    of_groups = keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing)

    def both(targets: Any, scores: Any) -> Any:
        coarse = of_groups(keras.ops.matmul(targets, groups), keras.ops.matmul(scores, groups))
        return of_labels(targets, scores) + recipe.coarse * coarse

    return both


def _rate(trainee: Any) -> float:
    return float(trainee.optimizer.learning_rate)


def _rank(epoch: Epoch) -> tuple[float, float]:
    return epoch.validation_accuracy, -epoch.validation_loss


def _figures(epoch: Epoch) -> str:
    return f"loss {epoch.loss:.3f}, validation accuracy {epoch.validation_accuracy:.1%}"
