"""A float network and calibration pixels → a full-integer int8 TFLite file, the same bytes for the same inputs.

The conversion runs in a process of its own: a second conversion in one process gets other layer names, so another
hash. Convolutions are quantized per channel and dense layers per tensor, because
TFLite's kernels before 2.6 (and with them the Edge TPU's compiler) read a per-channel dense layer wrongly in silence.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converter.calibrate import Calibration
from converter.load import Trained, import_quietly
from converter.tflite import graph, lint
from converter.tflite.batch import free_batch
from edge_agent.shelf import DataError

LIMIT_S = 3600
"""A conversion takes seconds to minutes; one that takes an hour hangs."""


@dataclass(frozen=True, slots=True, eq=False)
class Quantized:
    """An int8 TFLite file: `content` takes (batch, size, size, 3) uint8 RGB and gives (batch, classes) uint8."""

    content: bytes
    sha256: str
    ends: graph.Ends


def quantize(trained: Trained, calibration: Calibration) -> Quantized:
    """Convert a network to int8, and check in the file that it is what the agent runs.

    Raises:
        DataError: TensorFlow cannot convert the network, or not to int8 throughout.
    """
    content = free_batch(_converted(trained.path, calibration.crops))
    lint.check(content)
    return Quantized(content, hashlib.sha256(content).hexdigest(), graph.ends(content))


def _converted(model: Path, crops: NDArray[np.uint8]) -> bytes:
    """Convert in a fresh process."""
    with tempfile.TemporaryDirectory(prefix="shelf-convert-") as folder:
        pixels, out = Path(folder, "crops.npy"), Path(folder, "model.tflite")
        np.save(pixels, crops)
        home = str(Path(__file__).resolve().parents[2])
        command = [
            sys.executable,
            "-P",
            "-m",
            "converter.quantizing.quantize",
            str(model.resolve()),
            str(pixels),
            str(out),
        ]
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONHASHSEED": "0"}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
        try:
            done = subprocess.run(  # noqa: S603  (our own module, no shell)
                command, env=environment, cwd=folder, capture_output=True, check=False, timeout=LIMIT_S
            )
        except subprocess.TimeoutExpired:
            raise DataError(f"{model}: not converted after {LIMIT_S} s. Try a smaller network.") from None
        if done.returncode != 0 or not out.is_file():
            lines = [line for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
            reason = lines[-1] if lines else "no reason given"
            raise DataError(
                f"{model}: TensorFlow cannot convert it (status {done.returncode}): {reason}"
                " Build it out of layers that TFLite knows; a negative status means that memory ran out or it crashed."
            )
        return out.read_bytes()


def _convert(model: Path, crops: NDArray[np.uint8]) -> bytes:
    """The conversion itself; call it once per process.

    The batch is fixed to one: with a free batch a Flatten becomes SHAPE and PACK, which split the graph.
    """
    keras, tf = import_quietly("keras"), import_quietly("tensorflow")
    network = keras.saving.load_model(model, compile=False)
    one = keras.Input(batch_shape=(1, *crops.shape[1:]))
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(one, network(one, training=False)))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: representative(crops)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.uint8
    # private, so `converter.tflite.lint` looks for its effect
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True  # noqa: SLF001
    return bytes(converter.convert())


def representative(crops: NDArray[np.uint8]) -> Iterator[list[NDArray[np.float32]]]:
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


if __name__ == "__main__":
    model_path, crops_path, out_path = (Path(argument) for argument in sys.argv[1:])
    out_path.write_bytes(_convert(model_path, np.load(crops_path)))
