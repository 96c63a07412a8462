"""A trained network → the same without what TFLite does away with: nesting, dropout and batch norm. Import it lazily.

Nested networks become one. A batch norm after a convolution or a dense layer becomes part of its kernel and bias, where
nothing else takes the output of that layer; any other stays, as a fixed affine map. Activations that TFLite cannot
fuse into a layer become layers of their own, and separable convolutions two.
"""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras import layers

from converter.quantizing.qat.walk import Node, consumers, nodes, producers, walk

FUSED = ("linear", "relu", "relu6")
"""Activations that become part of the operator before them."""
IDENTITIES = (
    layers.Dropout,
    layers.SpatialDropout2D,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.AlphaDropout,
    layers.ActivityRegularization,
)
"""Layers that do something in training only."""
KERNELS = (layers.Conv2D, layers.DepthwiseConv2D, layers.Dense)
"""Layers whose weights are scaled per output, so that a batch norm can become part of them."""


def folded(network: keras.Model) -> keras.Model:
    """A network of its own with the same answers, flat and with every batch norm folded that can be.

    Args:
        network: Functional or Sequential, of built-in layers, with one input and one output. Left as it is.
    """
    flat = _flat(network)
    norms = dict(_foldable(flat))
    of_kernel = {id(kernel.operation): norm.operation for norm, kernel in norms.items()}
    gone = {id(norm.operation) for norm in norms}
    copies: dict[int, Any] = {}

    def call(node: Node, *args: Any, **kwargs: Any) -> Any:
        operation = node.operation
        if id(operation) in gone:
            return args[0]
        norm = of_kernel.get(id(operation))
        made = _called(operation, copies, *args, **({"use_bias": True} if norm else {}), call_with=kwargs)
        if norm is not None:
            copies[id(operation)].set_weights(_scaled(operation, norm))
        return made

    return _rebuilt(flat, call)


def activation_of(operation: Any) -> str:
    """The name of a layer's activation, `linear` where it has none."""
    return str(getattr(getattr(operation, "activation", None), "__name__", "linear"))


def _flat(network: keras.Model) -> keras.Model:
    """The same network as one, without what does nothing, its layers split where TFLite has two operators."""
    copies: dict[int, Any] = {}

    def call(node: Node, *args: Any, **kwargs: Any) -> Any:
        operation = node.operation
        if isinstance(operation, keras.Model):
            answers = walk(operation, keras.tree.flatten(args), call)
            return answers[0] if len(answers) == 1 else answers
        if isinstance(operation, IDENTITIES):
            return args[0]
        if isinstance(operation, layers.SeparableConv2D):
            return _separated(operation, copies, args[0])
        activation = activation_of(operation)
        if activation in FUSED or isinstance(operation, layers.Activation | layers.Softmax):
            return _called(operation, copies, *args, call_with=kwargs)
        plain = _called(operation, copies, *args, activation="linear", call_with=kwargs)
        return layers.Activation(operation.activation, name=f"{operation.name}_{activation}")(plain)

    return _rebuilt(network, call)


def _rebuilt(network: keras.Model, call: Callable[..., Any]) -> keras.Model:
    given = network.inputs[0]
    pixels = keras.Input(given.shape[1:], name="pixels")
    (scores,) = walk(network, [pixels], call)
    return keras.Model(pixels, scores, name=network.name)


def _called(operation: Any, copies: dict[int, Any], *args: Any, call_with: dict[str, Any], **changed: Any) -> Any:
    """What a copy of a layer gives, with the same weights but for those that `changed` settings add."""
    if not isinstance(operation, layers.Layer):
        return operation(*args, **call_with)
    if id(operation) in copies:
        return copies[id(operation)](*args, **call_with)
    taken = {copy.name for copy in copies.values()}
    name = operation.name
    while name in taken:  # networks within a network may use a name twice
        name += "_"
    copy = type(operation).from_config({**operation.get_config(), **changed, "name": name, "trainable": True})
    copies[id(operation)] = copy
    answers = copy(*args, **call_with)
    if len(copy.weights) == len(operation.weights):
        copy.set_weights(operation.get_weights())
    if isinstance(copy, layers.BatchNormalization):
        copy.trainable = False  # what is left over stays as it is
    return answers


def _separated(operation: Any, copies: dict[int, Any], seen: Any) -> Any:
    """A separable convolution as the two that it is."""
    depthwise = layers.DepthwiseConv2D(
        operation.kernel_size,
        operation.strides,
        operation.padding,
        operation.depth_multiplier,
        dilation_rate=operation.dilation_rate,
        use_bias=False,
        name=f"{operation.name}_depthwise",
    )
    pointwise = layers.Conv2D(
        operation.filters, 1, use_bias=operation.use_bias, activation=operation.activation, name=operation.name
    )
    answers = pointwise(depthwise(seen))
    kernel, *rest = operation.get_weights()
    depthwise.set_weights([kernel])
    pointwise.set_weights(rest)
    copies[id(operation)] = pointwise
    return answers


def _foldable(network: keras.Model) -> Iterator[tuple[Node, Node]]:
    """Each batch norm that can go, with the call of the layer that takes it up."""
    taken, made = consumers(network), producers(network)
    calls = [id(node.operation) for node in nodes(network)]
    for node in nodes(network):
        norm = node.operation
        if not isinstance(norm, layers.BatchNormalization):
            continue
        tensor = node.input_tensors[0]
        before = made.get(id(tensor))
        if (
            before is not None
            and isinstance(before.operation, KERNELS)
            and activation_of(before.operation) == "linear"
            and len(taken[id(tensor)]) == 1
            and calls.count(id(before.operation)) == calls.count(id(norm)) == 1
            and norm.axis in (-1, len(tensor.shape) - 1)
        ):
            yield node, before


def _scaled(operation: Any, norm: Any) -> list[Any]:
    """Kernel and bias that do what a layer and the batch norm after it do (Jacob et al. 2018, section 3.2)."""
    kernel, *biases = (weights.astype(np.float64) for weights in operation.get_weights())
    mean, variance = (np.asarray(moving, np.float64) for moving in (norm.moving_mean, norm.moving_variance))
    factor = 1 / np.sqrt(variance + norm.epsilon)
    if norm.scale:
        factor = factor * np.asarray(norm.gamma, np.float64)
    shift = np.asarray(norm.beta, np.float64) if norm.center else 0.0
    bias = shift + ((biases[0] if biases else 0.0) - mean) * factor
    by_output = factor.reshape(kernel.shape[2:]) if isinstance(operation, layers.DepthwiseConv2D) else factor
    return [(kernel * by_output).astype(np.float32), bias.astype(np.float32)]
