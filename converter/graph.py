"""What is inside a TFLite file: read with the schema that TensorFlow ships, mended for batches, and checked."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from converter.load import import_quietly
from edge_agent.shelf import DataError

INT32, UINT8, INT8 = 2, 3, 9
"""TensorType of the TFLite schema (tensorflow/compiler/mlir/lite/schema/schema.fbs)."""
CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")


@dataclass(frozen=True, slots=True)
class Ends:
    """How bytes at the ends of a network are numbers: (byte - zero_point) * scale."""

    input_scale: float
    input_zero_point: int
    output_scale: float
    output_zero_point: int


def parse(content: bytes) -> Any:
    """The object tree (`ModelT`) of a TFLite file that this machine has just made."""
    return import_quietly("tensorflow.lite.tools.flatbuffer_utils").read_model_from_bytearray(bytearray(content))


def packed(model: Any) -> bytes:
    """The file of an object tree."""
    return bytes(import_quietly("tensorflow.lite.tools.flatbuffer_utils").convert_object_to_bytearray(model))


def operators(model: Any, *codes: str) -> Iterator[Any]:
    """The operators of a model with one of these names, such as `CONV_2D`, in the order in which they run."""
    for operator in model.subgraphs[0].operators:
        if _code(model, operator) in codes:
            yield operator


def free_batch(content: bytes) -> bytes:
    """Let a network that was converted for a batch of one be resized to any batch.

    A Flatten is converted to a RESHAPE with the constant [1, K], which no other batch fits; [-1, K] means the same for
    one crop. Nothing else in a convolutional network names the batch.
    """
    model = parse(content)
    for operator in operators(model, "RESHAPE"):
        _free_reshape(model, operator)
    return packed(model)


def _free_reshape(model: Any, operator: Any) -> None:
    tensors = model.subgraphs[0].tensors
    target = [int(side) for side in tensors[operator.outputs[0]].shape]
    if int(tensors[operator.inputs[0]].shape[0]) != 1 or target[0] != 1:
        return  # folds the batch into something else; the classifier will say so if it cannot be resized
    target[0] = -1
    if len(operator.inputs) > 1:
        buffer = model.buffers[tensors[operator.inputs[1]].buffer]
        buffer.data = np.frombuffer(np.asarray(target, dtype="<i4").tobytes(), dtype=np.uint8)
    if operator.builtinOptions is not None:
        operator.builtinOptions.newShape = target


def ends(content: bytes) -> Ends:
    """Scale and zero point of the input and the output.

    Raises:
        DataError: An end is not uint8, or the input is not the plain bytes of a picture.
    """
    graph = parse(content).subgraphs[0]
    given, answer = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    if given.type != UINT8 or answer.type != UINT8:
        raise DataError(f"the converter gave tensor types {given.type} and {answer.type} at the ends, not uint8.")
    scales = [float(tensor.quantization.scale[0]) for tensor in (given, answer)]
    zero_points = [int(tensor.quantization.zeroPoint[0]) for tensor in (given, answer)]
    if abs(scales[0] - 1) > 1e-6 or zero_points[0] != 0:
        raise DataError(
            f"the input has scale {scales[0]:.6f} and zero point {zero_points[0]}, but the agent gives bytes 0..255 as"
            " they are. The network must take RGB in 0..255: make rescaling its first layer."
        )
    return Ends(scales[0], zero_points[0], scales[1], zero_points[1])


def check(content: bytes) -> None:
    """Hold a file against what was promised of it: int8 between uint8 ends, fixed shapes, the right granularity.

    Raises:
        DataError: Names every tensor that breaks the promise.
    """
    model = parse(content)
    broken = [*_wrong_types(model), *_wrong_shapes(model), *_wrong_granularity(model)]
    if broken:
        raise DataError(
            "the network does not become a full int8 one: "
            + "; ".join(broken[:5])
            + (f"; and {len(broken) - 5} more" if len(broken) > 5 else "")
            + ". Build it out of layers that TFLite has int8 kernels for."
        )


def _wrong_types(model: Any) -> Iterator[str]:
    graph = model.subgraphs[0]
    at_ends = {int(graph.inputs[0]), int(graph.outputs[0])}
    if len(model.subgraphs) != 1:
        yield f"it has {len(model.subgraphs)} subgraphs"
    for index, tensor in enumerate(graph.tensors):
        constant = _length_bytes(model, tensor) > 0
        allowed = {UINT8} if index in at_ends else {INT8, INT32} if constant else {INT8}
        if tensor.type not in allowed:
            yield f"{_name(tensor)} has tensor type {tensor.type}"
    for operator in graph.operators:
        touched = {int(index) for index in [*operator.inputs, *operator.outputs]}
        if touched & at_ends and _code(model, operator) != "QUANTIZE":
            yield f"{_code(model, operator)} works on an end of the network directly"


def _wrong_shapes(model: Any) -> Iterator[str]:
    for tensor in model.subgraphs[0].tensors:
        signature = tensor.shapeSignature
        if signature is not None and any(int(side) < 0 for side in signature):
            yield f"{_name(tensor)} has the open shape {[int(side) for side in signature]}"


def _wrong_granularity(model: Any) -> Iterator[str]:
    """Convolutions have a scale per channel; dense layers one, as old runtimes read more than one wrongly."""
    for operator in operators(model, *CONVOLUTIONS, "FULLY_CONNECTED"):
        code = _code(model, operator)
        weights = model.subgraphs[0].tensors[operator.inputs[1]]
        scales = len(weights.quantization.scale)
        wanted = 1 if code == "FULLY_CONNECTED" else int(weights.shape[weights.quantization.quantizedDimension])
        if scales != wanted:
            yield f"{_name(weights)} ({code}) has {scales} scales, not {wanted}"


def _code(model: Any, operator: Any) -> str:
    utils = import_quietly("tensorflow.lite.tools.flatbuffer_utils")
    return str(utils.opcode_to_name(model, operator.opcodeIndex))


def _length_bytes(model: Any, tensor: Any) -> int:
    data = model.buffers[tensor.buffer].data
    return 0 if data is None else len(data)


def _name(tensor: Any) -> str:
    return bytes(tensor.name).decode(errors="replace").rsplit(";", 1)[-1]
