"""`/api/health`: how the device fares, and what to do: what `shelf-agent doctor` says, from what runs already knows."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from edge_agent.dashboard.behind import Behind
from edge_agent.dashboard.moment import status_of
from edge_agent.doctor.check import NEARLY_FULL
from edge_agent.doctor.doctor import still_needed_mb
from edge_agent.doctor.finding import Finding, doubtful, fine
from edge_agent.doctor.machine import look_at_clock, look_at_disk, look_at_heat, look_at_memory
from edge_agent.doctor.page import look_at_page
from edge_agent.engines import NAMES
from edge_agent.loop import Feed
from edge_agent.messages import timestamp
from edge_agent.running import Running

LOOK_AGAIN_S = 5.0
"""The machine is looked at no more often than this, however many ask."""
SLOW_SHARE = 0.7
"""Below this share of the pace that is asked of a camera, somebody should know."""
Level = Literal["ok", "warn", "wrong"]


class FindingView(BaseModel):
    """One thing that was looked at; `words` says what was found, and what to do."""

    what: str
    level: Level
    words: str


class HealthView(BaseModel):
    """Everything that was looked at; `level` is the worst of it, `vitals` what the MQTT health message says too."""

    ts: str
    level: Level
    findings: list[FindingView]
    vitals: dict[str, Any] = Field(description="As in the health message; see docs/mqtt.md.")


def router(behind: Behind) -> APIRouter:
    """The routes of this view."""
    routes = APIRouter(tags=["health"])
    machine = _Machine(behind.running)

    @routes.get("/health", summary="What is wrong with the device, and what to do")
    async def health() -> HealthView:
        """No camera is opened for it, and no connection made."""
        looked = await machine.look()
        findings = [*_of_the_agent(behind.running), *looked.findings]
        return HealthView(
            ts=timestamp(datetime.now(UTC)),
            level=worst(findings),
            findings=[FindingView(what=each.what, level=each.level, words=each.words) for each in findings],
            vitals={**behind.health.counters(), **looked.vitals},
        )

    return routes


def worst(findings: list[Finding]) -> Level:
    """The level of them all together."""
    levels = {finding.level for finding in findings}
    return "wrong" if "wrong" in levels else "warn" if "warn" in levels else "ok"


@dataclass(frozen=True, slots=True)
class _Looked:
    """What a look at the machine gave, and when."""

    at_s: float
    findings: list[Finding]
    vitals: dict[str, Any]


class _Machine:
    """The machine, looked at in a thread: a disk that hangs is not to keep the page waiting."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._looked: asyncio.Future[_Looked] | None = None

    async def look(self) -> _Looked:
        """The newest look, or one that is taken now."""
        looked = self._looked
        stale = looked is None or (
            looked.done() and (looked.exception() or time.monotonic() - looked.result().at_s > LOOK_AGAIN_S)
        )
        if looked is None or stale:
            self._looked = looked = asyncio.ensure_future(asyncio.to_thread(self._look))
        return await asyncio.shield(looked)

    def _look(self) -> _Looked:
        settings = self._running.settings
        findings = [
            look_at_disk(settings.outbox.path.parent, needed_mb=still_needed_mb(settings)),
            look_at_clock(),
            look_at_heat(),
            look_at_memory(),
            look_at_page(settings),
        ]
        return _Looked(time.monotonic(), findings, self._running.vitals())


def _of_the_agent(running: Running) -> Iterator[Finding]:
    """Cameras, model, broker and outbox, as the agent knows them."""
    for feed in list(running.feeds):
        yield _camera(running, feed)
    yield _model(running)
    yield _broker(running)
    yield _outbox(running)


def _camera(running: Running, feed: Feed) -> Finding:
    camera = feed.watch.camera
    what, asked, pace = f"camera {camera}", 1 / feed.period_s, running.frames_per_s(camera)
    status, _, words = status_of(feed)
    if feed.ended:
        return doubtful(what, "its clip has ended; restart the agent to see it again.")
    if status == "offline":
        return Finding(what, "wrong", words)
    if status != "online":
        return doubtful(what, words)
    if pace is not None and pace < SLOW_SHARE * asked:
        return doubtful(
            what,
            f"{pace:.1f} pictures a second are counted in, of {asked:g} that are asked for: the camera sends fewer, or"
            " this device is too slow. Lower fps, or give the camera's smaller stream.",
        )
    return fine(what, words if pace is None else f"{words}, {pace:.1f} a second")


def _model(running: Running) -> Finding:
    model, times_ms = running.model, running.stopwatch.percentiles_ms()
    words = f"{model.info.id} runs in {model.classifier.runtime} on the {NAMES[model.classifier.plan.delegate]}"
    if times_ms is not None:
        words += f", {times_ms[0]:.1f} ms for a picture's crops (p95 {times_ms[1]:.1f})"
    return fine("model", words) if model.note is None else doubtful("model", f"{words}. {model.note}")


def _broker(running: Running) -> Finding:
    mqtt, where = running.outlet.mqtt, f"{running.settings.broker.host}:{running.settings.broker.port}"
    if mqtt.fatal is not None:
        return Finding("broker", "wrong", str(mqtt.fatal))
    if mqtt.tally.connected:
        secure = ", encrypted" if running.settings.broker.tls else ""
        return fine("broker", f"{where} is connected by MQTT {mqtt.tally.protocol}{secure}")
    why = mqtt.problem or f"{where} is not connected yet"
    remedy = "Nothing is lost: events wait in the outbox. Check the broker, and the way there."
    return Finding("broker", "wrong", f"{why}. {remedy}")


def _outbox(running: Running) -> Finding:
    spool, section = running.outlet.spool, running.settings.outbox
    waiting = f"{spool.depth()} events wait"
    if spool.trouble:
        return Finding("outbox", "wrong", f"{waiting}; {spool.trouble}")
    taken_mb = section.path.stat().st_size / 2**20 if section.path.exists() else 0.0
    if taken_mb > NEARLY_FULL * section.max_mb:
        taken = f"{taken_mb:.1f} of {section.max_mb} MB"
        return doubtful("outbox", f"{waiting}: {taken}. Soon the oldest are dropped: see broker.")
    return fine("outbox", waiting)
