"""Milliseconds per frame of each step of a frame's journey, at 1080p with 24 slots, beside the bare interpreter.

Run: make bench, or python benchmarks/bench_step.py [--seconds 20] [--json FILE]

The real pipeline runs over a real clip of the simulated store; its functions are timed where the pipeline calls them.
Twice: with every crop read in every frame (what the aim is about), and as configured (only crops that have changed).
In the same run the same crops go through a bare LiteRT interpreter. Timings on a shared machine are noisy: read ratios.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from rich.console import Console
from rich.progress import track
from rich.table import Table

from edge_agent import bundle, pipeline
from edge_agent.alerts.alerting import Alerting
from edge_agent.capture import clips
from edge_agent.config import Settings, load
from edge_agent.delivery import Delivery, Ways
from edge_agent.demo.scene import Scene
from edge_agent.demo.store import BUNDLE, CAMERA, FPS, write_config
from edge_agent.inference import TfliteClassifier
from edge_agent.messages import ModelInfo, Topics
from edge_agent.mqtt.publish import RecordingPublisher
from edge_agent.outbox.outbox import Outbox
from edge_agent.running import watch_of

FRAME_WH = (1920, 1080)
AIM = 0.25
STEPS = ("decode", "cut", "glance", "changes", "inference", "observe", "count", "alerts", "deliver", "rest")
Samples = dict[str, list[float]]


class Stopwatch:
    """Adds up, for each frame, what each step took."""

    def __init__(self) -> None:
        """Nothing has been timed."""
        self.now_ms: dict[str, float] = defaultdict(float)
        self.frames: Samples = defaultdict(list)

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with its time added to a step."""

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.now_ms[name] += (time.perf_counter() - began) * 1000

        return wrapper

    def end_frame(self, total_ms: float) -> None:
        """Keep a frame's figures; what no step accounts for is `rest`."""
        self.now_ms["rest"] = total_ms - sum(self.now_ms.values())
        for step in STEPS:
            self.frames[step].append(self.now_ms.get(step, 0.0))
        self.now_ms.clear()


@contextmanager
def instrumented(watch: Stopwatch) -> Iterator[None]:
    """The pipeline with its steps timed where it calls them."""
    with ExitStack() as stack:
        for owner, name, step in (
            (pipeline.regions, "cut", "cut"),
            (pipeline.regions, "glance", "glance"),
            (pipeline.regions, "changed_fraction", "changes"),
            (pipeline, "observe", "observe"),
            (pipeline, "count", "count"),
            (pipeline, "alerts", "alerts"),
        ):
            stack.enter_context(mock.patch.object(owner, name, watch.timed(step, getattr(owner, name))))
        yield


def write_clip(path: Path, seconds: float) -> None:
    """Film the simulated store at 1080p."""
    scene = Scene(7, FRAME_WH)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, FRAME_WH)
    for number in track(range(round(seconds * FPS)), description="filming the simulated store"):
        writer.write(scene.frame(number / FPS))
    writer.release()


def run(clip: Path, settings: Settings, *, read_all: bool, folder: Path) -> tuple[Samples, list[float]]:
    """The pipeline over the clip, and the bare interpreter on the same crops after each frame."""
    model = bundle.read(BUNDLE)
    classifier, watch, clock = TfliteClassifier(model, threads=2), watch_of(settings, CAMERA), Stopwatch()
    classify = clock.timed("inference", classifier.classify)
    bare = bare_interpreter(model, sum(len(shelf.slots) for shelf in watch.shelves))
    spool = Outbox(folder / f"outbox-{read_all}.db")
    info = ModelInfo(model.manifest.id, model.model_sha256)
    delivery = Delivery(Topics("bench", "one"), Ways(spool, RecordingPublisher()), info, Alerting())
    deliver, bare_ms = clock.timed("deliver", delivery.deliver), []
    with instrumented(clock), mock.patch.object(classifier, "classify", classify), ExitStack() as stack:
        if read_all:
            stack.enter_context(mock.patch.object(pipeline, "REREAD_AFTER_S", 0.0))
        frames = clips.replay(CAMERA, clip)
        while True:
            began = time.perf_counter()
            frame = next(frames, None)
            if frame is None:
                break
            clock.now_ms["decode"] = (time.perf_counter() - began) * 1000
            outcome = watch.take(frame, classifier)
            deliver(watch.shelves, outcome)
            clock.end_frame((time.perf_counter() - began) * 1000)
            bare_ms.append(bare(watch.view.crops if watch.view is not None else np.empty(0)))
    spool.close()
    warm = 5
    return {step: values[warm:] for step, values in clock.frames.items()}, bare_ms[warm:]


def bare_interpreter(model: bundle.Bundle, crops: int) -> Callable[[Any], float]:
    """A function that runs a whole frame's crops as one batch, with nothing around it, and returns milliseconds."""
    interpreter = Interpreter(model_content=model.model, num_threads=2)
    index, answer = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    size = model.manifest.input.size_px
    interpreter.resize_tensor_input(index, [crops, size, size, 3])
    interpreter.allocate_tensors()

    def invoke(batch: Any) -> float:
        began = time.perf_counter()
        interpreter.set_tensor(index, batch)
        interpreter.invoke()
        interpreter.get_tensor(answer)
        return (time.perf_counter() - began) * 1000

    return invoke


def report(every: Samples, changed: Samples, bare_ms: list[float]) -> dict[str, float]:
    """Print the table and return the figures."""
    table = Table(title=f"ms per frame, median, {FRAME_WH[0]} × {FRAME_WH[1]}, 24 slots ({len(bare_ms)} frames)")
    for column in ("step", "every crop read", "as configured, mean"):
        table.add_column(column, justify="left" if column == "step" else "right")
    for step in STEPS:
        table.add_row(step, f"{median(every[step]):.3f}", f"{np.mean(changed[step]):.3f}")
    ours = sum(median(every[step]) for step in STEPS if step not in ("decode", "inference"))
    inference, bare = median(every["inference"]), median(bare_ms)
    figures = {
        "inference_ms": inference,
        "bare_interpreter_ms": bare,
        "everything_else_ms": ours,
        "everything_else_of_inference": ours / inference,
        "inference_of_bare": inference / bare,
        "whole_step_as_configured_ms": float(sum(np.mean(changed[step]) for step in STEPS if step != "decode")),
    }
    console = Console()
    console.print(table)
    console.print(f"bare interpreter, one batch of 24: {bare:.3f} ms; ours takes {inference / bare:.2f} × that")
    console.print(
        f"everything but decoding and inference: {ours:.3f} ms, {ours / inference:.0%} of inference (aim: {AIM:.0%})"
    )
    return figures


def main() -> int:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=40, help="length of the clip")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="shelfwatch-bench-") as name:
        folder = Path(name)
        clip = folder / "store.mp4"
        write_clip(clip, options.seconds)
        settings = load(write_config(folder, port=1883))
        every, bare_ms = run(clip, settings, read_all=True, folder=folder)
        changed, _ = run(clip, settings, read_all=False, folder=folder)
    figures = report(every, changed, bare_ms)
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
