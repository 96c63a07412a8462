"""Rows → what a chart needs: steps with the gaps in them, and fewer of them where there are too many. Pure values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

PER_BUCKET = 8
"""Steps that at most stay of a span: what it begins and ends with, extremes, a zero, and an unknown with its end."""


@dataclass(frozen=True, slots=True)
class Step:
    """From `at_ms` on there were `count` facings of `expected`; None is unknown, which is not 0. `status` held then."""

    at_ms: int
    count: int | None
    expected: int
    status: str = "ok"


def with_gaps(base: Step | None, steps: Iterable[Step], breaks: Iterable[int], *, from_ms: int) -> list[Step]:
    """Steps from `from_ms` on: begun with what held then, and unknown from each break to the next step after it.

    Args:
        base: The last step before, with its own time; None where there is none.
        steps: Those of the range, in order.
        breaks: Times from which on nothing was known, in any order, those before the range too. A run that was cut off
            right after a step ends at the time of that step.
        from_ms: Where the range begins.
    """
    marked: list[tuple[int, int, Step | None]] = [(at, 1, None) for at in breaks]
    marked += [(step.at_ms, 0, step) for step in ([base] if base is not None else []) + list(steps)]
    found: list[Step] = []
    for at, _, step in sorted(marked, key=lambda entry: entry[:2]):
        if step is None:
            if not found:
                continue
            step = Step(at, None, found[-1].expected, "unknown")  # noqa: PLW2901 — a break is a step into the unknown
        if step.at_ms <= from_ms:
            found = [replace(step, at_ms=from_ms)]
        elif not found or replace(step, at_ms=found[-1].at_ms) != found[-1]:
            found.append(step)
    return found


def thinned(steps: Sequence[Step], *, most: int) -> list[Step]:
    """At most `most` of the steps. Zeros, unknowns and extremes stay, if not each of them.

    Args:
        steps: In order.
        most: At least `PER_BUCKET`.
    """
    if len(steps) <= most:
        return list(steps)
    buckets = max(1, most // PER_BUCKET)
    begin, span = steps[0].at_ms, steps[-1].at_ms - steps[0].at_ms + 1
    grouped: dict[int, list[int]] = {}
    for place, step in enumerate(steps):
        grouped.setdefault((step.at_ms - begin) * buckets // span, []).append(place)
    kept: set[int] = set()
    for places in grouped.values():
        kept |= _telling(steps, places)
    return [steps[place] for place in sorted(kept)]


def _telling(steps: Sequence[Step], places: Sequence[int]) -> set[int]:
    """The places of one span's steps that must stay: at most `PER_BUCKET`."""
    kept = {places[0], places[-1]}
    known = [(count, place) for place in places if (count := steps[place].count) is not None]
    if known:
        low, high = min(known), max(known)  # a zero is the lowest
        kept |= {low[1], high[1]}
    unknown = [place for place in places if steps[place].count is None]
    if unknown:
        longest = max(unknown, key=lambda place: _lasts_ms(steps, place))
        kept |= {longest, *({longest + 1} if longest + 1 <= places[-1] else ())}
    return kept


def _lasts_ms(steps: Sequence[Step], place: int) -> int:
    return steps[place + 1].at_ms - steps[place].at_ms if place + 1 < len(steps) else 0
