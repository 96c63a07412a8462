"""Which builds of a network a target needs, and what each target makes of its build.

An Edge TPU's compiler that fails costs the bundle its Edge TPU file and no more: it is asked last, about the network
that the ladder ended with, and what is proven by then runs on every processor. So its failure is a warning whatever the
target, like its absence, and stands in the report.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from converter.quantizing.quantize import Precision
from converter.targets import compiler, cpu, edgetpu, gpu
from converter.tflite.view import view
from edge_agent.bundle import EDGETPU_FILE, FLOAT_FILE, GPU_FILE
from edge_agent.shelf import DataError, InputError

Target = Literal["cpu", "edgetpu", "gpu", "all"]


@dataclass(frozen=True, slots=True, eq=False)
class Builds:
    """Other builds of a network by file name, what each target makes of its own, and the targets that can use one.

    `delegates` names the Edge TPU where its compiler made a file, and a GPU where each operator is one that it takes.
    """

    variants: dict[str, bytes]
    reports: Mapping[str, Mapping[str, Any]]
    delegates: tuple[str, ...]
    warnings: tuple[str, ...] = field(default=())


def precisions(target: Target) -> tuple[Precision, ...]:
    """What to convert to; float32 is the reference, and what processors without int8 kernels run."""
    return ("int8", "float32", "float16") if target in ("gpu", "all") else ("int8", "float32")


def may_float(target: Target) -> bool:
    """Whether layers may stay in float, which the Edge TPU doesn't take."""
    return target in ("cpu", "gpu")


def build(target: Target, model: bytes, floats: Mapping[Precision, bytes]) -> Builds:
    """Make what a target needs beside the int8 file, and say what each target will make of it.

    Args:
        target: What the bundle shall run on.
        model: The int8 file.
        floats: The float32 file, and for a GPU the float16 one.
    """
    variants = {FLOAT_FILE: floats["float32"]}
    reports: dict[str, Mapping[str, Any]] = {"cpu": cpu.payload(cpu.of(view(model)))}
    delegates = ["cpu"]
    warnings: list[str] = []
    if target in ("edgetpu", "all"):
        reports["edgetpu"] = _for_edgetpu(model, variants, warnings)
        delegates += ["edgetpu"] if EDGETPU_FILE in variants else []
    if target in ("gpu", "all"):
        variants[GPU_FILE] = floats["float16"]
        found = gpu.report(floats["float16"])
        reports["gpu"] = gpu.payload(found)
        if left := sorted({one.code for one in found.operators if not one.mapped}):
            warnings.append(f"a GPU leaves {', '.join(left)} to the processor; see the report.")
        else:
            delegates.append("gpu")
    return Builds(variants, reports, tuple(delegates), tuple(warnings))


def _for_edgetpu(model: bytes, variants: dict[str, bytes], warnings: list[str]) -> Mapping[str, Any]:
    """The static report; where the compiler is, the compiled file goes into `variants`, and its word counts."""
    expected = edgetpu.report(model)
    try:
        made = compiler.compile_(model)
    except (DataError, InputError) as error:
        warnings.append(f"the bundle holds no file for the Edge TPU, and what is said of it is a forecast: {error}")
        return {**edgetpu.payload(expected), "compiler_error": str(error)}
    if made is None:
        warnings.append(
            f"{compiler.PROGRAM} is not on the PATH, so the bundle holds no file for the Edge TPU yet; what is said of"
            " it is a forecast. Put Coral's compiler on the PATH (x86-64 Linux only) and convert again."
        )
        return edgetpu.payload(expected)
    variants[EDGETPU_FILE] = made.content
    for difference in made.differences:
        where = "on the Edge TPU" if difference.found_mapped else "on the processor"
        warnings.append(
            f"the compiler put {difference.code} ({difference.layer}) {where}; {difference.expected} was expected."
        )
    return {**edgetpu.payload(expected), "compiled": compiler.payload(made)}
