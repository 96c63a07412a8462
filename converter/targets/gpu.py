"""What TFLite's GPU delegate and LiteRT's GPU accelerator take of a float or fp16 file, told from the file.

Operators and their conditions are those that the delegate checks itself (`tensorflow/lite/tools/versioning/
gpu_compatibility.cc`), the versions those of its documentation ("by default, all ops are only supported at version 1").
Not held against a GPU: none was at hand.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from converter.targets.placement import Placement, place, rows
from converter.tflite.view import Operation, View, view

GPU = "GPU"
CPU = "CPU"
FOLDED = "GPU, folded into its user"
VERSIONS = {"DEPTHWISE_CONV_2D": 2, "LSTM": 2, "RESIZE_BILINEAR": 3}
"""Newest documented version; of all others it is 1. DEQUANTIZE is folded away, at any version."""
FLOATS = ("FLOAT32", "FLOAT16")
RANK_MAX = 4
ACTIVATIONS_MAX = 4
"""None, ReLU, ReLU -1 to 1, ReLU6, tanh; by its number in the schema the sign bit is 5, and has no kernel."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """What is expected of a GPU. `warnings` are what makes it slow or wrong though it is taken."""

    operators: tuple[Placement, ...]
    warnings: tuple[str, ...]

    @property
    def mapped(self) -> int:
        """How many operators run on the GPU."""
        return sum(one.mapped for one in self.operators)

    @property
    def whole(self) -> bool:
        """Whether all of them do. A network in parts copies pictures back and forth, and is slower than on the CPU."""
        return bool(self.operators) and self.mapped == len(self.operators)


def report(content: bytes) -> Gpu:
    """Say for each operator whether a GPU takes it, and why not.

    Raises:
        DataError: It is not a TFLite file.
    """
    return of(view(content))


def of(file: View) -> Gpu:
    """`report`, of a file that was read."""
    folded = {tensor.index for operation in file.operations if _folds(operation) for tensor in operation.outputs}
    return Gpu(tuple(_placed(operation, folded) for operation in file.operations), tuple(_warnings(file)))


def payload(gpu: Gpu) -> dict[str, Any]:
    """The report as JSON takes it."""
    return {
        "operators": rows(gpu.operators),
        "operator_count": len(gpu.operators),
        "mapped_count": gpu.mapped,
        "warnings": list(gpu.warnings),
    }


def _placed(operation: Operation, folded: set[int]) -> Placement:
    if _folds(operation):
        return place(operation, mapped=True, status=FOLDED)
    reason = _types(operation) or _shapes(operation) or _support(operation, folded)
    return place(operation, mapped=not reason, status=CPU if reason else GPU, reason=reason)


def _folds(operation: Operation) -> bool:
    """Whether it only widens fp16 weights: the delegate reads the weights themselves and drops the operator."""
    return operation.code == "DEQUANTIZE" and all(
        tensor.constant and tensor.kind == "FLOAT16" for tensor in operation.given
    )


def _types(operation: Operation) -> str:
    for tensor in (*operation.given, *operation.outputs):
        if not tensor.constant and tensor.kind not in FLOATS:
            return "it computes in integers, and a GPU in floats: give it the float or fp16 file"
        if tensor.constant and tensor.kind not in (*FLOATS, "INT32"):
            return f"its parameters are {tensor.kind.lower()}: give it the float or fp16 file"
    return ""


def _shapes(operation: Operation) -> str:
    for tensor in (*operation.given, *operation.outputs):
        if -1 in (*tensor.shape, *tensor.signature[1:]):
            return f'"{tensor.name}" has an open shape: convert with fixed sides'
        if not tensor.constant and len(tensor.shape) > RANK_MAX:
            return f'"{tensor.name}" has {len(tensor.shape)} sides, and a GPU takes {RANK_MAX} at most'
    return ""


def _support(operation: Operation, folded: set[int]) -> str:
    if operation.code not in OPERATORS:
        return "the GPU has no such operator"
    newest = VERSIONS.get(operation.code, 1)
    if operation.version > newest:
        return f"version {operation.version} is newer than {newest}, the last that is documented"
    if operation.option("fusedActivationFunction") > ACTIVATIONS_MAX:
        return "the activation fused into it is not supported"
    condition = CONDITIONS.get(operation.code)
    return condition(operation, folded) if condition else ""


def _fixed(operation: Operation, position: int, folded: set[int]) -> bool:
    """Whether an input is a constant, or fp16 weights that are folded in."""
    tensor = operation.input(position)
    return tensor is None or tensor.constant or tensor.index in folded


def _axes(operation: Operation, folded: set[int]) -> str:
    return "" if _fixed(operation, 1, folded) else "its axes are computed, and have to be a constant"


def _convolution(operation: Operation, folded: set[int]) -> str:
    return "" if _fixed(operation, 1, folded) else "its weights are computed, and have to be a constant"


def _depthwise(operation: Operation, folded: set[int]) -> str:
    if operation.option("depthMultiplier") > 1 and operation.given[0].shape[-1] != 1:
        return f"its depth multiplier is {operation.option('depthMultiplier')}: only 1 is supported"
    return _convolution(operation, folded)


def _dense(operation: Operation, folded: set[int]) -> str:
    if operation.option("weightsFormat") != 0:
        return "its weights are shuffled: only the default format is supported"
    if operation.option("keepNumDims") and len(operation.given[0].shape) != len(operation.outputs[0].shape):
        return "it keeps sides that its input hasn't"
    return _convolution(operation, folded)


def _two(operation: Operation, _: set[int]) -> str:
    return "" if len(operation.given) == 2 else f"it has {len(operation.given)} inputs, and 2 are supported"


def _pad(operation: Operation, folded: set[int]) -> str:
    paddings = operation.input(1)
    if not _fixed(operation, 1, folded) or paddings is None or paddings.shape not in ((3, 2), (4, 2)):
        return "its paddings are not a constant of 3 or 4 pairs"
    return ""


def _resize(operation: Operation, _: set[int]) -> str:
    both = operation.option("alignCorners") and operation.option("halfPixelCenters")
    return "it aligns corners and takes half pixel centers at once" if both else ""


def _softmax(operation: Operation, _: set[int]) -> str:
    beta = operation.options.get("beta", 1.0)
    return "" if beta == 1 else f"its beta is {beta:g}: only 1 is supported"


def _slice(operation: Operation, _: set[int]) -> str:
    return "" if len(operation.given[0].shape) in (3, 4) else "it slices a tensor that has not 3 or 4 sides"


def _strided_slice(operation: Operation, folded: set[int]) -> str:
    if any(operation.option(mask) for mask in ("ellipsisMask", "newAxisMask", "shrinkAxisMask")):
        return "it adds or drops a side: write the slice with ranges, and reshape"
    return _slice(operation, folded)


def _warnings(file: View) -> Iterator[str]:
    ends = [tensor.kind for tensor in (*file.inputs, *file.outputs)]
    if any(kind not in FLOATS for kind in ends):
        yield f"its ends are {', '.join(sorted({kind.lower() for kind in ends}))}: a GPU wants float32 there."
    slow = sorted({operation.code for operation in file.operations if operation.code in SLOW})
    if slow:
        yield f"{', '.join(slow)} move data around, which is costly on a GPU."


SLOW = frozenset({"DEPTH_TO_SPACE", "SPACE_TO_DEPTH", "TRANSPOSE"})
CONDITIONS: dict[str, Callable[[Operation, set[int]], str]] = {
    "ADD": _two,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _dense,
    "MEAN": _axes,
    "MUL": _two,
    "PAD": _pad,
    "REDUCE_MAX": _axes,
    "REDUCE_MIN": _axes,
    "RESIZE_BILINEAR": _resize,
    "SLICE": _slice,
    "SOFTMAX": _softmax,
    "STRIDED_SLICE": _strided_slice,
    "SUM": _axes,
    "TRANSPOSE_CONV": _convolution,
}
"""What breaks the condition of an operator, or nothing."""
OPERATORS = frozenset(CONDITIONS) | {
    "ABS",
    "AVERAGE_POOL_2D",
    "CONCATENATION",
    "DEPTH_TO_SPACE",
    "DIV",
    "ELU",
    "EXP",
    "GELU",
    "HARD_SWISH",
    "LEAKY_RELU",
    "LOGISTIC",
    "LSTM",
    "MAXIMUM",
    "MAX_POOL_2D",
    "MINIMUM",
    "NEG",
    "PRELU",
    "RELU",
    "RELU6",
    "RELU_N1_TO_1",
    "RESHAPE",
    "RESIZE_NEAREST_NEIGHBOR",
    "RSQRT",
    "SPACE_TO_DEPTH",
    "SPLIT",
    "SQRT",
    "SQUARE",
    "SQUARED_DIFFERENCE",
    "SUB",
    "TANH",
    "TRANSPOSE",
}
"""The float operators of classifiers that the delegate knows; it knows some more, of other networks."""
