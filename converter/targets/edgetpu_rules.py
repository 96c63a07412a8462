"""What the Edge TPU's compiler takes of a single operator, as documented for version 16.

The conditions are those of Coral's table of supported operations. Of those that were noted down from memory, a copy of
the table of 2019 confirms SLICE, SOFTMAX, SPACE_TO_DEPTH, SPLIT, SQUEEZE and STRIDED_SLICE with their conditions, and
SUB and TANH without any; SPLIT and SOFTMAX are also in Coral's own pairs of models. RSQRT, SQUARED_DIFFERENCE, SUM,
TRANSPOSE and TRANSPOSE_CONV could not be checked: no pair at hand has them.
"""

from collections.abc import Callable
from typing import NamedTuple

from converter.tflite.view import Operation, Tensor

MAPPED = "Mapped to Edge TPU"
ONE_SUBGRAPH = "More than one subgraph is not supported"
VERSION = "Operation version not supported"
TYPE = "Operation is working on an unsupported data type"
LIMITED = "Operation is otherwise supported, but not mapped due to some unspecified limitation"
UNSUPPORTED = "Operation not supported"
RANK = "Tensor has unsupported rank (up to 3 innermost dimensions mapped)"  # the wording is from memory

VERSIONS = {
    "ADD": 3,
    "CONV_2D": 5,
    "DEPTHWISE_CONV_2D": 6,
    "FULLY_CONNECTED": 9,
    "MEAN": 3,
    "MUL": 4,
    "PAD": 3,
    "QUANTIZE": 2,
    "SOFTMAX": 3,
    "TRANSPOSE_CONV": 3,
}
"""The newest version of an operator that TensorFlow 2.5 knows, and with it the compiler; others were not looked up."""
LSTMS = ("LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM")
SOFTMAX_VALUES_MAX = 16_000
RESIZE_FACTOR_MAX = 8
"""Between 2 times, which is mapped, and the 33 times of Coral's DeepLab, which is not; the real limit is unknown."""
RESIZE_VALUES_MAX = 4_000_000
"""Between 0.5 and 8.4 million values of one network that was compiled in two sizes (google-coral/edgetpu, issue 31)."""
REMEDIES = {
    "HARD_SWISH": "use ReLU6",
    "LEAKY_RELU": "use ReLU or PReLU with one slope per channel",
    "GELU": "use ReLU or ReLU6",
    "DIV": "multiply by a constant",
    "ARG_MAX": "take the largest score on the CPU",
    "SHAPE": "convert with a batch of one",
}


class Refused(NamedTuple):
    """Why an operator stays on the CPU: in the compiler's words, and in ours."""

    status: str
    reason: str


def refused(operation: Operation) -> Refused | None:
    """Why an operator alone cannot be mapped, whatever lies around it; None if it can."""
    for rule in (_types, _support, _version, _rank, _parameters):
        if found := rule(operation):
            return found
    condition = CONDITIONS.get(operation.code)
    reason = condition(operation) if condition else ""
    return Refused(LIMITED, reason) if reason else None


def _types(operation: Operation) -> Refused | None:
    """Computed tensors are int8 or uint8. The cell state of an LSTM is 16 bit wide by TFLite's own specification."""
    if operation.code == "QUANTIZE" and any(tensor.kind == "FLOAT32" for tensor in operation.given):
        return Refused(LIMITED, "it turns floats into bytes: give the network uint8 or int8 inputs")
    for tensor in (*operation.given, *operation.outputs):
        state = tensor.variable and operation.code in LSTMS
        if not tensor.constant and tensor.kind not in ("INT8", "UINT8") and not (state and tensor.kind == "INT16"):
            return Refused(TYPE, f"it works on {tensor.kind.lower()}, and the Edge TPU on int8 and uint8 only")
        if tensor.constant and tensor.kind not in ("INT8", "UINT8", "INT16", "INT32"):
            return Refused(TYPE, f"its parameters are {tensor.kind.lower()}: quantize the network to int8 throughout")
    return None


def _support(operation: Operation) -> Refused | None:
    if operation.code in SUPPORTED:
        return None
    remedy = REMEDIES.get(operation.code)
    return Refused(UNSUPPORTED, "the Edge TPU has no such operator" + (f": {remedy}" if remedy else ""))


def _version(operation: Operation) -> Refused | None:
    newest = VERSIONS.get(operation.code, operation.version)
    if operation.version <= newest:
        return None
    return Refused(VERSION, f"version {operation.version} is newer than {newest}, the last that the compiler knows")


def _rank(operation: Operation) -> Refused | None:
    for tensor in (*operation.given, *operation.outputs):
        if not tensor.constant and any(side > 1 for side in tensor.shape[:-3]):
            return Refused(RANK, f"a tensor is {_shape(tensor)}: more than three sides above 1; use a batch of one")
    return None


def _parameters(operation: Operation) -> Refused | None:
    for position in PARAMETERS.get(operation.code, ()):
        tensor = operation.input(position)
        if tensor is not None and not tensor.constant:
            return Refused(LIMITED, f'its parameter "{tensor.name}" is computed, and has to be a constant')
    return None


def _plain(operation: Operation) -> str:
    return "it has an activation fused into it, which only convolutions may" if _fused(operation) else ""


def _concatenation(operation: Operation) -> str:
    constants = [tensor for tensor in operation.given if tensor.constant]
    if not constants:
        return _plain(operation)
    zero = all(set(tensor.data or b"") == {(tensor.zero_points or (0,))[0] % 256} for tensor in constants)
    if len(operation.given) != 2 or not zero:
        return "it adds a constant that is not all zeros to a single input"
    return _plain(operation)


def _convolution(operation: Operation) -> str:
    wide, high = operation.option("dilationWFactor"), operation.option("dilationHFactor")
    return "" if wide == high else f"its dilation is {wide} in x and {high} in y: use the same"


