"""Photographs per second that the input pipeline makes, beside those that training takes, and both at once.

Run: python benchmarks/bench_input.py [--data FOLDER_OR_LIST] [--rounds 3] [--seconds 6] [--json FILE]

The real `feed.batches` with every effect of a store makes batches for the real networks, all layers training. Each is
timed alone and together, in turns, so that other work on the machine meets all of them alike. Where `feed` is
above 1 × the step, training never waits for photographs; `both` is what remains of the step's pace while both share the
cores. Timings on a shared machine are noisy: read ratios, and core-milliseconds, which other work disturbs least. The
last columns say how many cores were busy: with this process, and with all that the machine does.
Without --data it draws photographs of 348 px, for "memory" and "disk"; those of 12 MP are always drawn.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from trainer.nets import models
from trainer.photos import data
from trainer.report import Unwatched
from trainer.training.recipe import settle
from trainer.views.augment import Jitter
from trainer.views.effects import STORE
from trainer.views.feed import Album, batches, open_album

BATCH = 32
STEP = "step alone"
CLASSES = 81
NETWORKS = (("mobilenet-v2", 224), ("small-cnn", 150))
JITTER = Jitter(shelf=STORE)
Step = Callable[[Any], Any]
Sources = tuple[list[data.Photo], list[data.Photo]]
"""Small photographs and large ones."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Photographs per second, and how busy the cores were: this process and the whole machine, both in cores."""

    per_s: float
    process_cores: float
    machine_cores: float

    @property
    def core_ms(self) -> float:
        """Milliseconds of one core that this process spends on a photograph."""
        return 1000 * self.process_cores / self.per_s


def measure(take: Callable[[], Any], seconds: float) -> Pace:
    """Take batches for a while, after three that warm up."""
    for _ in range(3):
        take()
    busy, process, began = machine_busy_s(), time.process_time(), time.perf_counter()
    count = 0
    while (wall := time.perf_counter() - began) < seconds:
        take()
        count += BATCH
    return Pace(count / wall, (time.process_time() - process) / wall, (machine_busy_s() - busy) / wall)


def machine_busy_s() -> float:
    """Seconds that all cores of the machine were busy since it was started."""
    user, nice, system, _, _, irq, softirq = (int(word) for word in Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def draw(folder: Path, *, count: int, width: int, height: int) -> list[data.Photo]:
    """Photographs of nothing in particular, with as much detail as a shelf has."""
    rng = np.random.default_rng(0)
    photos = []
    for number in range(count):
        coarse = rng.integers(0, 256, (height // 12, width // 12, 3)).astype(np.uint8)
        image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        path = folder / f"{width}-{number}.jpg"
        cv2.imwrite(str(path), image)
        photos.append(data.Photo(path, number % CLASSES))
    return photos


def trainee(network: str, size_px: int) -> Callable[[Any], Any]:
    """A function that trains a network, all layers of it, on a batch of pixels."""
    model = models.build(settle(network, weights="none", size_px=size_px), classes=CLASSES)
    model.compile(optimizer="adamw", loss="categorical_crossentropy", jit_compile=False)
    targets = np.eye(CLASSES, dtype=np.float32)[np.arange(BATCH) % CLASSES]
    return lambda pixels: model.train_on_batch(pixels, targets)


def paces(step: Step, albums: dict[str, Album], *, size_px: int, seconds: float) -> dict[str, Pace]:
    """One round of all measurements."""
    pixels = np.random.default_rng(0).integers(0, 256, (BATCH, size_px, size_px, 3)).astype(np.uint8)
    found = {STEP: measure(lambda: step(pixels), seconds)}
    for name, album in albums.items():
        with closing(batches(album, batch=BATCH, jitter=JITTER, seed=0)) as stream:
            found[f"feed, {name}"] = measure(lambda stream=stream: next(stream), seconds)
        with closing(batches(album, batch=BATCH, jitter=JITTER, seed=0)) as stream:
            found[f"both, {name}"] = measure(lambda stream=stream: step(next(stream)[0]), seconds)
    return found


def compare(network: str, size_px: int, photos: Sources, options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """All rounds for a network, as a table on the terminal and as figures."""
    small, large = photos
    watch = Unwatched()
    albums = {
        "memory": open_album(small, size_px=size_px, watch=watch),
        "disk": open_album(small, size_px=size_px, watch=watch, kept_bytes=0),
        "12 MP, disk": open_album(large, size_px=size_px, watch=watch, kept_bytes=0),
    }
    step = trainee(network, size_px)
    rounds = [paces(step, albums, size_px=size_px, seconds=options.seconds) for _ in range(options.rounds)]
    table = Table(title=f"{network} at {size_px} px, batches of {BATCH}, median of {len(rounds)}", box=SIMPLE)
    for column in ("", "photos/s", "of step", "core ms", "of step", "ours", "all"):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    figures: dict[str, dict[str, float]] = {}
    for name in rounds[0]:
        found = {
            "per_s": median(turn[name].per_s for turn in rounds),
            "per_s_of_step": median(turn[name].per_s / turn[STEP].per_s for turn in rounds),  # within a round
            "core_ms": median(turn[name].core_ms for turn in rounds),
            "core_ms_of_step": median(turn[name].core_ms / turn[STEP].core_ms for turn in rounds),
            "process_cores": median(turn[name].process_cores for turn in rounds),
            "machine_cores": median(turn[name].machine_cores for turn in rounds),
        }
        formats = ("{:.0f}", "{:.2f}", "{:.1f}", "{:.2f}", "{:.2f}", "{:.2f}")
        table.add_row(name, *(form.format(value) for form, value in zip(formats, found.values(), strict=True)))
        figures[name] = {key: round(value, 3) for key, value in found.items()}
    Console().print(table)
    return figures


def main() -> int:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="photographs, as for shelf-train fit; drawn ones by default")
    parser.add_argument("--rounds", type=int, default=3, help="turns of every measurement; the median counts")
    parser.add_argument("--seconds", type=float, default=6, help="of each measurement in each round")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="shelfwatch-bench-") as name:
        folder = Path(name)
        if options.data is None:
            small = draw(folder, count=256, width=348, height=348)
        else:
            small = list(data.load(options.data, seed=0).train[:512])
        photos = (small, draw(folder, count=24, width=4000, height=3000))
        figures = {network: compare(network, size_px, photos, options) for network, size_px in NETWORKS}
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
