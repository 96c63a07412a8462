"""The networks, and the `.keras` file with its card. TensorFlow is imported here, so import this module lazily.

Every network takes (batch, size, size, 3) float32 RGB in 0..255 and gives (batch, classes) probabilities; rescaling
is a layer, so that the int8 network takes a camera's uint8 pixels as they are.
"""

import json
import os
import platform
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from edge_agent.shelf import ConfigError, DataError, InputError
from trainer.recipe import Recipe, weights_name

SCHEMA = "shelfwatch.model/1"
BACKBONE = "backbone"
"""Name of the layer that turns rescaled pixels into features."""
HEAD = "scores"
"""Name of the dense softmax layer."""
BATCH_NORM_MOMENTUM = 0.9
"""Keras builds MobileNetV2 with 0.999, which needs thousands of steps to forget where it began; ours train for less."""
PREDICT_BATCH = 32


def build(recipe: Recipe, *, classes: int) -> keras.Model:
    """Build the network of a recipe, with its weights.

    Returns:
        A model that is not compiled: (batch, size, size, 3) float32 RGB 0..255 → (batch, classes) float32 softmax.

    Raises:
        InputError: The weights are not there, or cannot be fetched.
        DataError: The weights are for another network.
    """
    pixels = keras.Input((recipe.size_px, recipe.size_px, 3), name="pixels")
    if recipe.network == "small-cnn":
        rescaled = layers.Rescaling(1 / 255, name="rescale")(pixels)
        backbone = _small_cnn(recipe)
    else:
        rescaled = layers.Rescaling(1 / 127.5, offset=-1, name="rescale")(pixels)
        backbone = _mobilenet_v2(recipe)
    if recipe.weights not in {"imagenet", "none"}:
        _load_weights(backbone, recipe)
    features = layers.Dropout(recipe.dropout, name="dropout")(backbone(rescaled))
    scores = layers.Dense(classes, activation="softmax", name=HEAD)(features)
    return keras.Model(pixels, scores, name=recipe.network.replace("-", "_"))


def _small_cnn(recipe: Recipe) -> keras.Model:
    """Three times convolution and max-pooling, then a dense layer: the first network of every Keras course."""

    def filters(count: int) -> int:
        return max(4, round(count * recipe.width))

    stack = [keras.Input((recipe.size_px, recipe.size_px, 3))]
    for count in (32, 32, 64):
        stack += [layers.Conv2D(filters(count), 3, activation="relu"), layers.MaxPooling2D()]
    return keras.Sequential([*stack, layers.Flatten(), layers.Dense(filters(64), activation="relu")], name=BACKBONE)


def _mobilenet_v2(recipe: Recipe) -> keras.Model:
    """MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381) without its head, averaged over the image."""
    try:
        backbone = keras.applications.MobileNetV2(
            input_shape=(recipe.size_px, recipe.size_px, 3),
            alpha=recipe.width,
            include_top=False,
            weights="imagenet" if recipe.weights == "imagenet" else None,
            pooling="avg",
            name=BACKBONE,
        )
    except ValueError as error:
        raise ConfigError("the network cannot be built:", [str(error)]) from error
    except Exception as error:  # keras.utils.get_file raises bare Exceptions
        if recipe.weights != "imagenet":
            raise
        raise InputError(
            f"the ImageNet weights cannot be fetched: {error}. Go online once, name a file with --weights PATH, "
            "or start from nothing with --weights none."
        ) from error
    for layer in backbone.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = BATCH_NORM_MOMENTUM
    return backbone


def _load_weights(backbone: keras.Model, recipe: Recipe) -> None:
    path = Path(recipe.weights)
    if not path.is_file():
        raise InputError(f"{path}: there is no such weights file. Check --weights.")
    described = f"{recipe.network} of width {recipe.width:g}"
    if not path.name.endswith(".h5"):
        raise DataError(f"{path} is no weights file for {described}. Name a Keras .weights.h5 file.")
    try:
        with warnings.catch_warnings():
            # Keras only warns where a file holds some of the layers, and leaves the others as they began
            warnings.simplefilter("error", UserWarning)
            backbone.load_weights(path)
    except (ValueError, OSError, KeyError, UserWarning) as error:
        raise DataError(
            f"{path} does not fit {described}, or is no file of weights. Give the --network and --width that it was"
            " saved with, and for small-cnn the --size; they are not read from the file."
        ) from error


def features_of(model: keras.Model) -> keras.Model:
    """The network up to its head: pixels as for the whole → (batch, features) float32."""
    return keras.Model(model.input, model.get_layer("dropout").input)


def predictor(model: keras.Model) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """A function from (n, size, size, 3) uint8 RGB to the model's answers, (n, …) float32, in batches, as in use."""
    signature = tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8)

    def look(pixels: Any) -> Any:
        return model(tf.cast(pixels, tf.float32), training=False)

    answer = tf.function(look, input_signature=[signature], autograph=False)

    def predict(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        parts = [answer(pixels[at : at + PREDICT_BATCH]).numpy() for at in range(0, len(pixels), PREDICT_BATCH)]
        joined: NDArray[np.float32] = np.concatenate(parts).astype(np.float32, copy=False)
        return joined

    return predict


def card(recipe: Recipe, *, labels: Sequence[str], **sections: Any) -> dict[str, Any]:
    """What travels with a model as JSON: its labels, how it was made, and what it was made with.

    `sections` are further entries, such as `metrics` and `data`.
    """
    options = {name: getattr(recipe, name) for name in recipe.__dataclass_fields__}
    options["weights"] = weights_name(recipe)
    return {
        "schema": SCHEMA,
        "labels": list(labels),
        "size_px": recipe.size_px,
        "recipe": options,
        **sections,
        "versions": {"python": platform.python_version(), "tensorflow": tf.__version__, "keras": keras.__version__},
    }


def card_path(path: Path) -> Path:
    """Where the card of a model lies: beside it, with the same stem."""
    return path.with_suffix(".json")


def save(model: keras.Model, path: Path, card: dict[str, Any]) -> None:
    """Write a model and its card. Each appears whole or not at all, and the card last.

    Args:
        model: A network of `build`.
        path: Ends in `.keras`.
        card: From `card`.
    """
    partial = path.with_name(f".{path.stem}.partial.keras")
    model.save(partial)
    card_partial = partial.with_suffix(".json")
    card_partial.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)
    card_partial.replace(card_path(path))


def load(path: Path) -> tuple[keras.Model, dict[str, Any]]:
    """Read a model and its card.

    Raises:
        InputError: The model or its card is not there.
        DataError: One of them is broken, or they are not for each other.
    """
    for needed in (path, card_path(path)):
        if not needed.is_file():
            raise InputError(
                f"{needed}: there is no such file. Name a model that shelf-train fit wrote, with its card."
            )
    try:
        described = json.loads(card_path(path).read_text(encoding="utf-8"))
        labels = [str(label) for label in described["labels"]]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{card_path(path)} is no model card ({error!r}). Train again, or bring the right one."
        ) from error
    try:
        model = keras.models.load_model(path, compile=False)
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise DataError(f"{path} is no Keras model that can be read: {error}. Train again.") from error
    if model.output_shape[-1] != len(labels):
        raise DataError(
            f"{path} has {model.output_shape[-1]} outputs, but its card names {len(labels)} labels. "
            "Bring the model and the card that belong together."
        )
    return model, described


def be_repeatable(seed: int) -> None:
    """Seed Python, numpy and TensorFlow, and ask TensorFlow for operations that give the same result every time."""
    os.environ.setdefault("TF_DETERMINISTIC_OPS", "1")
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
