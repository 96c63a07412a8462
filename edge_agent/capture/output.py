"""Where the readers of a camera's process put their pictures: no more of them than are wanted, and none too late."""

import os
import threading
import time
from collections.abc import Callable
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from edge_agent.capture.age import STALE_S
from edge_agent.capture.handover import Order, Sender
from edge_agent.capture.outages import outage
from edge_agent.shelf import CameraError, OutageReason

PER_PERIOD, APART_S = 2, 0.5
"""Pictures for each that is looked at, and their distance at most, so that a fresh one is there for every look."""
EARLY = 0.25
"""A picture is due by so much of their distance too early, as cameras aren't exact."""
MARGIN_S = 0.5
"""The process gives up so long before it is killed, as it can say why."""
LOOK_S = 0.1
OLD_PICTURES = "sends pictures that are seconds old when they come"


class Output:
    """Passes pictures on and watches over their coming."""

    def __init__(self, order: Order, sender: Sender, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.order = order
        self.patience_s = order.silent_s - MARGIN_S
        self.explain: Callable[[], tuple[OutageReason, str]] = lambda: ("timeout", "sends no new picture")
        """Asked why there is no fresh picture, should that happen."""
        self._sender, self._clock = sender, clock
        self._apart_s = min(order.period_s / PER_PERIOD, APART_S)
        self._due_s = self._alive_s = clock()

    def opened(self) -> None:
        """The camera is open: pictures must come from now on."""
        self._sender.say("opened")
        self._due_s = self._alive_s = self._clock()
        threading.Thread(target=self._watch, daemon=True).start()

    def say(self, kind: str, **more: str) -> None:
        """Tell something beside pictures."""
        self._sender.say(kind, **more)

    def waits(self, why: CameraError | None) -> None:
        """There is nothing to show, but the reader is at work; `why` is set once that has to be said."""
        self._alive_s = self._clock()
        self._sender.say("waits", **({} if why is None else {"reason": why.reason, "what": str(why)}))

    def due(self) -> bool:
        """Whether a picture is wanted now; what isn't wanted need not be decoded."""
        return self._clock() >= self._due_s - EARLY * self._apart_s

    def show(self, image: NDArray[np.uint8], taken_s: float) -> None:
        """Pass a picture (height, width, 3) uint8 BGR on that was taken at `taken_s` of the monotonic clock."""
        now_s = self._clock()
        self._due_s = max(self._due_s + self._apart_s, now_s)
        if now_s - taken_s <= STALE_S:
            self._alive_s = now_s
        self._sender.show(image, taken_s)

    def error(self, reason: OutageReason, what: str) -> CameraError:
        """What is wrong with this camera."""
        return outage(self.order.source, reason, what)

    def _watch(self) -> None:
        """End the process, and say why, when no fresh picture has been passed on for too long, even if a read hangs."""
        while self._clock() - self._alive_s <= self.patience_s:
            time.sleep(LOOK_S)
        give_up(self._sender, self.error(*self.explain()))


def give_up(sender: Sender, error: CameraError) -> NoReturn:
    """Say why there is no picture any more, and end; a driver that hangs when it lets go must not keep the process."""
    sender.say("problem", reason=error.reason, what=str(error))
    os._exit(0)
