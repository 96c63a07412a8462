"""Live cameras: each has a process of its own (`child`), and this watches over it.

A camera is never trusted to be open: a process that brings no new picture for max(3 periods, 5 s) is killed and another
one started, after a pause that grows with the outage and is spread at random. Nothing here waits for a camera.
"""

import logging
import math
import random
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

from edge_agent.capture.age import STALE_S
from edge_agent.capture.handover import Offer, Order
from edge_agent.capture.outages import outage
from edge_agent.capture.probe import answers
from edge_agent.capture.process import ENDING_S, LAST_WORDS_S, CameraProcess
from edge_agent.shelf import CameraError, Frame, OutageReason

log = logging.getLogger(__name__)

STARTING_S = 20.0
"""A process that has not even loaded OpenCV after so long never will."""
OPENING_S = 12.0
"""Opening has a time-out of its own, 10 s; a process that overruns it hangs."""
SILENT_S, SILENT_PERIODS = 5.0, 3
KEY_PICTURES_S = 30.0
"""How long a stream of which only the key pictures are decoded may be silent at first. Most cameras send one every 1 to
4 s, some that save bandwidth one in 20 s; once that is known, three times the longest distance is enough."""
BACK_OFF_S = (1.0, 30.0)
ANSWERS_S = 10.0
"""Openings of a camera that answers, but gives no picture, begin this far apart at most. One that is dead is asked
whether it is back instead."""
PROBE_S = 2.0
"""In a long pause, a camera is asked this often whether it is back."""
WAIT_S = 0.5
"""A deadline that another thread moves is noticed after so long."""


