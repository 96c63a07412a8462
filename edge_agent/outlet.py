"""The way out of the agent: outbox, publisher and what joins them to the pipeline."""

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from types import TracebackType
from typing import Self

from edge_agent.alerts.alerting import Alerting
from edge_agent.alerts.writer import FOLDER as ALERTS_FOLDER
from edge_agent.alerts.writer import Keeper
from edge_agent.config import Settings
from edge_agent.delivery import Delivery, Ways
from edge_agent.history.writer import FILE as HISTORY_FILE
from edge_agent.history.writer import History
from edge_agent.home_assistant import Announcement, announcement, discovery_levels, page_address
from edge_agent.messages import ModelInfo, Topics
from edge_agent.mqtt.broker import broker_of
from edge_agent.mqtt.publish import MqttPublisher
from edge_agent.outbox.outbox import DAY_S, Outbox
from edge_agent.shelf import SpoolError

FLUSH_S = 2.0
"""How long the agent waits, when it stops, for the broker to take what is left; systemd gives it 5 s in all."""
GONE_S = 4.0
"""A stop is to take no longer, even where the disk stalls: what is written meanwhile is waited for until then."""
ANNOUNCED = "home_assistant"
"""Under this name the outbox remembers what Home Assistant was told of, so that it can be told what is gone."""
TEND_S = 1.0
"""How often the outbox is given a moment."""


