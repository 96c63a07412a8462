"""What the history and the crops for review cost: the loop's thread per step, the disk per day, the page per question.

    python -m benchmarks.bench_keeping

A store of 60 slots and 24 products on 6 shelves, five looks a second; on a busy day each slot changes every ten minutes
for 14 hours, and each shelf is hidden for so long that it becomes unknown every half hour.
"""

import random
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from edge_agent.alerts.policy import Patience
from edge_agent.counting import Rules
from edge_agent.dashboard.views.history import csv_of
from edge_agent.history import reader, tables
from edge_agent.history.reader import Question
from edge_agent.history.rows import after, news, points_of
from edge_agent.history.writer import History
from edge_agent.inference import ScriptedClassifier
from edge_agent.pipeline import CameraPlan
from edge_agent.regions import grid_quads
from edge_agent.review.choosing import Chooser
from edge_agent.shelf import WHOLE_FRAME, Frame, Item, Shelf, Slot
from edge_agent.sqlite import transaction
from edge_agent.watch import Watch

LABELS = ("cola", "milk", "tea", "empty")
DAY_MS = 86_400_000
DAYS = 30


class Doubting(ScriptedClassifier):
    """A classifier that is not sure of the first slots."""

    doubts = 0

    def classify(self, crops: np.ndarray) -> np.ndarray:
        """As its parent, but for the doubt."""
        scores = ScriptedClassifier.classify(self, crops)
        if len(crops) == 60:
            scores[: Doubting.doubts] = [0.5, 0.42, 0.05, 0.03]
        return scores


def shelves() -> tuple[Shelf, ...]:
    """Six shelves of ten slots."""
    quads = grid_quads(WHOLE_FRAME, rows=6, columns=10)
    return tuple(
        Shelf(f"s{row}", "cam1", tuple(Slot(f"r{n}", quads[row * 10 + n], "cola") for n in range(10)))
        for row in range(6)
    )


def choosing_us(doubts: int, steps: int = 1500) -> float:
    """Mean microseconds of processor time that choosing takes in a step with so many slots in doubt."""
    Doubting.doubts = doubts
    watch = Watch(CameraPlan("cam1", shelves(), Rules(), Patience()))
    chooser, classifier = Chooser(), Doubting(LABELS, 32, lambda crops: ["cola"] * len(crops))
    image = np.random.default_rng(1).integers(0, 255, (720, 1280, 3), dtype=np.uint8)
    for n in range(180):  # until what is in doubt is unknown, and hides its neighbours no more
        first = watch.take(Frame("cam1", n, datetime.now(UTC), n / 5, image), classifier)
    outcomes = [replace(first, frame=replace(first.frame, clock_s=n / 5)) for n in range(steps)]
    began = time.thread_time()
    for outcome in outcomes:
        chooser.choose(watch, outcome, LABELS, "9f2c")
    return (time.thread_time() - began) / steps * 1e6


def keeping_us(path: Path) -> float:
    """Mean microseconds of processor time that handing an event to the history takes."""
    history = History(path, max_mb=64, days=30)
    history.start()
    items = [Item(f"sku-{n}", n, n, 4, "ok", None) for n in range(4)]
    body = {"type": "counts", "shelf": "a1", "camera": "cam1", "counts": {item.sku: item.count for item in items}}
    began = time.thread_time()
    for _ in range(1500):
        history.keep(body, items)
    taken = time.thread_time() - began
    history.close()
    return taken / 1500 * 1e6


def busy_days(path: Path) -> tuple[int, int]:
    """Write busy days; events, and bytes of the file afterwards."""
    dice, known, events = random.Random(4), {}, 0
    db = tables.connect(path)
    run = tables.begin_run(db, 0)
    stock: dict[tuple[int, int], int | None] = {(shelf, sku): 3 for shelf in range(6) for sku in range(4)}
    for day in range(DAYS):
        rows: list[tables.Row] = []
        times = sorted(dice.randint(7 * 3_600_000, 21 * 3_600_000) for _ in range(60 * 6 * 14 + 6 * 2 * 14 * 2))
        for at in times:
            shelf, sku = dice.randrange(6), dice.randrange(4)
            if dice.random() < 0.06:
                for other in range(4):
                    stock[shelf, other] = None if stock[shelf, other] is not None else 3
            else:
                stock[shelf, sku] = dice.randrange(4)
            counts = {f"sku-{n}": stock[shelf, n] for n in range(4)}
            items = [Item(k, c, 0, 3, "unknown" if c is None else "ok", None) for k, c in counts.items()]
            body = {"shelf": f"s{shelf}", "camera": "cam1", "counts": counts}
            points = points_of(body, items, day * DAY_MS + at)
            rows += news(known, points)
            known = dict(after(known, points))
            events += 1
        with transaction(db):
            tables.write(db, run, rows, alive_ms=day * DAY_MS)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    db.close()
    return events, path.stat().st_size


def main() -> None:
    """Print the table."""
    print("| what | figure |\n|---|---|")
    for doubts in (0, 6, 60):
        print(f"| crops for review, {doubts} of 60 slots in doubt, per step | {choosing_us(doubts):.1f} µs |")
    with tempfile.TemporaryDirectory() as folder:
        print(f"| an event into the history | {keeping_us(Path(folder) / 'a.db'):.1f} µs |")
        path = Path(folder) / "history.db"
        events, size = busy_days(path)
        print(f"| events of a busy day | {events / DAYS:.0f} |")
        print(f"| the history's file, per day | {size / DAYS / 2**10:.0f} KiB |")
        asked = Question(0, DAYS * DAY_MS)
        for words, question in (("all 24 products", asked), ("one product", Question(0, DAYS * DAY_MS, "s0", "sku-0"))):
            began = time.perf_counter()
            with reader.opened(path) as db:
                assert db is not None  # noqa: S101
                found = reader.series(db, question, most=600, now_ms=0)
            steps = sum(len(one.steps) for one in found)
            print(f"| 30 days of {words} | {time.perf_counter() - began:.2f} s, {steps} steps |")
        began = time.perf_counter()
        text = sum(map(len, csv_of(History(path, max_mb=64, days=30), asked)))
        print(f"| the same as CSV | {time.perf_counter() - began:.1f} s, {text / 2**20:.1f} MB |")


if __name__ == "__main__":
    main()
