"""What is rejected, what that costs and what it catches agree with cases worked out by hand."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from edge_agent.shelf import DataError
from trainer.judging.rejection import (
    Kept,
    Rejection,
    Unknown,
    auroc,
    caught,
    coverage,
    judge_known,
    judge_unknown,
    kept,
    of_card,
    sureness,
    threshold,
    unknown_of_card,
)


def _scores(sure):
    """Two classes, the first of which gets the given probabilities."""
    first = np.asarray(sure, np.float32)
    return np.stack([first, 1 - first], axis=1)


def test_the_threshold_loses_the_share_that_may_be_lost():
    """Of a hundred known photographs the five least sure ones go, and no more."""
    scores = _scores(np.linspace(0.505, 1.0, 100))
    rejection = threshold(scores, loss=0.05)
    assert kept(scores, rejection).tolist() == [False] * 5 + [True] * 95
    assert rejection.known_lost == pytest.approx(0.05)


def test_equal_sureness_is_never_lost_in_part():
    """Photographs at the threshold are kept, even if fewer are lost than may be."""
    rejection = threshold(_scores([0.6, 0.6, 0.6, 0.9]), loss=0.5)
    assert rejection == Rejection(pytest.approx(0.6), 0.0)


def test_of_few_photographs_none_is_lost():
    """Nineteen photographs cannot spare five percent."""
    assert threshold(_scores(np.linspace(0.6, 0.9, 19))).known_lost == 0


def test_certainty_is_one_without_doubt_and_zero_where_all_are_alike():
    """Half and half of four leaves half of the entropy; the threshold is set and compared in the same measure."""
    scores = np.array([[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0.25, 0.25, 0.25, 0.25]], np.float32)
    assert sureness(scores, "certainty") == pytest.approx([1, 0.5, 0], abs=1e-9)
    rejection = threshold(scores, loss=0.4, score="certainty")
    assert rejection == Rejection(pytest.approx(0.5), pytest.approx(1 / 3), "certainty")
    assert kept(scores, rejection).tolist() == [True, True, False]


@pytest.mark.parametrize(("count", "loss"), [(0, 0.05), (3, 1.0), (3, -0.1)])
def test_what_makes_no_threshold_is_refused(count, loss):
    """No photographs, or all of them lost, is an error rather than a number."""
    with pytest.raises(ValueError, match="loss of"):
        threshold(np.full((count, 2), 0.5, np.float32), loss=loss)


def test_accuracy_against_coverage_by_hand():
    """Sureness .9 right, .8 wrong and right (a tie goes together), .6 right."""
    curve = coverage(_scores([0.9, 0.8, 0.8, 0.6]), np.array([0, 1, 0, 0]))
    assert curve.coverage.tolist() == [0.25, 0.75, 1.0]
    assert curve.accuracy == pytest.approx([1.0, 2 / 3, 3 / 4])
    assert curve.threshold == pytest.approx([0.9, 0.8, 0.6])
    assert curve.at(Rejection(0.7, 0.05)) == pytest.approx((0.75, 2 / 3))
    assert curve.at(Rejection(0.95, 0.05)) is None


def test_auroc_counts_pairs_and_halves_ties():
    """Known .9 .5 against unknown .5 .1: three pairs in order and one tie make 3.5 of 4."""
    assert auroc(np.array([0.9, 0.5]), np.array([0.5, 0.1])) == pytest.approx(3.5 / 4)
    assert auroc(np.array([0.1]), np.array([0.9])) == 0
    assert auroc(np.array([0.5, 0.5]), np.array([0.5])) == 0.5


def test_unknown_photographs_below_the_threshold_are_caught():
    """The threshold itself is kept, as it is for known ones."""
    assert caught(_scores([0.55, 0.7, 0.75, 0.9]), Rejection(0.75, 0.05)) == 0.5


def test_what_is_kept_is_judged_alone():
    """Sureness .9 right, .8 wrong, .6 right: at .7 two are answered, half of them right; at 1 none is."""
    scores, truth = _scores([0.9, 0.8, 0.6]), np.array([0, 1, 0])
    assert judge_known(scores, truth, Rejection(0.7, 0.05)) == Kept(pytest.approx(2 / 3), 0.5)
    assert judge_known(scores, truth, Rejection(1.0, 0.05)) == Kept(0.0, None)


def test_unknown_products_are_judged_at_both_thresholds():
    """Twenty known photographs spare one at 5 %, so the second least sure of them sets the threshold at hand."""
    known = _scores([0.6, 0.8, *[0.95] * 18])
    unknown = _scores([0.55, 0.7, 0.9, 0.99])
    assert judge_unknown(known, unknown, Rejection(0.94, 0.1)) == Unknown(
        photographs=4, auroc=pytest.approx((1 + 2 + 18 * 3) / 80), caught=0.75, caught_at_loss=0.5
    )
    assert judge_unknown(known, unknown, None).caught is None


def test_a_card_gives_back_what_was_put_into_it():
    """Through JSON and back; a card of an older model has none."""
    rejection = Rejection(0.31, 0.047)
    assert of_card(json.loads(json.dumps({"rejection": rejection.as_json()}))) == rejection
    assert of_card({"labels": ["a"]}) is None


def test_what_a_training_found_of_unknown_products_is_read_from_its_card():
    """Only where products were left out of it; what another program wrote is passed over."""
    found = Unknown(40, auroc=0.85, caught=0.25, caught_at_loss=0.4)
    assert unknown_of_card(json.loads(json.dumps({"metrics": {"unknown": asdict(found)}}))) == found
    assert unknown_of_card({"metrics": {"validation": {}}}) is None
    assert unknown_of_card({"metrics": {"unknown": {"seen": 3}}}) is None


@pytest.mark.parametrize(
    "section",
    [
        {"threshold": 0.5},
        "high",
        {"score": "energy", "threshold": 0.5, "known_lost": 0.05},
        {"score": "max_probability", "threshold": 7, "known_lost": 0.05},
    ],
)
def test_a_card_that_makes_no_sense_is_refused(section):
    """Rather than rejecting nothing, or everything, in silence."""
    with pytest.raises(DataError, match=r'"rejection" is .*Train again'):
        of_card({"rejection": section})
