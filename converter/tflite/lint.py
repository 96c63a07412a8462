"""An int8 file held against what was promised of it."""

from collections.abc import Collection, Iterator
from typing import Any

from converter.targets.edgetpu_rules import VERSIONS
from converter.tflite import graph
from edge_agent.shelf import DataError

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")
BRIDGES = ("QUANTIZE", "DEQUANTIZE")
"""What stands between a layer in float and its neighbours in int8."""


def check(content: bytes, *, in_float: Collection[str] = ()) -> None:
    """Hold a file against what was promised of it: int8 between uint8 ends, fixed shapes, the right granularity.

    Args:
        content: A TFLite file.
        in_float: Outputs of the layers that may be in float, as `converter.quantizing.layers` names them.

    Raises:
        DataError: Names every tensor that breaks the promise.
    """
    model = graph.parse(content)
    broken = [*_wrong_types(model, in_float), *_wrong_shapes(model), *_wrong_granularity(model)]
    if broken:
        raise DataError(
            "the network does not become a full int8 one: "
            + "; ".join(broken[:5])
            + (f"; and {len(broken) - 5} more" if len(broken) > 5 else "")
            + ". Build it out of layers that TFLite has int8 kernels for."
        )


def newer(content: bytes) -> tuple[str, ...]:
    """Operators of versions that TensorFlow 2.5 does not know, such as `CONV_2D 8`: old runtimes refuse them."""
    model = graph.parse(content)
    used = {(graph.code(model, one), graph.version(model, one)) for one in model.subgraphs[0].operators}
    return tuple(f"{code} {version}" for code, version in sorted(used) if version > VERSIONS.get(code, version))


def _wrong_types(model: Any, in_float: Collection[str]) -> Iterator[str]:
    main = model.subgraphs[0]
    floats = _allowed_floats(model, in_float)
    at_ends = {int(main.inputs[0]), int(main.outputs[0])}
    if len(model.subgraphs) != 1:
        yield f"it has {len(model.subgraphs)} subgraphs"
    for index, tensor in enumerate(main.tensors):
        constant = graph.constant(model, tensor) is not None
        allowed = {"UINT8"} if index in at_ends else {"INT8", "INT32"} if constant else {"INT8"}
        if graph.kind(tensor) not in allowed and index not in floats:
            yield f"{graph.name(tensor)} is {graph.kind(tensor)}"
    for operator in main.operators:
        touched = {int(index) for index in [*operator.inputs, *operator.outputs]}
        bridges = BRIDGES if in_float else ("QUANTIZE",)
        if touched & at_ends and graph.code(model, operator) not in bridges:
            yield f"{graph.code(model, operator)} works on an end of the network directly"


def _allowed_floats(model: Any, in_float: Collection[str]) -> set[int]:
    """The tensors that none but the named layers, and what leads to and from them, work on in float."""
    main = model.subgraphs[0]
    allowed: set[int] = set()
    refused: set[int] = set()
    for operator in main.operators if in_float else ():
        touched = [int(index) for index in (*operator.inputs, *operator.outputs) if index >= 0]
        floats = [index for index in touched if graph.kind(main.tensors[index]) == "FLOAT32"]
        named = graph.known(graph.full_name(main.tensors[operator.outputs[0]]), in_float) is not None
        (allowed if named or graph.code(model, operator) in BRIDGES else refused).update(floats)
    return allowed - refused


def _wrong_shapes(model: Any) -> Iterator[str]:
    for tensor in model.subgraphs[0].tensors:
        signature = tensor.shapeSignature
        if signature is not None and any(int(side) < 0 for side in signature):
            yield f"{graph.name(tensor)} has the open shape {[int(side) for side in signature]}"


def _wrong_granularity(model: Any) -> Iterator[str]:
    """Convolutions have a scale per channel; dense layers one, as old runtimes read more than one wrongly."""
    for operator in graph.operators(model, *CONVOLUTIONS, "FULLY_CONNECTED"):
        code = graph.code(model, operator)
        weights = model.subgraphs[0].tensors[operator.inputs[1]]
        if graph.kind(weights) == "FLOAT32":
            continue  # `_wrong_types` says whether it may be
        scales = len(weights.quantization.scale)
        wanted = 1 if code == "FULLY_CONNECTED" else int(weights.shape[weights.quantization.quantizedDimension])
        if scales != wanted:
            yield f"{graph.name(weights)} ({code}) has {scales} scales, not {wanted}"
