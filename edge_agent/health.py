"""How the agent itself fares: counters, the health message, and what systemd is told."""

import os
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.inference import Classifier
from edge_agent.messages import HEALTH_SCHEMA

NOTIFY_S = 0.2
"""How long a service manager may keep us waiting when it has much to read."""


def notify_systemd(state: str) -> bool:
    """Tell the service manager, where there is one: `READY=1`, `WATCHDOG=1`, … (sd_notify(3)).

    Whether it listens is its own affair: where it doesn't, counting goes on.

    Returns:
        False where it is there and could not be told; what must be known has to be told again.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return True
    if address.startswith("@"):  # an abstract socket
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.settimeout(NOTIFY_S)
            sock.sendto(state.encode(), address)
    except (FileNotFoundError, ConnectionRefusedError):  # the address of a manager that is gone, as a shell inherits it
        return True
    except OSError:
        return False
    return True


class Stopwatch:
    """A classifier that times the one it wraps."""

    def __init__(self, classifier: Classifier) -> None:
        """Wrap `classifier`; the last 1,000 batches are remembered."""
        self._classifier = classifier
        self._batches_ms: deque[float] = deque(maxlen=1000)

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of the scores."""
        return self._classifier.labels

    @property
    def size_px(self) -> int:
        """Side of the crops that it takes."""
        return self._classifier.size_px

    def use(self, classifier: Classifier) -> None:
        """Go on with another classifier, whose times are its own."""
        self._classifier = classifier
        self._batches_ms.clear()

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Crops → scores, timed."""
        began_s = time.perf_counter()
        scores = self._classifier.classify(crops)
        self._batches_ms.append((time.perf_counter() - began_s) * 1000)
        return scores

    def percentiles_ms(self) -> tuple[float, float] | None:
        """Median and 95th percentile of a batch's time, None before the first."""
        if not self._batches_ms:
            return None
        p50, p95 = np.percentile(tuple(self._batches_ms), [50, 95])  # copied at once: another thread adds to it
        return round(float(p50), 2), round(float(p95), 2)


class Health:
    """Counts completed steps; only they, and declared outages, feed the watchdog and send the health message."""

    def __init__(self, say: Callable[[dict[str, Any]], None], *, every_s: float = 60.0) -> None:
        """Begin to count; `say` gets the counters every `every_s` seconds."""
        self._say, self._every_s = say, every_s
        self._began_s = self._said_s = time.monotonic()
        self._said_frames = 0
        self.ready = False
        """Whether a first step is complete, or an outage declared, and systemd was told so."""
        self.frames = 0
        self.unread = 0
        self.looks = 0

    def beat(self, *, looks: int, unread: int) -> None:
        """A step is complete: `looks` slots were looked at, `unread` of them could not be read."""
        self.frames += 1
        self.looks += looks
        self.unread += unread
        self.alive()

    def alive(self) -> None:
        """A step is complete, or the outage of a camera has been declared: tell systemd, and whoever listens."""
        if self.ready:
            notify_systemd("WATCHDOG=1")
        else:
            self.ready = notify_systemd("READY=1")
        now_s = time.monotonic()
        if now_s - self._said_s >= self._every_s:
            self._say(self.counters())
            self._said_s, self._said_frames = now_s, self.frames

    def counters(self) -> dict[str, Any]:
        """What the health message says of the steps so far; `frames_per_s` is of those since the last message."""
        now_s = time.monotonic()
        uptime_s, interval_s = now_s - self._began_s, max(now_s - self._said_s, 1e-3)
        return {
            "schema": HEALTH_SCHEMA,
            "uptime_s": round(uptime_s),
            "frames": self.frames,
            "frames_per_s": round((self.frames - self._said_frames) / interval_s, 2),
            "unread_ratio": round(self.unread / self.looks, 4) if self.looks else None,
        }
