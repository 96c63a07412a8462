"""What the device's page costs: an agent without it and one with it, side by side, with 0, 1 and 20 viewers.

Both agents are processes of their own that count 1080p pictures; the one that is not measured is stopped. A viewer does
what a browser does that shows the live view: it follows the stream and fetches each new picture, twice a second.

Viewers take processor time too, which in a store is another machine's. So with 20 of them both agents run, and the one
that nobody looks at tells, in the same seconds, how long a step takes on a machine with that load.

    .venv/bin/python -m benchmarks.bench_page [--rounds 3] [--seconds 12]
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import requests

FPS, FRAME_WH, PICTURES = 10, (1920, 1080), 6
SETTLE_S = 2.0
MODES = {"no page": None, "page, no viewer": 0, "1 viewer": 1, "20 viewers": 20}
BESIDE = "no page, beside them"
COST_MAX, NOTHING_MAX, SLOWER_MAX = 0.05, 0.005, 0.10
"""What is asked: shares of a core, and the share by which counting may be slower."""


class Loop:
    """A camera that shows a few pictures of 1080p in turn, none like the one before."""

    def __init__(self) -> None:
        from edge_agent.demo.scene import Scene  # noqa: PLC0415

        noise, scene = np.random.default_rng(1), Scene(7)
        large = [cv2.resize(scene.frame(n / 5), FRAME_WH, interpolation=cv2.INTER_CUBIC) for n in range(PICTURES)]
        self._pictures = [cv2.add(each, noise.integers(0, 6, each.shape, np.uint8)) for each in large]
        self.problem, self._seq = None, 0

    def read(self, timeout_s: float) -> object:  # noqa: ARG002 — a frame is there at once
        """The next picture."""
        from edge_agent.demo.store import CAMERA  # noqa: PLC0415
        from edge_agent.shelf import Frame  # noqa: PLC0415

        self._seq += 1
        return Frame(CAMERA, self._seq, datetime.now(UTC), time.monotonic(), self._pictures[self._seq % PICTURES])

    def close(self) -> None:
        """Nothing is held."""


def agent(page: str) -> None:
    """The process of an agent: it answers each line of its input with what was measured since the one before."""
    from edge_agent.agent import Agent  # noqa: PLC0415
    from edge_agent.config import load  # noqa: PLC0415
    from edge_agent.demo.store import CAMERA, write_config  # noqa: PLC0415

    steps: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        path = write_config(Path(folder), port=9, page=0 if page == "page" else None)
        path.write_text(path.read_text().replace("fps = 5.0", f"fps = {FPS}"))
        with Agent(load(path), sources={CAMERA: Loop()}) as it:  # type: ignore[dict-item]
            step = lambda _, outcome: steps.append((time.monotonic(), time.monotonic() - outcome.frame.clock_s))  # noqa: E731
            thread = threading.Thread(target=it.run, args=(step,))
            thread.start()
            print(json.dumps({"url": it.page.url if it.page is not None else None}), flush=True)
            for _ in sys.stdin:
                done, cpu_s = steps[:], time.process_time()
                del steps[: len(done)]
                print(
                    json.dumps({"cpu_s": cpu_s, "at_s": time.monotonic(), "steps_s": [s for _, s in done]}), flush=True
                )
            it.stop.set()
            thread.join()


def viewers(url: str, number: int) -> None:
    """The process of viewers: each follows the stream and fetches every new picture, until it is told to end."""
    seen = [[0, 0] for _ in range(number)]

    def look(place: int) -> None:
        http = requests.Session()
        http.trust_env = False
        with http.get(f"{url}api/live/stream", stream=True, timeout=30) as stream:
            for line in stream.iter_lines(chunk_size=4096):
                if line.startswith(b"data: "):
                    camera = json.loads(line[6:])["cameras"][0]
                    answer = http.get(
                        f"{url}api/cameras/{camera['id']}/picture?frame={camera['frame']['id']}", timeout=30
                    )
                    seen[place][0] += 1
                    seen[place][1] += len(answer.content)

    for place in range(number):
        threading.Thread(target=look, args=(place,), daemon=True).start()
    for _ in sys.stdin:
        print(
            json.dumps({"pictures": [pictures for pictures, _ in seen], "bytes": sum(size for _, size in seen)}),
            flush=True,
        )


class Child:
    """One of these processes."""

    def __init__(self, *words: str) -> None:
        self.process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "benchmarks.bench_page", *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def told(self) -> dict:
        """The next line that it says."""
        assert self.process.stdout is not None  # noqa: S101
        return json.loads(self.process.stdout.readline())

    def ask(self) -> dict:
        """What it has measured since it was asked before."""
        assert self.process.stdin is not None  # noqa: S101
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.told()

    def stop(self, *, stopped: bool) -> None:
        """Stop it where it is, or let it go on."""
        os.kill(self.process.pid, signal.SIGSTOP if stopped else signal.SIGCONT)

    def end(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


@dataclass
class Figures:
    """What was measured in one mode, a value for each round."""

    cores: list[float] = field(default_factory=list)
    steps_per_s: list[float] = field(default_factory=list)
    steps_ms: list[float] = field(default_factory=list)
    p95_ms: list[float] = field(default_factory=list)
    pictures_per_s: list[float] = field(default_factory=list)

    def row(self) -> tuple[float, ...]:
        """Share of a core, steps a second, step p50 and p95 in ms, pictures a second and viewer."""
        p50 = float(np.percentile(self.steps_ms, 50))
        seen = statistics.median(self.pictures_per_s) if self.pictures_per_s else 0.0
        return (
            statistics.median(self.cores),
            statistics.median(self.steps_per_s),
            p50,
            statistics.median(self.p95_ms),
            seen,
        )


def measure(running: list[tuple[Child, Figures]], looking: Child | None, number: int, seconds: float) -> None:
    """One mode in one round; the viewers look at the first of those that run."""
    time.sleep(SETTLE_S)
    before, seen = [it.ask() for it, _ in running], looking.ask() if looking else None
    time.sleep(seconds)
    for (it, into), earlier in zip(running, before, strict=True):
        after = it.ask()
        took_s = after["at_s"] - earlier["at_s"]
        steps_ms = [step * 1000 for step in after["steps_s"]]
        into.cores.append((after["cpu_s"] - earlier["cpu_s"]) / took_s)
        into.steps_per_s.append(len(steps_ms) / took_s)
        into.steps_ms += steps_ms
        into.p95_ms.append(float(np.percentile(steps_ms, 95)))
    if looking and seen:
        new = sum(looking.ask()["pictures"]) - sum(seen["pictures"])
        running[0][1].pictures_per_s.append(new / seconds / number)


def main() -> None:
    """Measure, print the table, and end with 1 where more is taken than was asked."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=float, default=12)
    chosen = options.parse_args()
    without, with_page = Child("agent", "none"), Child("agent", "page")
    found = {mode: Figures() for mode in (*MODES, BESIDE)}
    try:
        without.told()
        url = with_page.told()["url"]
        time.sleep(3)
        for _ in range(chosen.rounds):
            for mode, number in MODES.items():
                it, other = (without, with_page) if number is None else (with_page, without)
                many = mode == "20 viewers"
                other.stop(stopped=not many)
                it.stop(stopped=False)
                looking = Child("viewers", url, str(number)) if number else None
                if looking:
                    os.setpriority(os.PRIO_PROCESS, looking.process.pid, 10)  # they are other machines' in a store
                running = [(it, found[mode]), *([(other, found[BESIDE])] if many else [])]
                measure(running, looking, number or 1, chosen.seconds)
                if looking:
                    looking.end()
    finally:
        for child in (without, with_page):
            child.end()
    sys.exit(judged(found))


