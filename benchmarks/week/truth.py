"""What was really so in the week: what stood in each place when, and what could be seen of it. Knows no camera."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from edge_agent.shelf import EMPTY, Shelf

DAY_S = 86400.0


@dataclass(slots=True)
class StockOut:
    """A product that is gone from a shelf: all its facings, from `start_s` to `end_s` (seconds of the week).

    `seen_s` is the first look at which every place of it could be seen; None while there was none.
    """

    shelf: str
    sku: str
    start_s: float
    end_s: float
    seen_s: float | None = None


@dataclass(slots=True)
class History:
    """What stood in a place: it is `labels[n]` from `times_s[n]` on."""

    times_s: list[float] = field(default_factory=lambda: [0.0])
    labels: list[str] = field(default_factory=lambda: [EMPTY])

    def put(self, t_s: float, label: str) -> None:
        """From `t_s` on it is `label`; times only go forward."""
        if t_s < self.times_s[-1]:
            raise ValueError(f"{t_s} s is before {self.times_s[-1]} s, when the place last changed")
        self.times_s.append(t_s)
        self.labels.append(label)

    def at(self, t_s: float) -> str:
        """What stands there."""
        return self.labels[max(0, bisect_right(self.times_s, t_s) - 1)]

    def between(self, start_s: float, end_s: float) -> set[str]:
        """All that stood there from `start_s` to `end_s`."""
        first = max(0, bisect_right(self.times_s, start_s) - 1)
        return set(self.labels[first : bisect_right(self.times_s, end_s)])


class Truth:
    """The truth about some shelves. `places` says which places the slots of each are."""

    def __init__(self, shelves: Iterable[Shelf], places: Mapping[str, Sequence[int]]) -> None:
        """Nothing stands anywhere."""
        self.shelves = {shelf.id: shelf for shelf in shelves}
        self.places = {name: tuple(of) for name, of in places.items()}
        self.history = {place: History() for of in self.places.values() for place in of}

    def put(self, t_s: float, place: int, label: str) -> None:
        """From `t_s` (seconds) on `label` stands in a place; `empty` is nothing."""
        if place in self.history:
            self.history[place].put(t_s, label)

    def count(self, shelf: str, sku: str, t_s: float) -> int:
        """Facings of a product on a shelf."""
        return sum(self.history[place].at(t_s) == sku for place in self.places[shelf])

    def fewest_and_most(self, shelf: str, sku: str, start_s: float, end_s: float) -> tuple[int, int]:
        """The least and the most facings that a product had within a time."""
        moments = {start_s, end_s}
        for place in self.places[shelf]:
            moments.update(t_s for t_s in self.history[place].times_s if start_s < t_s < end_s)
        counts = [self.count(shelf, sku, t_s) for t_s in moments]
        return min(counts), max(counts)

    def stock_outs(self, until_s: float) -> list[StockOut]:
        """Every time in which a planned product was gone from its shelf, in order of their beginning."""
        found = []
        for name, shelf in self.shelves.items():
            moments = sorted({t_s for place in self.places[name] for t_s in self.history[place].times_s})
            for sku in shelf.expected:
                since_s: float | None = None
                for t_s in moments:
                    gone = self.count(name, sku, t_s) == 0
                    if gone and since_s is None:
                        since_s = t_s
                    elif not gone and since_s is not None:
                        if t_s > since_s:
                            found.append(StockOut(name, sku, since_s, t_s))
                        since_s = None
                if since_s is not None and since_s < until_s:
                    found.append(StockOut(name, sku, since_s, until_s))
        return sorted(found, key=lambda one: (one.start_s, one.shelf, one.sku))


def open_for_s(start_s: float, end_s: float, hours: tuple[float, float]) -> float:
    """How many seconds of a time lie in the opening hours of the day on which it begins.

    Args:
        start_s: Seconds since a midnight.
        end_s: The same.
        hours: When the shop opens and closes, in hours of the day.
    """
    midnight_s = start_s // DAY_S * DAY_S
    opens_s, closes_s = (midnight_s + hour * 3600 for hour in hours)
    return max(0.0, min(end_s, closes_s) - max(start_s, opens_s))
