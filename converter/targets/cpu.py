"""What LiteRT makes of a file on a CPU: which operators XNNPACK takes, the library that holds the fast kernels.

What XNNPACK leaves runs in TFLite's own kernels, which is slower and splits the graph into parts. The list is that of
LiteRT 2.3, found by asking it (`Interpreter._get_ops_details`) and held against it in the tests; tflite-runtime hands
XNNPACK floats only, on x86.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from converter.targets.placement import Placement, place, rows
from converter.tflite.view import EDGETPU, Operation, View

XNNPACK = "XNNPACK"
KERNELS = "TFLite's own kernel"
UNKNOWN = "Unresolved custom operator"
SPLIT_MAX = 4
INT8 = frozenset(
    {
        "ADD",
        "CONCATENATION",
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "DEQUANTIZE",
        "ELU",
        "FULLY_CONNECTED",
        "LEAKY_RELU",
        "LOGISTIC",
        "MAX_POOL_2D",
        "MEAN",
        "MUL",
        "PAD",
        "QUANTIZE",
        "REDUCE_MAX",
        "REDUCE_MIN",
        "RESHAPE",
        "RESIZE_BILINEAR",
        "SLICE",
        "SPLIT",
        "STRIDED_SLICE",
        "SUB",
        "SUM",
        "TANH",
        "TRANSPOSE",
        "TRANSPOSE_CONV",
    }
)
"""Operators that XNNPACK has int8 and uint8 kernels for."""
FLOAT = INT8 | {
    "ABS",
    "AVERAGE_POOL_2D",
    "DIV",
    "EXP",
    "GELU",
    "HARD_SWISH",
    "LOG",
    "MAXIMUM",
    "MINIMUM",
    "NEG",
    "PRELU",
    "RELU",
    "RELU6",
    "RELU_N1_TO_1",
    "RSQRT",
    "SOFTMAX",
    "SQUARE",
    "SQUARED_DIFFERENCE",
    "SQRT",
}
"""Operators that it has float kernels for."""


@dataclass(frozen=True, slots=True)
class Cpu:
    """What runs where on the CPU. `parts` are the pieces of the graph that XNNPACK gets; one is best."""

    operators: tuple[Placement, ...]
    parts: int

    @property
    def runs(self) -> bool:
        """Whether LiteRT alone can run it: not with operators of somebody's own."""
        return not any(one.status == UNKNOWN for one in self.operators)


def of(file: View) -> Cpu:
    """Say for each operator whether XNNPACK takes it."""
    operators = tuple(_placed(operation) for operation in file.operations)
    return Cpu(operators, _parts(file, {one.index for one in operators if one.mapped}))


def payload(cpu: Cpu) -> dict[str, Any]:
    """The same as JSON takes it."""
    return {"operators": rows(cpu.operators), "runs": cpu.runs, "parts": cpu.parts}


def _placed(operation: Operation) -> Placement:
    if operation.code == "CUSTOM":
        library = "the Edge TPU and its library" if operation.custom == EDGETPU else "a library that brings it"
        return place(operation, mapped=False, status=UNKNOWN, reason=f"it needs {library}")
    reason = _reason(operation)
    return place(operation, mapped=not reason, status=KERNELS if reason else XNNPACK, reason=reason)


def _reason(operation: Operation) -> str:
    kinds = {tensor.kind for tensor in (*operation.given[:1], *operation.outputs)}
    if operation.code == "QUANTIZE" and kinds == {"UINT8", "INT8"}:
        return "it turns uint8 into int8 or back, which costs microseconds"
    if operation.code == "SPLIT" and len(operation.outputs) > SPLIT_MAX:
        return f"it splits into {len(operation.outputs)}, and XNNPACK into {SPLIT_MAX} at most"
    if operation.code == "STRIDED_SLICE" and any(stride != 1 for stride in _strides(operation)):
        return "it takes steps, and XNNPACK slices without"
    known = FLOAT if kinds <= {"FLOAT32", "FLOAT16"} else INT8
    if operation.code in known:
        return ""
    return f"XNNPACK has no kernel for it on {' and '.join(sorted(kinds)).lower()}"


def _strides(operation: Operation) -> tuple[int, ...]:
    strides = operation.input(3)
    return strides.integers if strides else ()


def _parts(file: View, taken: Collection[int]) -> int:
    """How many pieces XNNPACK gets, by TFLite's way: all that is ready and of one side makes a piece, in turn."""
    waiting, parts, for_xnnpack, idle = file.operations, 0, True, 0
    while waiting and idle < 2:  # a graph that runs in circles never gets ready
        left = _unready(waiting, taken, for_xnnpack=for_xnnpack)
        idle = idle + 1 if len(left) == len(waiting) else 0
        parts += for_xnnpack and len(left) < len(waiting)
        waiting, for_xnnpack = left, not for_xnnpack
    return parts


def _unready(waiting: Sequence[Operation], taken: Collection[int], *, for_xnnpack: bool) -> tuple[Operation, ...]:
    """What cannot go into a piece of this side: it is of the other, or waits for something that is."""
    late = {tensor.index for operation in waiting for tensor in operation.outputs}
    left = []
    for operation in waiting:
        if (operation.index in taken) == for_xnnpack and late.isdisjoint(tensor.index for tensor in operation.given):
            late -= {tensor.index for tensor in operation.outputs}
        else:
            left.append(operation)
    return tuple(left)
