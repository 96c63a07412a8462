"""Settings → a running agent: the one place where the parts are put together by hand."""

import hashlib
import logging
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self

from edge_agent.capture.live import LiveSource
from edge_agent.capture.source import FrameSource, open_source
from edge_agent.config import Settings
from edge_agent.health import Health, Stopwatch, notify_systemd
from edge_agent.loop import Feed, OnStep, run
from edge_agent.messages import INFO_SCHEMA
from edge_agent.model import Model, load_model
from edge_agent.outlet import Outlet
from edge_agent.pipeline import CameraPlan, Watch

log = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 15.0
"""How long all cameras together may take to let go; opening one takes 10 s at most, a read 3 s."""


class Agent:
    """A configured agent, used as a context: it opens cameras and the way out, and closes them in the right order."""

    def __init__(self, settings: Settings, *, sources: Mapping[str, FrameSource] | None = None) -> None:
        """Load the model and open everything.

        Args:
            settings: From `edge_agent.config.load`.
            sources: Cameras by id that are not opened from the settings, such as a simulated one.

        Raises:
            ShelfwatchError: The bundle, the outbox or a clip cannot be used.
        """
        self.stop = threading.Event()
        model = load_model(settings)
        if model.note is not None:
            log.warning("%s", model.note)
        self.stopwatch = Stopwatch(model.classifier)
        self.outlet = Outlet(settings, model.info, on_fatal=self.stop.set)
        self.health = Health(self._say_health, every_s=settings.heartbeat_s)
        opened = sources or {}
        self.feeds = [
            Feed(
                watch_of(settings, camera.id),
                opened.get(camera.id) or open_source(camera.id, camera.source),
                period_s=1 / camera.fps,
            )
            for camera in settings.cameras
        ]
        self.outlet.mqtt.retain(self.outlet.topics.info, _info(settings, model))

    def __enter__(self) -> Self:
        """Connect to the broker in the background."""
        self.outlet.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say goodbye: cameras first, then what waits for the broker."""
        notify_systemd("STOPPING=1")
        try:
            self._close_sources()
        finally:
            self.outlet.__exit__(kind, error, trace)

    def _close_sources(self) -> None:
        """Let all cameras go at once: each may hang for seconds, and none keeps the others or the goodbye waiting."""
        pool = ThreadPoolExecutor(max_workers=max(1, len(self.feeds)), thread_name_prefix="close")
        closing = {pool.submit(feed.source.close): feed.watch.camera for feed in self.feeds}
        pool.shutdown(wait=False)
        done, late = wait(closing, timeout=CLOSE_TIMEOUT_S)
        for future in done | late:
            why = "it hangs" if future in late else future.exception()
            if why is not None:
                log.warning("camera %s could not be closed (%s)", closing[future], why)

    def run(self, on_step: OnStep | None = None) -> None:
        """Count until `stop` is set, every clip has ended, or an operator must act.

        Raises:
            CredentialsError: The broker refuses us.
            SpoolError: The outbox cannot be written.
        """
        run(self.feeds, self.stopwatch, self.outlet.delivery, self.health, stop=self.stop, on_step=on_step)
        if self.outlet.mqtt.fatal is not None:
            raise self.outlet.mqtt.fatal

    def _say_health(self, counters: dict[str, Any]) -> None:
        now_s = time.monotonic()
        p50_p95 = self.stopwatch.percentiles_ms()
        ages = {f.watch.camera: None if f.seen_s is None else round(now_s - f.seen_s, 2) for f in self.feeds}
        facts = {
            "frame_age_s": ages,
            "frames_replaced": sum(f.source.replaced for f in self.feeds if isinstance(f.source, LiveSource)),
            "inference_ms_p50": p50_p95[0] if p50_p95 else None,
            "inference_ms_p95": p50_p95[1] if p50_p95 else None,
            "outbox_depth": self.outlet.spool.depth(),
            "reconnects": max(0, self.outlet.mqtt.tally.connects - 1),
        }
        self.outlet.mqtt.say(self.outlet.topics.health, {**counters, **facts})


def watch_of(settings: Settings, camera: str) -> Watch:
    """The counting of one camera of a configuration."""
    return Watch(CameraPlan(camera, settings.shelves_of(camera), settings.rules, settings.alerts.hold_s))


def _info(settings: Settings, model: Model) -> dict[str, Any]:
    """What is retained about the agent itself."""
    config = settings.model_dump_json(exclude={"broker"})
    note = {} if model.note is None else {"delegate_note": model.note}
    return {
        "schema": INFO_SCHEMA,
        "version": version("shelfwatch"),
        "model": model.info.payload(),
        "labels": list(model.classifier.labels),
        "runtime": model.classifier.runtime,
        "delegate": model.classifier.plan.delegate,
        **note,
        "config_sha256": hashlib.sha256(config.encode()).hexdigest(),
    }
