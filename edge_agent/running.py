"""What runs at present: settings, model and cameras. A reload changes them between two steps, in the loop's thread."""

import hashlib
import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from math import inf
from pathlib import Path
from typing import Any

from edge_agent import sensors
from edge_agent.capture.address import is_device, is_stream, redacted
from edge_agent.capture.live import LiveSource
from edge_agent.capture.source import FrameSource, open_source
from edge_agent.config import CameraSection, Settings
from edge_agent.health import Stopwatch
from edge_agent.loop import BLIND_S, Feed, Keep, keep_nothing
from edge_agent.messages import INFO_SCHEMA
from edge_agent.model import Model
from edge_agent.outcome import Outcome
from edge_agent.outlet import Outlet
from edge_agent.pictures.picture import Judging
from edge_agent.pictures.viewpoint import Viewpoint
from edge_agent.pictures.views import view_file
from edge_agent.pipeline import CameraPlan
from edge_agent.reload import Plan
from edge_agent.watch import Watch

log = logging.getLogger(__name__)

KEY_FRAMES_BLIND_S = 6.0
"""How long a camera may be silent of which only the key frames are decoded: some send one in four seconds."""
PACE_FRAMES = 25
"""Over how many of the newest pictures their pace is told."""
CLOSE_TIMEOUT_S = 1.0
"""How long cameras may still take to let go when all else is done."""


@dataclass(frozen=True, slots=True, eq=False)
class Ready:
    """A configuration that was read and found good, with what it needs already loaded and opened.

    `model` is None where the one in force stays. `opened` holds the cameras that are new or opened anew.
    """

    settings: Settings
    plan: Plan
    model: Model | None
    opened: Mapping[str, FrameSource]


class Running:
    """Settings in force, the model, the way out and the cameras. `feeds` is the list that the loop goes through."""

    def __init__(self, settings: Settings, model: Model, outlet: Outlet, sources: Mapping[str, FrameSource]) -> None:
        """Open the cameras of `settings` that are not among `sources`, and tell who we are.

        Raises:
            InputError: A clip cannot be used.
        """
        self.settings, self.model, self.outlet = settings, model, outlet
        self.stopwatch = Stopwatch(model.classifier)
        opened = open_cameras(camera for camera in settings.cameras if camera.id not in sources) | dict(sources)
        self.feeds = [feed_of(settings, camera, opened[camera.id]) for camera in settings.cameras]
        self._resume(self.feeds)
        self.seen: dict[str, Outcome] = {}
        """What the newest picture of each camera led to."""
        self._paces: dict[str, deque[float]] = {}
        self.tell()

    def tell(self, reload: Mapping[str, Any] | None = None) -> None:
        """Publish who we are, and how the latest reload went."""
        self.outlet.mqtt.retain(self.outlet.topics.info, info_payload(self.settings, self.model, reload))

    def _resume(self, feeds: Iterable[Feed]) -> None:
        """Have cameras that begin anew go on with the alerts that are open."""
        for feed in feeds:
            feed.watch.resume(self.outlet.alerting.resume)

    def feed(self, camera: str) -> Feed:
        """The feed of a camera that there is."""
        return next(feed for feed in self.feeds if feed.watch.camera == camera)

    def vitals(self) -> dict[str, Any]:
        """What the health message says beside the counters of the steps."""
        now_s = time.monotonic()
        p50_p95 = self.stopwatch.percentiles_ms()
        ages = {f.watch.camera: None if f.seen_s is None else round(now_s - f.seen_s, 2) for f in self.feeds}
        return {
            "frame_age_s": ages,
            "frames_replaced": sum(f.source.replaced for f in self.feeds if isinstance(f.source, LiveSource)),
            "camera_opens": {f.watch.camera: f.source.opens for f in self.feeds if isinstance(f.source, LiveSource)},
            "inference_ms_p50": p50_p95[0] if p50_p95 else None,
            "inference_ms_p95": p50_p95[1] if p50_p95 else None,
            "frames_stale": {f.watch.camera: f.stale for f in self.feeds},
            "pictures_bad": {f.watch.camera: f.bad for f in self.feeds},
            "temperature_c": sensors.temperature_c(),
            "disk_free_mb": _free_mb(self.settings.outbox.path.parent),
            "outbox_depth": self.outlet.spool.depth(),
            "outbox_oldest_s": _rounded(self.outlet.spool.oldest_age_s()),
            "outbox_trouble": self.outlet.spool.trouble,
            "reconnects": max(0, self.outlet.mqtt.tally.connects - 1),
        }

    def let_go(self) -> list[threading.Thread]:
        """Begin to close all cameras."""
        return let_go({feed.watch.camera: feed.source for feed in self.feeds})

    def saw(self, watch: Watch, outcome: Outcome) -> None:
        """Keep what the newest picture of a camera led to."""
        self.seen[watch.camera] = outcome
        if watch.camera not in self._paces:
            self._paces[watch.camera] = deque(maxlen=PACE_FRAMES)
        self._paces[watch.camera].append(time.monotonic())

    def frames_per_s(self, camera: str) -> float | None:
        """At which pace the pictures of a camera are counted in; None before the second one."""
        steps_s = tuple(self._paces.get(camera, ()))  # copied at once: the loop adds to it
        if len(steps_s) < 2:
            return None
        now_s = time.monotonic()
        since_s = max(steps_s[-1], now_s - (steps_s[-1] - steps_s[0]) / (len(steps_s) - 1))  # it may have stopped
        return round((len(steps_s) - 1) / max(since_s - steps_s[0], 1e-3), 2)

    def recount(self, cameras: Iterable[str]) -> None:
        """Forget what was seen of these cameras; their next pictures are counted as if they were the first."""
        for camera in cameras:
            self.feed(camera).watch.recount()

    def take_over(self, ready: Ready) -> None:
        """Go on with another configuration; nothing here can fail, so that it is taken over as a whole."""
        old, plan = {feed.watch.camera: feed for feed in self.feeds}, ready.plan
        if ready.model is not None:
            self.model = ready.model
            self.stopwatch.use(ready.model.classifier)
        self.settings = ready.settings
        feeds = []
        for camera in ready.settings.cameras:
            feed = old.get(camera.id)
            if feed is None or camera.id in ready.opened:
                feed = feed_of(ready.settings, camera, ready.opened[camera.id])
            elif camera.id in plan.anew:
                said, seen_s = feed.said, feed.seen_s
                feed = feed_of(ready.settings, camera, feed.source)
                feed.said, feed.seen_s = said, seen_s
            feeds.append(feed)
        touched = {*plan.anew, *plan.reopened, *plan.added, *plan.removed}
        self.seen = {camera: outcome for camera, outcome in self.seen.items() if camera not in touched}
        self.feeds[:] = feeds  # after `seen`: another thread never finds a new shelf with what an old one looked like
        self.outlet.change(ready.settings, self.model.info)
        self._resume(feed for feed in feeds if feed is not old.get(feed.watch.camera))
        let_go({camera: old[camera].source for camera in (*plan.reopened, *plan.removed)})


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def _free_mb(folder: Path) -> float | None:
    """What is free where the outbox lies; None where the disk doesn't say."""
    try:
        return sensors.disk(folder).free_mb
    except OSError:
        return None


