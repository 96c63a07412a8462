"""What is inside a TFLite file, by the schema that LiteRT ships: an object tree, its operators, tensors and constants.

Pure Python reads it and nothing runs it; still, read a file of unknown origin in a process of its own
(`converter.tflite.describe`).
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge_agent.shelf import DataError

FILE_IDENTIFIER = b"TFL3"
"""Bytes 4 to 8 of every TFLite file."""
ALIGNMENT = 16
"""`force_align` of Buffer.data in the schema, which the generated code for Python leaves out."""
_CODES: dict[int, str] = {
    value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")
}
_TYPES: dict[int, str] = {value: name for name, value in vars(schema.TensorType).items() if not name.startswith("_")}


@dataclass(frozen=True, slots=True)
class Ends:
    """How bytes at the ends of a network are numbers: (byte - zero_point) * scale."""

    input_scale: float
    input_zero_point: int
    output_scale: float
    output_zero_point: int


def parse(content: bytes) -> Any:
    """The object tree (`ModelT`) of a TFLite file.

    Raises:
        DataError: It is not a TFLite file.
    """
    if content[4:8] != FILE_IDENTIFIER:
        raise DataError(
            f"not a TFLite file: {len(content)} bytes that begin with {content[:8]!r}, without {FILE_IDENTIFIER!r}."
            " Give a .tflite file that is whole."
        )
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(content), 0))


def packed(model: Any) -> bytes:
    """The file of an object tree."""
    builder = _Sharing(1024)
    builder.Finish(model.Pack(builder), file_identifier=FILE_IDENTIFIER)
    return bytes(builder.Output())


class _Sharing(flatbuffers.Builder):  # type: ignore[misc]  # flatbuffers has no types
    """Writes equal vectors once, and contents of buffers where the schema wants them: at multiples of 16 bytes.

    The zero points of a convolution are eight bytes of nothing for each channel: of MobileNetV2's file, 7 in 100.
    """

    def __init__(self, size_bytes: int) -> None:
        super().__init__(size_bytes)
        self._written: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: Any) -> int:  # noqa: N802  (flatbuffers' name)
        """The place of a vector of these numbers, which may be that of an equal one."""
        key = (x.dtype.str, x.tobytes())
        if key not in self._written:
            if x.dtype == np.uint8:
                self.Prep(ALIGNMENT, x.size)
            self._written[key] = super().CreateNumpyVector(x)
        return self._written[key]


def operators(model: Any, *codes: str) -> Iterator[Any]:
    """The operators of a model with one of these names, such as `CONV_2D`, in the order in which they run."""
    for operator in model.subgraphs[0].operators:
        if code(model, operator) in codes:
            yield operator


def code(model: Any, operator: Any) -> str:
    """The name of an operator, such as `CONV_2D`; `CUSTOM` for one that TFLite doesn't know."""
    opcode = model.operatorCodes[operator.opcodeIndex]
    number = max(opcode.builtinCode, opcode.deprecatedBuiltinCode)
    return _CODES.get(int(number), f"operator {number}")


def version(model: Any, operator: Any) -> int:
    """The version of an operator: kernels, delegates and compilers know it up to some number."""
    return int(model.operatorCodes[operator.opcodeIndex].version)


def kind(tensor: Any) -> str:
    """The name of a tensor's type, such as `INT8`."""
    return _TYPES.get(int(tensor.type), f"type {tensor.type}")


def constant(model: Any, tensor: Any) -> bytes | None:
    """What a constant tensor holds, little endian; None for one that is computed."""
    data = model.buffers[tensor.buffer].data
    return None if data is None or len(data) == 0 else bytes(data)


def name(tensor: Any) -> str:
    """The last part of a tensor's name, which names its layer."""
    return bytes(tensor.name or b"").decode(errors="replace").rsplit(";", 1)[-1]


def full_name(tensor: Any) -> str:
    """The whole name of a tensor: the layers that became one operator, with a semicolon between."""
    return bytes(tensor.name or b"").decode(errors="replace")


def known(name: str, names: Collection[str]) -> str | None:
    """Which of `names` a name is, but for the digits that TensorFlow adds to one that is taken; None if none."""
    while name not in names:
        if not name[-1:].isdigit():
            return None
        name = name[:-1]
    return name


def ends(content: bytes) -> Ends:
    """Scale and zero point of the input and the output.

    Raises:
        DataError: An end is not uint8, or the input is not the plain bytes of a picture.
    """
    graph = parse(content).subgraphs[0]
    given, answer = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    if kind(given) != "UINT8" or kind(answer) != "UINT8":
        raise DataError(f"the converter gave {kind(given)} and {kind(answer)} at the ends, not uint8.")
    scales = [float(tensor.quantization.scale[0]) for tensor in (given, answer)]
    zero_points = [int(tensor.quantization.zeroPoint[0]) for tensor in (given, answer)]
    if abs(scales[0] - 1) > 1e-6 or zero_points[0] != 0:
        raise DataError(
            f"the input has scale {scales[0]:.6f} and zero point {zero_points[0]}, but the agent gives bytes 0..255 as"
            " they are. The network must take RGB in 0..255: make rescaling its first layer."
        )
    return Ends(scales[0], zero_points[0], scales[1], zero_points[1])
