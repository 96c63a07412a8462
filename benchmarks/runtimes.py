"""The same int8 file in three runtimes, each on one thread, each behind one call that does nothing but run it.

LiteRT is ours. OpenVINO reads `.tflite` by itself; ONNX Runtime gets it converted by tf2onnx. Those two come with the
extra `bench`; where they are missing, `NotThere` says so.
"""

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

OPSET = 17
"""Of ONNX: the newest but one that tf2onnx 1.17 knows; it has per-channel scales."""


class NotThere(Exception):  # noqa: N818 (no error of ours: a reason)
    """A runtime cannot take part; the message says why."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """A model in a runtime.

    Attributes:
        name: With its version.
        run: Runs the model on the input that was written last.
        answer: Crops (batch, size, size, 3), of the model's input type → (batch, classes), written, run and read.
    """

    name: str
    run: Callable[[], Any]
    answer: Callable[[NDArray[Any]], NDArray[Any]]


def litert(model: bytes, crops: NDArray[Any], *, threads: int) -> Runtime:
    """LiteRT, with the crops (batch, size, size, 3) written as its input."""
    interpreter = Interpreter(model_content=model, num_threads=threads)
    given, result = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    interpreter.resize_tensor_input(given, crops.shape)
    interpreter.allocate_tensors()

    def answer(batch: NDArray[Any]) -> NDArray[Any]:
        interpreter.set_tensor(given, batch)
        interpreter.invoke()
        found: NDArray[Any] = interpreter.get_tensor(result)
        return found

    answer(crops)
    return Runtime(f"LiteRT {version('ai-edge-litert')}", interpreter.invoke, answer)


def openvino(model: bytes, crops: NDArray[np.uint8], folder: Path) -> Runtime:
    """OpenVINO on one thread, with the crops in the memory that it reads from.

    Raises:
        NotThere: It is not installed, or does not take the model.
    """
    module = _import("openvino")
    path = folder / "model.tflite"
    path.write_bytes(model)
    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
    try:
        core = module.Core()
        network = core.read_model(path)
        network.reshape(list(crops.shape))
        request = core.compile_model(network, "CPU", options).create_infer_request()
    except RuntimeError as error:
        raise NotThere(f"OpenVINO does not take the model: {_first_line(error)}") from error
    pixels = crops.copy()
    request.set_input_tensor(module.Tensor(pixels, shared_memory=True))

    def answer(batch: NDArray[np.uint8]) -> NDArray[Any]:
        pixels[...] = batch
        request.infer()
        return np.array(request.get_output_tensor().data)

    answer(crops)
    return Runtime(f"OpenVINO {version('openvino')}", request.infer, answer)


def onnx_runtime(model: bytes, crops: NDArray[np.uint8], folder: Path) -> Runtime:
    """ONNX Runtime on one thread with the converted model, input and output bound to memory beforehand.

    Raises:
        NotThere: It or tf2onnx is not installed, or the model cannot be converted.
    """
    module = _import("onnxruntime")
    options = module.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    path = _to_onnx(model, folder)
    try:
        session = module.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own errors share no class but this
        raise NotThere(f"ONNX Runtime does not take the converted model: {_first_line(error)}") from error
    given, result = session.get_inputs()[0].name, session.get_outputs()[0].name
    pixels, binding = crops.copy(), session.io_binding()
    source = module.OrtValue.ortvalue_from_numpy(pixels)  # shares the memory of `pixels` on the CPU
    binding.bind_ortvalue_input(given, source)
    binding.bind_output(result)

    def run() -> None:
        session.run_with_iobinding(binding)

    def answer(batch: NDArray[np.uint8]) -> NDArray[Any]:
        found: NDArray[Any] = session.run([result], {given: batch})[0]
        return found

    run()
    return Runtime(f"ONNX Runtime {version('onnxruntime')}", run, answer)


def _to_onnx(model: bytes, folder: Path) -> Path:
    """The model as ONNX, by tf2onnx in a process of its own: it loads TensorFlow."""
    if importlib.util.find_spec("tf2onnx") is None:  # to import it would load TensorFlow here, too
        raise NotThere(_missing("tf2onnx"))
    source, target = folder / "source.tflite", folder / "model.onnx"
    source.write_bytes(model)
    command = [sys.executable, "-m", "tf2onnx.convert", "--tflite", str(source), "--output", str(target)]
    done = subprocess.run(  # noqa: S603 (ours)
        [*command, "--opset", str(OPSET)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0 or not target.is_file():
        last = (done.stderr.strip().splitlines() or ["nothing said"])[-1]
        raise NotThere(f"tf2onnx {version('tf2onnx')} cannot convert the model: {last}")
    return target


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise NotThere(_missing(name)) from error


def _missing(name: str) -> str:
    return f"{name} is not installed: pip install -e .[bench]"


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
