"""Networks written operator by operator, without TensorFlow: they tell a red picture from a green or a blue one.

Each is softmax over GAIN times the mean of each colour, in float32, in uint8, or as one custom operator that only the
mock delegate knows. `write_bundle` makes bundles of them whose golden answers are calculated with NumPy.
"""

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge_agent import bundle
from edge_agent.demo.store import BUNDLE

SIZE_PX, LABELS, GAIN = 16, ("red", "green", "blue"), 0.05
SCALE = 1 / 256
SOURCE = Path(__file__).parent / "mock_delegate" / "mock_delegate.c"
FLOAT, BYTE, INT = schema.TensorType.FLOAT32, schema.TensorType.UINT8, schema.TensorType.INT32
OP = schema.BuiltinOperator


def build_mock(folder: Path, behaviour: str) -> Path:
    """Compile the mock delegate with one of the behaviours that it names."""
    library = folder / f"libmock_{behaviour.lower()}.so"
    flags = [
        "-shared",
        "-fPIC",
        "-O1",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-Wno-unused-function",
        f"-DBEHAVIOUR={behaviour}",
    ]
    subprocess.run(["gcc", *flags, "-o", library, SOURCE, "-lm"], check=True)
    return library


@dataclass
class Graph:
    """A TFLite file in the making."""

    buffers: list[schema.BufferT] = field(default_factory=lambda: [schema.BufferT()])
    tensors: list[schema.TensorT] = field(default_factory=list)
    codes: list[schema.OperatorCodeT] = field(default_factory=list)
    operators: list[schema.OperatorT] = field(default_factory=list)

    def tensor(self, kind: int, shape: list[int], *, scale: float | None = None, value: np.ndarray | None = None):
        """Add a tensor, of a constant value perhaps; its index. A first dimension of -1 is any batch."""
        made = schema.TensorT()
        made.name, made.type, made.buffer = f"t{len(self.tensors)}".encode(), kind, 0
        made.shape = [abs(size) for size in shape]
        made.shapeSignature = shape
        if scale is not None:
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale, made.quantization.zeroPoint = [scale], [0]
        if value is not None:
            held = schema.BufferT()
            held.data = np.frombuffer(value.tobytes(), np.uint8)
            made.buffer = len(self.buffers)
            self.buffers.append(held)
        self.tensors.append(made)
        return len(self.tensors) - 1

    def operator(self, code: int, inputs: list[int], output: int, options: object = None, *, custom: str | None = None):
        """Add an operator with one output."""
        kind, made = schema.OperatorCodeT(), schema.OperatorT()
        kind.builtinCode, kind.deprecatedBuiltinCode, kind.version = code, min(code, 127), 1
        kind.customCode = custom.encode() if custom else None
        self.codes.append(kind)
        made.opcodeIndex, made.inputs, made.outputs = len(self.codes) - 1, inputs, [output]
        if options is not None:
            made.builtinOptions = options
            made.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self.operators.append(made)

    def content(self, given: int, answer: int) -> bytes:
        """The file, with its one input and its one output."""
        graph, model = schema.SubGraphT(), schema.ModelT()
        graph.tensors, graph.operators, graph.inputs, graph.outputs = self.tensors, self.operators, [given], [answer]
        model.version, model.subgraphs, model.buffers, model.operatorCodes = 3, [graph], self.buffers, self.codes
        builder = flatbuffers.Builder(4096)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def float_network(*, gain: float = GAIN) -> bytes:
    """float32 in 0..255, float32 out, any batch."""
    graph = Graph()
    given, answer = graph.tensor(FLOAT, [-1, SIZE_PX, SIZE_PX, 3]), graph.tensor(FLOAT, [-1, 3])
    _softmax_of_means(graph, given, answer, gain)
    return graph.content(given, answer)


def byte_network(*, gain: float = GAIN) -> bytes:
    """uint8 in, uint8 out, any batch."""
    graph = Graph()
    given, answer = graph.tensor(BYTE, [-1, SIZE_PX, SIZE_PX, 3], scale=1.0), graph.tensor(BYTE, [-1, 3], scale=SCALE)
    first, last = graph.tensor(FLOAT, [-1, SIZE_PX, SIZE_PX, 3]), graph.tensor(FLOAT, [-1, 3])
    graph.operator(OP.DEQUANTIZE, [given], first, schema.DequantizeOptionsT())
    _softmax_of_means(graph, first, last, gain)
    graph.operator(OP.QUANTIZE, [last], answer, schema.QuantizeOptionsT())
    return graph.content(given, answer)


def edgetpu_network() -> bytes:
    """uint8 in, uint8 out, one picture: as edgetpu_compiler leaves a network that it could map whole."""
    graph = Graph()
    given, answer = graph.tensor(BYTE, [1, SIZE_PX, SIZE_PX, 3], scale=1.0), graph.tensor(BYTE, [1, 3], scale=SCALE)
    graph.operator(OP.CUSTOM, [given], answer, custom="edgetpu-custom-op")
    return graph.content(given, answer)


def _softmax_of_means(graph: Graph, given: int, answer: int, gain: float) -> None:
    axes = graph.tensor(INT, [2], value=np.array([1, 2], np.int32))
    weights = graph.tensor(FLOAT, [3, 3], value=np.eye(3, dtype=np.float32) * np.float32(gain))
    means, logits = graph.tensor(FLOAT, [-1, 3]), graph.tensor(FLOAT, [-1, 3])
    graph.operator(OP.MEAN, [given, axes], means, schema.ReducerOptionsT())
    graph.operator(OP.FULLY_CONNECTED, [means, weights, -1], logits, schema.FullyConnectedOptionsT())
    softmax = schema.SoftmaxOptionsT()
    softmax.beta = 1.0
    graph.operator(OP.SOFTMAX, [logits], answer, softmax)


def pictures(count: int = 6) -> np.ndarray:
    """Red, green and blue noise in turn, (count, 16, 16, 3) uint8."""
    rng = np.random.default_rng(4)
    noise = rng.integers(0, 120, (count, SIZE_PX, SIZE_PX, 3))
    for place in range(count):
        noise[place, ..., place % 3] += 40
    return noise.astype(np.uint8)


def probabilities(crops: np.ndarray) -> np.ndarray:
    """What the networks must say, (n, 3) float32."""
    logits = np.exp(GAIN * crops.reshape(len(crops), SIZE_PX * SIZE_PX, 3).mean(axis=1))
    return (logits / logits.sum(axis=1, keepdims=True)).astype(np.float32)


def write_bundle(folder: Path, **variants: bytes) -> Path:
    """A bundle of the uint8 network and of others, such as `model_float=float_network()`; its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    crops = pictures()
    floats = probabilities(crops)
    golden = np.clip(np.floor(floats / SCALE + 0.5), 0, 255).astype(np.uint8)
    for name, content in {"model": byte_network(), **variants}.items():
        (folder / f"{name}.tflite").write_bytes(content)
    np.savez(folder / bundle.GOLDEN_FILE, inputs=crops, outputs=golden, float_outputs=floats)
    manifest = json.loads((BUNDLE / bundle.MANIFEST_FILE).read_text())
    manifest |= {"id": "colours", "labels": LABELS, "files": {}}
    manifest["input"] |= {"size_px": SIZE_PX, "scale": 1.0, "zero_point": 0}
    manifest["output"] |= {"scale": SCALE, "zero_point": 0}
    for file in folder.iterdir():
        if file.name != bundle.MANIFEST_FILE:
            manifest["files"][file.name] = bundle.sha256(file.read_bytes())
    (folder / bundle.MANIFEST_FILE).write_text(json.dumps(manifest))
    return folder
