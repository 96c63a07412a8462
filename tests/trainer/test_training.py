"""A real training learns what is easy, keeps its best epoch, repeats with its seed, and survives bad photographs."""

import csv
import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge_agent.shelf import DataError, InputError
from trainer.judging.evaluate import log_loss
from trainer.nets import backbones, models
from trainer.photos import data
from trainer.report import Unwatched
from trainer.training import fit
from trainer.training.loop import Work, train
from trainer.training.loss import loss_of
from trainer.training.recipe import settle
from trainer.views.feed import look_at


def _recipe(**options):
    asked = {"size_px": 32, "width": 0.25, "epochs": 6, "batch": 8, "lr": 3e-3, "seed": 1} | options
    return settle(asked.pop("network", "small-cnn"), **asked)


def _fit(folder, **options):
    watch = Unwatched()
    return fit.fit(data.load(folder, seed=1), _recipe(**options), watch=watch), watch


@pytest.mark.parametrize("names", [("empty", "stocked"), ("cola", "oat", "water")])
def test_a_small_network_learns_two_and_three_easy_classes(draw_classes, tmp_path, names):
    """Training, writing and reading back is one chain, and its network is right about photographs it never saw."""
    splits = data.load(draw_classes(names, 30), seed=1)
    trained = fit.fit(splits, _recipe(epochs=15), watch=Unwatched())
    assert trained.evaluation.accuracy >= 0.9
    files = fit.write(trained, tmp_path / "out" / "model.keras")
    assert [file.name for file in files] == ["model.keras", "model.json", "history.csv", "accuracy.png", "loss.png"]

    model, card = models.load(files[0])
    looks = look_at(splits.test, size_px=32, watch=Unwatched())
    scores = models.predictor(model)(looks.pixels)
    assert scores.shape == (len(splits.test), len(names))
    assert scores.sum(axis=1) == pytest.approx(1, abs=1e-4)
    assert (scores.argmax(axis=1) == looks.truth).mean() >= 0.9
    assert np.allclose(scores, models.predictor(trained.model)(looks.pixels), atol=1e-5)
    assert card["labels"] == list(names)


