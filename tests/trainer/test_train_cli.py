"""The command line: what it writes, what it says, and with which status it ends."""

import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from rich.console import Console

from tests.trainer.command import status_of
from trainer.commands.evaluate import _show
from trainer.judging.evaluate import judge

SMALL = ["--network", "small-cnn", "--size", "32", "--width", "0.25", "--batch", "8", "--seed", "1"]


def test_fit_then_evaluate(draw_classes, tmp_path, capfd):
    """The main job: train on a folder, judge on its test part, and find every figure in JSON, picture and table."""
    folder = draw_classes(["cola", "empty"], 20)
    model = tmp_path / "out" / "model.keras"
    assert status_of("fit", folder, *SMALL, "--epochs", 12, "--lr", 0.003, "--out", model) == 0
    said = capfd.readouterr()
    assert "28 photographs to train, 6 to validate" in said.out
    assert "validation accuracy" in said.out
    assert sorted(path.name for path in model.parent.iterdir()) == [
        "accuracy.png",
        "history.csv",
        "loss.png",
        "model.json",
        "model.keras",
    ]

    assert status_of("evaluate", model, folder, "--out", tmp_path / "report") == 0
    report = json.loads((tmp_path / "report" / "evaluation.json").read_text())
    assert report["photographs"] == 6
    assert report["accuracy"] >= 0.8
    assert report["top5_accuracy"] == 1
    assert [row["label"] for row in report["classes"]] == ["cola", "empty"]
    assert np.sum(report["confusion"]) == 6
    assert cv2.imread(str(tmp_path / "report" / "confusion.png")).std() > 1
    said = capfd.readouterr()
    assert "judging the 6 kept for the test" in said.out
    assert "6 photographs: accuracy" in said.out
    assert status_of("evaluate", model, folder, "--split", "all") == 0
    assert "40 photographs: accuracy" in capfd.readouterr().out

    (folder / "kola").mkdir()
    (folder / "cola" / "000.png").rename(folder / "kola" / "000.png")
    assert status_of("evaluate", model, folder) == 65
    assert '"kola" (nearest is "cola")' in capfd.readouterr().err


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["nowhere", "--out", "m.keras"], 66, "there is no such folder"),
        (["one", "--out", "m.keras"], 65, 'only the class "cola"'),
        (["one", "--out", "model.h5"], 78, "must end in .keras"),
        (["one", "--out", "/dev/null/model.keras"], 66, "cannot be written"),
        (["one", "--out", "m.keras", "--network", "smal-cnn"], 78, 'nearest is "small-cnn"'),
        (["one", "--out", "m.keras", "--batch", "0"], 78, "batch is 0"),
    ],
)
def test_mistakes_end_with_a_message_and_their_status(draw_classes, tmp_path, capfd, options, status, message):
    """No traceback, nothing written, and the answer comes before TensorFlow is loaded."""
    draw_classes(["cola"], 2, folder="one")
    place, *others = options
    assert status_of("fit", tmp_path / place, *others) == status
    said = capfd.readouterr()
    assert message in said.err
    assert "Traceback" not in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_folds_give_figures_and_no_model(draw_classes, tmp_path, capfd):
    """Each training photograph is judged by a network that has not seen it; mean and spread are written and said."""
    out = tmp_path / "out" / "m.keras"
    assert status_of("fit", draw_classes(["cola", "oat"], 8), *SMALL, "--epochs", 1, "--folds", 2, "--out", out) == 0
    assert [path.name for path in out.parent.iterdir()] == ["folds.json"]
    written = json.loads((out.parent / "folds.json").read_text())
    assert sum(fold["photographs"] for fold in written["folds"]) == 12
    assert (
        f"accuracy: {written['mean']['accuracy']:.3f} ± {written['spread']['accuracy']:.3f}" in capfd.readouterr().out
    )


def test_folds_refuse_what_they_would_not_do(draw_classes, tmp_path, capfd):
    """An option that several networks have no use for is an error, and never passed over in silence."""
    folder, out = draw_classes(["cola", "oat", "water"], 4), tmp_path / "m.keras"
    for option in (("--leave-out", 1), ("--time-budget", 1), ("--fresh",)):
        assert status_of("fit", folder, *SMALL, "--folds", 2, *option, "--out", out) == 78
        assert "leave --leave-out, --time-budget" in capfd.readouterr().err


