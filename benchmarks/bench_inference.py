"""Milliseconds of the int8 network: LiteRT against other runtimes, int8 against float, batches, and our own share.

Run: python benchmarks/bench_inference.py [--models build/bench] [--turns 40] [--seconds 0.05] [--json FILE]

Takes the bundles that bench_convert.py left in --models; without one for 96 px it takes the demo's, which is the same
network. What is compared runs in turns of --seconds, within which single calls are timed: their lower quartile counts,
as a call that was interrupted says nothing. Ratios and differences are taken within each turn, and the median over the
turns counts. On a shared machine read ratios, and measure our own share, which is microseconds, on a quiet one.

OpenVINO and ONNX Runtime need the extra: pip install -e .[bench]. There, inputs are in place and nothing but the run is
timed, for all three. ONNX Runtime gets the file through tf2onnx, as int8 activations with scales around each operator.

An emulated aarch64 device (make aarch64) takes part if there is one: it says whether answers are equal, not how fast.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aarch64
import numpy as np
from asked import Figure, at_least, at_most, show, unmeasured, write
from networks import MODELS, NARROW, NETWORKS, REPO, WIDE, Network
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from runtimes import NotThere, Runtime, litert, onnx_runtime, openvino
from turns import Turns, in_turns

from edge_agent.bundle import FLOAT_FILE, MODEL_FILE, Bundle, read
from edge_agent.inference import TfliteClassifier

DEMO = REPO / "edge_agent" / "demo" / "bundle"
BATCH = 8
FRAME = 24
"""Crops of a usual frame: three batches of 8."""
ARM_CROPS = 300
Calls = Mapping[str, Callable[[], Any]]
Compare = Callable[[Calls], Turns]
Measured = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bench:
    """How things are compared, and where results go."""

    compare: Compare
    figures: list[Figure]
    measured: Measured
    console: Console

    def turns(self, title: str, calls: Calls, *, crops: dict[str, int]) -> Turns:
        """Compare functions, print ms per crop, and keep the medians.

        Args:
            title: What is compared.
            calls: The functions; the first is what the others are compared with.
            crops: How many crops a call of each of them reads; 1 where it isn't said.
        """
        found = self.compare(calls)
        per_crop = Turns({name: [ms / crops.get(name, 1) for ms in found.ms[name]] for name in calls})
        first, table = next(iter(calls)), Table(title=title, box=SIMPLE, title_justify="left")
        for column in ("", "ms per crop", "of the first"):
            table.add_column(column, justify="right" if column else "left")
        for name in calls:
            table.add_row(name, f"{per_crop.median_ms(name):.4f}", f"{per_crop.ratio(name, first):.2f}")
        self.console.print(table)
        self.measured[title] = {name: round(per_crop.median_ms(name), 5) for name in calls}
        return per_crop


def against_others(bench: Bench, network: Network, bundle: Bundle) -> None:
    """LiteRT, OpenVINO and ONNX Runtime with the same file on one thread."""
    crop, title = bundle.golden_inputs[:1], f"{network.name}, int8, 1 thread, one crop"
    ours = litert(bundle.model, crop, threads=1)
    asked = (("OpenVINO", openvino, 1.05), ("ONNX Runtime", onnx_runtime, 0.5))
    others: dict[str, Runtime] = {}
    with tempfile.TemporaryDirectory(prefix="shelfwatch-bench-") as name:
        for title_of, start, most in asked:
            try:
                others[title_of] = start(bundle.model, crop, Path(name))
            except NotThere as reason:
                what = f"{network.name}: LiteRT / {title_of}"
                bench.figures.append(unmeasured(what, f"≤ {most:.2f}", str(reason)))
        runs = {runtime.name: runtime.run for runtime in (ours, *others.values())}
        found = bench.turns(title, runs, crops={})
    for title_of, _, most in asked:
        if title_of in others:
            what, name = f"{network.name}: LiteRT / {title_of}", others[title_of].name
            ratio, apart = found.ratio(ours.name, name), steps_apart(bundle, ours, others[title_of])
            note = f"{found.median_ms(ours.name):.3f} / {found.median_ms(name):.3f} ms; answers {apart} steps apart"
            bench.figures.append(at_most(what, ratio, most, "{:.2f} ×", note=note))


def steps_apart(bundle: Bundle, ours: Runtime, other: Runtime) -> int:
    """The furthest that two runtimes' output bytes are apart on the golden inputs, of 255."""
    crops = [crop[np.newaxis] for crop in bundle.golden_inputs]
    return max(int(np.abs(ours.answer(crop).astype(int) - other.answer(crop).astype(int)).max()) for crop in crops)


def against_float(bench: Bench, network: Network, bundle: Bundle) -> None:
    """The int8 file against the float one, both in LiteRT, on 1 and on 2 threads."""
    crop = bundle.golden_inputs[:1]
    for threads in (1, 2):
        what = f"{network.name}: int8 faster than float, {threads} thread{'s' * (threads > 1)}"
        if FLOAT_FILE not in bundle.variants:
            bench.figures.append(unmeasured(what, "≥ 2.00 ×", f"the bundle has no {FLOAT_FILE}"))
            continue
        int8 = litert(bundle.model, crop, threads=threads)
        plain = litert(bundle.variants[FLOAT_FILE], crop.astype(np.float32), threads=threads)
        title = f"{network.name}, LiteRT, {threads} thread{'s' * (threads > 1)}, one crop"
        found = bench.turns(title, {"int8": int8.run, "float": plain.run}, crops={})
        note = f"{found.median_ms('int8'):.3f} / {found.median_ms('float'):.3f} ms"
        bench.figures.append(at_least(what, found.ratio("float", "int8"), 2.0, "{:.2f} ×", note=note))


