"""What is in a TFLite file and what each target makes of it, told without running it.

For a file that may come from anywhere use `converter.tflite.child`, which does this in a process of its own.
"""

import json
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Literal

from converter.targets import compiled, cpu, edgetpu, gpu
from converter.targets.compiled import Compiled
from converter.targets.cpu import Cpu
from converter.targets.edgetpu import EdgeTpu
from converter.targets.gpu import Gpu
from converter.tflite.metadata import attached, read_metadata
from converter.tflite.view import Tensor, View, printable, view

INTEGERS = frozenset({"INT4", "INT8", "UINT8", "INT16", "INT32", "INT64", "BOOL"})

Kind = Literal[
    "float32", "fp16", "int8", "int8 weights, float computation", "int8 in part", "compiled for the Edge TPU"
]


@dataclass(frozen=True, slots=True)
class End:
    """An input or output. A real value is (stored - zero_point) x scale; both are None where it holds floats."""

    name: str
    shape: tuple[int, ...]
    type: str
    scale: float | None
    zero_point: int | None


@dataclass(frozen=True, slots=True)
class Used:
    """Operators of one name and version."""

    code: str
    version: int
    count: int


@dataclass(frozen=True, slots=True)
class Description:
    """What a file is.

    `parameters` are the constants of layers, weights and biases, and `parameter_bytes` what they take; in a compiled
    file the compiler's package counts as bytes only. `files` are those that are packed at the end; `labels` are the
    lines of the one that the metadata names for them. A report is None where it makes no sense: a compiled file has no
    report of what the compiler would do.
    """

    kind: Kind
    size_bytes: int
    made_by: str
    inputs: tuple[End, ...]
    outputs: tuple[End, ...]
    operators: tuple[Used, ...]
    parameters: int
    parameter_bytes: int
    metadata: tuple[str, ...]
    files: tuple[str, ...]
    labels: tuple[str, ...]
    cpu: Cpu
    edgetpu: EdgeTpu | None
    compiled: Compiled | None
    gpu: Gpu | None


def describe(content: bytes, *, name: str = "model.tflite") -> Description:
    """Read a file and say what it is.

    Args:
        content: The file.
        name: What it is called, for the command lines in it.

    Raises:
        DataError: It is not a TFLite file, or damaged. What a damaged one does to the parser may also be any other
            error, or take for ever: that is what `converter.tflite.child` is for.
    """
    file = view(content)
    said = read_metadata(content)
    weights = [tensor for tensor in file.tensors if _is_parameter(tensor)]
    return Description(
        kind=kind(file),
        size_bytes=len(content),
        made_by=file.description,
        inputs=tuple(_end(tensor) for tensor in file.inputs),
        outputs=tuple(_end(tensor) for tensor in file.outputs),
        operators=_used(file),
        parameters=sum(tensor.size for tensor in weights),
        parameter_bytes=sum(len(tensor.data or b"") for tensor in weights),
        metadata=tuple(file.metadata),
        files=tuple(printable(packed) for packed in attached(content)),
        labels=tuple(printable(label) for label in (said and said.labels) or ()),
        cpu=cpu.of(file),
        edgetpu=None if file.compiled else edgetpu.of(file, name=name),
        compiled=compiled.of(file) if file.compiled else None,
        gpu=None if file.compiled else gpu.of(file),
    )


def payload(description: Description) -> dict[str, Any]:
    """A description as JSON takes it."""
    fields = ("kind", "size_bytes", "made_by", "parameters", "parameter_bytes")
    return {
        **{field: getattr(description, field) for field in fields},
        "inputs": [asdict(end) for end in description.inputs],
        "outputs": [asdict(end) for end in description.outputs],
        "operators": [asdict(used) for used in description.operators],
        "metadata": list(description.metadata),
        "files": list(description.files),
        "labels": list(description.labels),
        "targets": {
            "cpu": cpu.payload(description.cpu),
            "edgetpu": None if description.edgetpu is None else edgetpu.payload(description.edgetpu),
            "gpu": None if description.gpu is None else gpu.payload(description.gpu),
        },
        "compiled": None if description.compiled is None else compiled.payload(description.compiled),
    }


def kind(file: View) -> Kind:
    """What a file computes in, and with what weights."""
    if file.compiled:
        return "compiled for the Edge TPU"
    computed = {tensor.kind for operation in file.operations for tensor in operation.outputs}
    weights = {tensor.kind for tensor in file.tensors if _is_parameter(tensor)}
    inside = {tensor.kind for operation in file.operations for tensor in operation.outputs if not _is_end(file, tensor)}
    integer = {"INT8", "UINT8"}
    if inside and inside <= INTEGERS and computed & integer:
        return "int8"  # its ends may be float
    if not computed & integer:
        return "fp16" if "FLOAT16" in weights else "int8 weights, float computation" if weights & integer else "float32"
    return "int8 in part" if computed & {"FLOAT32", "FLOAT16"} else "int8"


def _is_end(file: View, tensor: Tensor) -> bool:
    return any(tensor.index == end.index for end in file.outputs)


def _is_parameter(tensor: Tensor) -> bool:
    """Weights and biases; plain integers without a scale are shapes and axes."""
    return tensor.constant and (tensor.kind.startswith("FLOAT") or bool(tensor.scales))


def _end(tensor: Tensor) -> End:
    stored = tensor.kind in INTEGERS and bool(tensor.scales)
    return End(
        name=tensor.name,
        shape=tensor.signature if len(tensor.signature) == len(tensor.shape) else tensor.shape,
        type=tensor.kind.lower(),
        scale=tensor.scales[0] if stored else None,
        zero_point=(tensor.zero_points or (0,))[0] if stored else None,
    )


def _used(file: View) -> tuple[Used, ...]:
    """The operators by name and version, the most frequent first."""
    counts = Counter((operation.name, operation.version) for operation in file.operations)
    return tuple(Used(code, version, count) for (code, version), count in counts.most_common())


def to_json(description: Description) -> str:
    """A description as text that a person can read too."""
    return json.dumps(payload(description), indent=2, ensure_ascii=False)
