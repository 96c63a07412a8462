"""What conversion to int8 costs three networks: accuracy, agreement, size, seconds, memory; and whether it repeats.

Run: python benchmarks/bench_convert.py [--models build/bench] [--shared ../shared] [--json FILE]

Each network is trained first, once, where its file is missing below --models (about half an hour for all three; put
your own `NAME/model.keras` with its card there to convert another). Then `shelf-convert` converts them one after the
other, with 300 photographs of the training list to calibrate and the whole validation list to judge, which is too short
to prove the bound of most networks (--allow-unproven). One that loses too much climbs the ladder, which takes minutes;
the note of its drop says on which rung it passed. The bundles stay in --models, where bench_inference.py finds them.

Accuracy does not depend on what else the machine does; seconds do. The column "others" says how many cores other work
kept busy: measure again where it is above 0.2.
"""

import argparse
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from asked import Figure, at_least, at_most, show, unmeasured, write
from child import Took, run
from networks import MODELS, NARROW, NETWORKS, REPO, SHARED, Network, Photographs, train
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from edge_agent.bundle import FLOAT_FILE, MODEL_FILE, Bundle, read

CALIBRATION_COUNT = 300
SMALL_BYTES = 1_000_000
"""Below this the parts of a file that int8 cannot shrink weigh more."""


@dataclass(frozen=True, slots=True, eq=False)
class Conversion:
    """A conversion and what came of it; `bundle` is None where it was refused."""

    network: Network
    took: Took
    bundle: Bundle | None

    @property
    def why_not(self) -> str:
        """The last that a conversion without a bundle said."""
        lines = [line.strip() for line in self.took.said.splitlines() if line.strip()]
        return f"exit status {self.took.status}: {lines[-1] if lines else 'nothing said'}"


def convert(network: Network, photographs: Photographs, model: Path, out: Path) -> Conversion:
    """Convert a network as a user would, showing what it says, and watch what it takes."""
    words: list[str | Path] = ["convert", model, "--calibrate", photographs.train]
    words += ["--evaluate", photographs.validation, "--calibration-count", str(CALIBRATION_COUNT)]
    words += ["--id", network.name, "--allow-unproven", "--out", out]
    command = ["-m", "converter.cli", *(str(word) for word in words)]
    print(f"\nshelf-convert {' '.join(command[2:])}", flush=True)
    took = run([sys.executable, *command], cwd=REPO, tell=lambda line: print(f"  {line}", flush=True))
    return Conversion(network, took, read(out) if took.status == 0 else None)


def measured(conversion: Conversion) -> dict[str, Any]:
    """Everything that a conversion showed, by name."""
    took = {name: value for name, value in asdict(conversion.took).items() if name != "said"}
    if conversion.bundle is None:
        return {**took, "refused": conversion.why_not}
    manifest = conversion.bundle.manifest
    metrics = manifest.metrics.model_dump(exclude={"float_recall", "int8_recall"})
    return {
        **took,
        **metrics,
        "made": made(conversion.bundle),
        "drop_points": drop_points(conversion.bundle),
        "float_bytes": float_bytes(conversion.bundle),
        "int8_bytes": len(conversion.bundle.model),
        "calibration_count": manifest.calibration.count,
        "files": manifest.files,
        "versions": manifest.versions,
    }


def made(bundle: Bundle) -> str:
    """On which rung of the ladder the network passed, in words."""
    return str(bundle.manifest.recipe["conversion"]["made"])


def drop_points(bundle: Bundle) -> float:
    """Points of accuracy that int8 lost."""
    return 100 * (bundle.manifest.metrics.float_top1 - bundle.manifest.metrics.int8_top1)


def float_bytes(bundle: Bundle) -> int:
    """What the float network weighs: its TFLite file."""
    return len(bundle.variants[FLOAT_FILE])


def judged(conversion: Conversion) -> list[Figure]:
    """What was asked of each network."""
    name, bundle = conversion.network.name, conversion.bundle
    if bundle is None:
        return [unmeasured(f"{name}: int8", "drop ≤ 1.0 point, agreement ≥ 0.95", conversion.why_not)]
    metrics = bundle.manifest.metrics
    bound = "no bound" if metrics.drop_bound_points is None else f"bound {metrics.drop_bound_points:.1f}"
    of = f"float {metrics.float_top1:.1%}, {metrics.count} photographs, {bound}; {made(bundle)}"
    most = 0.40 if len(bundle.model) < SMALL_BYTES else 0.30
    size = f"{len(bundle.model) / 1000:.0f} / {float_bytes(bundle) / 1000:.0f} KB"
    return [
        at_most(f"{name}: drop", drop_points(bundle), 1.0, "{:.2f} points", note=of),
        at_least(f"{name}: agreement", metrics.agreement, 0.95, "{:.3f}"),
        at_most(f"{name}: size int8 / float", len(bundle.model) / float_bytes(bundle), most, "{:.3f}", note=size),
    ]


