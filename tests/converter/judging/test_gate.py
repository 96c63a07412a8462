"""The gate between a conversion and a bundle: what may be lost, and what has to be proven."""

from typing import Any

import numpy as np
import pytest

from converter.judging.exam import Tried, conclude, unproven
from converter.judging.gate import Bounds, Refused, Verdict, drop_bound, judge, photographs_needed
from converter.quantizing.ladder import Candidate

LABELS = ("milk", "empty", "oat")


def _judged(lost: int, won: int, count: int, *, agreeing_errors: int = 0, bounds: Bounds | None = None) -> Verdict:
    """Photographs of three things, so many of which only float, only int8, or neither gets right."""
    truth = np.arange(count) % 3
    by_float, by_int8 = truth.copy(), truth.copy()
    wrong = (truth + 1) % 3
    by_int8[:lost] = wrong[:lost]
    by_float[lost : lost + won] = wrong[lost : lost + won]
    both = slice(lost + won, lost + won + agreeing_errors)
    by_float[both] = by_int8[both] = wrong[both]
    return judge(truth, by_float=by_float, by_int8=by_int8, labels=LABELS, bounds=bounds or Bounds())


def _tried(verdict: Verdict, what: str = "300 photographs to calibrate with") -> Any:
    nothing: Any = None
    return Tried(Candidate(what, b"", nothing), nothing, nothing, verdict, 1.0)


@pytest.mark.parametrize(("lost", "won", "count"), [(0, 0, 296), (5, 3, 296), (30, 10, 1000), (1, 4, 50)])
def test_the_bound_is_where_the_score_says_so(lost: int, won: int, count: int) -> None:
    """The bound solves Tango's equation, checked with the restricted likelihood maximised by brute force."""
    bound = drop_bound(lost, won, count)
    shares = np.linspace(1e-9, (1 - bound) / 2, 400_001)  # of photographs that only int8 gets right
    both = 1 - 2 * shares - bound
    likelihood = lost * np.log(shares + bound) + won * np.log(shares)
    likelihood += (count - lost - won) * np.log(np.maximum(both, 1e-300))
    share = shares[likelihood.argmax()]
    z = (lost - won - count * bound) / np.sqrt(count * (2 * share + bound * (1 - bound)))
    assert z == pytest.approx(-1.6449, abs=0.01)


def test_the_bound_holds_nineteen_times_in_twenty() -> None:
    """In simulated verifications whose true drop is known, the bound lies above it at least 94.5 % of the time."""
    rng = np.random.default_rng(0)
    for count, lost, won in ((296, 0.02, 0.01), (296, 0.03, 0.03), (1490, 0.006, 0.004)):
        draws = rng.multinomial(count, [lost, won, 1 - lost - won], size=1500)
        held = np.mean([drop_bound(int(b), int(c), count) >= lost - won for b, c, _ in draws])
        assert held >= 0.945, (count, lost, won)


def test_a_drop_within_the_bounds_passes() -> None:
    """No loss, a loss of exactly what is allowed and a gain pass, where the photographs suffice to prove it."""
    for lost, won in ((0, 0), (10, 0), (0, 10)):
        verdict = _judged(lost, won, 1000)
        assert (verdict.failures, verdict.metrics.proven, verdict.needed) == ((), True, None)
        assert conclude([_tried(verdict)], Bounds(), allow_unproven=False).verdict is verdict
    assert _judged(10, 0, 1000).drop_points == pytest.approx(1.0)


def test_a_drop_above_the_bound_is_refused_with_its_figures() -> None:
    """A refusal names what was tried, both accuracies, the drop, the bound and the remedy, and its status is 2."""
    verdict = _judged(10, 0, 100, agreeing_errors=10)
    with pytest.raises(Refused) as refusal:
        conclude([_tried(verdict), _tried(verdict, "1000 photographs")], Bounds(), allow_unproven=True)
    assert refusal.value.exit_status == 2
    for part in (
        "after 2 attempts",
        "1000 photographs: ",
        "80.0%",
        "90.0%",
        "10.00 points (10 photographs)",
        "--max-drop",
    ):
        assert part in str(refusal.value)


