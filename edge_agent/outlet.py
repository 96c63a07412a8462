"""The way out of the agent: outbox, publisher and what joins them to the pipeline."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from edge_agent.alerts.alerting import Alerting
from edge_agent.alerts.writer import FOLDER as ALERTS_FOLDER
from edge_agent.alerts.writer import Keeper
from edge_agent.claims import Claims
from edge_agent.config import Settings
from edge_agent.delivery import Delivery, Ways
from edge_agent.history.writer import FILE as HISTORY_FILE
from edge_agent.history.writer import History
from edge_agent.messages import ModelInfo, Topics
from edge_agent.mqtt.broker import broker_of
from edge_agent.mqtt.publish import MqttPublisher
from edge_agent.outbox.outbox import DAY_S, Outbox

FLUSH_S = 2.0
"""How long the agent waits, when it stops, for the broker to take what is left; systemd gives it 5 s in all."""
GONE_S = 4.0
"""A stop is to take no longer, even where the disk stalls: what is written meanwhile is waited for until then."""
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
        self.claims = Claims(self.topics, self.spool, self.mqtt)
        self.waiting = 0
        """Events that were left when the context ended; they stay stored."""
        self.claims.claim(settings)

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
        self.claims.claim(settings)

    def tend(self) -> None:
        """Look after the outbox where nothing was put into it, and what waits for it; most calls do nothing."""
        now_s = time.monotonic()
        if now_s >= self._tend_at_s:
            self._tend_at_s = now_s + TEND_S
            self.spool.tend()
            self.claims.tend()

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
            self.claims.leave()
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
