"""The agent in the field: what cameras, disks, brokers, plugs and kills do to it, as often as was asked for.

Run: python benchmarks/bench_faults.py [cameras|outbox|broker|unit|all] [--scale 1.0] [--out FILE]

Each part is a module of `benchmarks/faults`, which says what it does; the tests do the same, less often. `--scale 0.1`
does everything a tenth as often. What takes root, loop devices or systemd-nspawn, and hasn't them, is told as "not
measured". It ends with status 1 where a figure is not as asked.
"""

import argparse
import importlib
import logging
import sys
import time
from pathlib import Path

from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.asked import Figure, show, write

PARTS = ("cameras", "outbox", "broker", "unit")
"""Modules of `benchmarks.faults`, each with `run(scale) -> list[Figure]`."""


def main() -> int:
    """Harm the parts that are named, print asked and seen, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", default="all", choices=[*PARTS, "all"])
    parser.add_argument("--scale", type=float, default=1.0, help="how often, as a multiple of what was asked for")
    parser.add_argument("--out", type=Path, help="file for the figures, as JSON")
    arguments = parser.parse_args()
    if arguments.scale <= 0:
        parser.error(f"--scale is {arguments.scale:g}; it must be above 0")
    logging.disable(logging.CRITICAL)  # what the agent says of its faults would cover the bar
    console, figures, took_s = Console(), list[Figure](), dict[str, float]()
    for part in PARTS if arguments.part == "all" else (arguments.part,):
        console.print(f"[bold]{part}[/]")
        began_s = time.monotonic()
        found = importlib.import_module(f"benchmarks.faults.{part}").run(arguments.scale)
        took_s[part] = round(time.monotonic() - began_s, 1)
        show(found, console)
        figures += found
    if arguments.out is not None:
        write(arguments.out, figures, {"scale": arguments.scale, "took_s": took_s})
    return int(any(figure.seen is not None and not figure.holds for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
