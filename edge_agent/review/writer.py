"""From the looks of the loop to crops on the disk: chosen in the loop's thread, made and written in one of its own."""

import logging
import queue
import threading
from contextlib import suppress
from datetime import UTC, datetime

import cv2

from edge_agent.outcome import Outcome
from edge_agent.regions import rectified
from edge_agent.review.choosing import Candidate, Chooser
from edge_agent.review.crop import with_about
from edge_agent.review.store import Store
from edge_agent.running import Running
from edge_agent.watch import Watch

log = logging.getLogger(__name__)

FOLDER = "review"
"""Beside the outbox."""
WAITING = 16
"""Crops that may wait for the disk; beyond that they are not kept, others will come."""
TIDY_S = 60.0
CLOSE_S = 1.0


class Keeper:
    """Keeps crops from `start` to `close`. `saw` is for the loop's thread; what fails here is a log line."""

    def __init__(self, running: Running) -> None:
        """Keep them as the settings say; nothing is touched before `start`."""
        self._running, section = running, running.settings.review
        root = running.settings.outbox.path.with_name(FOLDER)
        self.store = Store(root, max_bytes=section.max_mb * 2**20, per_day=section.per_day)
        self._days = section.days
        self._chooser = Chooser()
        self._queue: queue.Queue[Candidate | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._work, name="review", daemon=True)
        self._wants = False
        self._complained = False

    def start(self) -> None:
        """Look at what is there, and begin."""
        self._thread.start()

    def leave(self) -> None:
        """Begin to write what waits, and end; waits for nothing."""
        with suppress(queue.Full):
            self._queue.put_nowait(None)

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """The same, and wait for it, for so many seconds at most."""
        self.leave()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def saw(self, watch: Watch, outcome: Outcome) -> None:
        """A step is done: is there a crop in it that is worth keeping?"""
        if not self._wants:
            return
        model = self._running.model
        found = self._chooser.choose(watch, outcome, model.classifier.labels, model.info.sha256)
        if found is not None:
            with suppress(queue.Full):
                self._queue.put_nowait(found)

    def _work(self) -> None:
        """The thread."""
        self._carefully(None)
        while True:
            try:
                found = self._queue.get(timeout=TIDY_S)
            except queue.Empty:
                self._carefully(None)
                continue
            if found is None:
                return
            self._carefully(found)

    def _carefully(self, found: Candidate | None) -> None:
        """Write a crop, or tidy up; say once that it fails."""
        now = datetime.now(UTC)
        try:
            if found is not None:
                self._write(found)
            else:
                self.store.scan()
                self.store.tidy(now, days=self._days)
            self._complained = False
        except Exception as error:  # noqa: BLE001 — whatever it is, the counting goes on
            if not self._complained:
                log.warning(
                    "crops for review cannot be kept in %s (%s); the counting goes on. Check that its folder is"
                    " writable and has space.",
                    self.store.root,
                    error,
                )
            self._complained = True
        self._wants = self.store.wants(now)

    def _write(self, found: Candidate) -> None:
        encoded, png = cv2.imencode(".png", rectified(found.pixels, found.quad))
        if not encoded:
            raise OSError("a crop could not be encoded")
        self.store.add(found.about, with_about(png.tobytes(), found.about))


def keeper_of(running: Running) -> Keeper | None:
    """Who keeps crops, where the settings want any."""
    return Keeper(running) if running.settings.review.enabled else None
