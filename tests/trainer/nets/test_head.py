"""A head begun in closed form separates what can be separated, and folding changes no answer."""

import numpy as np
import pytest

from trainer.nets.head import Linear, calibrate, discriminant, fold, softmax, standardize


def _blobs(count=40, features=6, classes=3, apart=4.0):
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(classes), count)
    centres = apart * np.eye(classes, features)
    return (centres[truth] + rng.normal(size=(len(truth), features))).astype(np.float32), truth


def test_the_discriminant_separates_blobs():
    """Three clouds in six dimensions are told apart."""
    features, truth = _blobs()
    linear = discriminant(features, truth, classes=3)
    assert ((features @ linear.kernel + linear.bias).argmax(axis=1) == truth).mean() > 0.97


def test_the_discriminant_of_two_points_is_their_perpendicular_bisector():
    """By hand: points at -1 and 1 with equal scatter are parted at 0, whatever the shrinkage."""
    features = np.array([[-1.5], [-0.5], [0.5], [1.5]], np.float32)
    linear = discriminant(features, np.array([0, 0, 1, 1]), classes=2)
    logits = np.array([[-0.1], [0.0], [0.1]]) @ linear.kernel + linear.bias
    assert np.sign(logits[:, 1] - logits[:, 0]) == pytest.approx([-1, 0, 1])


def test_more_features_than_photographs_is_no_problem():
    """A class may have a handful of photographs and the backbone 1,280 features."""
    features = np.random.default_rng(0).normal(size=(6, 200)).astype(np.float32)
    linear = discriminant(features, np.array([0, 0, 0, 1, 1, 1]), classes=2)
    assert np.isfinite(linear.kernel).all()


def test_folding_keeps_every_answer():
    """The network does on plain features what was trained on standardized ones, dead features included."""
    features, truth = _blobs()
    features = np.concatenate([features * 7 + 3, np.zeros((len(truth), 1), np.float32)], axis=1)
    standard = standardize(features)
    linear = discriminant(standard.apply(features), truth, classes=3)
    folded = fold(linear, standard)
    expected = standard.apply(features) @ linear.kernel + linear.bias
    assert features @ folded.kernel + folded.bias == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_calibration_makes_sureness_match_success():
    """Where half of the answers are wrong the layer becomes unsure, where none is it stays sure; neither is certain."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(400, 1)).astype(np.float32)
    layer = Linear(np.array([[-20.0, 20.0]]), np.zeros(2))
    right = (features[:, 0] > 0).astype(np.int64)
    noise = np.where(rng.random(400) < 0.5, right, 1 - right)
    sure, unsure = (
        softmax(features @ fitted.kernel + fitted.bias).max(axis=1).mean()
        for fitted in (calibrate(layer, features, right), calibrate(layer, features, noise))
    )
    assert unsure < 0.62
    assert 0.9 < sure < 0.9999
