"""The networks, and the `.keras` file with its card. TensorFlow is imported here, so import this module lazily.

Every network takes (batch, size, size, 3) float32 RGB in 0..255 and gives (batch, classes) probabilities; rescaling
is a layer, so that the int8 network takes a camera's uint8 pixels as they are.
"""

import json
import os
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from edge_agent.shelf import DataError, InputError
from trainer.nets.backbones import backbone, rescaled
from trainer.nets.head import Linear, chain, factor
from trainer.nets.weights import load_into
from trainer.training.recipe import Recipe, weights_name

SCHEMA = "shelfwatch.model/1"
EMBEDDER_SCHEMA = "shelfwatch.embedder/1"
DROPOUT = "dropout"
"""Name of the layer after which the head begins."""
EMBEDDING = "embedding"
"""Name of the linear layer in whose output products are compared, where the network has one."""
HEAD = "scores"
"""Name of the dense softmax layer."""
PREDICT_BATCH = 32


def build(recipe: Recipe, *, classes: int) -> keras.Model:
    """Build the network of a recipe, with its weights.

    Returns:
        A model that is not compiled: (batch, size, size, 3) float32 RGB 0..255 → (batch, classes) float32 softmax.

    Raises:
        ConfigError: Keras has no such network at this size or width.
        InputError: The weights are not there, or cannot be fetched.
        DataError: The weights are for another network.
    """
    pixels = keras.Input((recipe.size_px, recipe.size_px, 3), name="pixels")
    seen = backbone(recipe)
    if recipe.weights not in {"imagenet", "none"}:
        load_into(seen, recipe)
    features = layers.Dropout(recipe.dropout, name=DROPOUT)(seen(rescaled(pixels, recipe)))
    if recipe.embedding:
        features = layers.Dense(recipe.embedding, name=EMBEDDING)(features)
    scores = layers.Dense(classes, activation="softmax", name=HEAD, dtype="float32")(features)
    return keras.Model(pixels, scores, name=re.sub(r"\W", "_", recipe.network.lower()))


def features_of(model: keras.Model) -> keras.Model:
    """The network up to its head: pixels as for the whole → (batch, features) float32."""
    return keras.Model(model.input, model.get_layer(DROPOUT).input)


def has_embedding(model: keras.Model) -> bool:
    """Whether products can be compared by a layer of the network made for it."""
    return any(layer.name == EMBEDDING for layer in model.layers)


def linear_of(layer: layers.Dense) -> Linear:
    """The weights of a dense layer, in the precision that they are worked with."""
    kernel, bias = (weights.astype(np.float64) for weights in layer.get_weights())
    return Linear(kernel, bias)


def set_linear(layer: layers.Dense, linear: Linear) -> None:
    """Give a dense layer its weights."""
    layer.set_weights([linear.kernel.astype(np.float32), linear.bias.astype(np.float32)])


def head_of(model: keras.Model) -> Linear:
    """Everything after the features as one linear layer, features → logits, with or without an embedding between."""
    scores = linear_of(model.get_layer(HEAD))
    return chain(linear_of(model.get_layer(EMBEDDING)), scores) if has_embedding(model) else scores


def set_head(model: keras.Model, linear: Linear, *, centre: NDArray[np.floating[Any]] | None = None) -> None:
    """Give the head the weights that do what one linear layer does, exactly unless the embedding is too narrow.

    Args:
        model: Of `build`.
        linear: Features → logits, as from `head_of`.
        centre: (features,) means; the embedding of an average photograph then is zero, so that angles tell most.
    """
    if not has_embedding(model):
        set_linear(model.get_layer(HEAD), linear)
        return
    layer = model.get_layer(EMBEDDING)
    embedding, scores = factor(linear, layer.units, centre=centre)
    set_linear(layer, embedding)
    set_linear(model.get_layer(HEAD), scores)


def embedder(model: keras.Model) -> keras.Model:
    """What a network compares products by: pixels as for the whole → (batch, dims) float32 of length 1.

    The embedding where there is one, else the features.
    """
    seen = model.get_layer(EMBEDDING).output if has_embedding(model) else model.get_layer(DROPOUT).input
    unit = layers.UnitNormalization(name="unit", dtype="float32")(seen)
    return keras.Model(model.input, unit, name=f"{model.name}_embedder")


def embedder_card(embedder: keras.Model, card: Mapping[str, Any], *, of: str) -> dict[str, Any]:
    """What travels with an embedder: that of its model, the classes it knows apart, and what comes out.

    Args:
        embedder: Of a model.
        card: Of the same model.
        of: SHA-256 (hex) of the model's file.
    """
    kept = {name: card[name] for name in ("labels", "size_px", "recipe", "data", "versions") if name in card}
    layer = EMBEDDING if has_embedding(embedder) else "features"
    return {
        "schema": EMBEDDER_SCHEMA,
        "dims": int(embedder.output_shape[-1]),
        "layer": layer,
        "model_sha256": of,
        **kept,
    }


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
    return {
        "schema": SCHEMA,
        "labels": list(labels),
        "size_px": recipe.size_px,
        "recipe": asdict(recipe) | {"weights": weights_name(recipe)},
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
    card_partial = partial.with_suffix(".json")
    try:
        model.save(partial)
        card_partial.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        partial.replace(path)
        card_partial.replace(card_path(path))
    finally:  # they are where they belong, unless the disk is full, and then they are in the way
        partial.unlink(missing_ok=True)
        card_partial.unlink(missing_ok=True)


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
    if described.get("schema") == EMBEDDER_SCHEMA:
        raise DataError(f"{path} is an embedder, which answers with vectors. Name the model that it was made of.")
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
