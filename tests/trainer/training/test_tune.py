"""A search finds what suits the photographs, goes on after a kill as if nothing had happened, and says what to run."""

import csv
import json
import math
import shlex
from dataclasses import replace

import cv2
import pytest

from edge_agent.shelf import ConfigError, DataError
from tests.trainer.command import status_of
from trainer.nets import models
from trainer.report import Epoch, Unwatched, clock
from trainer.training.recipe import settle
from trainer.training.trials import Choice, Tried, best, draw_trials
from trainer.training.tune import STUDY, Plan, Space, search, space_around

SMALL = ["--network", "small-cnn", "--size", "32", "--width", "0.25", "--batch", "8", "--seed", "1", "--no-flip"]
SPACE = Space((1e-4, 1e-1), (4, 8, 16))
PLAN = Plan(trials=12, start=Choice(1e-3, 8, 1.0), spared=1, made_by={"photographs": "abc"}, seed=3)


def _epoch(number, accuracy):
    return Epoch(number, 1.0, accuracy, 1.0 - accuracy, accuracy, 0.001, 0.1)


def _hill(choice, after_epoch):
    """What a training might reach: best at a learning rate of 0.01 with little augmentation, and worse far from it."""
    top = 0.9 - 0.2 * abs(math.log10(choice.lr) + 2) - 0.1 * abs(choice.augment - 0.5) - choice.batch / 1000
    for number in range(1, 6):
        after_epoch(_epoch(number, top * number / 5))
    return True


def test_a_search_begins_with_what_is_usual_and_climbs(tmp_path):
    """The first trial is the recipe as it is, bad ones end early, and the best is better than the first."""
    watch = Unwatched()
    found = search(tmp_path, SPACE, replace(PLAN, trials=20), _hill, watch)
    assert found[0].choice == PLAN.start
    assert {trial.outcome for trial in found} == {"complete", "pruned"}
    assert all(trial.epochs < 5 and "median" in trial.remark for trial in found if trial.outcome == "pruned")
    assert best(found).accuracy > found[0].accuracy + 0.1
    assert [trial.number for trial in found] == list(range(1, 21))
    assert watch.lines[0].startswith("trial 1: lr 0.001, batch 8, augment 1 → ")


def test_a_search_that_is_killed_goes_on_as_if_it_had_not_been(tmp_path):
    """The trial in the middle of which it died is made again, and every later one is the same."""

    def plain(found):
        return [replace(trial, seconds=0.0) for trial in found]

    whole = search(tmp_path / "whole", SPACE, PLAN, _hill, Unwatched())
    tried = []

    def mortal(choice, after_epoch):
        tried.append(choice)
        if len(tried) == 6:
            after_epoch(_epoch(1, 0.5))
            raise MemoryError  # stands for the end of the process: nobody has time to write anything
        return _hill(choice, after_epoch)

    with pytest.raises(MemoryError):
        search(tmp_path / "cut", SPACE, PLAN, mortal, Unwatched())
    watch = Unwatched()
    assert plain(search(tmp_path / "cut", SPACE, PLAN, _hill, watch)) == plain(whole)
    assert watch.lines[0] == f"going on after 5 trials, which {tmp_path / 'cut'} holds"
    more = search(tmp_path / "cut", SPACE, replace(PLAN, trials=14), _hill, Unwatched())
    assert (len(more), plain(more[:12])) == (14, plain(whole))


def test_a_trial_that_cannot_be_trained_costs_itself(tmp_path):
    """A learning rate at which the loss is no number is a bad choice, not the end of the search."""

    def fragile(choice, after_epoch):
        if choice.lr > 2e-3:
            raise DataError("the loss is nan\nand more")
        return _hill(choice, after_epoch)

    found = search(tmp_path, SPACE, PLAN, fragile, Unwatched())
    failed = [trial for trial in found if trial.outcome == "failed"]
    assert failed
    assert all((trial.accuracy, trial.remark) == (None, "the loss is nan") for trial in failed)
    assert best(found).lr <= 2e-3


def test_a_person_or_the_clock_ends_a_search(tmp_path):
    """What was cut off in the middle is no trial."""
    tried = []

    def until_the_third(choice, after_epoch):
        tried.append(choice)
        return _hill(choice, after_epoch) and len(tried) < 3

    assert len(search(tmp_path / "a", SPACE, PLAN, until_the_third, Unwatched())) == 2
    assert search(tmp_path / "b", SPACE, replace(PLAN, until_s=clock()), _hill, Unwatched()) == ()


