"""`shelf-agent demo`: the main job without any hardware, in a terminal."""

import logging
import signal
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from edge_agent.agent import Agent
from edge_agent.config import load
from edge_agent.demo.broker import EmbeddedBroker, free_port
from edge_agent.demo.scene import Scene
from edge_agent.demo.store import CAMERA, SimulatedCamera, write_config
from edge_agent.model import labels_of
from edge_agent.outcome import Outcome
from edge_agent.shelf import Alert, Count, Shelf, StockStatus
from edge_agent.watch import Watch

_STYLES: dict[StockStatus, str] = {"ok": "green", "low": "yellow", "out": "bold red", "unknown": "magenta"}
ALERTS_SHOWN, ALERTS_BRIEF = 8, 5
FULL_HEIGHT = 42
"""Lines of a terminal that the whole table needs, with the alerts below it."""


def show(*, seconds: float | None, seed: int, port: int, page: int | None, console: Console) -> None:
    """Run the demo until its time is up or somebody interrupts it; then print a summary.

    Args:
        seconds: How long; None for until Ctrl-C.
        seed: Which shelf and which shoppers.
        port: Where the embedded broker listens on 127.0.0.1; 0, or a port that is taken, becomes a free one.
        page: The same for the device's page; None serves none.
        console: Where it is shown.

    Raises:
        BrokerError: No port for the broker.
        BundleError: The bundled model does not answer as it must.
    """
    logging.getLogger().setLevel(logging.ERROR)  # the table shows what happens
    with tempfile.TemporaryDirectory(prefix="shelfwatch-demo-") as folder, EmbeddedBroker(port) as broker:
        path = write_config(Path(folder), port=broker.port, page=None if page is None else free_port(page))
        camera = SimulatedCamera(Scene(seed))
        with Agent(load(path, labels=labels_of(path)), sources={CAMERA: camera}, path=path) as agent:
            url = agent.page.url if agent.page is not None and agent.page.problem is None else None
            screen = Screen(broker.port, agent.outlet.topics.root, path, url)
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: agent.stop.set())
            console.print(screen.banner(), soft_wrap=True)  # lines to copy are not to be broken
            with _stopped_after(seconds, agent), Live(console=console, auto_refresh=False, transient=True) as live:

                def refresh(watch: Watch, outcome: Outcome) -> None:
                    screen.take(watch.shelves, outcome)
                    if console.is_terminal:
                        live.update(screen.render(brief=console.height < FULL_HEIGHT), refresh=True)

                agent.run(refresh)
            console.print(screen.render())
        done, sent = agent.outlet.delivery, agent.outlet.mqtt.tally
        console.print(
            f"{agent.health.frames} frames, {done.changes} changes, {done.alerts} alerts,"
            f" {sent.acknowledged} messages acknowledged",
            highlight=False,
        )


@contextmanager
def _stopped_after(seconds: float | None, agent: Agent) -> Iterator[None]:
    """Stop an agent after so many seconds, if it is still at work then."""
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, agent.stop.set)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class Screen:
    """What the demo's terminal shows."""

    def __init__(self, port: int, root: str, config: Path, url: str | None = None) -> None:
        """Nothing has been seen yet."""
        self._port, self._root, self._config, self._url = port, root, config, url
        self._shelves: Sequence[Shelf] = ()
        self._outcome: Outcome | None = None
        self._recent: deque[tuple[str, Alert]] = deque(maxlen=ALERTS_SHOWN)

    def banner(self) -> RenderableType:
        """Where everything is, for a second shell."""
        page = f"page      [bold]{self._url}[/]   (open it in a browser)\n" if self._url is not None else ""
        return Text.from_markup(
            f"{page}MQTT      mqtt://127.0.0.1:{self._port}   (embedded broker, topics below {self._root}/)\n"
            f"watch it  [bold]mosquitto_sub -h 127.0.0.1 -p {self._port} -t '{self._root}/#' -v[/]\n"
            f"states    [bold]mosquitto_sub -h 127.0.0.1 -p {self._port} -t '{self._root}/shelf/+/state'"
            " --retained-only -W 1[/]\n"
            f"config    {escape(str(self._config))}\n"
        )

    def take(self, shelves: Sequence[Shelf], outcome: Outcome) -> None:
        """Keep the newest outcome, and the latest alerts."""
        self._shelves, self._outcome = shelves, outcome
        for alert in outcome.alerts:
            self._recent.append((f"{outcome.frame.captured_at.astimezone():%H:%M:%S}", alert))

    def render(self, *, brief: bool = False) -> RenderableType:
        """Shelves, products, counts and status, and below them the latest alerts; `brief` leaves out what is ok."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for column, justify in (("shelf", "left"), ("product", "left"), ("count", "right"), ("status", "left")):
            table.add_column(column, justify=justify)  # type: ignore[arg-type]
        table.add_column("now", justify="left", min_width=22)
        counts = {count.shelf: count for count in self._outcome.counts} if self._outcome is not None else {}
        for shelf in self._shelves:
            self._rows(table, shelf, counts.get(shelf.id), brief=brief)
        lines = [
            Text(f"{at}  {alert.kind:<14} {alert.message}", style=_alert_style(alert)) for at, alert in self._recent
        ][-ALERTS_BRIEF if brief else 0 :]
        alerts = Panel(Group(*lines) if lines else Text("none yet", style="dim"), title="alerts", title_align="left")
        return Group(table, alerts)

    def _rows(self, table: Table, shelf: Shelf, count: Count | None, *, brief: bool) -> None:
        if count is None:
            table.add_row(shelf.id, "", "", "starting", "", style="dim")
            return
        now = self._now(shelf)
        shown = [item for item in count.items if not brief or item.status != "ok"]
        if fine := len(count.items) - len(shown):
            table.add_row(shelf.id, f"{fine} products", "", Text("ok", style=_STYLES["ok"]), now)
        for place, item in enumerate(shown, start=1 if fine else 0):
            number = "?" if item.count is None else str(item.count)
            table.add_row(
                shelf.id if place == 0 else "",
                Text(item.sku),
                f"{number} / {item.expected}" if item.expected else f"{number} here by mistake",
                Text(item.status, style=_STYLES[item.status]),
                now if place == 0 else "",
            )
        table.add_section()

    def _now(self, shelf: Shelf) -> str:
        """Whether the shelf is being read at this moment, or held, and why."""
        if self._outcome is None:
            return ""
        unread = [look for look in self._outcome.looks_at(shelf, self._shelves) if look.unread is not None]
        return f"held: {len(unread)} {unread[0].unread}" if unread else "clear"


def _alert_style(alert: Alert) -> str:
    return {"out_of_stock": "bold red", "low_stock": "yellow", "restocked": "green"}.get(alert.kind, "cyan")
