"""A training that was cut off goes on from its last epoch, as if nothing had happened."""

import csv
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from edge_agent.shelf import ConfigError
from tests.trainer.command import status_of
from trainer.nets import backbones, models
from trainer.photos import data
from trainer.report import Unwatched
from trainer.training import fit
from trainer.training.checkpoint import STATE, beside
from trainer.training.recipe import settle
from trainer.training.run import Run

SMALL = ["--network", "small-cnn", "--size", "32", "--width", "0.25", "--batch", "4", "--lr", "0.003", "--seed", "1"]
LONG = ["--epochs", "25", "--patience", "25", "--ema", "0.9", "--mixup", "0.5", "--class-weights", "balanced"]


def _history(path):
    """Every figure of every epoch but its duration."""
    with path.open(newline="") as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def _killed_in_the_middle(command, partial):
    """Start a program, and kill it without mercy when a few epochs are over."""
    process = subprocess.Popen(
        [sys.executable, "-m", "trainer.cli", *map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        history = partial / "history.csv"
        until = time.monotonic() + 120
        while not (history.is_file() and len(history.read_text().splitlines()) > 4):
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < until
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()


def test_kill_9_in_the_middle_changes_nothing(draw_classes, tmp_path, capfd):
    """The same command goes on from the last epoch, and ends with the figures and weights of an unbroken run."""
    folder = draw_classes(["cola", "oat"], 20)
    whole, broken = tmp_path / "whole" / "m.keras", tmp_path / "broken" / "m.keras"
    assert status_of("fit", folder, *SMALL, *LONG, "--out", whole) == 0
    _killed_in_the_middle(["fit", folder, *SMALL, *LONG, "--out", broken], beside(broken))
    assert [path.name for path in broken.parent.iterdir()] == ["m.keras.partial"]

    capfd.readouterr()
    assert status_of("fit", folder, *SMALL, *LONG, "--out", broken) == 0
    assert "going on after epoch" in capfd.readouterr().out
    assert not beside(broken).exists()
    assert _history(broken.with_name("history.csv")) == _history(whole.with_name("history.csv"))
    weights = [models.load(path)[0].get_weights() for path in (whole, broken)]
    assert all(np.array_equal(one, other) for one, other in zip(*weights, strict=True))


class CutOffError(Exception):
    """Stands for the power that goes."""


def _fit(splits, recipe, *, partial=None, cut_after=None, error=CutOffError, **run):
    """Train, and cut it off after so many epochs."""

    def after_epoch(epoch):
        if epoch.epoch == cut_after:
            raise error

    return fit.fit(splits, recipe, watch=Unwatched(), run=Run(partial, after_epoch=after_epoch, **run))


def _figures(trained):
    return [replace(epoch, seconds=0.0) for epoch in trained.course.history]


@pytest.fixture
def splits(draw_classes):
    """Photographs of two classes, easily told apart."""
    return data.load(draw_classes(["cola", "oat"], 12), seed=1)


def _recipe(**options):
    return settle("small-cnn", **({"size_px": 32, "width": 0.25, "epochs": 5, "batch": 8, "seed": 1} | options))


def test_a_head_on_frozen_features_goes_on_as_well(splits, tmp_path):
    """Its features are computed again, its epochs are not."""
    weights = tmp_path / "small.weights.h5"
    models.build(_recipe(), classes=2).get_layer(backbones.BACKBONE).save_weights(weights)
    recipe = _recipe(weights=str(weights), unfreeze=0.0)
    whole = _fit(splits, recipe)
    with pytest.raises(CutOffError):
        _fit(splits, recipe, partial=tmp_path / "p", cut_after=3)
    after = _fit(splits, recipe, partial=tmp_path / "p")
    assert _figures(after) == _figures(whole)
    assert all(map(np.array_equal, after.model.get_weights(), whole.model.get_weights()))


def test_fine_tuning_goes_on_without_looking_for_a_head_again(splits, tmp_path):
    """The head that it began with is not computed twice, and the outcome is that of an unbroken run."""
    weights = tmp_path / "small.weights.h5"
    models.build(_recipe(), classes=2).get_layer(backbones.BACKBONE).save_weights(weights)
    recipe = _recipe(weights=str(weights), unfreeze=0.5, epochs=4)
    whole = _fit(splits, recipe)
    with pytest.raises(CutOffError):
        _fit(splits, recipe, partial=tmp_path / "p", cut_after=2)
    watch = Unwatched()
    after = fit.fit(splits, recipe, watch=watch, run=Run(tmp_path / "p"))
    assert "looking through the backbone" not in watch.stages
    assert _figures(after) == _figures(whole)
    assert all(map(np.array_equal, after.model.get_weights(), whole.model.get_weights()))


def test_a_training_that_ctrl_c_ended_can_go_on(splits, tmp_path):
    """What was kept then is not lost when somebody has more time after all, and a finished one is not trained again."""
    recipe = _recipe()
    stopped = _fit(splits, recipe, partial=tmp_path / "p", cut_after=2, error=KeyboardInterrupt)
    assert (stopped.course.interrupted, len(stopped.course.history)) == (True, 2)
    after = _fit(splits, recipe, partial=tmp_path / "p")
    assert _figures(after) == _figures(_fit(splits, recipe))
    again = _fit(splits, recipe, partial=tmp_path / "p", cut_after=5)
    assert again.course.history == after.course.history


def test_another_recipe_or_other_photographs_are_refused_unless_asked_to_begin_anew(splits, tmp_path, draw_classes):
    """Two trainings are never mixed: what differs is named, and --fresh deletes the old one."""
    with pytest.raises(CutOffError):
        _fit(splits, _recipe(), partial=tmp_path, cut_after=2)
    with pytest.raises(ConfigError, match="--fresh") as caught:
        _fit(splits, _recipe(lr=0.01, batch=4), partial=tmp_path)
    assert caught.value.problems == ("batch was 8, and is now 4", "lr was 0.002, and is now 0.01")
    other = data.load(draw_classes(["cola", "oat"], 12, folder="other", seed=9), seed=1)
    with pytest.raises(ConfigError, match="photographs was"):
        _fit(other, _recipe(), partial=tmp_path)
    assert (tmp_path / STATE).is_file()
    fresh = _fit(other, _recipe(epochs=2), partial=tmp_path, fresh=True)
    assert _figures(fresh) == _figures(_fit(other, _recipe(epochs=2)))


def test_a_time_budget_shortens_the_plan_and_the_learning_rate_with_it(splits):
    """A hundred thousand epochs do not fit into six seconds: the best of those that do is kept, in time."""
    trained = _fit(splits, _recipe(epochs=10_000, patience=10_000), time_budget_s=6.0)
    rates = [epoch.lr for epoch in trained.course.history]
    assert trained.course.ended == "time"
    assert 2 <= len(rates) < 9_999
    assert max(rates) > 1e-5
    assert rates[-1] < 0.1 * max(rates)
    assert trained.seconds < 9, "a second of grace, and some for a machine that is busy otherwise"


def test_a_budget_that_suffices_changes_nothing(splits):
    """The plan is only touched where it must be."""
    assert _figures(_fit(splits, _recipe(), time_budget_s=600.0)) == _figures(_fit(splits, _recipe()))
