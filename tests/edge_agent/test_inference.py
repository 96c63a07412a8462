"""Inference: the same answer in any batch, and a clear word where there is no runtime."""

import numpy as np
import pytest

from edge_agent import bundle, engines
from edge_agent.demo.store import BUNDLE
from edge_agent.inference import TfliteClassifier
from edge_agent.shelf import BundleError


@pytest.fixture(scope="module")
def classifier():
    """The demo's model."""
    return TfliteClassifier(bundle.read(BUNDLE))


@pytest.mark.parametrize("count", [0, 1, 3, 8, 24])
def test_a_batch_is_answered_as_one_by_one(classifier, count):
    """However many crops come at once, each gets the scores that it would get alone."""
    rng = np.random.default_rng(count)
    crops = rng.integers(0, 256, (count, classifier.size_px, classifier.size_px, 3), dtype=np.uint8)
    together = classifier.classify(crops)
    assert together.shape == (count, len(classifier.labels))
    assert together.dtype == np.float32
    for crop, scores in zip(crops, together, strict=True):
        assert np.abs(classifier.classify(crop[None])[0] - scores).max() <= 2 / 255


def test_scores_are_probabilities(classifier):
    """Scores lie in 0..1 and add up to 1 within the steps of a byte."""
    scores = classifier.classify(bundle.read(BUNDLE).golden_inputs)
    assert scores.min() >= 0
    assert np.abs(scores.sum(axis=1) - 1).max() < 0.05


def test_a_missing_runtime_is_an_error_with_the_remedy(monkeypatch):
    """Where no TFLite runtime is installed, the message says how to get one."""
    monkeypatch.setattr(engines, "_MODULES", {"litert": "no_such_module", "tflite-runtime": "nor_this"})
    with pytest.raises(BundleError, match=r"no TFLite runtime is installed.*pip install shelfwatch"):
        TfliteClassifier(bundle.read(BUNDLE))
