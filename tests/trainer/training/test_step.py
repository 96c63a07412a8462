"""A step of training: its learning rate, what counts how much, and arithmetic in half precision."""

import keras
import numpy as np
import pytest

from trainer.nets import backbones, models
from trainer.photos.data import load
from trainer.report import Unwatched
from trainer.training.conditions import affordable, precision
from trainer.training.fit import fit
from trainer.training.loss import balanced, loss_of
from trainer.training.recipe import settle
from trainer.training.step import rate, trainee
from trainer.training.strategy import assemble


def _recipe(**options):
    return settle("small-cnn", **({"size_px": 32, "width": 0.25, "epochs": 2, "batch": 8, "seed": 1} | options))


def test_the_learning_rate_climbs_to_its_peak_and_falls_to_nothing():
    """A tenth of the steps up in a line, then a half cosine, whatever the number of steps."""
    rates = [rate(step, 100, 0.5) for step in range(101)]
    assert rates[0] == pytest.approx(0.005)
    assert np.argmax(rates) == 10
    assert rates[10] == 0.5
    assert rates[55] == pytest.approx(0.25)
    assert rates[100] == pytest.approx(0, abs=1e-9)
    assert rate(1, 1, 0.5) == 0.5
    assert 0 < rate(0, 1, 0.5) <= 0.5


def test_rare_classes_count_more_when_balanced():
    """Each class counts as much as any other in all, and a photograph counts 1 on average."""
    truth = np.array([0] * 6 + [1] * 2 + [2])
    weights = balanced(truth, classes=3)
    assert weights[truth].mean() == pytest.approx(1)
    assert weights[0] * 6 == pytest.approx(weights[1] * 2)
    assert weights[1] * 2 == pytest.approx(weights[2])

    scores = np.full((2, 3), 1 / 3, np.float32)
    targets = np.eye(3, dtype=np.float32)[[0, 2]]
    plain, weighted = (loss_of(_recipe(), class_weights=given)(targets, scores) for given in (None, weights))
    assert np.asarray(plain) == pytest.approx(np.log(3), rel=1e-4)
    assert np.asarray(weighted) == pytest.approx(np.log(3) * weights[[0, 2]], rel=1e-4)


def test_mixed_precision_without_a_gpu_is_warned_of_and_left_out(draw_classes):
    """It would only be slower; the outcome is that of float32."""
    watch = Unwatched()
    splits = load(draw_classes(["cola", "oat"], 6), seed=1)
    mixed = fit(splits, _recipe(mixed_precision=True), watch=watch)
    assert "warning: --mixed-precision is for GPUs, and there is none here; going on in float32" in watch.lines
    assert not mixed.recipe.mixed_precision
    assert affordable(_recipe(), watch) == _recipe()


def test_half_precision_computes_in_float16_and_learns_the_same_in_float32():
    """Weights and scores stay float32, the loss falls about as it does without, and nothing overflows."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (8, 32, 32, 3)).astype(np.uint8)
    targets = np.eye(2, dtype=np.float32)[rng.integers(0, 2, 8)]
    lost = {}
    for mixed in (False, True):
        recipe = _recipe(mixed_precision=mixed, dropout=0.0)
        models.be_repeatable(1)
        with precision(recipe):
            model = models.build(recipe, classes=2)
        assert keras.config.dtype_policy().name == "float32", "nobody else is affected"
        assert (model.get_layer(backbones.BACKBONE).compute_dtype == "float16") == mixed
        assert {str(weights.dtype) for weights in model.get_weights()} == {"float32"}
        assert str(model.output.dtype) == "float32"
        training = trainee(model, recipe, loss_of(recipe), assemble("none"))
        training.at_rate(1e-3)
        lost[mixed] = [training.step(pixels, targets)[0] for _ in range(12)]
    assert lost[True] == pytest.approx(lost[False], rel=0.05)
    assert lost[True][-1] < 0.9 * lost[True][0]