def test_a_folder_of_another_search_is_refused(tmp_path):
    """Trials on other photographs would mislead; what differs is named. A broken study is an error with a remedy."""
    search(tmp_path, SPACE, replace(PLAN, trials=1), _hill, Unwatched())
    with pytest.raises(ConfigError, match="Name another --out") as caught:
        search(tmp_path, SPACE, replace(PLAN, made_by={"photographs": "xyz"}), _hill, Unwatched())
    assert caught.value.problems == ("photographs was abc, and is now xyz",)
    (tmp_path / STUDY).write_text("no database, but long enough to look like something" * 50)
    with pytest.raises(DataError, match=r"study\.db cannot be read .* Delete it"):
        search(tmp_path, SPACE, PLAN, _hill, Unwatched())


def test_what_is_tried_lies_around_the_recipe():
    """Ten times less and more learning rate; batches up to four times less and more, as far as photographs reach."""
    recipe = settle("small-cnn", batch=32, lr=1e-3)
    assert space_around(recipe, examples=100) == Space((pytest.approx(1e-4), pytest.approx(1e-2)), (8, 16, 32, 64))
    assert space_around(recipe, examples=3).batches == (8,)
    assert space_around(settle("small-cnn", batch=1, lr=1.0), examples=9) == Space((pytest.approx(0.1), 1), (1, 2, 4))


def test_the_best_trial_is_complete_and_of_equals_the_surest(tmp_path):
    """A trial that was ended early is not known to be good; the picture shows all that reached anything."""
    trials = (
        Tried(1, 1e-3, 8, 1.0, 0.8, 0.9, 5, 1.0, "complete"),
        Tried(2, 1e-2, 8, 0.0, 0.8, 0.5, 5, 1.0, "complete"),
        Tried(3, 1e-2, 16, 2.0, 0.9, 0.1, 2, 1.0, "pruned", "why"),
        Tried(4, 1e-1, 4, 2.0, None, None, 0, 1.0, "failed", "why"),
    )
    assert best(trials) == trials[1]
    assert best(trials[2:]) is None
    for number, shown in enumerate((trials, trials[3:], ())):
        draw_trials(shown, tmp_path / f"{number}.png")
        assert cv2.imread(str(tmp_path / f"{number}.png")).std() > 1


def test_the_line_that_a_search_ends_with_trains_the_best_trial(draw_classes, tmp_path, capfd):
    """Table, CSV, picture and JSON are there; the printed command gives the same recipe and the same accuracy."""
    folder = draw_classes(["cola", "oat"], 12)
    out = tmp_path / "search"
    command = ["tune", folder, *SMALL, "--lr", 0.002, "--patience", 2, "--epochs", 4, "--trials", 3, "--out", out]
    assert status_of(*command) == 0
    said = capfd.readouterr().out
    written = json.loads((out / "best.json").read_text())
    assert said.splitlines()[-1] == written["command"]
    assert cv2.imread(str(out / "search.png")).std() > 1
    with (out / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert (rows[0]["lr"], rows[0]["batch"], rows[0]["augment"]) == ("0.002", "8", "1.0")
    assert len(rows) == 3

    program, *arguments = shlex.split(written["command"])
    assert program == "shelf-train"
    assert status_of(*arguments) == 0
    _, card = models.load(out / "model.keras")
    assert card["recipe"] == written["recipe"]
    assert card["metrics"]["validation"]["accuracy"] == written["accuracy"]

    capfd.readouterr()
    assert status_of(*command) == 0
    assert "going on after 3 trials" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--tensorboard", "logs"], 78, "--tensorboard is not for a search; leave it out"),
        (["--lr", "5"], 78, "lr is 5"),
        (["--epoch", "3"], 2, "No such option"),
        (["--trials", "0"], 2, "--trials"),
    ],
)
def test_options_are_read_as_fit_reads_them(draw_classes, tmp_path, capfd, options, status, message):
    """A slip is an error before any work, and what says how to run a training has no place in a search."""
    folder = draw_classes(["cola", "oat"], 2)
    assert status_of("tune", folder, *SMALL, *options, "--out", tmp_path / "search") == status
    assert message in capfd.readouterr().err
    assert not (tmp_path / "search").exists()
