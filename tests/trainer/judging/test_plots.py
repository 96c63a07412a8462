"""Diagrams are pictures that show something, whatever the figures and the names."""

import cv2
import numpy as np
import pytest

from trainer.judging.evaluate import reliability
from trainer.judging.plots import draw_confusion, draw_coverage, draw_reliability
from trainer.judging.rejection import Rejection, coverage

SCORES = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.55, 0.45]], np.float32)
TRUTH = np.array([0, 1, 1, 0])


def _shows_something(path):
    image = cv2.imread(str(path))
    return min(image.shape[:2]) > 300 and image.std() > 1


@pytest.mark.parametrize(
    "labels",
    [
        ["cola", "a label of some length"],
        ["$1 cola$", "$\\frac"],
        ["牛奶", "우유"],
        [f"product {i}" for i in range(60)],
    ],
)
def test_a_confusion_matrix_has_room_for_any_number_of_any_names(tmp_path, labels):
    """Two classes or sixty, names that matplotlib would take for formulas, and scripts that its font lacks."""
    draw_confusion(np.eye(len(labels), dtype=np.int64), labels, tmp_path / "matrix.png")
    assert _shows_something(tmp_path / "matrix.png")


def test_reliability_is_drawn(tmp_path):
    """One dot per bin, also where all answers fall into one."""
    for name, rows in (("some.png", slice(None)), ("one.png", slice(1))):
        draw_reliability(reliability(SCORES[rows], TRUTH[rows]), tmp_path / name, calibration_error=0.1)
        assert _shows_something(tmp_path / name)


def test_coverage_is_drawn_and_the_threshold_is_marked(tmp_path):
    """A threshold changes the picture; one that rejects everything has no place on the curve."""
    pictures = {}
    for name, rejection in (("without", None), ("with", Rejection(0.6, 0.05)), ("above", Rejection(1.0, 0.05))):
        draw_coverage(coverage(SCORES, TRUTH), tmp_path / f"{name}.png", rejection=rejection)
        assert _shows_something(tmp_path / f"{name}.png")
        pictures[name] = (tmp_path / f"{name}.png").read_bytes()
    assert pictures["without"] == pictures["above"] != pictures["with"]
