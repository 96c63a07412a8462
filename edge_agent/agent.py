"""Settings → a running agent: the one place where the parts are put together by hand."""

import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edge_agent import bundle as bundles
from edge_agent import delegates
from edge_agent.broker import Broker
from edge_agent.capture.live import LiveSource
from edge_agent.capture.source import FrameSource, open_source
from edge_agent.config import Settings
from edge_agent.delegates import Wish
from edge_agent.delivery import Delivery
from edge_agent.engines import EDGETPU_LIBRARY
from edge_agent.health import Health, Stopwatch, notify_systemd
from edge_agent.inference import TfliteClassifier
from edge_agent.loop import Feed, OnStep, run
from edge_agent.messages import INFO_SCHEMA, ModelInfo, Topics
from edge_agent.pipeline import CameraPlan, Watch
from edge_agent.publish import MqttPublisher
from edge_agent.shelf import ConfigError
from edge_agent.signature import check_signature
from edge_agent.spool import Spool

log = logging.getLogger(__name__)

QUANTIZATION = {bundles.FLOAT_FILE: "float32", bundles.GPU_FILE: "float16"}
"""What a build other than int8 is, for whoever reads a message."""
CLOSE_TIMEOUT_S = 15.0
"""How long all cameras together may take to let go; opening one takes 10 s at most, a read 3 s."""
EXPIRY_MAX_S = 2**31 - 1
"""Well within the four bytes that MQTT has for an expiry."""


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A bundle and the network in it. `note` says why a build for an accelerator, which is there, is not used."""

    info: ModelInfo
    classifier: TfliteClassifier
    note: str | None = None


def load_model(settings: Settings) -> Model:
    """Check whose the bundle is, read it, load the model and hold it against its golden outputs.

    Raises:
        BundleError: It is broken, altered, not signed by the key that the settings name, or does not answer as it must.
        ConfigError: That key cannot be read.
        DelegateError: The accelerator that the settings name cannot be used.
    """
    section = settings.model
    bundle = bundles.read(section.bundle, vouch=partial(check_signature, section.bundle, section.signed_by))
    wish = Wish(section.delegate, section.delegate_library or EDGETPU_LIBRARY, section.runtime, section.threads)
    loaded = delegates.load(bundle, wish)
    variant = loaded.classifier.plan.variant
    info = ModelInfo(bundle.manifest.id, bundle.manifest.files[variant], QUANTIZATION.get(variant, "int8"))
    return Model(info, loaded.classifier, loaded.note)


def broker_of(settings: Settings) -> Broker:
    """The broker of a configuration, with the password read from its file.

    Raises:
        ConfigError: The password file cannot be read.
    """
    section = settings.broker
    return Broker(
        host=section.host,
        port=section.port,
        username=section.username,
        password=_password(section.password_file) if section.password_file is not None else None,
        protocol=section.protocol,
        client_id=f"shelfwatch-{settings.site}-{settings.device}-{_machine_id()}",
        state_expiry_s=max(1, round(min(3 * settings.heartbeat_s, EXPIRY_MAX_S))),
    )


def _password(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"broker: password_file {path} cannot be read ({error})."
            + (
                " systemd sets this variable for the service: use sudo shelf-agent, or name a file."
                if "$" in str(path)
                else " Write the password there, readable for the agent."
            )
        ) from error


def _machine_id() -> str:
    """A short, stable name of this machine that tells nothing else about it (machine-id(5) asks for a hash)."""
    for path in (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id")):
        if path.is_file() and (text := path.read_text().strip()):
            return hashlib.sha256(b"shelfwatch" + text.encode()).hexdigest()[:12]
    return hashlib.sha256(os.uname().nodename.encode()).hexdigest()[:12]


class Outlet:
    """The way out: outbox, publisher and what joins them to the pipeline. A context that connects and says goodbye."""

    def __init__(self, settings: Settings, model: ModelInfo, *, on_fatal: Callable[[], None] = lambda: None) -> None:
        """Open the outbox; nothing is connected before the context is entered.

        Raises:
            SpoolError: The outbox cannot be opened.
            ConfigError: The broker's password cannot be read.
        """
        self.topics = Topics(settings.site, settings.device)
        broker = broker_of(settings)
        self.spool = Spool(settings.outbox.path, max_bytes=settings.outbox.max_mb * 2**20)
        self.mqtt = MqttPublisher(broker, self.topics, self.spool, on_fatal=on_fatal)
        self.delivery = Delivery(self.topics, self.spool, self.mqtt, model, heartbeat_s=settings.heartbeat_s)
        self.waiting = 0
        """Events that were left when the context ended; they stay stored."""
        ours = {self.topics.state(shelf.id) for shelf in settings.shelves}
        ours |= {self.topics.camera(camera.id) for camera in settings.cameras}
        known = self._retained()
        self.spool.remember("retained", "\n".join(sorted(known | ours)))
        for topic in known - ours:
            if topic.startswith(f"{self.topics.root}/"):  # another device's are not ours to clear
                self.mqtt.retain(topic, "")

    def _retained(self) -> set[str]:
        """Retained topics of shelves and cameras, of this configuration and earlier ones, that are not cleared yet."""
        known = self.spool.recall("retained")
        return set(known.split("\n")) if known else set()

    def __enter__(self) -> Self:
        """Connect, and go on trying, in the background."""
        self.mqtt.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send what waits, publish `offline`, close the outbox; what could not be sent stays in it."""
        self.mqtt.stop()
        try:
            self.waiting = self.spool.depth()
            if self.mqtt.cleared:
                self.spool.remember("retained", "\n".join(sorted(self._retained() - self.mqtt.cleared)))
        finally:
            self.spool.close()


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
