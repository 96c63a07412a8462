"""What differs between two networks is counted by class, by pair and by photograph; no photograph counts twice."""

import math

import numpy as np
import pytest

from converter.judging.comparison import (
    Z_TWO_SIDED,
    ClassChange,
    Confused,
    class_changes,
    confusions,
    disagreements,
    share,
)

LABELS = ("apple", "banana", "cherry")


@pytest.mark.parametrize(("hits", "count"), [(245, 296), (1, 2), (9_999, 10_000)])
def test_the_interval_ends_where_the_share_would_just_be_believed(hits, count):
    """Wilson's definition: at each end, the share found lies 1.96 standard errors of that end away."""
    found = share(hits, count)
    for end in (found.low, found.high):
        error = math.sqrt(end * (1 - end) / count)
        assert abs(found.share - end) == pytest.approx(Z_TWO_SIDED * error)
    assert found.low < found.share < found.high


def test_the_interval_of_none_and_of_all_stays_a_share():
    """Five of five right does not prove 100 %, and nothing goes below 0 or above 1."""
    none, everything = share(0, 5), share(5, 5)
    assert none.low == 0
    assert everything.high == 1
    assert none.high == pytest.approx(1 - everything.low)
    assert 0.4 < none.high < 0.5


def test_classes_that_lose_most_come_first():
    """Each class by its own photographs; a class that nobody photographed is left out, one gained comes last."""
    truth = np.array([0, 0, 1, 1, 1, 1])
    by_float = np.array([0, 1, 1, 1, 1, 1])
    by_int8 = np.array([0, 0, 1, 1, 1, 2])
    assert class_changes(truth, by_float, by_int8, LABELS) == (
        ClassChange("banana", 4, 4, 3, 25.0, held=False),
        ClassChange("apple", 2, 1, 2, -50.0, held=False),
    )


def test_only_classes_of_fifty_photographs_are_held_to_the_bound():
    """One less is chance."""
    truth = np.repeat([0, 1], [50, 49])
    held = {change.label: change.held for change in class_changes(truth, truth, truth, LABELS)}
    assert held == {"apple": True, "banana": False}


def test_confusions_name_both_networks():
    """A pair that only float mixes up is there too, behind those of int8."""
    truth = np.array([0, 0, 0, 1])
    by_float = np.array([1, 0, 2, 1])
    by_int8 = np.array([1, 1, 0, 1])
    assert confusions(truth, by_float, by_int8, LABELS) == (
        Confused("apple", "banana", int8=2, float32=1, photographs=3),
        Confused("apple", "cherry", int8=0, float32=1, photographs=3),
    )


def test_disagreements_come_in_the_order_of_what_they_tell():
    """What int8 loses, what it wins, what both get wrong; of a kind, the surest answers first."""
    by_float = np.array(
        [[0.9, 0.1, 0.0], [0.2, 0.7, 0.1], [0.5, 0.4, 0.1], [0.1, 0.8, 0.1], [0.95, 0.05, 0.0]], np.float32
    )
    by_int8 = np.array(
        [[0.8, 0.2, 0.0], [0.6, 0.3, 0.1], [0.3, 0.6, 0.1], [0.1, 0.2, 0.7], [0.1, 0.9, 0.0]], np.float32
    )
    truth = np.zeros(5, np.int64)
    found = disagreements(truth, by_float, by_int8, LABELS)
    assert [(one.index, one.right) for one in found] == [(4, "float"), (2, "float"), (1, "int8"), (3, "neither")]
    first = found[0]
    assert (first.truth, first.float_answer, first.int8_answer) == ("apple", "apple", "banana")
    assert (first.float_sure, first.float_of_int8) == pytest.approx((0.95, 0.05))
    assert (first.int8_sure, first.int8_of_float) == pytest.approx((0.9, 0.1))


def test_networks_that_agree_disagree_nowhere():
    """The same answer with another confidence is no disagreement."""
    scores = np.array([[0.9, 0.1], [0.2, 0.8]], np.float32)
    assert disagreements(np.array([0, 0]), scores, scores[:, :] * 0.9, LABELS[:2]) == ()
