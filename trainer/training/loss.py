"""What a training makes small: the cross entropy of labels and of their groups, weighted by class. Import it lazily."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from trainer.training.recipe import Recipe

Loss = Callable[[Any, Any], Any]
"""Targets and scores, each (n, classes) → the loss of each photograph, (n,), in nats."""


def loss_of(
    recipe: Recipe, group_of: tuple[int, ...] | None = None, *, class_weights: NDArray[np.float32] | None = None
) -> Loss:
    """Cross entropy of the labels with smoothing, and beside it that of their groups, by the sums of their scores.

    Args:
        recipe: Says how much smoothing there is, and how much groups count.
        group_of: The group of each label, where labels have groups.
        class_weights: (classes,) how much a photograph of each class counts; None for all the same.
    """

    def entropy(targets: Any, scores: Any) -> Any:
        return keras.losses.categorical_crossentropy(targets, scores, label_smoothing=recipe.label_smoothing)

    groups = None
    if recipe.coarse and group_of is not None:
        groups = np.eye(max(group_of) + 1, dtype=np.float32)[list(group_of)]  # (classes, groups)

    def loss(targets: Any, scores: Any) -> Any:
        each = entropy(targets, scores)
        if groups is not None:
            coarse = entropy(keras.ops.matmul(targets, groups), keras.ops.matmul(scores, groups))
            each += recipe.coarse * coarse
        if class_weights is not None:
            each *= keras.ops.matmul(targets, class_weights[:, None])[:, 0]
        return each

    return loss


def balanced(truth: NDArray[np.int64], *, classes: int) -> NDArray[np.float32]:
    """A weight for each class that makes up for its frequency; their mean over the photographs is 1.

    >>> balanced(np.array([0, 0, 0, 1]), classes=2).round(3).tolist()
    [0.667, 2.0]
    """
    counts = np.bincount(truth, minlength=classes)
    weights: NDArray[np.float32] = (len(truth) / (classes * np.maximum(1, counts))).astype(np.float32)
    return weights
