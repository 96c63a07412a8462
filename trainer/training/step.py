"""One step of a training: a batch through the network, gradients back, weights a little better. Import it lazily.

The step is the same on one device and on many (`trainer.training.strategy`): losses are summed over the photographs and
divided by the size of the whole batch, so gradients that are summed over the devices are those of the whole batch.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trainer.training.loss import Loss
from trainer.training.recipe import Recipe
from trainer.training.strategy import Team

WARM_UP = 0.1
"""Share of all steps in which the learning rate climbs to its peak."""
WARM_START = 0.01
"""Where it starts, as a share of the peak."""
WEIGHT_DECAY = 0.02
"""Of AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101), on kernels only."""
CLIP_NORM = 1.0
"""Greatest norm of a step's gradient: one strange batch does not undo an epoch."""


class _AdamW(keras.optimizers.AdamW):  # type: ignore[misc] # Keras has no types
    """AdamW for gradients that are summed over all devices already, so that they are clipped by their common norm."""

    def _all_reduce_sum_gradients(self, grads_and_vars: Any) -> Any:
        return grads_and_vars


@dataclass(frozen=True, slots=True, eq=False)
class Trainee:
    """A network in training: it shares its weights with the network that is judged and written.

    `step` takes a batch of inputs and of targets, and gives the mean loss and the share of right answers on it.
    """

    model: keras.Model
    optimizer: Any
    step: Callable[[NDArray[Any], NDArray[np.float32]], tuple[float, float]]

    def at_rate(self, rate: float) -> None:
        """Set the learning rate."""
        self.optimizer.learning_rate = rate

    def variables(self) -> dict[str, list[Any]]:
        """All that a step changes, by name."""
        return {"model": self.model.variables, "optimizer": self.optimizer.variables}

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """With the moving average of the weights in place of the weights themselves, where there is one."""
        inner = getattr(self.optimizer, "inner_optimizer", self.optimizer)
        if not inner.use_ema:
            yield
            return
        variables = self.model.trainable_variables
        kept = [variable.numpy() for variable in variables]
        inner.finalize_variable_values(variables)
        try:
            yield
        finally:
            for variable, value in zip(variables, kept, strict=True):
                variable.assign(value)


def rate(step: int, total: int, peak: float) -> float:
    """The learning rate of a step (0, 1, …): up in a line, then down along a half cosine, to nothing at the end.

    >>> [round(rate(step, 20, 1.0), 3) for step in (0, 2, 11, 20)]
    [0.01, 1.0, 0.5, 0.0]
    """
    warm_up = max(1, round(WARM_UP * total))
    if step < warm_up:
        return peak * (WARM_START + (1 - WARM_START) * step / warm_up)
    return 0.5 * peak * (1 + math.cos(math.pi * min(1.0, (step - warm_up) / max(1, total - warm_up))))


def trainee(model: keras.Model, recipe: Recipe, loss: Loss, team: Team) -> Trainee:
    """Bring a network and an optimizer of its own together, so that the network is saved without one."""
    with team.strategy.scope():
        average = {"use_ema": True, "ema_momentum": recipe.ema} if recipe.ema else {}
        optimizer = _AdamW(recipe.lr, name="adamw", weight_decay=WEIGHT_DECAY, global_clipnorm=CLIP_NORM, **average)
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        if recipe.mixed_precision:
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        optimizer.build(model.trainable_variables)
    return Trainee(model, optimizer, _step(model, optimizer, loss, team))


def _step(model: keras.Model, optimizer: Any, loss: Loss, team: Team) -> Callable[..., tuple[float, float]]:
    """The compiled step. Without XLA, which compiles for a minute and runs no faster on a processor."""
    scaled = hasattr(optimizer, "scale_loss")

    def on_device(inputs: Any, targets: Any, photographs: Any) -> Any:
        with tf.GradientTape() as tape:
            scores = model(tf.cast(inputs, tf.float32), training=True)
            lost = tf.reduce_sum(loss(targets, scores)) / photographs
            pulled = optimizer.scale_loss(lost) if scaled else lost
        gradients = tape.gradient(pulled, [variable.value for variable in model.trainable_variables])
        if team.replicas > 1:
            gradients = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        optimizer.apply(gradients, model.trainable_variables)
        right = tf.equal(tf.argmax(targets, axis=1), tf.argmax(scores, axis=1))
        return lost, tf.reduce_sum(tf.cast(right, tf.float32)) / photographs

    def everywhere(inputs: Any, targets: Any, photographs: Any) -> Any:
        figures = team.strategy.run(on_device, args=(inputs, targets, photographs))
        return [team.strategy.reduce(tf.distribute.ReduceOp.SUM, figure, axis=None) for figure in figures]

    compiled = tf.function(everywhere, reduce_retracing=True, autograph=False)

    def step(inputs: NDArray[Any], targets: NDArray[np.float32]) -> tuple[float, float]:
        lost, right = compiled(*team.share(inputs, targets), tf.constant(len(targets), tf.float32))
        return float(lost), float(right)

    return step
