"""Where a network looks: Grad-CAM. Imports TensorFlow: import it lazily.

Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization" (arXiv
1610.02391): the maps of the last convolution, each weighed by the mean gradient of a class's score before the softmax,
summed, and cut at zero (equations 1 and 2).
"""

from collections.abc import Sequence

import cv2
import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edge_agent.shelf import DataError
from trainer.nets.models import HEAD

Pixels = NDArray[np.uint8]
Heat = NDArray[np.float32]

NO_MAPS = (keras.layers.InputLayer, keras.layers.Rescaling, keras.layers.Normalization)
"""What these give are the pixels themselves."""
LEAST_SIDE = 2
"""A map of one cell says nothing about places."""
BLEND = 0.55
"""Share of the colours of heat in an overlay, where the heat is greatest."""


def heat(model: keras.Model, pixels: Pixels, classes: Sequence[int]) -> Heat:
    """What in photographs speaks for a class.

    Args:
        model: A network of `trainer.nets.models`: layers one after another, one of which may be a network itself, and a
            dense softmax at the end.
        pixels: (n, size, size, 3) uint8 RGB.
        classes: The class that is asked about for each photograph, usually the answer.

    Returns:
        (n, size, size) in 0..1, 1 at the place that speaks most for the class; all 0 where nothing does.

    Raises:
        DataError: The network has no maps to look at.
    """
    before, within, after = _parts(model)
    head = after.pop()
    with tf.GradientTape() as tape:
        seen = _through(before, tf.cast(pixels, tf.float32))
        tape.watch(seen)
        maps, out = within(seen, training=False)
        logits = _through(after, out) @ head.kernel + head.bias
        score = tf.reduce_sum(tf.gather(logits, tf.constant(classes, tf.int32), batch_dims=1))
    weights = tf.reduce_mean(tape.gradient(score, maps), axis=(1, 2), keepdims=True)
    rough = tf.nn.relu(tf.reduce_sum(weights * maps, axis=-1)).numpy()
    side = pixels.shape[1]
    return np.stack([_smooth(cells, side) for cells in rough])


def overlay(pixels: Pixels, warmth: Heat) -> Pixels:
    """A photograph coloured by heat, cold where it is as it was.

    Args:
        pixels: (height, width, 3) uint8 RGB.
        warmth: Of `heat`, of any size.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    height, width = pixels.shape[:2]
    level = cv2.resize(warmth, (width, height), interpolation=cv2.INTER_LINEAR)
    colours = cv2.applyColorMap((255 * level).astype(np.uint8), cv2.COLORMAP_TURBO)[:, :, ::-1]
    share = BLEND * level[:, :, None]
    return (pixels * (1 - share) + colours * share).round().astype(np.uint8)


def _parts(model: keras.Model) -> tuple[list[keras.Operation], keras.Model, list[keras.Operation]]:
    """What comes before the maps, a network from there to (maps, features), and what comes after, the head last."""
    chain = list(model.operations)
    head = next((at for at, step in enumerate(chain) if step.name == HEAD), None)
    if head is None:
        raise DataError(f'the network "{model.name}" has no layer "{HEAD}". Use a model of shelf-train fit.')
    nested = [at for at, step in enumerate(chain[:head]) if isinstance(step, keras.Model)]
    if not nested:
        maps = _last_maps([(step, step.output) for step in chain[:head]], model.name)
        return [], keras.Model(model.input, [maps, chain[head].input]), [chain[head]]
    at = nested[-1]
    return chain[1:at], _with_maps(chain[at]), chain[at + 1 : head + 1]


def _with_maps(inner: keras.Model) -> keras.Model:
    """A network that gives its last maps beside its output."""
    if not isinstance(inner, keras.Sequential):
        maps = _last_maps([(step, step.output) for step in inner.operations], inner.name)
        return keras.Model(inner.inputs, [maps, inner.outputs[0]])
    # the layers of a Sequential that was loaded from a file stand in two graphs, so they are called once more
    values = [keras.Input(inner.input_shape[1:])]
    for layer in inner.layers:
        values.append(layer(values[-1]))
    maps = _last_maps(list(zip(inner.layers, values[1:], strict=True)), inner.name)
    return keras.Model(values[0], [maps, values[-1]])


def _last_maps(steps: Sequence[tuple[keras.Operation, keras.KerasTensor]], name: str) -> keras.KerasTensor:
    """The last values that are maps: (batch, height, width, channels) of more than one cell."""
    for step, values in reversed(steps):
        shape = getattr(values, "shape", ())
        if len(shape) == 4 and min(shape[1:3]) >= LEAST_SIDE and not isinstance(step, NO_MAPS):
            return values
    raise DataError(f'the network "{name}" has no maps of {LEAST_SIDE} × {LEAST_SIDE} cells or more to look at.')


def _through(steps: Sequence[keras.Operation], values: tf.Tensor) -> tf.Tensor:
    """Send values through layers one after another, as in use."""
    for step in steps:
        values = step(values, training=False) if isinstance(step, keras.layers.Layer) else step(values)
    return values


def _smooth(cells: Heat, side_px: int) -> Heat:
    """A map of a few cells at the size of the photograph, its greatest value 1."""
    grown = cv2.resize(cells.astype(np.float32), (side_px, side_px), interpolation=cv2.INTER_CUBIC).clip(0)
    most = float(grown.max())
    return (grown / most if most > 0 else grown).astype(np.float32)