def cost(conversion: Conversion) -> list[Figure]:
    """What was asked of the time and memory of one conversion."""
    took, name = conversion.took, conversion.network.name
    others = f"{took.cpu_s:.0f} s of a core; others kept {took.others_cores:.1f} cores busy"
    largest = f"largest process {took.largest_bytes / 1e9:.2f} GB"
    return [
        at_most(f"{name}: seconds to convert and verify", took.wall_s, 60, "{:.1f} s", note=others),
        at_most(f"{name}: peak memory, all processes", took.together_bytes / 1e9, 3, "{:.2f} GB", note=largest),
    ]


def repeated(first: Conversion, again: Conversion) -> Figure:
    """Whether two conversions in processes of their own gave the same file."""
    what, asked = f"{first.network.name}: sha256 of two conversions", "the same"
    if first.bundle is None or again.bundle is None:
        return unmeasured(what, asked, (again if again.bundle is None else first).why_not)
    one, two = first.bundle.manifest.files, again.bundle.manifest.files
    other = sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))
    note = "all other files, too" if not other else "others that differ: " + ", ".join(other)
    same = one[MODEL_FILE] == two[MODEL_FILE]
    return Figure(what, asked, "the same" if same else "another", same, f"{one[MODEL_FILE][:12]}…; {note}")


def overview(conversions: list[Conversion], console: Console) -> None:
    """Print a line for each conversion."""
    table = Table(title="conversions, side by side", box=SIMPLE, padding=(0, 0, 0, 1))
    columns = ("network", "float", "int8", "drop", "bound", "agree", "KB", "of KB", "s", "core s", "GB", "others")
    for column in columns:
        table.add_column(column, justify="left" if column == "network" else "right", no_wrap=True)
    for conversion in conversions:
        took = conversion.took
        if conversion.bundle is None:
            results = ("refused", *[""] * 6)
        else:
            metrics = conversion.bundle.manifest.metrics
            results = (
                f"{metrics.float_top1:.1%}",
                f"{metrics.int8_top1:.1%}",
                f"{drop_points(conversion.bundle):.2f}",
                "–" if metrics.drop_bound_points is None else f"{metrics.drop_bound_points:.2f}",
                f"{metrics.agreement:.3f}",
                f"{len(conversion.bundle.model) / 1000:.0f}",
                f"{float_bytes(conversion.bundle) / 1000:.0f}",
            )
        memory = f"{took.together_bytes / 1e9:.2f}"
        cells = (f"{took.wall_s:.1f}", f"{took.cpu_s:.0f}", memory, f"{took.others_cores:.1f}")
        table.add_row(conversion.network.name, *results, *cells)
    console.print(table)


def main() -> int:
    """Train what is missing, convert, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=MODELS, help="where the networks and bundles are kept")
    parser.add_argument("--shared", type=Path, default=SHARED, help="the folder with data/grocery and weights")
    parser.add_argument("--json", "--out", type=Path, help="also write the figures here")
    options = parser.parse_args()
    photographs, models, console = Photographs(options.shared), options.models.resolve(), Console()
    if not photographs.train.is_file():
        parser.error(f"{photographs.train} is not there; name the folder that holds data/grocery with --shared")
    for network in NETWORKS:
        train(network, photographs, models, console)
    conversions = [convert(one, photographs, one.model(models), one.bundle(models)) for one in NETWORKS]
    other = models / NARROW.name / "again"
    again = convert(NARROW, photographs, NARROW.model(models), other)
    shutil.rmtree(other, ignore_errors=True)
    overview([*conversions, again], console)
    first = next(conversion for conversion in conversions if conversion.network == NARROW)
    figures = [figure for conversion in conversions for figure in judged(conversion)]
    figures += [*cost(first), repeated(first, again)]
    show(figures, console)
    if options.json is not None:
        write(options.json, figures, {conversion.network.name: measured(conversion) for conversion in conversions})
    return 0


if __name__ == "__main__":
    sys.exit(main())
