"""The loop around the pipeline: from the cameras' newest frames to what is delivered, until told to stop."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from edge_agent.capture.source import FrameSource
from edge_agent.health import Health
from edge_agent.inference import Classifier
from edge_agent.pipeline import Outcome, Watch
from edge_agent.shelf import CameraError, CameraReason, Frame, Shelf

log = logging.getLogger(__name__)


class Sink(Protocol):
    """Where outcomes go: `edge_agent.delivery.Delivery`."""

    def deliver(self, shelves: Iterable[Shelf], outcome: Outcome) -> None:
        """Pass on what a step found."""

    def camera(self, camera: str, problem: CameraError | None) -> None:
        """Pass on that a camera came or went."""


@dataclass(slots=True, eq=False)
class Feed:
    """A camera in the loop: where its frames come from, and when the next is due."""

    watch: Watch
    source: FrameSource
    period_s: float
    due_s: float = 0.0
    seen_s: float | None = None
    online: bool | None = None
    reason: CameraReason | None = None
    ended: bool = False


BLIND_S = 2.0
"""A camera without a new frame for this long is treated as gone, and its slots as unread."""


OnStep = Callable[[Watch, Outcome], None]


def run(
    feeds: Sequence[Feed],
    classifier: Classifier,
    sink: Sink,
    health: Health,
    *,
    stop: threading.Event,
    on_step: OnStep | None = None,
) -> None:
    """Count until `stop` is set, or until every camera is a clip that has ended.

    Raises:
        SpoolError: The outbox cannot be written.
    """
    began_s = time.monotonic()
    while not stop.is_set() and not all(feed.ended for feed in feeds):
        feed = min((feed for feed in feeds if not feed.ended), key=lambda feed: feed.due_s)
        if stop.wait(max(0.0, feed.due_s - time.monotonic())):
            return
        feed.due_s = max(feed.due_s + feed.period_s, time.monotonic())
        try:
            frame = feed.source.read(min(feed.period_s, 0.05))
        except EOFError:
            log.info("the clip of camera %s has ended", feed.watch.camera)
            feed.ended = True
            continue
        if frame is not None:
            outcome = _see(feed, frame, classifier, sink, health)
            if on_step is not None:
                on_step(feed.watch, outcome)
        elif time.monotonic() - (feed.seen_s or began_s) > BLIND_S:
            _miss(feed, sink, health)


def _see(feed: Feed, frame: Frame, classifier: Classifier, sink: Sink, health: Health) -> Outcome:
    """A frame came: count it."""
    feed.seen_s = time.monotonic()
    if feed.online is not True:
        feed.online = True
        height, width = frame.image.shape[:2]
        log.info("camera %s gives pictures of %d × %d", frame.camera, width, height)
        sink.camera(frame.camera, None)
    outcome = feed.watch.take(frame, classifier)
    sink.deliver(feed.watch.shelves, outcome)
    unread = sum(1 for look in outcome.observations if look.unread is not None)
    health.beat(looks=len(outcome.observations), unread=unread)
    return outcome


def _miss(feed: Feed, sink: Sink, health: Health) -> None:
    """No frame came for too long: say so, and let what is known grow old."""
    camera = feed.watch.camera
    problem = feed.source.problem or CameraError(f"camera {camera} gives no new picture", reason="timeout")
    if feed.online is not False or feed.reason != problem.reason:  # why it is gone may be known only later
        feed.online, feed.reason = False, problem.reason
        log.warning("%s", problem)
        sink.camera(camera, problem)
    sink.deliver(feed.watch.shelves, feed.watch.miss(at=datetime.now(UTC), clock_s=time.monotonic()))
    health.alive()