def batched(bench: Bench, network: Network, bundle: Bundle) -> None:
    """A crop's share of a batch against an invoke of its own, both on 2 threads, inputs written and answers read."""
    crops = crops_of(bundle, BATCH)
    alone = litert(bundle.model, crops[:1], threads=2)
    together = litert(bundle.model, crops, threads=2)
    one, eight = "one invoke per crop", f"a batch of {BATCH}"
    calls: Calls = {one: partial(one_by_one, alone, crops), eight: partial(together.answer, crops)}
    found = bench.turns(f"{network.name}, int8, 2 threads", calls, crops=dict.fromkeys(calls, BATCH))
    less = 100 * (1 - found.ratio(eight, one))
    note = f"{found.median_ms(eight):.4f} / {found.median_ms(one):.4f} ms per crop"
    bench.figures.append(at_least(f"{network.name}: less in a {eight[2:]}, 2 threads", less, 20, "{:.0f} %", note=note))


def one_by_one(runtime: Runtime, crops: np.ndarray[Any, Any]) -> None:
    """Each crop by itself."""
    for row in range(len(crops)):
        runtime.answer(crops[row : row + 1])


def our_share(bench: Bench, network: Network, bundle: Bundle) -> None:
    """`TfliteClassifier.classify` against the bare invokes that it cannot do without, for 1, 8 and 24 crops."""
    for threads in (1, 2):
        classifier = TfliteClassifier(bundle, runtime="litert", threads=threads, variant=MODEL_FILE)
        more: dict[int, float] = {}
        for count in (1, BATCH, FRAME):
            crops = crops_of(bundle, count)
            bare = litert(bundle.model, crops[:BATCH], threads=threads)
            title = f"{network.name}, {threads} thread{'s' * (threads > 1)}, {count} crop{'s' * (count > 1)}"
            calls: Calls = {
                "bare invokes": partial(repeat, bare.run, -(-count // BATCH)),
                "classify": partial(classifier.classify, crops),
            }
            found = bench.turns(title, calls, crops=dict.fromkeys(calls, count))
            more[count] = 1000 * found.more_ms("classify", "bare invokes")
        what = f"{network.name}: our own cost per crop, {threads} thread{'s' * (threads > 1)}"
        note = "µs: " + ", ".join(f"{count} at once {us:.1f}" for count, us in more.items())
        bench.figures.append(at_most(what, max(more.values()), 10, "{:.1f} µs", note=note))


def repeat(call: Callable[[], Any], times: int) -> None:
    """Call a function so many times."""
    for _ in range(times):
        call()


def crops_of(bundle: Bundle, count: int) -> np.ndarray[Any, Any]:
    """So many crops (count, size, size, 3) uint8: the golden ones, again and again."""
    golden = bundle.golden_inputs
    return np.ascontiguousarray(golden[np.arange(count) % len(golden)])


def on_arm(bench: Bench, network: Network, path: Path) -> None:
    """The emulated device's answers against this machine's, if `aarch64.sh` has made one."""
    bundle, asked = read(path), "same top-1, ≤ 1 step"
    crops = aarch64.varied(bundle.golden_inputs, ARM_CROPS)
    for processor in aarch64.PROCESSORS:
        what = f"{network.name}: on aarch64, {processor}"
        if not aarch64.is_there():
            bench.figures.append(unmeasured(what, asked, f"no {aarch64.FOLDER}; make aarch64 emulates a device there"))
            continue
        found = aarch64.distance(path, crops, processor=processor)
        seen = f"{found.same_top1} of {found.count}, {found.most_steps}"
        holds, note = found.same_top1 == found.count and found.most_steps <= 1, f"{found.ties} of them are ties here"
        bench.figures.append(Figure(what, asked, seen, holds, note))
        bench.measured[what] = asdict(found)


def bundles(models: Path) -> Iterator[tuple[Network, Path | None]]:
    """Each network's bundle, the demo's for the narrow one where there is none, or None."""
    for network in NETWORKS:
        path = network.bundle(models)
        yield network, path if path.is_dir() else DEMO if network == NARROW else None


def main() -> int:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=MODELS, help="where bench_convert.py left the bundles")
    parser.add_argument("--turns", type=int, default=40, help="turns of everything; the median counts")
    parser.add_argument("--seconds", type=float, default=0.05, help="of each function in each turn")
    parser.add_argument("--json", "--out", type=Path, help="also write the figures here")
    options = parser.parse_args()
    compare = partial(in_turns, turns=options.turns, seconds=options.seconds)
    bench = Bench(compare, [], {}, Console())
    for network, path in bundles(options.models):
        if path is None:
            why = f"no bundle at {network.bundle(options.models)}; run bench_convert.py first"
            bench.figures.append(unmeasured(f"{network.name}: everything", "–", why))
            continue
        bundle = read(path)
        against_others(bench, network, bundle)
        if network == WIDE:
            against_float(bench, network, bundle)
        if network == NARROW:
            batched(bench, network, bundle)
            our_share(bench, network, bundle)
            on_arm(bench, network, path)
    show(bench.figures, bench.console)
    if options.json is not None:
        write(options.json, bench.figures, bench.measured)
    return 0


if __name__ == "__main__":
    sys.exit(main())
