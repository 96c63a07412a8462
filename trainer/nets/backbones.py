"""The part of each network that turns pixels into features. TensorFlow is imported here, so import this module lazily.

Pixels are (batch, size, size, 3) float32 RGB in 0..255 whatever the network: the rescaling that the weights of
`keras.applications` expect is worked out from the `preprocess_input` beside each network, and becomes a layer.
"""

import sys
import warnings
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from edge_agent.shelf import ConfigError, InputError
from trainer.nets import networks
from trainer.training.recipe import Recipe

BACKBONE = "backbone"
"""Name of the layer that turns rescaled pixels into features; the layers inside keep the names of Keras."""
RESCALE = "rescale"
BATCH_NORM_MOMENTUM = 0.9
"""Keras builds MobileNetV2 with 0.999, which needs thousands of steps to forget where it began; ours train for less."""


def backbone(recipe: Recipe) -> keras.Model:
    """The network of a recipe without its head: rescaled pixels → (batch, features), with ImageNet weights if asked.

    Raises:
        ConfigError: Keras has no such network at this size or width.
        InputError: The ImageNet weights cannot be fetched.
    """
    name = networks.application(recipe.network)
    built = _small_cnn(recipe) if name is None else _application(name, recipe)
    for layer in built.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = BATCH_NORM_MOMENTUM
    return built


def rescaled(pixels: Any, recipe: Recipe) -> Any:
    """Pixels (batch, size, size, 3) RGB 0..255 as the backbone of a recipe expects them; most rescale, some do not."""
    name = networks.application(recipe.network)
    if name is None:
        return layers.Rescaling(1 / 255, name=RESCALE)(pixels)
    slope, offset = _preprocessing(name)
    if not np.count_nonzero(slope - np.diag(np.diag(slope))):  # channels stay in their order
        if np.array_equal(slope, np.eye(3)) and not offset.any():
            return pixels  # the network has layers of its own for it
        return layers.Rescaling(_short(np.diag(slope)), offset=_short(offset), name=RESCALE)(pixels)
    # a convolution by hand: the converter gives a reversal of channels another scale than its input, and it goes wrong
    mixed = layers.Conv2D(3, 1, trainable=False, name=RESCALE)
    mixed.build(pixels.shape)
    mixed.set_weights([slope.reshape(1, 1, 3, 3), offset])
    return mixed(pixels)


def _preprocessing(name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What `preprocess_input` of a network does to a pixel: (3 in, 3 out) factors and (3,) offsets, found by trying."""
    preprocess = sys.modules[getattr(keras.applications, name).__module__].preprocess_input
    tried = np.concatenate([np.zeros((1, 3)), 255.0 * np.eye(3)]).reshape(4, 1, 1, 3)
    black, *primaries = np.asarray(preprocess(tried), np.float64).reshape(4, 3)
    return (np.stack(primaries) - black) / 255.0, black


def _short(values: NDArray[np.float64]) -> float | list[float]:
    """One number where all channels share it."""
    return float(values[0]) if np.ptp(values) == 0 else [float(value) for value in values]


def _small_cnn(recipe: Recipe) -> keras.Model:
    """Three times convolution and max-pooling, then a dense layer: the first network of every Keras course."""

    def filters(count: int) -> int:
        return max(4, round(count * recipe.width))

    stack = [keras.Input((recipe.size_px, recipe.size_px, 3))]
    for count in (32, 32, 64):
        if recipe.network == "small-cnn-bn":
            norm = (layers.BatchNormalization(), layers.ReLU())
            stack += [layers.Conv2D(filters(count), 3, use_bias=False), *norm, layers.MaxPooling2D()]
        else:
            stack += [layers.Conv2D(filters(count), 3, activation="relu"), layers.MaxPooling2D()]
    return keras.Sequential([*stack, layers.Flatten(), layers.Dense(filters(64), activation="relu")], name=BACKBONE)


def _application(name: str, recipe: Recipe) -> keras.Model:
    """A network of `keras.applications` without its head, averaged over the image."""
    scaled = {"alpha": recipe.width} if networks.has_width(recipe.network) else {}
    try:
        with warnings.catch_warnings():
            # some say that there are no weights of this very size and that they take those of 224 px, which is fine
            warnings.simplefilter("ignore", UserWarning)
            built = getattr(keras.applications, name)(
                input_shape=(recipe.size_px, recipe.size_px, 3),
                include_top=False,
                weights="imagenet" if recipe.weights == "imagenet" else None,
                pooling="avg",
                **scaled,
            )
            return keras.Model(built.input, built.output, name=BACKBONE)  # some look their weights up by their name
    except ValueError as error:
        raise ConfigError("the network cannot be built:", [str(error)]) from error
    except Exception as error:  # keras.utils.get_file raises bare Exceptions
        if recipe.weights != "imagenet":
            raise
        raise InputError(
            f"the ImageNet weights cannot be fetched: {error}. Go online once, name a file with --weights PATH, "
            "or start from nothing with --weights none."
        ) from error
