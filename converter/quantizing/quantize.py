"""A float network and calibration pixels → TFLite files, int8 and float; the same bytes for the same inputs.

The conversion runs in a process of its own: a second conversion in one process gets other layer names, so another
hash. Convolutions are quantized per channel and dense layers per tensor, because TFLite's kernels before 2.6 (and with
them the Edge TPU's compiler) read a per-channel dense layer wrongly in silence.
"""

import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from converter.network import import_quietly, keras_network
from converter.quantizing import process
from converter.scratch import save, scratch
from converter.tflite import graph
from converter.tflite.batch import free_batch

Precision = Literal["int8", "float32", "float16"]
Crops = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Quantized:
    """An int8 TFLite file: `content` takes (batch, size, size, 3) uint8 RGB and gives (batch, classes) uint8.

    `in_float` names the layers that were kept in float; there are none but where int8 lost too much.
    """

    content: bytes
    sha256: str
    ends: graph.Ends
    in_float: tuple[str, ...] = ()


def of_file(content: bytes, *, in_float: tuple[str, ...] = ()) -> Quantized:
    """What a converted file is: its hash and how its bytes are numbers."""
    return Quantized(content, hashlib.sha256(content).hexdigest(), graph.ends(content), in_float)


def converted(model: Path, crops: Crops, precisions: Sequence[Precision]) -> dict[Precision, bytes]:
    """Convert a `.keras` file in one fresh process, in the order of `precisions`.

    Args:
        model: A network that takes (batch, size, size, 3) RGB in 0..255.
        crops: (n, size, size, 3) uint8 RGB: what sets the ranges of int8; of the others, the first gives the size.
        precisions: `int8` has uint8 ends, the others float32 ends; `float16` holds its weights as such.

    Returns:
        TFLite files for batches of any size.

    Raises:
        DataError: TensorFlow cannot convert the network.
    """
    with scratch() as folder:
        save(folder / "crops.npy", crops)
        process.run(
            "converter.quantizing.quantize",
            [model.resolve(), folder / "crops.npy", *precisions],
            folder=folder,
            model=model,
        )
        return {precision: free_batch((folder / f"{precision}.tflite").read_bytes()) for precision in precisions}


def converter_of(model: Path, size_px: int) -> Any:
    """TensorFlow's converter for a `.keras` file and a batch of one; use one per process.

    With a free batch a Flatten becomes SHAPE and PACK, which split the graph.
    """
    keras, tf = import_quietly("keras"), import_quietly("tensorflow")
    network = keras_network(model)
    one = keras.Input(batch_shape=(1, size_px, size_px, 3))
    return tf.lite.TFLiteConverter.from_keras_model(keras.Model(one, network(one, training=False)))


def to_int8(converter: Any, crops: Crops) -> Any:
    """The same converter, set to full int8 between uint8 ends, with ranges from `crops`."""
    tf = import_quietly("tensorflow")
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: representative(crops)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.uint8
    # private, so `converter.tflite.lint` looks for its effect
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True  # noqa: SLF001
    return converter


def to_float16(converter: Any) -> Any:
    """The same converter, set to float16 weights."""
    tf = import_quietly("tensorflow")
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return converter


def representative(crops: Crops) -> Iterator[list[NDArray[np.float32]]]:
    """The calibration set as TFLite wants it, with the input pinned to the whole range of a byte.

    The scale of the input comes from the darkest and brightest value seen. The agent gives bytes as they are, so it
    has to be exactly 1: two corner pixels of the first crop are made black and white where no crop has both.

    Args:
        crops: (n, size, size, 3) uint8 RGB.

    Yields:
        One input each, (1, size, size, 3) float32 in 0..255.
    """
    first = crops[0].copy()
    if crops.min() > 0 or crops.max() < 255:
        first[0, 0], first[-1, -1] = 0, 255
    yield [first[np.newaxis].astype(np.float32)]
    for crop in crops[1:]:
        yield [crop[np.newaxis].astype(np.float32)]


def _convert(model: Path, crops: Crops, precision: str) -> bytes:
    setting: dict[str, Callable[[Any], Any]] = {
        "int8": lambda converter: to_int8(converter, crops),
        "float32": lambda converter: converter,
        "float16": to_float16,
    }
    return bytes(setting[precision](converter_of(model, crops.shape[1])).convert())


if __name__ == "__main__":
    model_path, crops_path, *asked = sys.argv[1:]
    for wanted in asked:
        Path(f"{wanted}.tflite").write_bytes(_convert(Path(model_path), np.load(crops_path), wanted))
