"""When the store is open, in its local time: `08:00-12:30, 14:00-18:00`, by weekday. Pure values."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
Span = tuple[int, int]
"""Minutes since midnight: from, to. A span that ends before it begins lasts until the next day."""
_SPAN = re.compile(r"(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})")
_DAY_MIN = 24 * 60


def spans(text: str) -> tuple[Span, ...]:
    """Read opening hours; none where the text is empty.

    >>> spans("08:00-12:30, 22:00-02:00")
    ((480, 750), (1320, 120))

    Raises:
        ValueError: They cannot be read.
    """
    return tuple(_span(part.strip()) for part in text.split(",")) if text.strip() else ()


def _span(text: str) -> Span:
    found = _SPAN.fullmatch(text)
    if found is not None:
        hour, minute, to_hour, to_minute = (int(part) for part in found.groups())
        begin, end = hour * 60 + minute, to_hour * 60 + to_minute
        if max(minute, to_minute) < 60 and begin < _DAY_MIN and end <= _DAY_MIN and begin != end:
            return begin, end
    raise ValueError(f'"{text}" is not a span of hours; write it as 08:00-20:00, several with commas between')


@dataclass(frozen=True, slots=True)
class Hours:
    """When the store is open: the spans of each weekday (Monday first) in local time, and days on which it is closed.

    What begins on an open day and lasts until the next one belongs to the day on which it begins.
    """

    zone: tzinfo
    week: tuple[tuple[Span, ...], ...]
    closed: frozenset[date] = frozenset()

    def open_at(self, instant: datetime) -> bool:
        """Whether the store is open at an aware instant."""
        local = instant.astimezone(self.zone)
        minute, today = local.hour * 60 + local.minute, local.date()
        return any(
            begin <= minute < end or (end < begin and minute >= begin) for begin, end in self._spans(today)
        ) or any(minute < end < begin for begin, end in self._spans(today - timedelta(days=1)))

    def _spans(self, day: date) -> tuple[Span, ...]:
        return () if day in self.closed else self.week[day.weekday()]