class LiveSource:
    """A camera in a process of its own: a slow reader gets the newest frame, never an old one."""

    def __init__(self, camera: str, source: str, *, period_s: float = 0.2, key_frames: bool = False) -> None:
        """Begin to open the camera; `read` tells when there are frames."""
        self._camera = camera
        silent_s = max(SILENT_PERIODS * period_s, KEY_PICTURES_S if key_frames else SILENT_S)
        self._order = Order(source, period_s, silent_s, key_frames)
        self.problem: CameraError | None = None
        self.replaced = 0
        """Frames that newer ones replaced before anybody read them."""
        self.opens = 0
        """How often a process was started for it."""
        self._stopping = threading.Event()
        self._fresh = threading.Condition()
        """Guards what follows; told when there is a frame."""
        self._newest: Offer | None = None
        self._process: CameraProcess | None = None
        self._gone = False
        self._seq = -1
        self._deadline_s = math.inf
        self._came_s: list[float] = []
        self._said: CameraError | None = None
        self._doing = ""
        self._thread = threading.Thread(target=self._run, name=f"capture-{camera}", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """The process that reads the camera at present."""
        process = self._process
        return None if process is None else process.pid

    def read(self, timeout_s: float) -> Frame | None:
        """The newest frame that has not been read yet; with a time-out of 0 it returns at once."""
        with self._fresh:
            if self._newest is None and timeout_s > 0:
                self._fresh.wait(timeout_s)
        while (offer := self._newest) is not None:
            image = offer.copy()
            with self._fresh:
                self._take_in()
                if self._newest is offer:  # no newer one has come meanwhile, so that this one is whole
                    self._newest = None
                    now_s = time.monotonic()
                    taken_s = min(offer.taken_s, now_s)
                    taken_at = datetime.now(UTC) - timedelta(seconds=now_s - taken_s)
                    return Frame(self._camera, self._seq, taken_at, taken_s, image)
        return None

    def close(self) -> None:
        """Let the camera go: its process is killed, whatever it does."""
        self._stopping.set()
        with self._fresh:
            if self._process is not None:
                self._process.kill()
        self._thread.join(timeout=LAST_WORDS_S + ENDING_S)

    def _run(self) -> None:
        lost_s, seq = time.monotonic(), self._seq
        while not self._stopping.is_set():
            self.opens += 1
            opened_s = time.monotonic()
            try:
                self._attend(CameraProcess(self._order))
            except CameraError as error:
                self.problem = error
            except Exception as error:
                log.exception("the process of camera %s cannot be watched over; another one is started", self._camera)
                what = f"cannot be read, which is a fault of the agent's ({type(error).__name__})"
                self.problem = outage(self._order.source, "timeout", what)
            if self._seq > seq:
                lost_s, seq = time.monotonic(), self._seq
            longest_s = min(max(time.monotonic() - lost_s, BACK_OFF_S[0]), BACK_OFF_S[1])
            self._rest(random.uniform(0, longest_s), opened_s)

    def _rest(self, pause_s: float, opened_s: float) -> None:
        """Wait before the next opening.

        A camera that was dead and shows a sign of life is opened at once. One that answers all along may be about to
        give pictures again, so that it is opened no later than `ANSWERS_S` after it last was, at `opened_s`.
        """
        until_s, was_dead = time.monotonic() + pause_s, False
        while (left_s := until_s - time.monotonic()) > PROBE_S:
            alive = answers(self._order.source)
            if alive and was_dead:
                return
            if alive:
                until_s = min(until_s, opened_s + ANSWERS_S)
            was_dead |= not alive
            if self._stopping.wait(min(PROBE_S, max(0.0, until_s - time.monotonic()))):
                return
        self._stopping.wait(max(0.0, left_s))

    def _attend(self, process: CameraProcess) -> None:
        """Watch over a process until it is gone, and say why."""
        with self._fresh:
            self._process, self._gone, self._said = process, False, None
            self._deadline_s, self._came_s = time.monotonic() + STARTING_S, []
            self._doing = "has a process that does not start: the device is overloaded"
        ended = overdue = False
        try:
            while not (self._stopping.is_set() or self._gone or overdue):
                process.wait(min(WAIT_S, self._deadline_s - time.monotonic()))
                with self._fresh:
                    self._take_in()
                    overdue = time.monotonic() > self._deadline_s
            ended = self._gone
        finally:
            if not ended:
                process.kill()
            died = process.let_go()
            with self._fresh:
                self._process = None
        if not self._stopping.is_set():
            late = outage(self._order.source, "timeout", self._doing) if overdue else None
            self.problem = (self._said or late or died) if process.gone else died
        while not (process.gone or self._stopping.wait(WAIT_S)):
            pass  # another one beside it would hang too, and so would the next

    def _take_in(self) -> None:
        """Note what the process has said; under the lock."""
        if self._process is None or self._gone:
            return
        try:
            for message in self._process.messages():
                if isinstance(message, Offer):
                    self._offered(message)
                else:
                    self._told(message)
        except EOFError:
            self._gone = True

    def _offered(self, offer: Offer) -> None:
        now_s = time.monotonic()
        self.replaced += self._newest is not None
        self._newest = offer
        self._seq += 1
        self._fresh.notify()
        if now_s - offer.taken_s <= STALE_S:  # an older one is no sign of life: it is not counted
            self.problem = None
            self._came_s = [*self._came_s[-9:], now_s]
            self._deadline_s = now_s + self._patience_s()

    def _patience_s(self) -> float:
        """How long it may be silent from now on."""
        silent_s = self._order.silent_s
        if not self._order.key_frames or len(self._came_s) < 3:
            return silent_s
        apart_s = max(later - earlier for earlier, later in zip(self._came_s, self._came_s[1:], strict=False))
        return min(silent_s, max(SILENT_PERIODS * self._order.period_s, SILENT_S, 3 * apart_s))

    def _told(self, message: dict[str, Any]) -> None:
        now_s = time.monotonic()
        match message:
            case {"is": "ready"}:
                self._deadline_s, self._doing = now_s + OPENING_S, "hangs while it is opened"
            case {"is": "opened"}:
                self._deadline_s, self._doing = now_s + self._order.silent_s, "sends no new picture"
                self._order = replace(self._order, was_there=True)
            case {"is": "waits", "what": str(what), "reason": reason} if reason in get_args(OutageReason):
                self._deadline_s = now_s + self._order.silent_s
                self.problem = CameraError(what, reason=reason)
            case {"is": "waits"}:
                self._deadline_s = now_s + self._order.silent_s
            case {"is": "read", "name": str(name)}:
                self._order = replace(self._order, after=name)
            case {"is": "spoilt", "what": str(what)}:
                log.warning("%s", what)
            case {"is": "problem", "what": str(what), "reason": reason} if reason in get_args(OutageReason):
                self._said = CameraError(what, reason=reason)
