"""Progress is a bar on a terminal and plain lines elsewhere; curves are pictures that show something."""

import io

import cv2
from rich.console import Console

from trainer.report import Epoch, Terminal, draw_curves, read_history, write_history

HISTORY = (
    Epoch(epoch=1, loss=1.5, accuracy=0.4, validation_loss=1.25, validation_accuracy=0.5, lr=0.001, seconds=2.0),
    Epoch(epoch=2, loss=0.5, accuracy=0.8, validation_loss=0.75, validation_accuracy=0.75, lr=0.0005, seconds=2.0),
)


def test_without_a_terminal_progress_is_plain():
    """A log file gets one line per stage and per thing said, and no control characters."""
    text = io.StringIO()
    with Terminal(Console(file=text)) as watch:
        watch.begin("training", 3)
        for step in range(3):
            watch.advance(f"step {step}")
        watch.say("left out: [a] photograph")
    assert text.getvalue() == "training (3)\nleft out: [a] photograph\n"


def test_on_a_terminal_there_is_a_bar_with_the_latest_figures(monkeypatch):
    """Stages replace each other, and the note beside the bar is the last one."""
    monkeypatch.setenv("TERM", "xterm")  # a terminal that calls itself dumb gets no bar
    text = io.StringIO()
    with Terminal(Console(file=text, force_terminal=True, width=120)) as watch:
        for stage in ("reading photographs", "training"):
            watch.begin(stage, 2)
            watch.advance()
            watch.advance("epoch 1/2, loss 0.500")
        watch.say("a line")
    assert "training" in text.getvalue()
    assert "loss 0.500" in text.getvalue()
    assert "a line" in text.getvalue()


def test_the_history_is_one_row_per_epoch(tmp_path):
    """Any spreadsheet can read it."""
    write_history(HISTORY, tmp_path / "history.csv")
    assert (tmp_path / "history.csv").read_text().splitlines() == [
        "epoch,loss,accuracy,validation_loss,validation_accuracy,lr,seconds",
        "1,1.5,0.4,1.25,0.5,0.001,2",
        "2,0.5,0.8,0.75,0.75,0.0005,2",
    ]


def test_the_history_can_be_read_again(tmp_path):
    """For a report that is made later; a file that is missing or something else gives none."""
    write_history(HISTORY, tmp_path / "history.csv")
    assert read_history(tmp_path / "history.csv") == HISTORY
    assert read_history(tmp_path / "gone.csv") == ()
    for strange in ("epoch,loss\n1,2\n", "epoch,loss,accuracy,validation_loss,validation_accuracy,lr,seconds\n1,a\n"):
        (tmp_path / "other.csv").write_text(strange)
        assert read_history(tmp_path / "other.csv") == ()


def test_curves_are_drawn(tmp_path):
    """PNGs are there, large enough to read, and not blank."""
    draw_curves(HISTORY, tmp_path, best_epoch=2)
    for name in ("accuracy.png", "loss.png"):
        image = cv2.imread(str(tmp_path / name))
        assert min(image.shape[:2]) > 300
        assert image.std() > 1
