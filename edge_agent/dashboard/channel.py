"""What is new, told to everybody who looks: put together once, at most twice a second, and only while they look."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

from edge_agent.dashboard.behind import Behind
from edge_agent.dashboard.moment import LiveView, live

log = logging.getLogger(__name__)

TURN_S = 0.5
"""How often it is looked whether something is new."""
AT_LEAST_S = 5.0
"""And even where nothing is, everything is told again after so long: ages grow."""
STREAMS_MAX = 40
"""Streams at once; who comes beyond them is asked to come again later."""


class Channel:
    """The newest state of the agent as JSON, and the streams that follow it. All of it in the server's thread."""

    def __init__(self, behind: Behind, alerts_open: Callable[[], int]) -> None:
        """Nothing is put together before somebody asks."""
        self._behind, self._alerts_open = behind, alerts_open
        self._version, self._made_s, self._signs = 0, float("-inf"), ()  # type: tuple[int, float, tuple[Any, ...]]
        self._json = b""
        self._fresh = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.streams = 0

    @property
    def full(self) -> bool:
        """Whether no further stream is taken."""
        return self.streams >= STREAMS_MAX

    def newest(self) -> bytes:
        """The state of now, a `Live` as JSON; put together at most twice a second."""
        if self._due(TURN_S):
            self._make(self._seen())
        return self._json

    async def follow(self, wanted: Callable[[], bool]) -> AsyncIterator[bytes]:
        """Server-sent events for one viewer, for as long as `wanted` says so and the agent runs."""
        self.streams += 1
        if self._task is None:
            self._task = asyncio.create_task(self._pace())
        told = 0
        try:
            while wanted() and not self._behind.closing.is_set():
                fresh = self._fresh
                if not self._json or self._due(AT_LEAST_S):
                    self._make(self._seen())
                elif told == self._version:
                    with suppress(TimeoutError):  # no viewer depends on the others being told
                        await asyncio.wait_for(fresh.wait(), AT_LEAST_S)
                    continue
                told = self._version
                yield b"id: %d\nevent: live\ndata: %s\n\n" % (told, self._json)
        finally:
            self.streams -= 1
            if self.streams == 0 and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _pace(self) -> None:
        """While somebody looks: wake the streams when something is new, and when the agent ends."""
        while True:
            await asyncio.sleep(TURN_S)
            if self._behind.closing.is_set():
                self._wake()
                continue
            try:
                signs = self._seen()
                if signs != self._signs or self._due(AT_LEAST_S):
                    self._make(signs)
            except Exception:
                log.exception("what is new could not be put together for the page; it is tried again")

    def _due(self, after_s: float) -> bool:
        return time.monotonic() - self._made_s >= after_s

    def _seen(self) -> tuple[Any, ...]:
        """What is another value whenever there is something new to tell."""
        running = self._behind.running
        feeds = tuple((feed.watch, feed.said, str(feed.source.problem)) for feed in running.feeds)
        counts = tuple(state.count for feed in running.feeds for state in feed.watch.states)
        frames = tuple((camera, outcome.frame.seq) for camera, outcome in sorted(running.seen.items()))
        return feeds, counts, frames, self._alerts_open()

    def _make(self, signs: tuple[Any, ...]) -> None:
        self._version += 1
        state: LiveView = live(self._behind.running, number=self._version, alerts_open=self._alerts_open())
        self._json, self._made_s, self._signs = state.model_dump_json().encode(), time.monotonic(), signs
        self._wake()

    def _wake(self) -> None:
        fresh, self._fresh = self._fresh, asyncio.Event()
        fresh.set()
