"""A quick morning: the real agent counts what is put on the shelves; benchmarks/shop.py has a shop with its page.

Its camera's clock runs faster than ours, so that holds and timeouts of many seconds pass in one.
"""

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from benchmarks.parts import leave, listen
from edge_agent.agent import Agent
from edge_agent.config import load
from edge_agent.demo.light import Levels
from edge_agent.demo.scene import PLANOGRAM
from edge_agent.demo.store import CAMERA, write_config
from edge_agent.demo.view import View
from edge_agent.model import labels_of
from edge_agent.shelf import CameraError, Frame
from tests.conftest import wait_for

FASTER = 20.0
FPS, FRAME_WH = 40, (960, 540)
PLANNED = tuple(product for row in PLANOGRAM for product in row)


class StagedCamera:
    """Pictures of a shelf that tests fill, empty and darken; each is `FASTER / FPS` seconds after the one before."""

    def __init__(self):
        self.problem: CameraError | None = None
        self._view = View(FRAME_WH, PLANNED, seed=7)
        self._contents = [(product, 0) for product in PLANNED]
        self._light = Levels(0.5, 0.5)
        self._began_s, self._seq = time.monotonic(), 0
        self._drawn = self._draw()

    def put(self, slot: int, product: str | None) -> None:
        """From the next picture on, a slot (0..23) holds this; None is nothing."""
        self._contents[slot] = None if product is None else (product, 0)
        self._drawn = self._draw()

    def light(self, level: float) -> None:
        """From the next picture on, this is the light: 1 as on any day, 0 is none."""
        self._light = Levels(0.5 * level, 0.5 * level)
        self._drawn = self._draw()

    def _draw(self):
        return self._view.lit(self._view.still(tuple(self._contents)), self._light)

    def read(self, timeout_s: float) -> Frame | None:  # noqa: ARG002 — a frame is there at once
        """The picture of now, unless the camera is gone."""
        if self.problem is not None:
            return None
        self._seq += 1
        return Frame(CAMERA, self._seq, datetime.now(UTC), self._began_s + self._seq * FASTER / FPS, self._drawn)

    def close(self) -> None:
        """Nothing is held."""


@dataclass
class Heard:
    """Everything that a broker passed on, in order: topic, payload as it came, whether retained."""

    messages: list[tuple[str, bytes, bool]] = field(default_factory=list)

    def of(self, suffix: str) -> list[dict]:
        """The payloads of all topics that end so."""
        return [json.loads(payload) for topic, payload, _ in list(self.messages) if topic.endswith(suffix) and payload]


@contextmanager
def hearing(port):
    """Keep everything that devices say on a broker."""
    heard = Heard()
    messages = heard.messages
    client = listen(port, lambda m: messages.append((m.topic, bytes(m.payload), m.retain)), "shelfwatch/#")
    try:
        yield heard
    finally:
        leave(client)


@contextmanager
def agent_at_work(folder, port, camera, *, heartbeat_s=0.5):
    """The real agent with the demo's model and shelves, and a staged camera."""
    path = write_config(folder, port=port, protocol="5", heartbeat_s=heartbeat_s)
    text = path.read_text().replace("fps = 5.0", f"fps = {FPS}")
    text = text.replace('id = "drinks"', 'id = "drinks"\nlow_at = { "cola-can" = 1 }')
    # always open: out of hours nothing is told, and without hours darkness is no view that is lost
    path.write_text(
        f'{text}\n[counting]\nunknown_after_s = 10\n\n[hours]\ntimezone = "UTC"\nevery_day = "00:00-24:00"\n'
    )
    with Agent(load(path, labels=labels_of(path)), sources={CAMERA: camera}, path=path) as agent:
        thread = threading.Thread(target=agent.run)
        thread.start()
        try:
            yield agent
        finally:
            agent.stop.set()
            thread.join()


def play(camera, heard):
    """A morning: cola zero is taken and comes back, cola runs low, cans get mixed up, the light goes out and on.

    It ends with lemon tea out of stock, and the pantry's soup in the place of penne.
    """

    def told(kind, count=1):
        wait_for(lambda: sum(e["type"] == kind for e in heard.of("/event")) >= count, 30, kind)

    def counted(count):
        wait_for(lambda: sum(e["type"] == "counts" for e in heard.of("/event")) >= count, 30, "a count")

    counted(3)
    camera.put(2, None)
    told("out_of_stock")
    camera.put(2, "cola-zero-can")
    told("restocked")
    camera.put(0, None)
    told("low_stock")
    camera.put(7, None)
    told("out_of_stock", 2)
    camera.put(21, "tomato-soup")
    told("misplaced")
    camera.light(0.02)
    told("view_lost", 3)
    wait_for(lambda: any(s["status"] == "degraded" for s in heard.of("/camera/shelf-cam/status")), 30, "dark")
    camera.light(1)
    told("view_restored", 3)
    wait_for(lambda: len(heard.of("/health")) >= 4, 30, "health")
