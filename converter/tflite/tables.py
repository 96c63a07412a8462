"""A description of a TFLite file as a person reads it in a terminal."""

from collections.abc import Iterable, Iterator

from rich.console import Group as Stack
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from converter.targets.compiled import Compiled
from converter.targets.cpu import Cpu
from converter.targets.edgetpu import EdgeTpu
from converter.targets.edgetpu_memory import ERROR, ON_CHIP_BYTES
from converter.targets.gpu import Gpu
from converter.targets.placement import Placement, grouped
from converter.tflite.describe import Description, End

LABELS_SHOWN = 4
REASONS_SHOWN = 6


def tables(description: Description, *, title: str) -> RenderableType:
    """What the file is, what each of its operators becomes, and what each target makes of the whole."""
    parts: list[RenderableType] = [
        Text(title, style="bold"),
        _facts(description),
        Text(),
        _operators(description),
        Text(),
    ]
    parts.append(_targets(description))
    if description.edgetpu and description.edgetpu.mapped:
        parts += [Text(), Text("To compile it for the Edge TPU:"), _whole(description.edgetpu.command)]
    return Stack(*parts)


def size(count_bytes: int) -> str:
    """Bytes as the Edge TPU's compiler writes them.

    >>> size(488), size(15168), size(2777600)
    ('488 B', '14.8 KiB', '2.65 MiB')
    """
    if count_bytes < 2**10:
        return f"{count_bytes} B"
    return f"{count_bytes / 2**10:.1f} KiB" if count_bytes < 2**20 else f"{count_bytes / 2**20:.2f} MiB"


def _whole(command: str) -> Text:
    """A line that is never broken, so that it can be copied."""
    return Text(f"  {command}", no_wrap=True, overflow="ignore")


def _facts(description: Description) -> Table:
    facts = Table.grid(padding=(0, 2))
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row("kind", Text(description.kind))
    facts.add_row("size", f"{size(description.size_bytes)} ({description.size_bytes:,} bytes)")
    if description.parameters:
        facts.add_row("parameters", f"{description.parameters:,}, in {size(description.parameter_bytes)}")
    for name, ends in (("input", description.inputs), ("output", description.outputs)):
        for end in ends:
            facts.add_row(name, Text(_end(end)))
    facts.add_row("metadata", Text(", ".join(description.metadata) or "none"))
    facts.add_row("labels", Text(_labels(description.labels)))
    if description.made_by:
        facts.add_row("made by", Text(description.made_by))
    return facts


def _end(end: End) -> str:
    shape = " × ".join("?" if side < 0 else str(side) for side in end.shape) or "a single value"
    if end.scale is None:
        return f"{shape} {end.type}"
    return f"{shape} {end.type}, scale {end.scale:.6g}, zero point {end.zero_point}"


def _labels(labels: tuple[str, ...]) -> str:
    if not labels:
        return "none in the file"
    more = f" and {len(labels) - LABELS_SHOWN} more" if len(labels) > LABELS_SHOWN else ""
    return f"{len(labels)}: {', '.join(labels[:LABELS_SHOWN])}{more}"


def _operators(description: Description) -> Table:
    """One row for each operator and version, with how many of them each target takes."""
    reports: dict[str, tuple[Placement, ...]] = {"XNNPACK": description.cpu.operators}
    if description.edgetpu:
        reports["Edge TPU"] = description.edgetpu.operators
    if description.compiled:
        reports["Edge TPU"] = description.compiled.operators
    if description.gpu:
        reports["GPU"] = description.gpu.operators
    listed = Table(box=None, pad_edge=False, show_edge=False)
    listed.add_column("operator", overflow="fold")
    for heading in ("version", "count", *reports):
        listed.add_column(heading, justify="right")
    for used in description.operators:
        taken = (
            sum(one.mapped and (one.code, one.version) == (used.code, used.version) for one in placements)
            for placements in reports.values()
        )
        cells = (str(number) if number else Text("–", style="dim") for number in taken)
        listed.add_row(Text(used.code), str(used.version), str(used.count), *cells)
    if not description.operators:
        listed.add_row(Text("none", style="dim"), *[""] * (2 + len(reports)))
    return listed


