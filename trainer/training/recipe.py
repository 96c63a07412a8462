"""What a training run is asked for: every option with its value, checked together before anything slow begins."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from edge_agent.shelf import ConfigError
from trainer.nets import networks

Preset = Literal["quick", "best"]
"""`quick` trains in minutes, `best` takes up to half an hour for 2,640 photographs on two cores."""
ClassWeights = Literal["none", "balanced"]
"""`balanced`: a class counts as much as any other, however few its photographs."""

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
    "unfreeze": (0, 1),
    "augment": (0, 2),
    "crop": (0.1, 1),
    "effects": (0, 2),
    "mixup": (0, 1),
    "cutmix": (0, 1),
    "ema": (0, 0.9999),
    "coarse": (0, 10),
    "seed": (0, 2**32 - 1),
}
"""Least and greatest value of every number."""


HEAD_ALONE: dict[str, Any] = {"unfreeze": 0.0, "epochs": 40, "batch": 128, "lr": 1e-4, "patience": 15, "dropout": 0.5}
"""An epoch takes a blink, so there can be many small steps."""
FINE_TUNE: dict[str, Any] = {
    "unfreeze": 0.6,
    "epochs": 12,
    "patience": 12,
    "lr": 5e-4,
    "views": 1,
    "crop": 0.5,
    "label_smoothing": 0.1,
    "ema": 0.99,
    "coarse": 0.7,
}
"""What gave most on the grocery photographs: docs/experiments.md."""
FROM_SCRATCH: dict[Preset, dict[str, Any]] = {
    "quick": {},
    "best": {
        "epochs": 80,
        "patience": 80,
        "crop": 0.5,
        "effects": 0.3,
        "label_smoothing": 0.1,
        "dropout": 0.4,
        "ema": 0.99,
        "coarse": 0.7,
    },
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the outcome of a training run, besides the photographs.

    Attributes:
        network: The architecture, one of `networks.names`.
        size_px: Side of the square input.
        width: Multiplies the filters of every layer (MobileNet's alpha), where the network can be so scaled.
        weights: "imagenet", "none", or the path of a Keras weights file for the backbone.
        embedding: Dimensions of the linear layer before the scores, in which products are compared; 0 = no such layer.
        unfreeze: Share (0..1) of the backbone's layers that is trained, counted from its output. With 0 the head alone
            is trained, on features that the backbone computes once.
        epochs: At most so many rounds.
        batch: Photographs (or features) per step.
        lr: Peak learning rate; it warms up over the first tenth of the run and falls along a half cosine.
        patience: Stop after so many rounds without a better one.
        views: Looks at each photograph through a frozen backbone: as it is, mirrored, and jittered.
        flip: Mirror photographs at random. Wrong for products that are told apart by text.
        label_smoothing: Probability (0..1) that training takes from the true class. Smoothing costs confidence.
        dropout: Share (0..1) of the features that training hides from the head.
        augment: Strength of the augmentation: 0 = none, 1 = as usual, 2 = twice as much.
        crop: Least share (0..1) of a photograph's side that a view shows.
        effects: How often glare, a price tag, an arm and the like befall a view: 0 = never, 1 = as in a store.
        mixup: Probability (0..1) that the photographs of a batch are blended in pairs.
        cutmix: Probability (0..1) that they are patched with one another instead.
        ema: What is judged and kept is a moving average of the weights, with this decay per step; 0 = off.
        coarse: Weight of the groups' cross entropy beside that of the labels, where labels have groups.
        class_weights: "balanced" lets photographs of rare classes count more, "none" lets all count the same.
        mixed_precision: Compute in float16 where it suffices, on a GPU; weights and what is written stay float32.
        seed: Everything random follows from it.
    """

    network: str
    size_px: int
    width: float = 1.0
    weights: str = "none"
    embedding: int = 0
    unfreeze: float = 1.0
    epochs: int = 25
    batch: int = 32
    lr: float = 2e-3
    patience: int = 10
    views: int = 4
    flip: bool = True
    label_smoothing: float = 0.0
    dropout: float = 0.2
    augment: float = 1.0
    crop: float = 0.75
    effects: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    ema: float = 0.0
    coarse: float = 0.0
    class_weights: ClassWeights = "none"
    mixed_precision: bool = False
    seed: int = 0

    @property
    def frozen(self) -> bool:
        """Whether the head alone is trained."""
        return self.unfreeze == 0

    @property
    def pretrained(self) -> bool:
        """Whether the backbone begins with weights that have seen other photographs."""
        return self.weights != "none"


def settle(network: str, *, preset: Preset = "quick", weights: str | None = None, **given: Any) -> Recipe:
    """Fill in what was not asked for (None), with what suits the network and its weights, and check the whole.

    A network with ImageNet weights starts from them unless told otherwise. `quick` then trains the head alone; `best`
    goes on into the backbone.

    Raises:
        ConfigError: Something cannot be done; all problems in one report.
    """
    if problem := networks.problem(network):
        raise ConfigError("the training cannot start:", [problem])
    weights = weights or ("none" if network in networks.SCRATCH else "imagenet")
    embedding = EMBEDDING if weights != "none" and network not in networks.SCRATCH else 0
    recipe = Recipe(network=network, size_px=networks.default_size_px(network), weights=weights, embedding=embedding)
    asked = {name: value for name, value in given.items() if value is not None}
    recipe = replace(recipe, **{**_usual(recipe, preset, asked.get("unfreeze")), **asked})
    if problems := list(_problems(recipe)):
        raise ConfigError("the training cannot start:", problems)
    return recipe


def _usual(recipe: Recipe, preset: Preset, unfreeze: float | None) -> dict[str, Any]:
    """What differs from the defaults of a recipe, by how much of the network is trained from where."""
    if not recipe.pretrained:
        return FROM_SCRATCH[preset]
    share = (FINE_TUNE["unfreeze"] if preset == "best" else 0.0) if unfreeze is None else unfreeze
    return FINE_TUNE if share else HEAD_ALONE


def lengthened(recipe: Recipe, *, photographs: int) -> Recipe:
    """More epochs, and more patience, where photographs are so few that the usual number would be over too soon."""
    steps = -(-photographs // recipe.batch)
    epochs = min(MOST_EPOCHS, max(recipe.epochs, -(-LEAST_STEPS // steps)))
    if recipe.frozen or epochs == recipe.epochs:
        return recipe
    return replace(recipe, epochs=epochs, patience=max(recipe.patience, epochs // 3))


def _problems(recipe: Recipe) -> Iterator[str]:
    """Every reason why a recipe cannot be followed."""
    for name, (least, most) in RANGES.items():
        value = getattr(recipe, name)
        if not least <= value <= most:
            option = name.removesuffix("_px").replace("_", "-")
            yield f"--{option} is {value:g}; it must lie in {least:g}..{most:g}"
    if recipe.unfreeze < 1 and not recipe.pretrained:
        yield "a backbone without weights cannot stay as it is; name --weights, or leave --unfreeze out"
    yield from networks.misfits(recipe.network, size_px=recipe.size_px, width=recipe.width, weights=recipe.weights)


def weights_name(recipe: Recipe) -> str:
    """How the weights are called in a model card: a word, or the file's name without its folder."""
    return recipe.weights if recipe.weights in {"imagenet", "none"} else Path(recipe.weights).name
