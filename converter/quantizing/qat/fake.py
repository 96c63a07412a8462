"""A float network that rounds as its int8 one will, and still has a gradient. Imports TensorFlow: import it lazily.

Jacob et al. 2018 (arXiv 1712.05877): values are rounded to 256 steps on the way forward, and the gradient passes as if
they were not. Weights have a scale per output of a convolution and one per dense layer, as `quantizing.quantize` asks
for; activations one per tensor, between the least and greatest value on the calibration photographs, as the converter
will find them. Biases are 32 bits wide and need nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from converter.quantizing.qat.fold import KERNELS, activation_of
from converter.quantizing.qat.walk import Node, consumers, nodes, walk

KEEPS_STEPS = (
    layers.Flatten,
    layers.Reshape,
    layers.Permute,
    layers.Identity,
    layers.MaxPooling2D,
    layers.GlobalMaxPooling2D,
    layers.ZeroPadding2D,
    layers.Cropping2D,
)
"""Layers that give out nothing but values they were given, and zero."""
AVERAGES = (layers.AveragePooling2D,)
"""Layers whose output TFLite rounds to the steps of their input; a global average has steps of its own."""
TAKES_RECTIFIER = (
    *KERNELS,
    layers.Add,
    layers.Subtract,
    layers.Multiply,
    layers.Rescaling,
    layers.BatchNormalization,
)
"""Operations whose operators take a following ReLU or ReLU6 in."""
FIXED: dict[str, tuple[float, float]] = {"sigmoid": (0.0, 255 / 256), "tanh": (-1.0, 127 / 128)}
"""Ranges that TFLite prescribes, whatever the photographs."""
LEAST = 1e-6
"""Narrowest range; a channel of zeros has none."""
BATCH = 32


@dataclass(frozen=True, slots=True)
class Point:
    """Where a tensor is rounded: in row `row` of the ranges, and whether that row is measured at this very tensor."""

    row: int
    measured: bool


class Fake(keras.Model):  # type: ignore[misc]  # Keras has no types
    """A network with rounding in between; it shares its weights with the network that it is made of.

    Args:
        network: Of `fold.folded`; its weights are trained through this one.
    """

    def __init__(self, network: keras.Model) -> None:
        super().__init__(name="fake")
        self.network = network
        self.points = dict(_points(network))
        count = 1 + max((point.row for point in self.points.values()), default=0)
        self.ranges = self.add_weight(shape=(count, 2), initializer="zeros", trainable=False, name="ranges")
        self.built = True

    def call(self, pixels: Any) -> Any:
        """(batch, size, size, 3) float32 RGB 0..255 → (batch, classes) scores as of int8, themselves not rounded."""
        (scores,) = walk(self.network, [pixels], self._rounded)
        return scores

    def measure(self, crops: NDArray[np.uint8]) -> None:
        """Set the ranges to the least and greatest values that (n, size, size, 3) uint8 RGB pixels lead to."""
        parts = [self._extremes(crops[at : at + BATCH]) for at in range(0, len(crops), BATCH)]
        low = np.minimum.reduce([part[:, 0] for part in parts])
        high = np.maximum.reduce([part[:, 1] for part in parts])
        self.ranges.assign(np.stack([low, high], axis=1))

    def _extremes(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(rows, 2) least and greatest value of each measured tensor, of zero, and of what is prescribed."""
        found = np.zeros(self.ranges.shape, np.float32)

        def note(node: Node, *args: Any, **kwargs: Any) -> Any:
            answer = node.operation(*args, **kwargs)
            point = self.points.get(id(node))
            if point is not None and point.measured:
                fixed = FIXED.get(activation_of(node.operation))
                seen = fixed or (float(tf.reduce_min(answer)), float(tf.reduce_max(answer)))
                found[point.row] = min(0.0, seen[0]), max(0.0, seen[1])
            return answer

        walk(self.network, [tf.cast(crops, tf.float32)], note)
        return found

    def _rounded(self, node: Node, *args: Any, **kwargs: Any) -> Any:
        operation, point = node.operation, self.points.get(id(node))
        if _has_kernel(operation):
            answer = _with_rounded_weights(operation, *args)
        elif point is not None and _rectifies(node):
            answer = args[0]  # rounding to a range that begins at zero rectifies too, and one tensor less is kept
        else:
            answer = operation(*args, **kwargs)
        if point is None:
            return answer
        low, high = self.ranges[point.row, 0], self.ranges[point.row, 1]
        return tf.quantization.fake_quant_with_min_max_vars(answer, low, tf.maximum(high, low + LEAST))


