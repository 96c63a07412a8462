"""Whether int8 may stand in for float: a verdict from paired answers. Numbers in, verdict out; nothing is read here."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge_agent.bundle import Metrics
from edge_agent.shelf import ShelfwatchError

Z_95 = 1.6448536
"""The 95 % quantile of the standard normal distribution: a one-sided bound."""
RECALL_COUNT = 50
"""Photographs of a class from which on its recall is held against the bound; with fewer it is chance."""
NEEDED_MOST = 1_000_000
"""More photographs than this are not asked for."""

Indices = NDArray[np.int64]


class Refused(ShelfwatchError):  # noqa: N818  (it is a verdict, not a fault)
    """The int8 network loses more than it may, or that it doesn't is not proven; no bundle was written."""

    exit_status = 2


@dataclass(frozen=True, slots=True)
class Bounds:
    """What int8 may lose, in points of 100; agreement is a share, 0..1."""

    drop_points: float = 1.0
    agreement: float = 0.95
    recall_points: float = 5.0

    @property
    def proof_points(self) -> float:
        """What the one-sided 95 % bound of the drop may reach: a point more than the drop itself."""
        return self.drop_points + 1.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the answers of float and int8 to the same photographs say.

    Attributes:
        metrics: Accuracy, agreement, recall per class, and the bound of the drop.
        drop_points: What int8 loses of top-1, in points of 100; negative where it gains.
        lost: Photographs that float gets right and int8 wrong.
        won: The reverse.
        failures: Every way in which int8 loses more than it may, in words; none where it may pass.
        warnings: What is worth knowing though it decides nothing.
        needed: Photographs that would prove the bound if they came out as these did; None where it is proven.
        doubt: Why the comparison proves nothing at all, whatever the figures; None where it may.
    """

    metrics: Metrics
    drop_points: float
    lost: int
    won: int
    failures: tuple[str, ...]
    warnings: tuple[str, ...]
    needed: int | None
    doubt: str | None = None


def judge(truth: Indices, *, by_float: Indices, by_int8: Indices, labels: Sequence[str], bounds: Bounds) -> Verdict:
    """Hold int8 against float.

    Args:
        truth: (n,) label indices; n is 1 or more.
        by_float: (n,) what the float network answers.
        by_int8: (n,) what the int8 network answers.
        labels: Names of the indices.
        bounds: What int8 may lose.
    """
    count = len(truth)
    lost = int(((by_float == truth) & (by_int8 != truth)).sum())
    won = int(((by_float != truth) & (by_int8 == truth)).sum())
    limit_points = 100 * drop_bound(lost, won, count)
    present = [(name, truth == index) for index, name in enumerate(labels) if (truth == index).any()]
    metrics = Metrics(
        count=count,
        float_top1=float((by_float == truth).mean()),
        int8_top1=float((by_int8 == truth).mean()),
        agreement=float((by_float == by_int8).mean()),
        float_recall={name: float((by_float == truth)[mine].mean()) for name, mine in present},
        int8_recall={name: float((by_int8 == truth)[mine].mean()) for name, mine in present},
        drop_bound_points=limit_points,
        proven=limit_points <= bounds.proof_points,
    )
    drop_points = (lost - won) / count * 100
    drops = _recall_drops(metrics, bounds)
    enough = {name: int(mine.sum()) >= RECALL_COUNT for name, mine in present}
    failed = [*_overall(metrics, drop_points, bounds)]
    failed += [f'"{name}" is recognized {points:.1f} points less often' for name, points in drops if enough[name]]
    few = [*_of_few([(name, points) for name, points in drops if not enough[name]])]
    needed = None if metrics.proven else photographs_needed(lost, won, count, bound=bounds.proof_points / 100)
    verdict = Verdict(metrics, drop_points, lost, won, tuple(failed), tuple(few), needed)
    guesses = doubt(metrics, truth)
    return verdict if guesses is None else doubted(verdict, guesses)


def doubted(verdict: Verdict, why: str) -> Verdict:
    """The same verdict, which proves nothing for a reason that lies outside of the figures."""
    return replace(verdict, metrics=verdict.metrics.model_copy(update={"proven": False}), doubt=why)


def drop_bound(lost: float, won: float, count: int) -> float:
    """Upper one-sided 95 % bound of a paired difference of two accuracies, 0..1.

    The score bound of Tango, "Equivalence test and confidence interval for the difference in proportions for the
    paired-sample design", Statistics in Medicine 17 (1998): the largest difference d with z(d) ≥ −1.645. Unlike the
    normal approximation, it says something sensible where not one photograph is lost.

    Args:
        lost: Photographs that only float gets right.
        won: Photographs that only int8 gets right.
        count: All photographs, 1 or more.

    >>> round(drop_bound(0, 0, 296), 4), round(drop_bound(5, 3, 296), 4)
    (0.0091, 0.0255)
    """
    low, high = (lost - won) / count, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _score(middle, lost, won, count) >= -Z_95 else (low, middle)
    return high


def _score(difference: float, lost: float, won: float, count: int) -> float:
    """Tango's z for a difference d: (lost − won − n·d) / √(n·(2·q + d·(1 − d))), q from the restricted likelihood."""
    linear = -lost - won + (2 * count - lost + won) * difference
    square = linear * linear + 8 * count * won * difference * (1 - difference)
    share = (math.sqrt(max(0.0, square)) - linear) / (4 * count)
    variance = count * (2 * share + difference * (1 - difference))
    gap = lost - won - count * difference
    return gap / math.sqrt(variance) if variance > 0 else (0.0 if gap == 0 else math.copysign(math.inf, gap))


