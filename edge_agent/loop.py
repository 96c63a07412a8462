"""The loop around the pipeline: from the cameras' newest frames to what is delivered, until told to stop.

No camera is waited for: a source is asked for what is there, and one that has nothing is asked again a moment later. So
a camera that hangs costs the others nothing.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol

from edge_agent.capture.age import STALE_S
from edge_agent.capture.source import FrameSource
from edge_agent.health import Health
from edge_agent.inference import Classifier
from edge_agent.outcome import Outcome
from edge_agent.pictures import picture
from edge_agent.pictures.viewpoint import Viewpoint
from edge_agent.shelf import CameraError, CameraReason, Frame, Shelf
from edge_agent.watch import Watch

log = logging.getLogger(__name__)

BLIND_S = 2.0
"""A camera without a new frame for this long, and for three periods, is treated as gone, and its slots as unread."""
BLIND_MAX_S = 20.0
"""But after so long in any case: until it is treated as gone, a lone camera that is silent feeds no watchdog, and the
unit's bites after 30 s (`WatchdogSec`)."""
CHORES_S = 0.05
"""The chores are done at least this often, but for the time of a step."""
ASK_AGAIN_S = (0.005, 0.05)
"""A source that has nothing when its frame is due is asked again after a tenth of its period, within these bounds."""
GONE_AGAIN_S = 0.5
"""And one that is gone, once in a period, but at least this often."""


class Sink(Protocol):
    """Where outcomes go: `edge_agent.delivery.Delivery`."""

    def deliver(self, shelves: Iterable[Shelf], outcome: Outcome) -> None:
        """Pass on what a step found."""

    def camera(self, camera: str, problem: CameraError | None) -> None:
        """Pass on that a camera came or went, or that its pictures became bad or good."""


Keep = Callable[[Viewpoint | None], None]
"""Takes the reference view of a camera when it has been learned, renewed or (None) forgotten."""


def keep_nothing(_: Viewpoint | None) -> None:
    """Without a place for it, the reference view is learned anew by each run."""


@dataclass(slots=True, eq=False)
class Feed:
    """A camera in the loop: where its frames come from, and when the next is due.

    `blind_s` is how long it may be silent. `seen_s` is when the newest frame came, `said` what was last published of
    the camera: a reason, None for good, "" for nothing yet. `stale` and `bad` count frames that were too old, and
    pictures that were not ones to count in.
    """

    watch: Watch
    source: FrameSource
    period_s: float
    keep: Keep = keep_nothing
    blind_s: float = BLIND_S
    due_s: float = 0.0
    since_s: float | None = None
    seen_s: float | None = None
    said: CameraReason | Literal[""] | None = ""
    stale: int = 0
    bad: int = 0
    ended: bool = False
    kept: Viewpoint | None = None

    def __post_init__(self) -> None:
        """What the watch was given is kept already."""
        self.kept = self.watch.viewpoint
        self.blind_s = min(max(self.blind_s, 3 * self.period_s), BLIND_MAX_S)


OnStep = Callable[[Watch, Outcome], None]


def run(
    feeds: Sequence[Feed],
    classifier: Classifier,
    sink: Sink,
    health: Health,
    *,
    stop: threading.Event,
    on_step: OnStep | None = None,
    chores: Callable[[], None] = lambda: None,
) -> None:
    """Count until `stop` is set, or until every camera is a clip that has ended.

    Args:
        feeds: The cameras. `chores` may change the list.
        classifier: The network.
        sink: Where outcomes go.
        health: Is told of each completed step and each declared outage.
        stop: Ends the loop.
        on_step: Is told of each completed step.
        chores: Whatever else is to be done in this thread, between two steps: it must not take long.
    """
    while not stop.is_set():
        chores()
        open_feeds = [feed for feed in feeds if not feed.ended]
        if not open_feeds:
            return
        feed = min(open_feeds, key=lambda feed: feed.due_s)
        if (wait_s := feed.due_s - time.monotonic()) > 0:
            stop.wait(min(wait_s, CHORES_S))
            continue
        outcome = _attend(feed, classifier, sink, health)
        if outcome is not None and on_step is not None:
            on_step(feed.watch, outcome)


def _attend(feed: Feed, classifier: Classifier, sink: Sink, health: Health) -> Outcome | None:
    """A camera's turn: count its newest frame, or ask again soon, or say that it is gone."""
    now_s = time.monotonic()
    if feed.since_s is None:
        feed.since_s = now_s
    try:
        frame = feed.source.read(0)
    except EOFError:
        log.info("the clip of camera %s has ended", feed.watch.camera)
        feed.ended = True
        return None
    if frame is not None and now_s - frame.clock_s > STALE_S:
        feed.stale += 1
        frame = None
    if frame is not None:
        feed.due_s = max(feed.due_s + feed.period_s, now_s)
        return _see(feed, frame, classifier, sink, health)
    if now_s - (feed.seen_s if feed.seen_s is not None else feed.since_s) > feed.blind_s:
        feed.due_s = now_s + min(max(feed.period_s, ASK_AGAIN_S[1]), GONE_AGAIN_S)
        _miss(feed, sink, health)
    else:
        feed.due_s = now_s + min(max(feed.period_s / 10, ASK_AGAIN_S[0]), ASK_AGAIN_S[1])
    return None


def _see(feed: Feed, frame: Frame, classifier: Classifier, sink: Sink, health: Health) -> Outcome:
    """A frame came: count it, if it is one to count in, and say when the camera's pictures became bad or good."""
    feed.seen_s = time.monotonic()
    outcome = feed.watch.take(frame, classifier)
    feed.bad += outcome.bad is not None
    if feed.said != outcome.declared:
        problem = None
        if outcome.declared is not None:
            problem = CameraError(f"camera {frame.camera}: {picture.WORDS[outcome.declared]}", reason=outcome.declared)
            log.warning("%s", problem)
        elif feed.said in picture.WORDS:
            log.info("camera %s gives pictures to count in again", frame.camera)
        else:
            log.info("camera %s gives pictures of %d × %d", frame.camera, frame.image.shape[1], frame.image.shape[0])
        feed.said = outcome.declared
        sink.camera(frame.camera, problem)
    if feed.watch.viewpoint is not feed.kept:
        feed.kept = feed.watch.viewpoint
        feed.keep(feed.kept)
    sink.deliver(feed.watch.shelves, outcome)
    unread = sum(1 for look in outcome.observations if look.unread is not None)
    health.beat(looks=len(outcome.observations), unread=unread)
    return outcome


def _miss(feed: Feed, sink: Sink, health: Health) -> None:
    """No frame came for too long: say so, and let what is known grow old."""
    camera = feed.watch.camera
    problem = feed.source.problem or CameraError(f"camera {camera} gives no new picture", reason="timeout")
    if feed.said != problem.reason:  # why it is gone may be known only later
        feed.said = problem.reason
        log.warning("%s", problem)
        sink.camera(camera, problem)
    sink.deliver(feed.watch.shelves, feed.watch.miss(at=datetime.now(UTC), clock_s=time.monotonic()))
    health.alive()