def _dense(operation: Operation) -> str:
    output = operation.outputs[0]
    if operation.option("weightsFormat") != 0:
        return "its weights are shuffled: only the default format is supported"
    return "" if output.size == max(output.shape[-1:], default=1) else f"its output {_shape(output)} has rows: use one"


def _axes(operation: Operation) -> tuple[int, ...]:
    rank = len(operation.given[0].shape)
    axes = operation.input(1)
    return tuple(axis % rank for axis in axes.integers) if axes is not None and rank else ()


def _reduction(operation: Operation) -> str:
    return "it reduces the batch" if 0 in _axes(operation) else ""


def _mean(operation: Operation) -> str:
    shape = operation.given[0].shape
    if len(shape) - 1 in _axes(operation) and shape[-1] % 4:
        return f"it takes the mean over {shape[-1]} channels, which is no multiple of 4"
    return _reduction(operation)


def _pad(operation: Operation) -> str:
    paddings = operation.input(1)
    return "it pads the batch" if paddings is not None and any(paddings.integers[:2]) else ""


def _pack(operation: Operation) -> str:
    return "" if operation.option("axis") else "it packs along the batch"


def _prelu(operation: Operation) -> str:
    alpha = operation.input(1)
    if alpha is None or alpha.size == max(alpha.shape[-1:], default=1):
        return ""
    return f"its slopes are {_shape(alpha)}: share them over height and width (shared_axes=[1, 2])"


def _resize(operation: Operation) -> str:
    """The documented reason is "depending on input/output size … to avoid loss in precision", without figures."""
    given, answer = operation.given[0], operation.outputs[0]
    factor = max((after / max(before, 1) for before, after in zip(given.shape, answer.shape, strict=False)), default=1)
    if factor > RESIZE_FACTOR_MAX or answer.size > RESIZE_VALUES_MAX:
        return f"it enlarges {_shape(given)} to {_shape(answer)}, where the compiler fears for its precision"
    return ""


def _softmax(operation: Operation) -> str:
    given = operation.given[0]
    if given.size != max(given.shape[-1:], default=1):
        return f"its input {_shape(given)} is not one row"
    return "" if given.size <= SOFTMAX_VALUES_MAX else f"it has {given.size} values, more than {SOFTMAX_VALUES_MAX}"


def _squeeze(operation: Operation) -> str:
    before, after = _inner(operation.given[0]), _inner(operation.outputs[0])
    return "" if before == after else f"it takes sides out of the middle of {_shape(operation.given[0])}"


def _strided_slice(operation: Operation) -> str:
    strides = operation.input(3)
    if operation.option("ellipsisMask") or operation.option("newAxisMask"):
        return "it has an ellipsis or a new axis"
    return "its strides are not all 1" if strides is not None and any(n != 1 for n in strides.integers) else ""


def _fused(operation: Operation) -> int:
    return operation.option("fusedActivationFunction")


def _inner(tensor: Tensor) -> tuple[int, ...]:
    """The shape without its leading ones."""
    first = next((at for at, side in enumerate(tensor.shape) if side != 1), len(tensor.shape))
    return tensor.shape[first:]


def _shape(tensor: Tensor) -> str:
    return " × ".join(str(side) for side in tensor.shape) or "a single value"


CONDITIONS: dict[str, Callable[[Operation], str]] = {
    "AVERAGE_POOL_2D": _plain,
    "CONCATENATION": _concatenation,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _convolution,
    "FULLY_CONNECTED": _dense,
    "MAX_POOL_2D": _plain,
    "MEAN": _mean,
    "PACK": _pack,
    "PAD": _pad,
    "PRELU": _prelu,
    "REDUCE_MAX": _reduction,
    "REDUCE_MIN": _reduction,
    "RESIZE_BILINEAR": _resize,
    "RESIZE_NEAREST_NEIGHBOR": _resize,
    "SOFTMAX": _softmax,
    "SQUEEZE": _squeeze,
    "STRIDED_SLICE": _strided_slice,
    "SUM": _reduction,
}
"""What breaks the documented condition of an operator, or nothing."""
SUPPORTED = frozenset(CONDITIONS) | {
    *LSTMS,
    "ADD",
    "EXPAND_DIMS",
    "L2_NORMALIZATION",
    "LOGISTIC",
    "MAXIMUM",
    "MINIMUM",
    "MUL",
    "QUANTIZE",
    "RELU",
    "RELU6",
    "RELU_N1_TO_1",
    "RESHAPE",
    "RSQRT",
    "SLICE",
    "SPACE_TO_DEPTH",
    "SPLIT",
    "SQUARED_DIFFERENCE",
    "SUB",
    "TANH",
    "TRANSPOSE",
    "TRANSPOSE_CONV",
}
SHAPES = {
    "EXPAND_DIMS": (1,),
    "MEAN": (1,),
    "PAD": (1,),
    "REDUCE_MAX": (1,),
    "REDUCE_MIN": (1,),
    "RESHAPE": (1,),
    "RESIZE_BILINEAR": (1,),
    "RESIZE_NEAREST_NEIGHBOR": (1,),
    "SLICE": (1, 2),
    "SPLIT": (0,),
    "STRIDED_SLICE": (1, 2, 3),
    "SUM": (1,),
    "TRANSPOSE": (1,),
}
"""The inputs that decide what shape an operator's output has."""
PARAMETERS = {
    **SHAPES,
    "CONV_2D": (1, 2),
    "DEPTHWISE_CONV_2D": (1, 2),
    "FULLY_CONNECTED": (1, 2),
    "PRELU": (1,),
    "TRANSPOSE_CONV": (0, 1, 3),
}
"""The inputs that have to be constants."""
