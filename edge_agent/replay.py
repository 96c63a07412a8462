"""A clip through the whole pipeline, every frame, faster than real time: JSON lines, and an annotated video."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import cv2
import numpy as np

from edge_agent.annotate import Pixels, draw_outcome
from edge_agent.inference import Classifier
from edge_agent.loop import Sink
from edge_agent.outcome import Outcome
from edge_agent.shelf import Frame, InputError
from edge_agent.watch import Watch


@dataclass(slots=True)
class ReplayTally:
    """What a replay came to: frames, changes of a shelf's counts, alerts."""

    frames: int = 0
    changes: int = 0
    alerts: int = 0


def replay_frames(
    watch: Watch,
    frames: Iterable[Frame],
    classifier: Classifier,
    *,
    sinks: Iterable[Sink] = (),
    lines: TextIO | None = None,
    paint: Callable[[Pixels], None] | None = None,
) -> ReplayTally:
    """Take every frame through the pipeline.

    Args:
        watch: The camera; its source is not read.
        frames: For instance from `edge_agent.capture.clips.replay`.
        classifier: The network.
        sinks: Where outcomes go as they would live.
        lines: Where each change and alert is written, one JSON object a line.
        paint: Takes each annotated frame.
    """
    tally = ReplayTally()
    for frame in frames:
        outcome = watch.take(frame, classifier)
        tally.frames += 1
        tally.changes += len(outcome.changed)
        tally.alerts += len(outcome.alerts)
        for sink in sinks:
            sink.deliver(watch.shelves, outcome)
        if lines is not None:
            lines.writelines(json.dumps(record) + "\n" for record in _records(outcome))
        if paint is not None:
            paint(draw_outcome(frame.image, watch.shelves, outcome))
    return tally


def _records(outcome: Outcome) -> Iterator[dict[str, object]]:
    """What is new in a frame, with its position in the clip in seconds."""
    at = {"t_s": round(outcome.frame.clock_s, 3), "frame": outcome.frame.seq}
    for count in outcome.counts:
        if count.shelf in outcome.changed:
            reading = list(count.reading)
            yield {**at, "type": "counts", "shelf": count.shelf, "counts": count.counts, "reading": reading}
    for alert in outcome.alerts:
        yield {**at, "type": alert.kind, "shelf": alert.shelf, "sku": alert.sku, "message": alert.message}


@contextmanager
def video(path: Path, *, fps: float) -> Iterator[Callable[[Pixels], None]]:
    """A function that appends a picture (height, width, 3) uint8 BGR to a video; all pictures have one size.

    Raises:
        InputError: The video cannot be written there.
    """
    writer: list[cv2.VideoWriter] = []

    def append(picture: Pixels) -> None:
        if not writer:
            size_wh = (picture.shape[1] // 2 * 2, picture.shape[0] // 2 * 2)  # encoders want even sides
            made = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, size_wh)
            if not made.isOpened():
                raise InputError(f"no video can be written to {path}. Give a path that ends in .mp4.")
            writer.append(made)
        height, width = (side // 2 * 2 for side in picture.shape[:2])
        writer[0].write(np.ascontiguousarray(picture[:height, :width]))

    try:
        yield append
    finally:
        for made in writer:
            made.release()
