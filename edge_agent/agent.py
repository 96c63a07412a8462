"""Settings → a running agent: the one place where the parts are put together by hand."""

import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from edge_agent.capture.source import FrameSource
from edge_agent.config import Settings
from edge_agent.control.desk import Desk
from edge_agent.control.errands import Errands
from edge_agent.control.reloading import Reloading
from edge_agent.dashboard.behind import Behind
from edge_agent.health import Health, notify_systemd
from edge_agent.loop import OnStep, run
from edge_agent.model import load_model
from edge_agent.outcome import Outcome
from edge_agent.outlet import GONE_S, Outlet
from edge_agent.review.writer import keeper_of
from edge_agent.running import CLOSE_TIMEOUT_S, Running, wait_for
from edge_agent.watch import Watch

if TYPE_CHECKING:
    from edge_agent.dashboard.server import Server

log = logging.getLogger(__name__)


class Agent:
    """A configured agent, used as a context: it opens cameras and the way out, and closes them in the right order."""

    def __init__(
        self,
        settings: Settings,
        *,
        sources: Mapping[str, FrameSource] | None = None,
        path: Path | None = None,
        reload_asked: threading.Event | None = None,
    ) -> None:
        """Load the model and open everything.

        Args:
            settings: From `edge_agent.config.load`.
            sources: Cameras by id that are not opened from the settings, such as a simulated one.
            path: The file that the settings come from, to be read again by a reload; None for one that cannot be.
            reload_asked: Asks for a reload when it is set, as a signal does.

        Raises:
            ShelfwatchError: The bundle, the outbox, a clip or the page's password or certificate cannot be used.
        """
        self.stop = threading.Event()
        model = load_model(settings)
        if model.note is not None:
            log.warning("%s", model.note)
        self.outlet = Outlet(settings, model.info, on_fatal=self.stop.set)
        self.health = Health(self._say_health, every_s=settings.heartbeat_s)
        self.running = Running(settings, model, self.outlet, sources or {})
        self.reloading = Reloading(self.running, path, reload_asked or threading.Event())
        self.desk = Desk(self.running, self.reloading)
        self.errands = Errands()
        self.review = keeper_of(self.running)
        try:
            self.page = _page(Behind(self.running, self.health, self.reloading, self.errands, path, review=self.review))
        except BaseException:
            self.running.let_go()
            self.outlet.spool.close()
            raise

    def __enter__(self) -> Self:
        """Connect to the broker in the background."""
        self.outlet.__enter__()
        if self.review is not None:
            self.review.start()
        if self.page is not None:
            self.page.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say goodbye. All parts end meanwhile: neither cameras, page nor a disk that stalls keep the other waiting."""
        until_s = time.monotonic() + GONE_S
        notify_systemd("STOPPING=1")
        if self.page is not None:
            self.page.leave()
        closing = self.running.let_go()
        if self.review is not None:
            self.review.leave()
        try:
            self.outlet.__exit__(kind, error, trace)
        finally:
            wait_for(closing, timeout_s=min(CLOSE_TIMEOUT_S, max(0.0, until_s - time.monotonic())))
            if self.review is not None:
                self.review.close(max(0.0, until_s - time.monotonic()))
            if self.page is not None:
                self.page.close(max(0.0, until_s - time.monotonic()))

    def run(self, on_step: OnStep | None = None) -> None:
        """Count until `stop` is set, every clip has ended, or an operator must act.

        Raises:
            CredentialsError: The broker refuses us.
        """

        def stepped(watch: Watch, outcome: Outcome) -> None:
            self.running.saw(watch, outcome)
            if self.review is not None:
                self.review.saw(watch, outcome)
            if on_step is not None:
                on_step(watch, outcome)

        run(
            self.running.feeds,
            self.running.stopwatch,
            self.outlet.delivery,
            self.health,
            stop=self.stop,
            on_step=stepped,
            chores=self._chores,
        )
        if self.outlet.mqtt.fatal is not None:
            raise self.outlet.mqtt.fatal

    def _chores(self) -> None:
        """What is done between two steps beside counting."""
        if self.health.ready:  # a reload tells systemd that we are ready again, which must not be the first time
            self.reloading.attend()
        self.desk.attend()
        self.errands.attend()
        self.outlet.tend()

    def _say_health(self, counters: dict[str, Any]) -> None:
        page = {"page_problem": self.page.problem if self.page is not None else None}
        self.outlet.mqtt.say(self.outlet.topics.health, {**counters, **self.running.vitals(), **page})


def _page(behind: Behind) -> "Server | None":
    """The device's own web page, where it is wanted; else its libraries are not even loaded."""
    if not behind.running.settings.dashboard.enabled:
        return None
    from edge_agent.dashboard.server import Server  # noqa: PLC0415

    return Server(behind)
