"""The newest pictures as JPEG, made once for everybody who looks, and only while somebody does."""

import asyncio
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.dashboard.moment import frame_id
from edge_agent.outcome import Outcome
from edge_agent.privacy import black_out
from edge_agent.running import Running
from edge_agent.shelf import Quad

WIDTH_PX, QUALITY = 960, 75
AGAIN_S = 0.4
"""A picture is made anew no sooner than so long after the one before, however many look."""


@dataclass(frozen=True, slots=True, eq=False)
class Jpeg:
    """A picture of the frame `id`."""

    id: str
    content: bytes


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    outcome: Outcome
    at_s: float
    jpeg: Future[Jpeg]


class Pictures:
    """Encodes in one thread of its own, so that neither the counting nor the other requests wait for it."""

    def __init__(self, running: Running) -> None:
        """Nothing is made before somebody asks."""
        self._running = running
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pictures")
        self._made: dict[tuple[str, bool], _Made] = {}
        self.encoded = 0
        """How many pictures were made."""

    async def newest(self, camera: str, *, whole: bool = False) -> Jpeg | None:
        """The newest picture of a camera, black outside its slots unless it is to be `whole`; None before the first."""
        outcome = self._running.seen.get(camera)
        if outcome is None:
            return None
        made, now_s = self._made.get((camera, whole)), time.monotonic()
        if made is None or (made.outcome is not outcome and now_s - made.at_s >= AGAIN_S):
            quads = None if whole else self._running.feed(camera).watch.plan.quads
            made = _Made(outcome, now_s, self._thread.submit(self._encode, outcome, quads))
            self._made[camera, whole] = made
        return await asyncio.shield(asyncio.wrap_future(made.jpeg))  # others wait for it too

    def forget(self) -> None:
        """End the thread, and let the pictures go."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._made.clear()

    def _encode(self, outcome: Outcome, quads: tuple[Quad, ...] | None) -> Jpeg:
        self.encoded += 1
        return Jpeg(frame_id(outcome.frame), encoded(outcome.frame.image, quads))


def encoded(image: NDArray[np.uint8], quads: tuple[Quad, ...] | None) -> bytes:
    """A frame (height, width, 3) uint8 BGR as a small JPEG, black outside `quads`; None leaves it whole.

    Raises:
        OSError: It could not be encoded.
    """
    height, width = image.shape[:2]
    if width > WIDTH_PX:
        small_wh = WIDTH_PX, max(1, round(height * WIDTH_PX / width))
        image = np.asarray(cv2.resize(image, small_wh, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    if quads is not None:  # the small picture costs a quarter of the whole one
        image = black_out(image, quads)
    done, jpeg = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, QUALITY))
    if not done:
        raise OSError("the picture could not be encoded")
    return jpeg.tobytes()
