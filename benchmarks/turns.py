"""Times functions in turns, so that what else the machine does meets all of them alike."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any


@dataclass(frozen=True, slots=True)
class Turns:
    """Milliseconds per call of several functions: a figure for each turn, in the order of the turns."""

    ms: dict[str, list[float]]

    def median_ms(self, name: str) -> float:
        """Of a function, the median of all turns."""
        return median(self.ms[name])

    def ratio(self, name: str, of: str) -> float:
        """A function's time as a share of another's, compared within each turn; the median of all turns."""
        return median(one / other for one, other in zip(self.ms[name], self.ms[of], strict=True))

    def more_ms(self, name: str, than: str) -> float:
        """By how much a function takes longer than another, compared within each turn; the median of all turns."""
        return median(one - other for one, other in zip(self.ms[name], self.ms[than], strict=True))


def in_turns(calls: Mapping[str, Callable[[], Any]], *, turns: int, seconds: float) -> Turns:
    """Call each function again and again for `seconds`, one function after the other, so many turns.

    Every other turn goes through them backwards, so that none always follows the same one.
    """
    found: dict[str, list[float]] = {name: [] for name in calls}
    names = list(calls)
    for call in calls.values():
        call()
    for turn in range(turns):
        for name in names if turn % 2 == 0 else reversed(names):
            found[name].append(_quick_ms(calls[name], seconds))
    return Turns(found)


def _quick_ms(call: Callable[[], Any], seconds: float) -> float:
    """Lower quartile of single calls: one that the machine interrupted says nothing. Two go before, to warm caches."""
    for _ in range(2):
        call()
    took: list[float] = []
    until = time.perf_counter() + seconds
    while (began := time.perf_counter()) < until or len(took) < 2:
        call()
        took.append((time.perf_counter() - began) * 1000)
    return quantiles(took, n=4, method="inclusive")[0]