def test_too_few_photographs_prove_nothing() -> None:
    """A small drop on few photographs is refused as unproven, with how many would do; it may be taken on purpose."""
    verdict = _judged(5, 3, 296)
    assert (verdict.failures, verdict.metrics.proven) == ((), False)
    assert verdict.needed == 527
    with pytest.raises(Refused, match=r"refused: of 296 .* loses 5 and wins 3.*2\.55.*About 527.*--allow-unproven"):
        conclude([_tried(verdict)], Bounds(), allow_unproven=False)
    assert conclude([_tried(verdict)], Bounds(), allow_unproven=True).verdict is verdict
    assert drop_bound(5 * 527 / 296, 3 * 527 / 296, 527) <= 0.02 < drop_bound(5 * 526 / 296, 3 * 526 / 296, 526)


def test_a_drop_that_no_number_of_photographs_proves_is_told() -> None:
    """Where the drop itself is as large as its bound may be, more of the same photographs are not asked for."""
    verdict = _judged(25, 5, 1000, bounds=Bounds(drop_points=1.0))
    assert photographs_needed(25, 5, 1000, bound=0.02) is None
    assert "No number of photographs" in unproven(verdict, Bounds())


def test_the_bounds_follow_the_options() -> None:
    """With more allowed, more passes; its proof may be a point above it."""
    loose = Bounds(drop_points=5.0, agreement=0.9)
    verdict = _judged(40, 0, 1000, bounds=loose)
    assert (verdict.failures, verdict.metrics.proven) == ((), True)
    assert _judged(40, 0, 1000).failures


def test_agreement_is_asked_for() -> None:
    """A network that is as often right but answers otherwise is another network: it fails."""
    verdict = _judged(30, 30, 1000)
    assert verdict.drop_points == 0
    (failure,) = verdict.failures
    assert "agree on 94.0%, at least 95.0%" in failure


def _of_two(count: int, lost: int) -> Verdict:
    """1,000 photographs of milk, all right, and `count` of oat of which int8 loses `lost`."""
    truth = np.concatenate([np.zeros(1000), np.full(count, 2)]).astype(np.int64)
    by_int8 = truth.copy()
    by_int8[1000 : 1000 + lost] = 1
    return judge(truth, by_float=truth, by_int8=by_int8, labels=LABELS, bounds=Bounds())


def test_a_class_that_suffers_fails_where_it_can_be_told() -> None:
    """A class of 50 photographs may lose 5 points and no more; one of 49 is warned of instead."""
    assert _of_two(60, 3).failures == ()
    (failure,) = _of_two(50, 3).failures
    assert failure == '"oat" is recognized 6.0 points less often'
    few = _of_two(49, 3)
    assert few.failures == ()
    (warning,) = few.warnings
    assert '"oat"' in warning
    assert "fewer than 50 photographs" in warning


def test_a_class_without_photographs_has_no_recall() -> None:
    """What was not seen is left out rather than called 0 or 1."""
    truth = np.asarray([0, 0, 2, 2])
    by_float, by_int8 = np.asarray([0, 1, 2, 2]), np.asarray([0, 1, 2, 0])
    metrics = judge(truth, by_float=by_float, by_int8=by_int8, labels=("a", "b", "c"), bounds=Bounds()).metrics
    assert metrics.float_recall == {"a": 0.5, "c": 1.0}
    assert metrics.int8_recall == {"a": 0.5, "c": 0.5}
    assert (metrics.float_top1, metrics.int8_top1, metrics.agreement) == (0.75, 0.5, 0.75)


def test_a_network_that_guesses_is_doubted() -> None:
    """A float network no better than the commonest answer has nothing to lose, and that is said."""
    truth = np.asarray([0] * 60 + [1] * 40)
    guess, better = np.zeros(100, dtype=np.int64), np.asarray([0] * 61 + [1] * 39)
    for answers, doubted in ((guess, True), (better - (np.arange(100) == 60), False)):
        verdict = judge(truth, by_float=answers, by_int8=answers, labels=LABELS, bounds=Bounds(drop_points=3.0))
        assert (verdict.doubt is not None, verdict.metrics.proven) == (doubted, not doubted)
    doubted = judge(truth, by_float=guess, by_int8=guess, labels=LABELS, bounds=Bounds())
    with pytest.raises(Refused, match=r"proves nothing.*--allow-unproven"):
        conclude([_tried(doubted)], Bounds(), allow_unproven=False)
