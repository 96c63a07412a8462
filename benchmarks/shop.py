"""The demo's shop with its page, staged: what stands on the shelves changes when a test says so.

All of it is real: the agent with the bundled model, an MQTT broker, the page; only the camera is drawn.
"""

import re
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from edge_agent.agent import Agent
from edge_agent.config import load
from edge_agent.demo.broker import EmbeddedBroker
from edge_agent.demo.camera import DEFAULT_POSE, SLOTS
from edge_agent.demo.light import Noise, levels
from edge_agent.demo.scene import PLANOGRAM, Scene
from edge_agent.demo.store import CAMERA, write_config
from edge_agent.demo.view import View
from edge_agent.model import labels_of
from edge_agent.shelf import CameraError, Frame

SEED = 7
PLANNED = [product for row in PLANOGRAM for product in row]
"""The product of each of the 24 slots, row by row."""


class StagedCamera:
    """The demo's shelf, full at first. A frame source; its methods may be called from any thread."""

    def __init__(self, frame_wh: tuple[int, int] = (960, 540)) -> None:
        """Open the shop."""
        self.problem: CameraError | None = None
        self._view, self._noise = View(frame_wh, PLANNED, seed=SEED), Noise(frame_wh, 2.4, SEED)
        self._standing: list[tuple[str, int] | None] = [(product, 0) for product in PLANNED]
        self._still = self._view.still(tuple(self._standing))
        self._reach: float | None = None
        self._visit = Scene(SEED, frame_wh, duration_s=60).visits[0]
        self._seq = 0

    def put(self, product: str | None, slots: Iterable[int]) -> None:
        """Put a product into slots (0..23), or take out what is there (None)."""
        standing = list(self._standing)
        for slot in slots:
            standing[slot] = None if product is None else (product, 0)
        self._still, self._standing = self._view.still(tuple(standing)), standing

    def empty(self, product: str) -> None:
        """Take out every piece of a product."""
        self.put(None, [slot for slot, planned in enumerate(PLANNED) if planned == product])

    def fill(self) -> None:
        """Put back whatever belongs on the shelves."""
        self._standing = [(product, 0) for product in PLANNED]
        self._still = self._view.still(tuple(self._standing))

    def arm(self, *, there: bool) -> None:
        """A shopper reaches in and stays, or has gone."""
        visit = self._visit
        self._reach = (visit.start_s + visit.end_s) / 2 if there else None

    def gone(self, problem: CameraError | None) -> None:
        """The camera gives no picture, and why; None: it is there again."""
        self.problem = problem

    def read(self, timeout_s: float) -> Frame | None:
        """The picture of now."""
        if self.problem is not None:
            time.sleep(timeout_s)
            return None
        self._seq += 1
        light = levels(SEED, 0.0)
        image = self._view.lit(self._still, light)
        if (reach := self._reach) is not None:
            self._view.reach(image, light, self._visit.arm, self._visit.placement(reach))
        self._noise.add(image, self._seq)
        return Frame(CAMERA, self._seq, datetime.now(UTC), time.monotonic(), image)

    def close(self) -> None:
        """Nothing is held."""


class Shop:
    """An agent at work in a folder of its own, with its broker and its page. A context."""

    def __init__(self, folder: Path, more: str = "", *, port: int = 0, broker: int | None = None) -> None:
        """Prepare it.

        Args:
            folder: Where `agent.toml` and the outbox are to lie.
            more: Lines for the end of `agent.toml`.
            port: Where the page is served; 0 is a free port.
            broker: The port of a broker that is there; None starts one.
        """
        self.broker = EmbeddedBroker(0) if broker is None else None
        self.mqtt_port = self.broker.port if self.broker is not None else broker or 0
        self.path = write_config(folder, port=self.mqtt_port, heartbeat_s=5)
        text = re.sub(r"^(\w*hold_s|group_s) = .*", r"\1 = 0.5", self.path.read_text(), flags=re.MULTILINE)
        if "[dashboard]" not in more:
            more += f"\n[dashboard]\nenabled = true\nport = {port}\n"
        self.path.write_text(text + "\n" + more)
        self.camera = StagedCamera()

    def __enter__(self) -> Self:
        """Start it."""
        if self.broker is not None:
            self.broker.__enter__()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self.stop()
        if self.broker is not None:
            self.broker.__exit__(kind, error, trace)

    def start(self) -> None:
        """Start the agent."""
        settings = load(self.path, labels=labels_of(self.path))
        self.agent = Agent(settings, sources={CAMERA: self.camera}, path=self.path)
        self.agent.__enter__()
        self._thread = threading.Thread(target=self.agent.run, name="shop", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the agent."""
        self.agent.stop.set()
        self._thread.join(20)
        self.agent.__exit__(None, None, None)

    @property
    def url(self) -> str:
        """Where the page is."""
        assert self.agent.page is not None  # noqa: S101 (it is enabled)
        return f"http://127.0.0.1:{self.agent.page.port}"


__all__ = ["CAMERA", "DEFAULT_POSE", "PLANNED", "SLOTS", "Shop", "StagedCamera"]
