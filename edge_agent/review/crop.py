"""A crop that is kept: its name, and what is known of it, which stands in the PNG itself. Pure values.

A name ends as those of `shelf-agent collect` do, so that `shelf-train` keeps together what was taken in one minute.
"""

import json
import struct
import zlib
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from edge_agent.messages import timestamp
from edge_agent.shelf import DataError

KEYWORD = b"shelfwatch"
HEAD_BYTES = 8192
"""What is known of a crop stands within the first bytes of its file."""
_MAGIC, _HEADER_END = b"\x89PNG\r\n\x1a\n", 33


@dataclass(frozen=True, slots=True)
class Guess:
    """A label, and the probability (0..1) that the model gave it."""

    label: str
    score: float


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a crop: where and when it was taken, what the model thought, and `why` it was kept.

    `why` is `unsure` (the best guess is a weak one), `tie` (two are as good) or `unknown` (the slot's count became
    unknown for it). `planned` is what the planogram has there.
    """

    camera: str
    shelf: str
    slot: str
    planned: str | None
    taken_at: datetime
    why: str
    guesses: tuple[Guess, ...]
    model: str

    @property
    def name(self) -> str:
        """Of its file."""
        at = self.taken_at.astimezone(UTC)
        return f"{self.camera}-{self.shelf}-{self.slot}-{at:%Y%m%dT%H%M%S}-{at.microsecond // 1000:03d}.png"

    @property
    def doubt(self) -> float:
        """How unsure the model was, 0..1."""
        return 1 - self.guesses[0].score if self.guesses else 1.0


def with_about(png: bytes, about: About) -> bytes:
    """A PNG with a text chunk that says what is known of it, right after its header."""
    told = json.dumps({**asdict(about), "taken_at": timestamp(about.taken_at)}, ensure_ascii=False).encode()
    content = b"iTXt" + KEYWORD + b"\0\0\0\0\0" + told
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    return png[:_HEADER_END] + chunk + png[_HEADER_END:]


def about_of(head: bytes) -> About | None:
    """What the first bytes of a PNG say of it; None where they say nothing.

    Raises:
        DataError: It is no PNG, or what it says makes no sense.
    """
    if not head.startswith(_MAGIC):
        raise DataError("it is no PNG")
    length = int.from_bytes(head[_HEADER_END : _HEADER_END + 4], "big")
    content = head[_HEADER_END + 4 : _HEADER_END + 8 + length]
    lead = b"iTXt" + KEYWORD + b"\0\0\0\0\0"
    if not content.startswith(lead):
        return None
    try:
        said = json.loads(content[len(lead) :])
        said["guesses"] = tuple(Guess(str(guess["label"]), float(guess["score"])) for guess in said["guesses"])
        said["taken_at"] = datetime.fromisoformat(said["taken_at"])
        return About(**said)
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"what it says of itself makes no sense ({error})") from error