def judged(found: dict[str, Figures]) -> int:
    """Print the table and what was asked; 1 where it is not kept."""
    rows = {mode: figures.row() for mode, figures in found.items()}
    base = rows["no page"]
    print(f"{FRAME_WH[0]} x {FRAME_WH[1]} at {FPS} frames/s; medians of {len(found['no page'].cores)} rounds")
    print(f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores: step times tell little above that")
    print(f"{'':20}{'core':>8}{'page costs':>12}{'steps/s':>9}{'p50 ms':>8}{'p95 ms':>8}{'pictures/s each':>17}")
    for mode, (core, pace, p50, p95, seen) in rows.items():
        print(f"{mode:20}{core:8.1%}{core - base[0]:+12.1%}{pace:9.2f}{p50:8.1f}{p95:8.1f}{seen:17.2f}")
    quiet, one, many, beside = rows["page, no viewer"], rows["1 viewer"], rows["20 viewers"], rows[BESIDE]
    asked = {
        f"1 viewer costs at most {COST_MAX:.0%} of a core": one[0] - quiet[0] <= COST_MAX,
        f"nothing (at most {NOTHING_MAX:.1%}) without one": quiet[0] - base[0] <= NOTHING_MAX,
        f"20 viewers slow neither pace nor (beside no page) p95 by more than {SLOWER_MAX:.0%}": (
            many[1] >= base[1] * (1 - SLOWER_MAX) and many[3] <= beside[3] * (1 + SLOWER_MAX)
        ),
    }
    for words, kept in asked.items():
        print(f"{'kept' if kept else 'NOT KEPT'}: {words}")
    return int(not all(asked.values()))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["agent", page]:
            agent(page)
        case ["viewers", url, number]:
            viewers(url, int(number))
        case _:
            main()