def test_what_is_written_tells_how_the_model_came_about(draw_classes, tmp_path):
    """The card, the history and the curves are enough to repeat and to judge a run."""
    trained, _ = _fit(draw_classes(["cola", "oat"], 10), epochs=3)
    fit.write(trained, tmp_path / "out" / "cola.keras")
    card = json.loads((tmp_path / "out" / "cola.json").read_text())
    assert card["schema"] == "shelfwatch.model/1"
    assert (card["size_px"], card["recipe"]["network"], card["recipe"]["seed"]) == (32, "small-cnn", 1)
    assert (card["data"]["train"], card["data"]["validation"]) == (12, 4)
    assert len(card["data"]["sha256"]) == 64
    assert card["rejection"] == trained.rejection.as_json()
    assert 0 < card["rejection"]["threshold"] <= 1
    assert card["training"]["best_epoch"] == trained.course.best_epoch
    assert set(card["versions"]) == {"python", "tensorflow", "keras"}
    assert card["metrics"]["validation"]["accuracy"] == trained.evaluation.accuracy

    with (tmp_path / "out" / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert {"loss", "accuracy", "validation_loss", "validation_accuracy", "lr", "seconds"} < set(rows[0])
    for name in ("accuracy.png", "loss.png"):
        assert cv2.imread(str(tmp_path / "out" / name)).std() > 1
    assert not list((tmp_path / "out").glob(".*")), "no partial file is left"


def test_the_same_seed_gives_the_same_history_and_another_does_not(draw_classes):
    """A run can be had again, figure by figure."""
    folder = draw_classes(["cola", "oat"], 10)
    one, two, other = (_fit(folder, epochs=3, seed=seed)[0] for seed in (4, 4, 5))
    losses = [[(epoch.loss, epoch.validation_loss) for epoch in run.course.history] for run in (one, two, other)]
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


def _work(model, judgements, *, steps=2):
    """Batches of noise, and validation figures that are made up beforehand; weights are kept as they are judged."""
    rng = np.random.default_rng(0)
    seen = []

    def judge():
        seen.append(model.get_weights()[0].copy())
        answer = judgements[len(seen) - 1]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def draw():
        return rng.integers(0, 255, (4, 32, 32, 3)).astype(np.uint8), np.eye(2, dtype=np.float32)[[0, 1, 0, 1]]

    return Work(draw, judge, steps), seen


def test_the_best_epoch_is_what_remains():
    """Highest accuracy wins, lower loss among equals; patience ends what no longer gets better."""
    recipe = _recipe(epochs=9, patience=2)
    model = models.build(recipe, classes=2)
    work, seen = _work(model, [(0.9, 0.5), (0.8, 0.7), (0.5, 0.7), (0.1, 0.6), (0.6, 0.7), (0.0, 1.0)])
    course = train(model, work, recipe, Unwatched())
    assert (course.best_epoch, len(course.history), course.interrupted) == (3, 5, False)
    assert np.array_equal(model.get_weights()[0], seen[2])
    assert not np.array_equal(seen[2], seen[4])


def test_the_loss_of_an_epoch_is_that_of_all_its_batches():
    """A curve of last batches would jump about and mean nothing; this is the mean over all photographs."""
    recipe = _recipe(epochs=1, lr=1e-7, dropout=0.0)
    model = models.build(recipe, classes=2)
    pixels = np.random.default_rng(0).integers(0, 255, (12, 32, 32, 3)).astype(np.uint8)
    truth = np.arange(12) % 2
    parts = iter([(pixels[at : at + 4], np.eye(2, dtype=np.float32)[truth[at : at + 4]]) for at in (0, 4, 8)])
    expected = log_loss(models.predictor(model)(pixels), truth)
    course = train(model, Work(lambda: next(parts), lambda: (0.9, 0.5), 3), recipe, Unwatched())
    assert course.history[0].loss == pytest.approx(expected, rel=1e-3)


def test_ctrl_c_keeps_the_best_epoch_so_far_and_says_so():
    """An evening's training is not lost to impatience."""
    recipe = _recipe(epochs=9)
    model = models.build(recipe, classes=2)
    work, seen = _work(model, [(0.9, 0.8), (0.9, 0.6), KeyboardInterrupt()])
    course = train(model, work, recipe, Unwatched())
    assert (course.best_epoch, len(course.history), course.interrupted) == (1, 2, True)
    assert np.array_equal(model.get_weights()[0], seen[0])


def test_ctrl_c_before_the_first_epoch_leaves_nothing_to_keep():
    """There is no model to write, and nobody pretends that there is."""
    recipe = _recipe()
    model = models.build(recipe, classes=2)
    work, _ = _work(model, [KeyboardInterrupt()])
    with pytest.raises(KeyboardInterrupt):
        train(model, work, recipe, Unwatched())


def test_a_training_that_diverges_is_an_error_with_a_remedy():
    """Not-a-number is not written as a model."""
    recipe = _recipe()
    model = models.build(recipe, classes=2)
    model.get_layer(models.HEAD).set_weights([np.full_like(w, np.nan) for w in model.get_layer("scores").get_weights()])
    work, _ = _work(model, [(0.9, 0.8)])
    with pytest.raises(DataError, match="Lower --lr"):
        train(model, work, recipe, Unwatched())


def test_a_corrupt_photograph_is_named_and_counted_and_training_goes_on(draw_classes):
    """One bad file among many costs itself, nothing else."""
    folder = draw_classes(["cola", "oat"], 10)
    splits = data.load(folder, seed=1)
    for photo in (splits.train[0], splits.validation[0]):
        photo.path.write_bytes(b"no picture")
    trained, watch = _fit(folder, epochs=1)
    assert len(trained.problems) == 2
    for photo in (splits.train[0], splits.validation[0]):
        assert any(str(photo.path) in line for line in watch.lines)
    assert "2 photographs could not be read; going on with 14" in watch.lines
    assert (len(trained.splits.train), len(trained.splits.validation)) == (11, 3)


def test_a_class_with_no_photograph_left_is_an_error(draw_classes):
    """A network is not trained to be blind for a product."""
    folder = draw_classes(["cola", "oat"], 4)
    for path in (folder / "oat").iterdir():
        path.write_bytes(b"")
    with pytest.raises(DataError, match="left to train oat"):
        _fit(folder)


def test_a_frozen_backbone_trains_a_head_that_is_right_and_sure(draw_classes, tmp_path):
    """Weights from a file, few photographs, two classes: the head is good at once and its answers are confident."""
    folder = draw_classes(["empty", "stocked"], 20)
    first, _ = _fit(folder, epochs=12)
    weights = tmp_path / "small.weights.h5"
    first.model.get_layer(backbones.BACKBONE).save_weights(weights)

    trained, watch = _fit(folder, weights=str(weights), epochs=5, lr=1e-4)
    assert trained.recipe.frozen
    assert "looking through the backbone" in watch.stages
    assert trained.evaluation.accuracy >= 0.9
    assert 0.8 <= trained.evaluation.mean_confidence < 0.995, "sure, but six photographs don't prove certainty"
    for mine, given in zip(
        trained.model.get_layer(backbones.BACKBONE).get_weights(),
        first.model.get_layer(backbones.BACKBONE).get_weights(),
        strict=True,
    ):
        assert np.array_equal(mine, given), "frozen means untouched"
    best = trained.course.history[trained.course.best_epoch - 1]
    assert trained.evaluation.accuracy == best.validation_accuracy, "folding and calibration changed no answer"


def test_mobilenet_takes_any_width_and_size_and_pixels_as_they_are():
    """The input is 0..255 whatever the network, with rescaling inside, and batch norm follows a short training."""
    model = models.build(settle("mobilenet-v2", weights="none", width=0.1, size_px=40), classes=3)
    assert model.input_shape == (None, 40, 40, 3)
    assert model.output_shape == (None, 3)
    assert [layer.name for layer in model.layers] == ["pixels", "rescale", "backbone", "dropout", "scores"]
    norms = [layer for layer in model.get_layer("backbone").layers if hasattr(layer, "momentum")]
    assert norms
    assert all(layer.momentum == 0.9 for layer in norms)
    scores = models.predictor(model)(np.zeros((2, 40, 40, 3), np.uint8))
    assert scores.sum(axis=1) == pytest.approx(1, abs=1e-4)


def test_a_model_is_not_read_without_its_card(tmp_path):
    """A network without labels is of no use to anybody."""
    recipe = _recipe()
    path = tmp_path / "model.keras"
    with pytest.raises(InputError, match=r"model\.keras"):
        models.load(path)
    models.save(models.build(recipe, classes=2), path, models.card(recipe, labels=["a", "b", "c"]))
    with pytest.raises(DataError, match="2 outputs, but its card names 3"):
        models.load(path)
    models.card_path(path).write_text("{}")
    with pytest.raises(DataError, match="no model card"):
        models.load(path)
    models.card_path(path).unlink()
    with pytest.raises(InputError, match=r"model\.json"):
        models.load(path)


def test_what_is_judged_and_kept_is_the_average_of_the_weights():
    """With a moving average, the figures and the file are those of the average, and training goes on from the rest."""
    recipe = _recipe(epochs=3, ema=0.9, lr=1e-2)
    model = models.build(recipe, classes=2)
    begun = model.get_weights()[0].copy()
    work, seen = _work(model, [(0.9, 0.1), (0.8, 0.2), (0.7, 0.9)], steps=4)
    train(model, work, recipe, Unwatched())
    assert np.array_equal(model.get_weights()[0], seen[2])
    plain = models.build(recipe, classes=2)
    work, alone = _work(plain, [(0.9, 0.1), (0.8, 0.2), (0.7, 0.9)], steps=4)
    train(plain, work, replace(recipe, ema=0.0), Unwatched())
    assert np.abs(seen[0] - begun).max() < np.abs(alone[0] - begun).max(), "an average lags behind"


def test_groups_count_beside_labels_by_the_sum_of_their_scores():
    """A wrong answer inside the right group costs less than one outside."""
    recipe = _recipe(coarse=1.0)
    loss = loss_of(recipe, (0, 0, 1))
    truth = np.eye(3, dtype=np.float32)[[0]]
    inside, outside = (np.array([scores], np.float32) for scores in ([0.2, 0.6, 0.2], [0.2, 0.2, 0.6]))
    assert float(loss(truth, inside)[0]) == pytest.approx(-np.log(0.2) - np.log(0.8), abs=1e-4)
    assert float(loss(truth, outside)[0]) == pytest.approx(-np.log(0.2) - np.log(0.4), abs=1e-4)
    assert float(loss_of(recipe, None)(truth, inside)[0]) == pytest.approx(-np.log(0.2), abs=1e-4)


def test_fine_tuning_moves_the_upper_layers_and_leaves_the_lower_ones_and_all_statistics(draw_classes, tmp_path):
    """From a good head on, only the named share of a pretrained backbone learns; batch norm keeps what it has seen."""
    folder = draw_classes(["empty", "stocked"], 12)
    weights = tmp_path / "backbone.weights.h5"
    asked = {"network": "mobilenet-v2", "width": 0.1, "size_px": 32}
    fresh = models.build(_recipe(**asked, weights="none"), classes=2).get_layer(backbones.BACKBONE)
    fresh.save_weights(weights)
    trained, watch = _fit(folder, **asked, weights=str(weights), preset="best", epochs=2)
    assert watch.stages[-1] == "training"
    moved = {
        after.path
        for before, after in zip(fresh.weights, trained.model.get_layer(backbones.BACKBONE).weights, strict=True)
        if not np.array_equal(before.numpy(), after.numpy())
    }
    assert moved
    assert not any("moving" in path for path in moved)
    assert all("block_" in path or "Conv_1" in path for path in moved)
    assert not any("block_1_" in path or "block_2_" in path for path in moved)