def _targets(description: Description) -> Table:
    verdicts = Table.grid(padding=(0, 2))
    verdicts.add_column(no_wrap=True)
    verdicts.add_column(overflow="fold")
    verdicts.add_row("CPU", _lines(_cpu(description.cpu)))
    if description.edgetpu:
        verdicts.add_row("Edge TPU", _lines(_edgetpu(description.edgetpu)))
    if description.compiled:
        verdicts.add_row("Edge TPU", _lines(_compiled(description.compiled)))
    if description.gpu:
        verdicts.add_row("GPU", _lines(_gpu(description.gpu)))
    return verdicts


def _cpu(cpu: Cpu) -> Iterator[str]:
    if not cpu.runs:
        yield "LiteRT cannot run it alone: it has custom operators."
    elif all(one.mapped for one in cpu.operators):
        yield f"LiteRT runs it; XNNPACK takes all {len(cpu.operators)} operators."
    else:
        taken = sum(one.mapped for one in cpu.operators)
        parts = _counted(cpu.parts, "part")
        yield f"LiteRT runs it; XNNPACK takes {taken} of {len(cpu.operators)} operators, in {parts}."
    yield from _reasons(cpu.operators)


def _edgetpu(edgetpu: EdgeTpu) -> Iterator[str]:
    if edgetpu.refusal:
        yield f"The compiler would refuse it: {edgetpu.refusal}."
        return
    yield f"{edgetpu.mapped} of {len(edgetpu.operators)} operators would be mapped, by the compiler's documentation."
    if edgetpu.mapped:
        yield (
            f"Their parameters take about {size(edgetpu.on_chip_bytes)} of {size(ON_CHIP_BYTES)} on the chip"
            f" (estimate, ± {ERROR:.1%}): {edgetpu.fit}."
        )
    yield from _reasons(edgetpu.operators)
    yield from (f"Beware: {warning}" for warning in edgetpu.warnings)


def _compiled(compiled: Compiled) -> Iterator[str]:
    left, parts = len(compiled.left), len(compiled.packages)
    rest = f"{_counted(left, 'operator')} left to the CPU" if left else "nothing is left to the CPU"
    yield f"{_counted(parts, 'compiled part')}; {rest}."
    on_chip, off_chip = size(compiled.on_chip_bytes), size(compiled.off_chip_bytes)
    yield f"Parameters: {on_chip} on the chip, {off_chip} sent for each picture."
    for package in compiled.packages:
        chips = ", ".join(sorted({executable.chip for executable in package.executables})) or "no chip that it names"
        build = package.compiler if any(letter.isdigit() for letter in package.compiler) else "unknown"
        yield f"Needs runtime {package.runtime_version} or newer; made for {chips}, compiler build {build}."


def _gpu(gpu: Gpu) -> Iterator[str]:
    yield f"{gpu.mapped} of {len(gpu.operators)} operators would run on it, by its documentation."
    yield from _reasons(gpu.operators)
    yield from (f"Beware: {warning}" for warning in gpu.warnings)


def _reasons(placements: Iterable[Placement]) -> Iterator[str]:
    """Why operators stay behind, those that share a reason together."""
    together: dict[str, list[str]] = {}
    for group in grouped(placements):
        if not group.mapped:
            label = group.code if group.count == 1 else f"{group.count} {group.code}"
            together.setdefault(group.reason or group.status, []).append(label)
    for reason, labels in list(together.items())[:REASONS_SHOWN]:
        yield f"Not {', '.join(labels)}: {reason}."
    if len(together) > REASONS_SHOWN:
        yield f"And for {len(together) - REASONS_SHOWN} more reasons: see --json."


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _lines(lines: Iterable[str]) -> Text:
    return Text("\n".join(lines))
