"""Files and operators for the tests of targets: drawn by hand, converted from a tiny network, or Coral's own."""

import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from converter.network import import_quietly
from converter.tflite.view import Operation, Tensor, View

PAIRS = (
    "deeplabv3_mnv2_dm05_pascal_quant",
    "keras_lstm_mnist_ptq",
    "mobilenet_v1_0.25_128_quant",
    "mobilenet_v1_0.75_192_quant",
    "posenet__posenet_mobilenet_v1_075_353_481_16_quant_decoder",
    "tools__split_concat",
)
"""Coral's networks that are there before and after its compiler."""


def pair(shared_data: Path, name: str) -> tuple[bytes, bytes]:
    """A network of Coral's, as it was given to the compiler and as it came out."""
    folder = shared_data / "data" / "coral"
    return (folder / f"{name}.tflite").read_bytes(), (folder / f"{name}_edgetpu.tflite").read_bytes()


def tensor(index: int, shape: Sequence[int], kind: str = "INT8", **changes: Any) -> Tensor:
    """A tensor; a constant if `data` is given."""
    known: dict[str, Any] = {
        "name": f"tensor_{index}",
        "signature": tuple(shape),
        "scales": (0.5,),
        "zero_points": (0,),
        "data": None,
        "variable": False,
    }
    return Tensor(index=index, kind=kind, shape=tuple(shape), **{**known, **changes})


def numbers(index: int, values: Sequence[int], shape: Sequence[int] | None = None) -> Tensor:
    """A constant int32 tensor: axes, a shape, paddings."""
    data = np.asarray(values, dtype="<i4").tobytes()
    return tensor(index, shape or (len(values),), "INT32", data=data, scales=(), zero_points=())


def operation(
    code: str, inputs: Sequence[Tensor | None], outputs: Sequence[Tensor], *, index: int = 0, **changes: Any
) -> Operation:
    """An operator of version 1 without options."""
    known: dict[str, Any] = {"custom": "", "version": 1, "options": MappingProxyType({}), "custom_options": b""}
    return Operation(index=index, code=code, inputs=tuple(inputs), outputs=tuple(outputs), **{**known, **changes})


def graph_of(*operations: Operation) -> View:
    """A file with these operators; what none of them makes goes in, and what none takes comes out."""
    made = [tensor for one in operations for tensor in one.outputs]
    given = [tensor for one in operations for tensor in one.given]
    everything = {tensor.index: tensor for tensor in (*given, *made)}
    outside = {index for index, held in everything.items() if not held.constant} - {held.index for held in made}
    last = {held.index for held in made} - {held.index for held in given}
    return View(
        description="drawn by hand",
        schema_version=3,
        graphs=1,
        tensors=tuple(everything.values()),
        inputs=tuple(everything[index] for index in sorted(outside)),
        outputs=tuple(everything[index] for index in sorted(last)),
        operations=tuple(operations),
        metadata=MappingProxyType({}),
    )


@cache
def converted(kind: str) -> bytes:
    """A tiny classifier as TensorFlow converts it: `float32`, `fp16`, `int8`, or `dynamic` (int8 weights only)."""
    keras, tf = import_quietly("keras"), import_quietly("tensorflow")
    layers = keras.layers
    keras.utils.set_random_seed(1)
    one = keras.Input(batch_shape=(1, 16, 16, 3))
    hidden = layers.Conv2D(8, 3, activation="relu")(layers.Rescaling(1 / 255)(one))
    hidden = layers.Flatten()(layers.MaxPooling2D()(layers.DepthwiseConv2D(3)(hidden)))
    network = keras.Model(one, layers.Dense(5, activation="softmax")(layers.Dense(16)(hidden)))
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    if kind != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "fp16":
        converter.target_spec.supported_types = [tf.float16]
    if kind == "int8":
        pictures = np.random.default_rng(0).integers(0, 256, (8, 1, 16, 16, 3)).astype(np.float32)
        converter.representative_dataset = lambda: ([picture] for picture in pictures)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.uint8
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # TensorFlow misses statistics that it doesn't need
        return bytes(converter.convert())
