"""Photographs that went wrong are shown with what they are and what was said."""

import cv2
import numpy as np
import pytest

from trainer.judging.evaluate import confusion_matrix
from trainer.judging.gallery import Shown, draw_errors, draw_pairs
from trainer.judging.mistakes import Pair, confused_pairs, worst

LABELS = ("cola", "$oat_milk$", "an uncommonly long name of a product in a can")


@pytest.fixture
def shown():
    """Nine plain photographs of three classes, each class of one colour; four answers are wrong."""
    truth = np.repeat([0, 1, 2], 3)
    answers = np.array([0, 1, 1, 1, 1, 2, 2, 2, 0])
    scores = np.full((9, 3), 0.1, np.float32)
    scores[np.arange(9), answers] = 0.8
    colours = np.array([[250, 0, 0], [0, 250, 0], [0, 0, 250]], np.uint8)
    pixels = np.broadcast_to(colours[truth][:, None, None], (9, 32, 32, 3))
    return Shown(pixels, scores, truth, LABELS)


def _share(path, colour_bgr):
    return float((cv2.imread(str(path)) == colour_bgr).all(axis=2).mean())


def test_the_surest_mistakes_are_shown(shown, tmp_path):
    """Two reds, one green and one blue went wrong, and only these are in the picture."""
    chosen = worst(shown.scores, shown.truth, most=12)
    draw_errors(shown, chosen, tmp_path / "errors.png")
    red, green, blue = (_share(tmp_path / "errors.png", colour) for colour in ((0, 0, 250), (0, 250, 0), (250, 0, 0)))
    assert red == pytest.approx(2 * green, rel=0.05)
    assert green == pytest.approx(blue, rel=0.05)
    assert blue > 0.01


def test_a_pair_shows_both_products(shown, tmp_path):
    """Cola taken for oat milk: two reds on the left, the three greens on the right, and nothing of the third."""
    pairs = confused_pairs(confusion_matrix(shown.answers, shown.truth, classes=3), most=1)
    draw_pairs(shown, pairs, tmp_path / "pairs.png")
    red, green, blue = (_share(tmp_path / "pairs.png", colour) for colour in ((0, 0, 250), (0, 250, 0), (250, 0, 0)))
    assert red == pytest.approx(green * 2 / 3, rel=0.05)
    assert red > 0.1
    assert blue == 0
    image = cv2.imread(str(tmp_path / "pairs.png"))
    left = (image[:, : image.shape[1] // 2] == (0, 250, 0)).all(axis=2).mean()
    assert left == 0


def test_a_pair_whose_other_product_has_no_photograph_says_so(shown, tmp_path):
    """Without photographs of what it is taken for, words stand in their place rather than nothing."""
    only = Shown(shown.pixels[:3], shown.scores[:3], shown.truth[:3], LABELS)
    draw_pairs(only, (Pair(0, 1, 2, 3),), tmp_path / "pairs.png")
    image = cv2.imread(str(tmp_path / "pairs.png"))
    right_half = image[image.shape[0] // 4 :, image.shape[1] // 2 :]
    assert (right_half == (0, 250, 0)).all(axis=2).mean() == 0
    assert right_half.min() < 100