class Outlet:
    """The way out: outbox, publisher and what joins them to the pipeline. A context that connects and says goodbye."""

    def __init__(self, settings: Settings, model: ModelInfo, *, on_fatal: Callable[[], None] = lambda: None) -> None:
        """Open the outbox; nothing is connected before the context is entered.

        Raises:
            SpoolError: The outbox cannot be opened, and an operator must act.
            ConfigError: The broker's password cannot be read.
        """
        self.topics = Topics(settings.site, settings.device)
        broker = broker_of(settings)
        section = settings.outbox
        self.spool = Outbox(
            section.path,
            max_bytes=section.max_mb * 2**20,
            max_age_s=section.max_age_days * DAY_S,
            ballast_bytes=section.ballast_mb * 2**20,
        )
        self.mqtt = MqttPublisher(broker, self.topics, self.spool, on_fatal=on_fatal)
        self._keeper = Keeper(section.path.with_name(ALERTS_FOLDER), max_mb=settings.alerts.evidence_mb)
        self.alerting = Alerting(settings.policy, keeper=self._keeper)
        self.history = _history(settings)
        ways = Ways(self.spool, self.mqtt, self.history)
        self.delivery = Delivery(self.topics, ways, model, self.alerting, heartbeat_s=settings.heartbeat_s)
        self._warn(settings)
        self._tend_at_s = 0.0
        self._unclaimed: Settings | None = None
        self._claimed: set[str] = set()  # topics of every configuration of this run
        self._announced: dict[str, str] = {}  # components that Home Assistant has heard of, and their platforms
        self._card: Announcement | None = None
        self.waiting = 0
        """Events that were left when the context ended; they stay stored."""
        self.claim(settings)

    def claim(self, settings: Settings) -> None:
        """Take the retained topics of a configuration as ours, and clear those of earlier ones that it hasn't.

        While the disk cannot be read nobody knows those of earlier ones: `tend` does it when it is back.
        """
        ours = {self.topics.state(shelf.id) for shelf in settings.shelves}
        ours |= {self.topics.camera(camera.id) for camera in settings.cameras}
        ours |= self._announce(settings)
        self.mqtt.cleared -= ours  # a shelf that has come back
        self._unclaimed = settings
        self._claimed |= ours
        try:
            known = self._retained() | self._claimed
        except SpoolError:
            return
        self._unclaimed = None
        self.spool.remember("retained", "\n".join(sorted(known)))
        for topic in known - ours:
            if topic.startswith(f"{self.topics.root}/"):  # another device's are not ours to clear
                self.mqtt.retain(topic, "")
            elif topic.endswith(f"/{discovery_levels(settings)}"):
                self.mqtt.offer(topic, "")

    def _announce(self, settings: Settings) -> set[str]:
        """Tell Home Assistant of the device, if it is to know; the topics where it is told."""
        if not settings.home_assistant.enabled:
            self._card = None
            return set()
        try:
            gone = _platforms(self.spool.recall(ANNOUNCED)) | self._announced
            known = True
        except SpoolError:
            gone, known = self._announced, False
        page = page_address(settings.dashboard, os.uname().nodename)
        card = announcement(settings, version=version("shelfwatch"), page=page, gone=gone)
        self._announced = gone | dict(card.platforms)
        if known:
            self.spool.remember(ANNOUNCED, json.dumps(self._announced))
        if card != self._card:  # `tend` comes here every second while the disk cannot be read
            self.mqtt.offer(card.topic, card.payload)
            self._card = card
        return {card.topic}

    def _warn(self, settings: Settings) -> None:
        """Have alerts kept and told as a configuration wants it."""
        self._keeper.max_mb = settings.alerts.evidence_mb
        shelves = [shelf for camera in settings.cameras for shelf in settings.shelves_of(camera.id)]
        self.alerting.use(settings.policy, shelves, mode=settings.alerts.evidence, at=datetime.now(UTC))
        self.delivery.list_alerts()

    def change(self, settings: Settings, model: ModelInfo) -> None:
        """Go on for another configuration of the same device."""
        self.delivery.change(model, (shelf.id for shelf in settings.shelves))
        self._warn(settings)
        self.claim(settings)

    def tend(self) -> None:
        """Look after the outbox where nothing was put into it, and what waits for it; most calls do nothing."""
        now_s = time.monotonic()
        if now_s >= self._tend_at_s:
            self._tend_at_s = now_s + TEND_S
            self.spool.tend()
            if self._unclaimed is not None:
                self.claim(self._unclaimed)

    def _retained(self) -> set[str]:
        """Retained topics of shelves and cameras, of this configuration and earlier ones, that are not cleared yet.

        Raises:
            SpoolError: The disk cannot be read.
        """
        known = self.spool.recall("retained")
        return set(known.split("\n")) if known else set()

    def __enter__(self) -> Self:
        """Connect, and go on trying, in the background."""
        self.mqtt.start()
        self._keeper.start()
        if self.history is not None:
            self.history.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send what waits, publish `offline`, close the outbox; what could not be sent stays in it.

        Book and history are written meanwhile, as one disk may keep all of them waiting.
        """
        until_s = time.monotonic() + GONE_S
        self._keeper.leave()
        if self.history is not None:
            self.history.leave()
        self.mqtt.stop(flush_s=FLUSH_S)
        try:
            self.waiting = self.spool.depth()
            if self._card is not None and self.mqtt.has(self._card.topic):
                # what is gone was said, and need not be said again
                self.spool.remember(ANNOUNCED, json.dumps(dict(self._card.platforms)))
            if self.mqtt.cleared:
                with suppress(SpoolError):  # they are cleared again at the next start
                    self.spool.remember("retained", "\n".join(sorted(self._retained() - self.mqtt.cleared)))
        finally:
            self.spool.close()
            self._keeper.close(max(0.0, until_s - time.monotonic()))
            if self.history is not None:
                self.history.close(max(0.0, until_s - time.monotonic()))


def _history(settings: Settings) -> History | None:
    """What the device keeps of its own events, beside the outbox; None where it is to keep none."""
    section = settings.history
    if not section.enabled:
        return None
    return History(settings.outbox.path.with_name(HISTORY_FILE), max_mb=section.max_mb, days=section.days)


def _platforms(remembered: str | None) -> dict[str, str]:
    """What Home Assistant was told of; nothing where that is damaged: what is gone is not taken back then."""
    try:
        found = json.loads(remembered or "{}")
    except ValueError:
        return {}
    return {str(name): str(platform) for name, platform in found.items()} if isinstance(found, dict) else {}
