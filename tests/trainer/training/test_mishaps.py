"""Memory, disk and numbers that fail in the middle of a training: a message that helps, and nothing is lost."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from edge_agent.shelf import DataError, HaltedError
from trainer.commands.fit import _fit
from trainer.photos import data
from trainer.training.checkpoint import Checkpoint, beside
from trainer.training.mishaps import explained
from trainer.training.recipe import settle
from trainer.training.run import Run

RECIPE = settle("small-cnn", size_px=32, width=0.25, epochs=20, batch=8, seed=1, patience=20)


def test_a_loss_that_is_no_number_ends_the_training_with_the_best_epoch_before(draw_classes, tmp_path, capsys):
    """An absurd learning rate: the model is written all the same, and the status and message say what to change."""
    splits = data.load(draw_classes(["cola", "oat", "water"], 30), seed=1)
    out = tmp_path / "out" / "m.keras"
    with pytest.raises(DataError, match=r"no number after epoch \d+, .* epoch \d+ was written\. Lower --lr, now 400"):
        _fit(splits, replace(RECIPE, lr=400.0), out, unknown=(), run=Run(beside(out)))
    said = " ".join(capsys.readouterr().out.split())
    assert "the loss is nan in epoch" in said
    assert len((out.with_name("history.csv")).read_text().splitlines()) < 1 + RECIPE.epochs
    assert 0 < json.loads(out.with_suffix(".json").read_text())["metrics"]["validation"]["accuracy"] < 1
    assert sorted(path.name for path in out.parent.iterdir()) == [
        "accuracy.png",
        "history.csv",
        "loss.png",
        "m.json",
        "m.keras",
    ]


def test_a_loss_that_is_no_number_at_once_writes_nothing(draw_classes, tmp_path):
    """There is no good epoch to keep."""
    splits = data.load(draw_classes(["cola", "oat"], 10), seed=1)
    out = tmp_path / "out" / "m.keras"
    with pytest.raises(DataError, match=r"the loss is nan in epoch 1: .* Lower --lr, now 1e\+09"):
        _fit(splits, replace(RECIPE, lr=1e9), out, unknown=(), run=Run(beside(out)))
    assert not out.parent.exists()


@pytest.mark.parametrize("ask", [lambda: np.empty(2**58), lambda: tf.zeros((2**20, 2**20))])
def test_too_little_memory_names_what_to_lower_and_what_is_kept(tmp_path, ask):
    """Both numpy and TensorFlow say it in ways of their own; ours names the batch, the size and the way on."""
    with (
        pytest.raises(
            HaltedError, match=r"batches of 8 at 32 px\. .* Or lower --batch or --size, with --fresh"
        ) as caught,
        explained(RECIPE, tmp_path / "m.keras", Checkpoint(tmp_path / "m.keras.partial", {})),
    ):
        ask()
    assert caught.value.exit_status == 75
    assert "No epoch is kept yet" in str(caught.value)


def test_other_errors_are_left_alone(tmp_path):
    """A missing file is not a full disk."""
    checkpoint = Checkpoint(tmp_path / "p", {})
    with pytest.raises(FileNotFoundError), explained(RECIPE, tmp_path / "m.keras", checkpoint):
        (tmp_path / "gone").read_text()


CHILD = """
import resource, sys
from trainer import cli
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
cli.main()
"""


def _limited(limit_bytes, *arguments):
    """Run the command where no file may grow beyond a limit, which is how a full disk can be had anywhere."""
    command = [sys.executable, "-c", CHILD, str(limit_bytes), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("width", "limit_bytes", "kept"), [(1.0, 300_000, False), (0.05, 30_000, True)])
def test_a_full_disk_halts_the_training_and_the_same_command_goes_on(draw_classes, tmp_path, width, limit_bytes, kept):
    """While an epoch is kept, or while the model is written: no half of a file, and a message with the remedy."""
    out = tmp_path / "out" / "m.keras"
    command = ["fit", draw_classes(["cola", "oat"], 8), "--network", "small-cnn", "--size", 32, "--width", width]
    command += ["--epochs", 2, "--out", out]
    full = _limited(limit_bytes, *command)
    assert full.returncode == 75, full.stderr
    assert "there is no room left. Free some space there." in full.stderr
    assert ("run the same command again to go on" in full.stderr) == kept
    assert "Traceback" not in full.stderr
    assert [path.name for path in out.parent.iterdir()] == ["m.keras.partial"]
    assert [path.name for path in beside(out).glob("*.npz")] == (["state.npz"] if kept else [])

    room = _limited(10**9, *command)
    assert room.returncode == 0, room.stderr
    assert ("going on after epoch 2 of 2" in room.stdout) == kept
    assert out.is_file()
    assert not beside(out).exists()