def test_classes_that_are_left_out_are_unknown_to_the_network(draw_classes, tmp_path, capfd):
    """The model has one label less, and its card and the last line say how well the others are told from it."""
    folder, out = draw_classes(["cola", "oat", "water"], 14), tmp_path / "m.keras"
    assert status_of("fit", folder, *SMALL, "--epochs", 1, "--leave-out", 1, "--out", out) == 0
    card = json.loads(out.with_suffix(".json").read_text())
    unknown = card["metrics"]["unknown"]
    assert len(card["labels"]) == 2
    assert (unknown["photographs"], card["data"]["validation"]) == (2, 4)
    said = f"2 photographs of classes that were left out: AUROC {unknown['auroc']:.3f}"
    assert said in capfd.readouterr().out


def test_weights_that_are_missing_write_nothing(draw_classes, tmp_path, capfd):
    """A training that fails leaves no half of a model behind."""
    folder = draw_classes(["cola", "oat"], 4)
    out = tmp_path / "out" / "m.keras"
    assert status_of("fit", folder, *SMALL, "--weights", tmp_path / "gone.weights.h5", "--out", out) == 66
    assert "gone.weights.h5" in capfd.readouterr().err
    assert not out.parent.exists()


def test_a_model_that_is_not_there_is_an_input_error(draw_classes, tmp_path, capfd):
    """Judging needs the model and its card."""
    assert status_of("evaluate", tmp_path / "gone.keras", draw_classes(["cola", "oat"], 2)) == 66
    assert "gone.keras" in capfd.readouterr().err


@pytest.mark.parametrize("place", ["report", "report/below"])
def test_an_evaluation_that_cannot_be_written_is_told_before_the_work(draw_classes, tmp_path, capfd, place):
    """A file where the folder should be is an error at once, before the model is even looked for."""
    (tmp_path / "report").write_text("mine")
    out = tmp_path / place
    assert status_of("evaluate", tmp_path / "gone.keras", draw_classes(["cola", "oat"], 2), "--out", out) == 66
    assert "cannot be written" in capfd.readouterr().err
    assert (tmp_path / "report").read_text() == "mine"


@pytest.mark.parametrize("command", ["fit", "evaluate"])
def test_where_nothing_can_be_made_is_told_before_the_work(tmp_path, capfd, command):
    """A place that refuses even root is an input error at once, before photographs or a model are looked for."""
    before = [tmp_path / "gone.keras"] if command == "evaluate" else []
    assert status_of(command, *before, tmp_path / "nowhere", "--out", "/proc/x/model.keras") == 66
    assert "cannot be written (/proc:" in capfd.readouterr().err


def test_what_makes_the_figures_doubtful_is_said_before_training(draw_classes, tmp_path, capfd):
    """A misspelt special class and classes with little to judge by are warned of, also where training then fails."""
    folder = draw_classes(["cola", "Empty"], 4)
    gone = tmp_path / "gone.weights.h5"
    assert status_of("fit", folder, *SMALL, "--weights", gone, "--out", tmp_path / "m.keras") == 66
    said = capfd.readouterr().err
    assert f'Rename the folder "Empty" in {folder} to "empty"' in said
    assert 'judge a class by: "Empty" 1, "cola" 1.' in said


def test_help_offers_no_installation_of_completions(capsys):
    """The help of all commands lists what they are for, and nothing that changes the shell."""
    assert status_of("--help") == 0
    assert "completion" not in capsys.readouterr().out


def test_labels_are_shown_as_they_are(capsys):
    """Square brackets in a label are part of it, not markup."""
    labels = ["cola[/b]", "milk [1l]"]
    _show(judge(np.eye(2, dtype=np.float32), np.array([0, 1]), labels=labels), Console(width=120))
    shown = capsys.readouterr().out
    assert all(label in shown for label in labels)


def test_the_terminal_shows_nothing_but_our_own_lines(draw_classes, tmp_path):
    """TensorFlow's remarks about processors and drivers are kept from people who train on photographs."""
    command = [
        "fit",
        str(draw_classes(["cola", "oat"], 6)),
        *SMALL,
        "--epochs",
        "1",
        "--out",
        str(tmp_path / "m.keras"),
    ]
    answer = subprocess.run([sys.executable, "-m", "trainer.cli", *command], capture_output=True, text=True, check=True)
    assert all(line.startswith("warning: ") for line in answer.stderr.splitlines()), answer.stderr
    assert answer.stdout.startswith("small-cnn of width 0.25 at 32 px")
    assert len(answer.stdout.splitlines()) == 7


def test_help_is_instant():
    """Nobody waits for TensorFlow to read how a command is used."""
    code = """
import sys
from trainer.cli import main
try:
    main(["fit", "--help"])
except SystemExit as end:
    print(end.code, "tensorflow" in sys.modules)
"""
    environment = os.environ | {"COLUMNS": "120", "NO_COLOR": "1"}
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert "--validation" in answer.stdout
    assert answer.stdout.splitlines()[-1] == "0 False"
