"""Counts and alerts → topics and payloads: the contract with the outside, as docs/mqtt.md describes it. Pure values."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, get_args

from edge_agent.shelf import CameraReason, Count, Frame, PictureReason, StockStatus

STATE_SCHEMA, EVENT_SCHEMA, CAMERA_SCHEMA = "shelfwatch.state/1", "shelfwatch.event/1", "shelfwatch.camera/1"
INFO_SCHEMA, HEALTH_SCHEMA = "shelfwatch.info/1", "shelfwatch.health/1"
RESULT_SCHEMA = "shelfwatch.result/1"
PICTURE_REASONS = frozenset(get_args(PictureReason))
"""Reasons with which a camera is `degraded`: there is a picture, but none to count in."""


@dataclass(frozen=True, slots=True)
class Topics:
    """Where a device publishes."""

    site: str
    device: str

    @property
    def root(self) -> str:
        """The prefix of everything that this device publishes."""
        return f"shelfwatch/{self.site}/{self.device}"

    @property
    def status(self) -> str:
        """`online` or `offline`."""
        return f"{self.root}/status"

    @property
    def info(self) -> str:
        """Versions, model and configuration in use."""
        return f"{self.root}/info"

    @property
    def health(self) -> str:
        """How the agent itself fares."""
        return f"{self.root}/health"

    @property
    def alerts(self) -> str:
        """The alerts that are open."""
        return f"{self.root}/alerts"

    @property
    def commands(self) -> str:
        """Where commands come in: the verb is the last level."""
        return f"{self.root}/cmd/#"

    @property
    def command_result(self) -> str:
        """Where a command is answered that names no response topic."""
        return f"{self.root}/cmd/result"

    @property
    def ack(self) -> str:
        """Where a consumer says how far it has stored the events."""
        return f"{self.root}/ack"

    def camera(self, camera: str) -> str:
        """The state of a camera."""
        return f"{self.root}/camera/{camera}/status"

    def state(self, shelf: str) -> str:
        """The latest counts of a shelf."""
        return f"{self.root}/shelf/{shelf}/state"

    def event(self, shelf: str) -> str:
        """The log of a shelf."""
        return f"{self.root}/shelf/{shelf}/event"


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The model that the counts come from."""

    id: str
    sha256: str
    quantization: str = "int8"

    def payload(self) -> dict[str, str]:
        """As it stands in states and events."""
        return {"id": self.id, "sha256": self.sha256, "quantization": self.quantization}


def timestamp(instant: datetime) -> str:
    """An aware instant as ISO 8601 in UTC with milliseconds, `2026-11-23T03:12:08.900Z`."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def shelf_status(count: Count) -> StockStatus:
    """One word for a whole shelf: the worst of its products, and `unknown` where nothing is known."""
    found = {item.status for item in count.items}
    for status in ("out", "low", "unknown"):
        if status in found:
            return status
    return "ok" if count.reading.count(None) < len(count.reading) else "unknown"


def state_payload(
    count: Count, frame: Frame, *, ts: datetime, epoch: str, as_of_seq: int, model: ModelInfo
) -> dict[str, Any]:
    """The retained state of a shelf. An unknown count is null, never 0."""
    readable = any(label is not None for label in count.reading)
    return {
        "schema": STATE_SCHEMA,
        "epoch": epoch,
        "as_of_seq": as_of_seq,
        "frame_ts": timestamp(frame.captured_at),
        "ts": timestamp(ts),
        "shelf": count.shelf,
        "camera": count.camera,
        "quality": count.quality,
        "reason": count.reason,
        "status": shelf_status(count),
        "stable_for_s": round(frame.clock_s - count.since_s, 1),
        "counts": count.counts if readable else None,
        "unknown_slots": count.unknown_slots,
        "items": [_item(item) for item in count.items],
        "model": model.payload(),
    }


def _item(item: Any) -> dict[str, Any]:
    return {
        "sku": item.sku,
        "count": item.count,
        "at_least": item.at_least,
        "expected": item.expected,
        "capacity": item.expected,
        "status": item.status,
        "confidence": item.confidence,
    }


def counts_body(
    count: Count, previous: Count | None, slots: tuple[str, ...], frame: Frame, *, ts: datetime, model: ModelInfo
) -> dict[str, Any]:
    """The event of a stable change: the counts, those before, and which slots changed from what to what."""
    before = previous.reading if previous is not None else (None,) * len(slots)
    changes = [
        {"slot": slot, "from": was, "to": now}
        for slot, was, now in zip(slots, before, count.reading, strict=True)
        if was != now
    ]
    return {
        "type": "counts",
        "frame_ts": timestamp(frame.captured_at),
        "ts": timestamp(ts),
        "shelf": count.shelf,
        "camera": count.camera,
        "quality": count.quality,
        "counts": count.counts,
        "previous": previous.counts if previous is not None else None,
        "unknown_slots": count.unknown_slots,
        "changes": changes,
        "model": model.payload(),
    }


def event_payload(
    body: dict[str, Any], *, epoch: str, seq: int, historical: bool, oldest_seq: int | None = None
) -> dict[str, Any]:
    """A body in the envelope that makes it unique: `(device, epoch, seq)`.

    `oldest_seq` is for a consumer that acknowledges: what is below it has left the outbox, and will not come any more.
    """
    oldest = {} if oldest_seq is None else {"oldest_seq": oldest_seq}
    return {"schema": EVENT_SCHEMA, "epoch": epoch, "seq": seq, **oldest, "historical": historical, **body}


def camera_payload(*, reason: CameraReason | None, since: datetime) -> dict[str, Any]:
    """The retained state of a camera; `reason` is None while it gives pictures to count in."""
    status = "online" if reason is None else "degraded" if reason in PICTURE_REASONS else "offline"
    return {"schema": CAMERA_SCHEMA, "status": status, "reason": reason, "since": timestamp(since)}
