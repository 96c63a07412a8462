"""What the Edge TPU's compiler will make of an int8 file, told without the compiler.

An operator is mapped if it passes its own check (`converter.targets.edgetpu_rules`) and if no operator on the CPU lies
between it and an earlier one on the Edge TPU: the compiler makes one part, and what comes after the first break stays
on the CPU. Held against Coral's own pairs of models in the tests.
"""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from converter.targets import edgetpu_memory, edgetpu_rules
from converter.targets.edgetpu_memory import ERROR, ON_CHIP_BYTES, Fit
from converter.targets.edgetpu_rules import MAPPED, ONE_SUBGRAPH, Refused
from converter.targets.placement import Placement, place, rows
from converter.tflite.view import Operation, View, view
from edge_agent.shelf import DataError

DENSE_INPUTS_MAX = 4000
"""The compiler lays the weights of wider dense layers out in a way that takes many times their size."""
DYNAMIC = (
    "Attempting to use a delegate that only supports static-sized tensors with a graph that has dynamic-sized tensors."
)
NOT_QUANTIZED = "Model not quantized"


@dataclass(frozen=True, slots=True)
class EdgeTpu:
    """What is expected of the compiler.

    `refusal` is why it would refuse the whole file, empty where it wouldn't. `on_chip_bytes` is what the parameters of
    the mapped operators take, an estimate; `command` is the line that compiles the file.
    """

    operators: tuple[Placement, ...]
    refusal: str
    on_chip_bytes: int
    fit: Fit
    warnings: tuple[str, ...]
    command: str

    @property
    def mapped(self) -> int:
        """How many operators run on the Edge TPU."""
        return sum(one.mapped for one in self.operators)

    @property
    def whole(self) -> bool:
        """Whether all of them do."""
        return bool(self.operators) and self.mapped == len(self.operators)


def report(content: bytes, *, name: str = "model.tflite") -> EdgeTpu:
    """Say for each operator of an uncompiled file whether it will run on the Edge TPU, and why not.

    Args:
        content: The file.
        name: What it is called, for the compiler's command line.

    Raises:
        DataError: It is not a TFLite file, or one that is compiled already.
    """
    return of(view(content), name=name)


def of(file: View, *, name: str = "model.tflite") -> EdgeTpu:
    """`report`, of a file that was read."""
    if file.compiled:
        raise DataError(f"{name}: compiled for the Edge TPU already. Give the int8 file that it was compiled from.")
    refusal = _refusal(file)
    reasons = {operation.index: edgetpu_rules.refused(operation) for operation in file.operations}
    if refusal:
        whole = Refused(*refusal)
        reasons = {index: reason or whole for index, reason in reasons.items()}
    operators = tuple(_placed(file, reasons))
    taken = [file.operations[one.index] for one in operators if one.mapped]
    on_chip_bytes = edgetpu_memory.estimate(taken)
    return EdgeTpu(
        operators=operators,
        refusal=": ".join(refusal) if refusal else "",
        on_chip_bytes=on_chip_bytes,
        fit=edgetpu_memory.fit(on_chip_bytes),
        warnings=tuple(_warnings(file)),
        command=f"edgetpu_compiler -s -o . {shlex.quote(name)}",
    )


def payload(edgetpu: EdgeTpu) -> dict[str, Any]:
    """The report as JSON takes it, for pages and files."""
    return {
        "operators": rows(edgetpu.operators),
        "operator_count": len(edgetpu.operators),
        "mapped_count": edgetpu.mapped,
        "refusal": edgetpu.refusal,
        "on_chip_estimate_bytes": edgetpu.on_chip_bytes,
        "on_chip_estimate_error": ERROR,
        "on_chip_limit_bytes": ON_CHIP_BYTES,
        "fit": edgetpu.fit,
        "warnings": list(edgetpu.warnings),
        "command": edgetpu.command,
    }


def _placed(file: View, reasons: Mapping[int, Refused | None]) -> Iterator[Placement]:
    """Each operator, in the order in which they run.

    `above` holds the tensors that depend on the Edge TPU, and `broken` those that depend on an operator on the CPU
    which does.
    """
    above: set[int] = set()
    broken: set[int] = set()
    for operation in file.operations:
        given = {tensor.index for tensor in operation.given}
        made = {tensor.index for tensor in operation.outputs}
        reason = reasons[operation.index]
        if reason is None and given & broken:
            reason = Refused(
                ONE_SUBGRAPH, "an operator before it stays on the CPU, and the compiler makes one part only"
            )
        if reason is None or given & above:
            above |= made
        if given & broken or (reason is not None and given & above):
            broken |= made
        yield place(
            operation,
            mapped=reason is None,
            status=reason.status if reason else MAPPED,
            reason=reason.reason if reason else "",
        )


def _refusal(file: View) -> tuple[str, str] | None:
    """What makes the compiler refuse a whole file: its words, and ours."""
    if file.graphs > 1:
        return ONE_SUBGRAPH, f"the file has {file.graphs} graphs, as loops and conditions make them"
    if not any(tensor.kind in ("INT8", "UINT8") and tensor.scales for tensor in file.tensors):
        return NOT_QUANTIZED, "give the int8 file"
    for operation in file.operations:
        if tensor := _open(operation):
            return DYNAMIC, f'{operation.code} makes "{tensor}", whose shape is known only when it runs'
    return None


def _open(operation: Operation) -> str:
    """The name of an output without a fixed shape. An open batch is no such thing: the compiler takes it as one."""
    for position in edgetpu_rules.SHAPES.get(operation.code, ()):
        parameter = operation.input(position)
        if parameter is not None and not parameter.constant:
            return operation.layer or operation.code
    sides = [tensor for tensor in operation.outputs if -1 in (*tensor.shape, *tensor.signature[1:])]
    return sides[0].name or operation.code if sides else ""


def _warnings(file: View) -> Iterator[str]:
    """What the compiler won't say."""
    for operation in file.operations:
        weights = operation.input(1)
        if operation.code != "FULLY_CONNECTED" or weights is None or len(weights.shape) != 2:
            continue
        if weights.shape[1] > DENSE_INPUTS_MAX:
            yield (
                f'dense layer "{operation.layer}" has {weights.shape[1]:,} inputs: above {DENSE_INPUTS_MAX:,} its'
                " weights can take many times their size on the chip. Pool before it (GlobalAveragePooling2D)."
            )
        if len(weights.scales) > 1:
            yield (
                f'dense layer "{operation.layer}" has {len(weights.scales)} scales: the compiler reads more than one'
                " wrongly, in silence. Quantize dense layers per tensor, as shelf-convert does."
            )
    if any(-1 in tensor.signature[:1] for tensor in file.inputs):
        yield "the batch is open: the compiler fixes it to one, and a compiled file takes one picture at a time."
