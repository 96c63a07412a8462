"""Figures agree with confusion matrices worked out by hand."""

import json

import numpy as np
import pytest

from trainer.judging.evaluate import (
    as_json,
    calibration_error,
    confusion_matrix,
    judge,
    log_loss,
    reliability,
    summary,
    together,
    top_k_accuracy,
)
from trainer.photos.data import Coarse


def _scores(answers, classes, sure=0.7):
    scores = np.full((len(answers), classes), (1 - sure) / (classes - 1), np.float32)
    scores[np.arange(len(answers)), answers] = sure
    return scores


def test_rows_are_the_truth_and_columns_the_answers():
    """A matrix that is read the wrong way round swaps precision and recall."""
    matrix = confusion_matrix(np.array([1, 1, 0]), np.array([0, 1, 0]), classes=2)
    assert matrix.tolist() == [[1, 1], [0, 1]]


def test_figures_of_three_classes_by_hand():
    """Truth a a a a b b c, answers a a b c b b a."""
    truth = np.array([0, 0, 0, 0, 1, 1, 2])
    result = judge(_scores([0, 0, 1, 2, 1, 1, 0], 3), truth, labels=("a", "b", "c"))
    assert result.confusion.tolist() == [[2, 1, 1], [0, 2, 0], [1, 0, 0]]
    assert result.photographs == 7
    assert result.accuracy == pytest.approx(4 / 7)
    a, b, c = result.classes
    assert (a.precision, a.recall, a.f1, a.support, a.predicted) == pytest.approx((2 / 3, 1 / 2, 4 / 7, 4, 3))
    assert (b.precision, b.recall, b.f1, b.support, b.predicted) == pytest.approx((2 / 3, 1, 4 / 5, 2, 3))
    assert (c.precision, c.recall, c.f1, c.support, c.predicted) == (0, 0, 0, 1, 1)
    assert result.macro_precision == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    assert result.macro_recall == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert result.macro_f1 == pytest.approx((4 / 7 + 4 / 5 + 0) / 3)


def test_a_class_that_does_not_occur_is_left_out_of_the_averages():
    """A label without photographs says nothing about the network."""
    result = judge(_scores([0, 1], 3), np.array([0, 1]), labels=("a", "b", "c"))
    assert (result.macro_precision, result.macro_recall, result.macro_f1) == (1, 1, 1)
    assert (result.classes[2].precision, result.classes[2].recall, result.classes[2].f1) == (0, 0, 0)


def test_top_k_counts_who_is_above_the_truth():
    """With fewer classes than k every answer counts."""
    scores = np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]], np.float32)
    truth = np.array([1, 2])
    assert [top_k_accuracy(scores, truth, k=k) for k in (1, 2, 3, 5)] == [0, 0.5, 1, 1]


def test_log_loss_is_in_nats_and_never_infinite():
    """A certain mistake is expensive, but a number."""
    assert log_loss(np.array([[0.5, 0.5]], np.float32), np.array([0])) == pytest.approx(np.log(2))
    assert np.isfinite(log_loss(np.array([[0.0, 1.0]], np.float32), np.array([0])))


def test_calibration_error_is_the_gap_between_sureness_and_truth():
    """Three answers at 0.9 of which one is wrong, and one at 0.6 that is right: (|2.7 - 2| + |0.6 - 1|) / 4."""
    scores = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.4, 0.6]], np.float32)
    assert calibration_error(scores, np.array([0, 0, 1, 1])) == pytest.approx((0.7 + 0.4) / 4, abs=1e-6)


def test_reliability_bins_hold_confidence_accuracy_and_count():
    """Bins without answers are left out, a certain answer falls into the last, and the order is that of confidence."""
    scores = np.array([[1.0, 0.0], [0.94, 0.06], [0.4, 0.6], [0.56, 0.44]], np.float32)
    middle, sure = reliability(scores, np.array([0, 1, 1, 0]))[-2:]
    assert (sure.confidence, sure.accuracy, sure.count) == pytest.approx((0.97, 0.5, 2))
    assert (middle.confidence, middle.accuracy, middle.count) == pytest.approx((0.6, 1, 1))


def test_a_wrong_label_of_the_right_group_counts_for_the_group():
    """Apples a b and pear c: truth a a b c c, answers b a b a c; four of five have the right group."""
    coarse = Coarse(("apple", "pear"), (0, 0, 1))
    truth = np.array([0, 0, 1, 2, 2])
    result = judge(_scores([1, 0, 1, 0, 2], 3), truth, labels=("a", "b", "c"), coarse=coarse)
    assert result.accuracy == pytest.approx(3 / 5)
    groups = result.coarse
    assert groups.confusion.tolist() == [[3, 0], [1, 1]]
    assert groups.accuracy == pytest.approx(4 / 5)
    assert [figures.label for figures in groups.classes] == ["apple", "pear"]
    assert groups.macro_recall == pytest.approx((1 + 1 / 2) / 2)
    assert groups.macro_precision == pytest.approx((3 / 4 + 1) / 2)
    report = json.loads(json.dumps(as_json(result)))
    assert report["coarse_accuracy"] == pytest.approx(4 / 5)
    assert report["coarse"]["classes"][1]["support"] == 2
    assert report["coarse"]["confusion"] == [[3, 0], [1, 1]]


def test_without_groups_there_are_no_figures_of_groups():
    """A data set without groups has nothing to say about them, rather than zeros."""
    result = judge(_scores([0, 1], 2), np.array([0, 0]), labels=("a", "b"))
    assert result.coarse is None
    assert not [name for name in summary(result) if "coarse" in name]


def test_everything_is_json():
    """The report holds no numpy types."""
    result = judge(_scores([0, 1], 2), np.array([0, 0]), labels=("a", "b"))
    report = json.loads(json.dumps(as_json(result)))
    assert report["accuracy"] == 0.5
    assert report["confusion"] == [[1, 1], [0, 0]]
    assert report["classes"][0]["recall"] == 0.5


@pytest.mark.parametrize(("rows", "classes"), [(0, 2), (3, 2), (2, 3)])
def test_what_does_not_fit_is_refused(rows, classes):
    """Shapes that differ are an error, not a figure."""
    with pytest.raises(ValueError, match="photographs of"):
        judge(np.zeros((rows, classes), np.float32), np.zeros(0 if rows == 0 else 2, np.int64), labels=("a", "b"))


def test_folds_are_told_by_their_mean_and_spread():
    """One right of two and two right of two: 75 %, and the standard deviation of so few folds, by n − 1."""
    truth = np.array([0, 1])
    half, whole = (judge(_scores(answers, 2), truth, labels=["a", "b"]) for answers in ([0, 0], [0, 1]))
    figures = together([half, whole])
    assert figures["mean"]["accuracy"] == 0.75
    assert figures["spread"]["accuracy"] == pytest.approx(np.sqrt(0.125))
    assert [fold["accuracy"] for fold in figures["folds"]] == [0.5, 1.0]
    assert "coarse_accuracy" not in figures["mean"]
