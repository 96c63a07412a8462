"""A message of the broker → an event, or why it is none. Pure values, no database and no network."""

import json
import re
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

LARGEST_BYTES = 64 * 1024
LARGEST_SEQ = 2**63 - 1
_ID = r"[a-z0-9_-]{1,64}"
_TOPIC = re.compile(rf"shelfwatch/({_ID})/({_ID})/shelf/({_ID})/event")
_EPOCH = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Dropped:
    """Events of an epoch that a device had to drop, both ends included."""

    epoch: str
    from_seq: int
    to_seq: int


@dataclass(frozen=True, slots=True)
class Event:
    """An event as it is stored. `oldest_seq` is the oldest that the device still had; below it nothing will come."""

    site: str
    device: str
    epoch: str
    seq: int
    type: str
    shelf: str | None
    ts: datetime | None
    historical: bool
    body: str
    oldest_seq: int
    dropped: Dropped | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message that is no event."""

    topic: str
    payload: bytes
    reason: str


def device_of(topic: str) -> str | None:
    """The site and device of an event's topic, None where it is no such topic."""
    found = _TOPIC.fullmatch(topic)
    return f"{found[1]}/{found[2]}" if found else None


def partition_of(device: str, partitions: int) -> int:
    """Which of 1..partitions a device belongs to; the same everywhere and always."""
    return zlib.crc32(device.encode()) % partitions + 1


def read(topic: str, payload: bytes) -> Event | Rejected:
    """Read a message."""
    try:
        return _event(topic, payload)
    except (ValueError, RecursionError) as error:
        return Rejected(topic.replace("\0", "")[:512], payload[:LARGEST_BYTES], str(error).replace("\0", "")[:512])


def _event(topic: str, payload: bytes) -> Event:
    found = _TOPIC.fullmatch(topic)
    if not found:
        raise ValueError("the topic is not shelfwatch/<site>/<device>/shelf/<shelf>/event")
    if len(payload) > LARGEST_BYTES:
        raise ValueError(f"the payload has {len(payload)} bytes; {LARGEST_BYTES} is the most")
    text = payload.decode()
    body = json.loads(text, parse_constant=_no_constant)
    if not isinstance(body, dict):
        raise ValueError("the payload is no JSON object")  # noqa: TRY004 (it came over the network)
    if str(body.get("schema", "")).split("/")[0] != "shelfwatch.event":
        raise ValueError('its schema is not "shelfwatch.event/1"')
    seq, oldest_seq = _seq(body, "seq"), _seq(body, "oldest_seq") if "oldest_seq" in body else 1
    if oldest_seq > seq:
        raise ValueError("its oldest_seq is newer than itself")
    return Event(
        site=found[1],
        device=found[2],
        epoch=_epoch(body, "epoch"),
        seq=seq,
        type=_text(body, "type"),
        shelf=_text(body, "shelf") if body.get("shelf") is not None else None,
        ts=_instant(body),
        historical=body.get("historical") is True,
        body=text,
        oldest_seq=oldest_seq,
        dropped=_dropped(body) if body["type"] == "dropped" else None,
    )


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _seq(body: dict[str, Any], key: str) -> int:
    found = body.get(key)
    if not isinstance(found, int) or isinstance(found, bool) or not 1 <= found <= LARGEST_SEQ:
        raise ValueError(f"its {key} is not a whole number from 1 on")
    return found


def _text(body: dict[str, Any], key: str) -> str:
    found = body.get(key)
    if not isinstance(found, str) or not 1 <= len(found) <= 64 or not found.isprintable():
        raise ValueError(f"its {key} is not a word")
    return found


def _epoch(body: dict[str, Any], key: str) -> str:
    found = _text(body, key)
    if not _EPOCH.fullmatch(found):
        raise ValueError(f"its {key} is not an id")
    return found


def _instant(body: dict[str, Any]) -> datetime | None:
    """When it happened; a device whose clock was never set says something odd, and its event counts all the same."""
    try:
        found = datetime.fromisoformat(body["ts"])
    except (KeyError, TypeError, ValueError):
        return None
    return found if found.tzinfo is not None else None


def _dropped(body: dict[str, Any]) -> Dropped:
    dropped = Dropped(
        _epoch(body, "of_epoch" if "of_epoch" in body else "epoch"), _seq(body, "from_seq"), _seq(body, "to_seq")
    )
    if dropped.from_seq > dropped.to_seq:
        raise ValueError("it reports a range as dropped that ends before it begins")
    if "of_epoch" not in body and dropped.to_seq >= _seq(body, "seq"):
        raise ValueError("it reports events as dropped that come after it")
    return dropped