def rounded_weights(kernel: Any, *, channels: tuple[int, ...] | None) -> Any:
    """Weights on the 255 steps between minus and plus their greatest, for each of the last `channels` or for all."""
    greatest = tf.stop_gradient(tf.abs(kernel))
    if channels is None:
        most = tf.maximum(tf.reduce_max(greatest), LEAST)
        return tf.quantization.fake_quant_with_min_max_vars(kernel, -most, most, narrow_range=True)
    flat = tf.reshape(kernel, (-1, int(np.prod(channels))))
    most = tf.maximum(tf.reduce_max(tf.reshape(greatest, flat.shape), axis=0), LEAST)
    stepped = tf.quantization.fake_quant_with_min_max_vars_per_channel(flat, -most, most, narrow_range=True)
    return tf.reshape(stepped, kernel.shape)


def _has_kernel(operation: Any) -> bool:
    return isinstance(operation, KERNELS)


def _with_rounded_weights(operation: Any, seen: Any) -> Any:
    kernel = tf.convert_to_tensor(operation.kernel)
    if isinstance(operation, layers.Dense):
        channels = None
    else:
        channels = kernel.shape[2:] if isinstance(operation, layers.DepthwiseConv2D) else kernel.shape[3:]
    weights = [rounded_weights(kernel, channels=channels), *operation.trainable_variables[1:]]
    answer, _ = operation.stateless_call(weights, [], seen)
    return answer


def _points(network: keras.Model) -> Iterator[tuple[int, Point]]:
    """Where the tensors of a network are rounded, by the `id` of the call that they come from."""
    taken = consumers(network)
    rows: dict[int, int] = {}  # by the id of a tensor, the row that its steps are in
    for node in nodes(network):
        operation, output = node.operation, node.outputs[0]
        after = taken.get(id(output), [])
        before = rows.get(id(node.input_tensors[0])) if node.input_tensors else None
        if isinstance(operation, (*KEEPS_STEPS, *AVERAGES)):
            if before is not None:
                rows[id(output)] = before
                if isinstance(operation, AVERAGES):
                    yield id(node), Point(before, measured=False)
        elif None in after or _becomes_part(node, after):
            continue  # the network's answers, or not a tensor of its own
        else:
            rows[id(output)] = len({*rows.values()})
            yield id(node), Point(rows[id(output)], measured=True)


def _becomes_part(node: Node, after: Sequence[Node]) -> bool:
    """Whether what follows a call is done by the same operator: a ReLU, or a number that is added to its bias."""
    takes = isinstance(node.operation, TAKES_RECTIFIER) or _shifts(node)
    return takes and len(after) == 1 and (_rectifies(after[0]) or _shifts(after[0]))


def _shifts(node: Node) -> bool:
    """Whether a call adds a number, as the hard sigmoid of MobileNetV3 does."""
    return type(node.operation).__name__ == "Add" and len(node.input_tensors) == 1


def _rectifies(node: Node) -> bool:
    """Whether a call is a ReLU or a ReLU6, and nothing more."""
    operation = node.operation
    if isinstance(operation, layers.ReLU):
        return operation.max_value in (None, 6) and operation.negative_slope == 0 and operation.threshold == 0
    return isinstance(operation, layers.Activation) and activation_of(operation) in ("relu", "relu6")
