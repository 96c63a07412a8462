"""What runs → what the page shows of it at a moment, as values: cameras, shelves, products, slots."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Literal

from pydantic import BaseModel

from edge_agent.counting import UNREAD_WORDS, ShelfState, SlotState
from edge_agent.loop import Feed
from edge_agent.messages import PICTURE_REASONS, shelf_status, timestamp
from edge_agent.outcome import Outcome
from edge_agent.pictures import picture
from edge_agent.running import Running
from edge_agent.shelf import EMPTY, CameraReason, Frame, Observation, Quality, Shelf, Slot, StockStatus, Unread

CameraStatus = Literal["starting", "online", "degraded", "offline"]
SlotLook = Literal["ok", "empty", "misplaced", "unread", "unknown", "starting"]
VERSION = version("shelfwatch")
"""Of the agent: read from the disk once, not with every state that is told."""


class DeviceView(BaseModel):
    """Which device this is."""

    site: str
    device: str
    version: str


class ModelView(BaseModel):
    """The model that reads the slots, and where it runs."""

    id: str
    sha256: str
    quantization: str
    runtime: str
    delegate: str
    note: str | None = None


class MillisecondsView(BaseModel):
    """How long the network takes for a batch of crops: median and 95th percentile."""

    p50: float
    p95: float


class FrameView(BaseModel):
    """The newest picture of a camera; `id` is another for each, `wh` its width and height in pixels."""

    id: str
    ts: str
    age_s: float
    wh: tuple[int, int]


class CameraView(BaseModel):
    """A camera; `words` says how it fares and what to do, `fps` is the pace that is asked of it."""

    id: str
    status: CameraStatus
    reason: CameraReason | None
    words: str
    frame: FrameView | None
    frames_per_s: float | None
    fps: float
    shelves: list[str]


class ItemView(BaseModel):
    """A product on a shelf; `count` is null while it is unknown, which is not 0."""

    sku: str
    count: int | None
    at_least: int
    expected: int
    status: StockStatus
    confidence: float | None


class SlotView(BaseModel):
    """A slot: `label` is what stands there by the count in force, `seen` what the newest picture says."""

    id: str
    quad: tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]
    product: str | None
    label: str | None
    seen: str | None
    confidence: float | None
    unread: Unread | None
    words: str | None
    unread_for_s: float | None
    state: SlotLook


class ShelfView(BaseModel):
    """A shelf; `held` while the newest picture cannot confirm its count."""

    id: str
    camera: str
    status: StockStatus | Literal["starting"]
    quality: Quality | None
    reason: str | None
    held: bool
    stable_for_s: float | None
    unknown_slots: int
    items: list[ItemView]
    slots: list[SlotView]


class LiveView(BaseModel):
    """Everything at a moment; `version` rises with each that is new. `alerts_open` counts those nobody sees to yet."""

    version: int
    ts: str
    device: DeviceView
    model: ModelView
    inference_ms: MillisecondsView | None
    alerts_open: int
    cameras: list[CameraView]
    shelves: list[ShelfView]


def live(running: Running, *, number: int, alerts_open: int = 0) -> LiveView:
    """What runs, at this moment. For any thread: it reads values that are replaced whole, never changed."""
    settings, model = running.settings, running.model
    now_s, feeds, seen = time.monotonic(), list(running.feeds), dict(running.seen)
    times_ms = running.stopwatch.percentiles_ms()
    return LiveView(
        version=number,
        ts=timestamp(datetime.now(UTC)),
        device=DeviceView(site=settings.site, device=settings.device, version=VERSION),
        model=ModelView(
            **model.info.payload(),
            runtime=model.classifier.runtime,
            delegate=model.classifier.plan.delegate,
            note=model.note,
        ),
        inference_ms=MillisecondsView(p50=times_ms[0], p95=times_ms[1]) if times_ms else None,
        alerts_open=alerts_open,
        cameras=[_camera(running, feed, seen.get(feed.watch.camera), now_s) for feed in feeds],
        shelves=[view for feed in feeds for view in _shelves(feed, seen.get(feed.watch.camera), now_s)],
    )


def frame_id(frame: Frame) -> str:
    """A name for a picture that no other of this camera has, over restarts too."""
    return f"{round(frame.captured_at.timestamp() * 1000):x}-{frame.seq}"


def status_of(feed: Feed) -> tuple[CameraStatus, CameraReason | None, str]:
    """How a camera fares, and in words with what to do."""
    said, problem = feed.said, feed.source.problem
    if said is None:
        return "online", None, "gives pictures to count in"
    if said == "":
        return "starting", None, str(problem) if problem is not None else "no picture has come yet"
    if said in PICTURE_REASONS:
        return "degraded", said, picture.WORDS[said]  # type: ignore[index]
    return "offline", said, str(problem) if problem is not None else "it gives no new picture. See its cable and power."


def _camera(running: Running, feed: Feed, outcome: Outcome | None, now_s: float) -> CameraView:
    status, reason, words = status_of(feed)
    frame = None
    if outcome is not None:
        height, width = outcome.frame.image.shape[:2]
        frame = FrameView(
            id=frame_id(outcome.frame),
            ts=timestamp(outcome.frame.captured_at),
            age_s=round(max(0.0, now_s - outcome.frame.clock_s), 2),
            wh=(width, height),
        )
    return CameraView(
        id=feed.watch.camera,
        status=status,
        reason=reason,
        words=words,
        frame=frame,
        frames_per_s=running.frames_per_s(feed.watch.camera),
        fps=round(1 / feed.period_s, 3),
        shelves=[shelf.id for shelf in feed.watch.shelves],
    )


def _shelves(feed: Feed, outcome: Outcome | None, now_s: float) -> list[ShelfView]:
    """The shelves of a camera. Without a picture of now, nothing of them can be read."""
    shelves, states = feed.watch.shelves, feed.watch.states
    gone = outcome is None or status_of(feed)[0] == "offline"
    views = []
    for shelf, state in zip(shelves, states, strict=True):
        looks = (None,) * len(shelf.slots) if gone or outcome is None else outcome.looks_at(shelf, shelves)
        views.append(_shelf(shelf, state, looks, now_s))
    return views


def _shelf(shelf: Shelf, state: ShelfState, looks: Sequence[Observation | None], now_s: float) -> ShelfView:
    count = state.count
    held: Sequence[str | None] = count.reading if count is not None else (None,) * len(shelf.slots)
    return ShelfView(
        id=shelf.id,
        camera=shelf.camera,
        status=shelf_status(count) if count is not None else "starting",
        quality=count.quality if count is not None else None,
        reason=count.reason if count is not None else None,
        held=state.held,
        stable_for_s=round(max(0.0, now_s - count.since_s), 1) if count is not None else None,
        unknown_slots=count.unknown_slots if count is not None else len(shelf.slots),
        items=[
            ItemView(
                sku=item.sku,
                count=item.count,
                at_least=item.at_least,
                expected=item.expected,
                status=item.status,
                confidence=item.confidence,
            )
            for item in (count.items if count is not None else ())
        ],
        slots=[
            _slot(slot, label, look, past, now_s, counted=count is not None)
            for slot, label, look, past in zip(shelf.slots, held, looks, state.slots, strict=True)
        ],
    )


def _slot(
    slot: Slot, label: str | None, look: Observation | None, past: SlotState, now_s: float, *, counted: bool
) -> SlotView:
    unread: Unread | None = "stale" if look is None else look.unread
    since_s = past.voted_s if past.voted_s is not None else past.first_s
    return SlotView(
        id=slot.id,
        quad=slot.quad,
        product=slot.product,
        label=label,
        seen=look.label if look is not None else None,
        confidence=round(look.confidence, 3) if look is not None and look.label is not None else None,
        unread=unread,
        words=UNREAD_WORDS[unread][1] if unread is not None else None,
        unread_for_s=None
        if since_s is None
        else round(max(0.0, now_s - since_s), 1)
        if unread is not None or label is None
        else 0.0,
        state=_state(slot, label, unread, counted=counted),
    )


def _state(slot: Slot, label: str | None, unread: Unread | None, *, counted: bool) -> SlotLook:
    """What a slot is shown as: one that is unknown is never shown as empty."""
    if not counted:
        return "starting"
    if label is None:
        return "unknown"
    if unread is not None:
        return "unread"
    if label == EMPTY:
        return "empty"
    return "misplaced" if slot.product not in {None, label} else "ok"
