"""Epochs over batches until nothing gets better; the best one is what remains. Imports TensorFlow: import it lazily."""

from collections.abc import Callable
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


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """What there is to train on.

    `draw` gives a batch (inputs, label indices), `judge` the validation's loss (nats) and accuracy (0..1) as the model
    is now, and `steps` batches make an epoch.
    """

    draw: Callable[[], tuple[NDArray[Any], NDArray[np.int64]]]
    judge: Callable[[], tuple[float, float]]
    steps: int


@dataclass(frozen=True, slots=True)
class Course:
    """How a training went: its epochs, the number of the best, and whether Ctrl-C ended it."""

    history: tuple[Epoch, ...]
    best_epoch: int
    interrupted: bool


def train(model: keras.Model, work: Work, recipe: Recipe, watch: Watch) -> Course:
    """Train a model in place, and leave it with the weights of its best epoch.

    The best epoch has the highest validation accuracy, and of equals the lowest validation loss. Ctrl-C ends the
    training as patience does, once there is an epoch to keep.

    Raises:
        KeyboardInterrupt: Ctrl-C came before the first epoch was over.
        DataError: The loss is not a number any more.
    """
    classes = model.output_shape[-1]
    trainee = _compiled(model, recipe, total_steps=recipe.epochs * work.steps)
    targets = np.eye(classes, dtype=np.float32)
    history: list[Epoch] = []
    best: Epoch | None = None
    best_weights: list[NDArray[Any]] = []
    interrupted = False
    watch.begin("training", recipe.epochs * work.steps)
    try:
        while len(history) < recipe.epochs and (best is None or len(history) - best.epoch < recipe.patience):
            note = f"epoch {len(history) + 1}/{recipe.epochs}" + (f", {_figures(history[-1])}" if history else "")
            epoch = _epoch(trainee, work, targets, number=len(history) + 1, watch=watch, note=note)
            history.append(epoch)
            if best is None or epoch.validation_accuracy > best.validation_accuracy:
                watch.say(f"epoch {epoch.epoch}/{recipe.epochs}: {_figures(epoch)}, {epoch.seconds:.1f} s")
            if best is None or _rank(epoch) > _rank(best):
                best, best_weights = epoch, model.get_weights()
    except KeyboardInterrupt:
        if best is None:
            raise
        interrupted = True
    if best is None:
        raise ValueError("a training of no epochs")
    model.set_weights(best_weights)
    return Course(tuple(history), best.epoch, interrupted)


def _epoch(trainee: Any, work: Work, targets: NDArray[np.float32], *, number: int, watch: Watch, note: str) -> Epoch:
    """Train for one epoch, and judge."""
    began = clock()
    losses: list[float] = []
    hits: list[float] = []
    for _ in range(work.steps):
        inputs, truth = work.draw()
        trainee.reset_metrics()  # some versions of Keras average over the batches since, others do not
        logs = trainee.train_on_batch(inputs, targets[truth], return_dict=True)
        losses.append(float(logs["loss"]))
        hits.append(float(logs["accuracy"]))
        watch.advance(note)
    if not np.isfinite(losses[-1]):
        raise DataError(f"the loss is {losses[-1]} in epoch {number}: the training diverged. Lower --lr.")
    loss, accuracy = work.judge()
    return Epoch(
        epoch=number,
        loss=float(np.mean(losses)),  # batches are all of one size
        accuracy=float(np.mean(hits)),
        validation_loss=loss,
        validation_accuracy=accuracy,
        lr=float(trainee.optimizer.learning_rate),
        seconds=clock() - began,
    )


def _compiled(model: keras.Model, recipe: Recipe, *, total_steps: int) -> Any:
    """A model that shares all weights, with an optimizer of its own, so that `model` is saved without one."""
    warm_up = max(1, round(WARM_UP * total_steps))
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.01 * recipe.lr,
        decay_steps=max(1, total_steps - warm_up),
        warmup_target=recipe.lr,
        warmup_steps=warm_up,
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=WEIGHT_DECAY)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    trainee = keras.Model(model.input, model.output)
    trainee.compile(
        optimizer=optimizer,
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
        jit_compile=False,  # XLA compiles for a minute and runs depthwise convolutions no faster on a CPU
    )
    return trainee


def _rank(epoch: Epoch) -> tuple[float, float]:
    return epoch.validation_accuracy, -epoch.validation_loss


def _figures(epoch: Epoch) -> str:
    return f"loss {epoch.loss:.3f}, validation accuracy {epoch.validation_accuracy:.1%}"