def photographs_needed(lost: int, won: int, count: int, *, bound: float) -> int | None:
    """How many photographs prove a drop below `bound` (0..1), if they come out as `count` did; None if none do."""

    def proves(larger: int) -> bool:
        scale = larger / count
        return drop_bound(lost * scale, won * scale, larger) <= bound

    if not proves(NEEDED_MOST):
        return None
    low, high = count, NEEDED_MOST
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if proves(middle) else (middle + 1, high)
    return low


def doubt(metrics: Metrics, truth: Indices) -> str | None:
    """Why a small drop would prove nothing: a float network that only guesses has nothing to lose."""
    commonest = max(Counter(truth.tolist()).values()) / len(truth)
    if metrics.float_top1 > commonest:
        return None
    return (
        f"the float network itself gets only {metrics.float_top1:.1%} of {metrics.count} held-out photographs right, no"
        f" more than always giving the commonest answer ({commonest:.1%}), so the drop proves nothing. Train it longer."
    )


def _overall(metrics: Metrics, drop_points: float, bounds: Bounds) -> Iterator[str]:
    if drop_points > bounds.drop_points + 1e-9:
        photographs = round(drop_points * metrics.count / 100)
        yield (
            f"of {metrics.count} held-out photographs int8 gets {metrics.int8_top1:.1%} right and float"
            f" {metrics.float_top1:.1%}: a drop of {drop_points:.2f} points ({photographs} photographs), at most"
            f" {bounds.drop_points:g} are allowed"
        )
    if metrics.agreement < bounds.agreement - 1e-9:
        yield f"int8 and float agree on {metrics.agreement:.1%}, at least {bounds.agreement:.1%} are asked for"


def _recall_drops(metrics: Metrics, bounds: Bounds) -> list[tuple[str, float]]:
    """Classes that int8 recognizes less often by more than it may, and by how many points; the worst first."""
    drops = [(name, 100 * (before - metrics.int8_recall[name])) for name, before in metrics.float_recall.items()]
    return sorted((drop for drop in drops if drop[1] > bounds.recall_points + 1e-9), key=lambda drop: -drop[1])


def _of_few(drops: Sequence[tuple[str, float]]) -> Iterator[str]:
    """What is said of classes with too few photographs to judge them."""
    if drops:
        name, points = drops[0]
        which = f'"{name}"' if len(drops) == 1 else f'{len(drops)} classes, most of all "{name}",'
        yield (
            f"{which} {'is' if len(drops) == 1 else 'are'} recognized less often by int8, by up to {points:.0f} points;"
            f" with fewer than {RECALL_COUNT} photographs of a class that may be chance."
        )
