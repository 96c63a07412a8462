"""What a training run is asked for: every option with its value, checked together before anything slow begins."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge_agent.shelf import ConfigError
from trainer import networks

EMBEDDING = 128
"""Dimensions in which products are compared, where the backbone is pretrained."""
LEAST_STEPS = 1000
"""Steps that a network of random weights needs to learn anything, whatever the number of photographs."""
MOST_EPOCHS = 200
RANGES: dict[str, tuple[float, float]] = {
    "size_px": (networks.SMALLEST_PX, 1024),
    "width": (0.05, 4),
    "embedding": (0, 4096),
    "epochs": (1, 10_000),
    "batch": (1, 4096),
    "lr": (1e-7, 1),
    "patience": (1, 10_000),
    "views": (1, 64),
    "label_smoothing": (0, 0.5),
    "dropout": (0, 0.9),
    "seed": (0, 2**32 - 1),
}
"""Least and greatest value of every number."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the outcome of a training run, besides the photographs.

    Attributes:
        network: The architecture, one of `networks.names`.
        size_px: Side of the square input.
        width: Multiplies the filters of every layer (MobileNet's alpha), where the network can be so scaled.
        weights: "imagenet", "none", or the path of a Keras weights file for the backbone.
        embedding: Dimensions of the linear layer before the scores, in which products are compared; 0 = no such layer.
        freeze: Train the head alone, on features that the backbone computes once.
        epochs: At most so many rounds.
        batch: Photographs (or features) per step.
        lr: Peak learning rate; it warms up over the first tenth of the run and falls along a half cosine.
        patience: Stop after so many rounds without a better one.
        views: Looks at each photograph with a frozen backbone: as it is, mirrored, and jittered.
        flip: Mirror photographs at random. Wrong for products that are told apart by text.
        label_smoothing: Probability (0..1) that training takes from the true class. Smoothing costs confidence.
        dropout: Share (0..1) of the features that training hides from the head.
        seed: Everything random follows from it.
    """

    network: str
    size_px: int
    width: float = 1.0
    weights: str = "none"
    embedding: int = 0
    freeze: bool = False
    epochs: int = 25
    batch: int = 32
    lr: float = 2e-3
    patience: int = 10
    views: int = 4
    flip: bool = True
    label_smoothing: float = 0.0
    dropout: float = 0.2
    seed: int = 0


def settle(network: str, *, weights: str | None = None, freeze: bool | None = None, **given: Any) -> Recipe:
    """Fill in what was not asked for (None), with what suits the network and its weights, and check the whole.

    What has ImageNet weights starts from them unless told otherwise, and pretrained weights are frozen unless told so.

    Raises:
        ConfigError: Something cannot be done; all problems in one report.
    """
    if problem := networks.problem(network):
        raise ConfigError("the training cannot start:", [problem])
    weights = weights or ("none" if network in networks.SCRATCH else "imagenet")
    frozen = weights != "none" if freeze is None else freeze
    embedding = EMBEDDING if weights != "none" and network not in networks.SCRATCH else 0
    size_px = networks.default_size_px(network)
    recipe = Recipe(network=network, size_px=size_px, weights=weights, embedding=embedding, freeze=frozen)
    if frozen:  # an epoch takes a blink, so there can be many small steps
        recipe = replace(recipe, epochs=40, batch=128, lr=1e-4, patience=15, dropout=0.5)
    elif weights != "none":
        recipe = replace(recipe, lr=2e-4)
    elif network in networks.SCRATCH:
        recipe = replace(recipe, lr=1e-3)
    recipe = replace(recipe, **{name: value for name, value in given.items() if value is not None})
    if problems := list(_problems(recipe)):
        raise ConfigError("the training cannot start:", problems)
    return recipe


def lengthened(recipe: Recipe, *, photographs: int) -> Recipe:
    """More epochs, and more patience, where photographs are so few that the usual number would be over too soon."""
    steps = -(-photographs // recipe.batch)
    epochs = min(MOST_EPOCHS, max(recipe.epochs, -(-LEAST_STEPS // steps)))
    if recipe.freeze or epochs == recipe.epochs:
        return recipe
    return replace(recipe, epochs=epochs, patience=max(recipe.patience, epochs // 3))


def _problems(recipe: Recipe) -> Iterator[str]:
    """Every reason why a recipe cannot be followed."""
    for name, (least, most) in RANGES.items():
        value = getattr(recipe, name)
        if not least <= value <= most:
            yield f"{name} is {value:g}; it must lie in {least:g}..{most:g}"
    if recipe.freeze and recipe.weights == "none":
        yield "a backbone without weights cannot be frozen; name --weights, or leave --freeze out"
    yield from networks.misfits(recipe.network, size_px=recipe.size_px, width=recipe.width, weights=recipe.weights)


def weights_name(recipe: Recipe) -> str:
    """How the weights are called in a model card: a word, or the file's name without its folder."""
    return recipe.weights if recipe.weights in {"imagenet", "none"} else Path(recipe.weights).name