def info_payload(settings: Settings, model: Model, reload: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What is retained about the agent itself; `reload` is how the latest one went, None before the first."""
    note = {} if model.note is None else {"delegate_note": model.note}
    return {
        "schema": INFO_SCHEMA,
        "version": version("shelfwatch"),
        "model": model.info.payload(),
        "labels": list(model.classifier.labels),
        "runtime": model.classifier.runtime,
        "delegate": model.classifier.plan.delegate,
        **note,
        "config_sha256": _fingerprint(settings),
        "reload": reload,
    }


def _fingerprint(settings: Settings) -> str:
    """A hash of the settings without their secrets, which could be guessed until the hash is right: it is published."""
    cameras = [camera.model_copy(update={"source": redacted(camera.source)}) for camera in settings.cameras]
    shown = settings.model_copy(update={"cameras": cameras}).model_dump_json(exclude={"broker"})
    return hashlib.sha256(shown.encode()).hexdigest()


def watch_of(settings: Settings, camera: str, viewpoint: Viewpoint | None = None) -> Watch:
    """The counting of one camera of a configuration; `viewpoint` is where it looked in an earlier run."""
    judging = judging_of(settings, camera)
    plan = CameraPlan(camera, settings.shelves_of(camera), settings.rules, settings.policy.patience, judging)
    return Watch(plan, viewpoint)


def judging_of(settings: Settings, camera: str) -> Judging:
    """Which pictures of a camera are not to be counted in. A clip or a folder of pictures may well stand still."""
    source, pictures = next(c.source for c in settings.cameras if c.id == camera), settings.pictures
    return Judging(
        frozen_after_s=pictures.frozen_after_s if is_stream(source) or is_device(source) else inf,
        blurred_below=pictures.blurred_below,
        moved_by=pictures.moved_by,
        dark_below=settings.counting.dark_below,
    )


def feed_of(settings: Settings, camera: CameraSection, source: FrameSource) -> Feed:
    """A camera as the loop goes through it, with the reference view that is kept of it."""
    kept = view_file(settings.outbox.path.parent, camera.id, camera.source, settings.shelves_of(camera.id))
    keep: Keep = kept.keep
    if not settings.privacy.keep_view:
        kept.keep(None)
        keep = keep_nothing
    return Feed(
        watch_of(settings, camera.id, kept.load()),
        source,
        period_s=1 / camera.fps,
        keep=keep,
        blind_s=KEY_FRAMES_BLIND_S if camera.key_frames else BLIND_S,
    )


def open_cameras(cameras: Iterable[CameraSection]) -> dict[str, FrameSource]:
    """Open cameras, all or none. One that is not there is opened too: its source says why it gives no picture.

    Raises:
        InputError: A clip cannot be used.
    """
    opened: dict[str, FrameSource] = {}
    try:
        for camera in cameras:
            opened[camera.id] = open_source(
                camera.id, camera.source, period_s=1 / camera.fps, key_frames=camera.key_frames
            )
    except BaseException:
        let_go(opened)
        raise
    return opened


def let_go(cameras: Mapping[str, FrameSource]) -> list[threading.Thread]:
    """Close cameras, each in a thread of its own: one may hang, and none keeps the others, or us, waiting."""
    closing = [
        threading.Thread(target=_close, args=(camera, source), name=camera, daemon=True)
        for camera, source in cameras.items()
    ]
    for thread in closing:
        thread.start()
    return closing


def wait_for(closing: Iterable[threading.Thread], *, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
    """Wait for cameras that are being closed, but no longer than `timeout_s` seconds for all together."""
    until_s = time.monotonic() + timeout_s
    for thread in closing:
        thread.join(max(0.0, until_s - time.monotonic()))
        if thread.is_alive():
            log.warning("camera %s could not be closed (it hangs)", thread.name)


def _close(camera: str, source: FrameSource) -> None:
    try:
        source.close()
    except Exception as error:  # noqa: BLE001 — whatever it is, the others are to be closed and `offline` be said
        log.warning("camera %s could not be closed (%s)", camera, error)
