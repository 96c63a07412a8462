"""The trials of a search as values: which is the best, as a table in CSV, and as a picture."""

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

from trainer.report import canvas, write_png

Outcome = Literal["complete", "pruned", "failed"]
COLOURS: dict[Outcome, str] = {"complete": "tab:blue", "pruned": "tab:grey", "failed": "tab:red"}
CELL_IN = 3.6
"""Of each diagram, in inches."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a trial tries."""

    lr: float
    batch: int
    augment: float


@dataclass(frozen=True, slots=True)
class Tried:
    """A trial that is over.

    `accuracy` (0..1) and `loss` (nats) are those of its best epoch on the validation photographs, None where no epoch
    was over. `pruned` is what was ended early because others were better at that epoch; `remark` says why a trial was
    not complete.
    """

    number: int
    lr: float
    batch: int
    augment: float
    accuracy: float | None
    loss: float | None
    epochs: int
    seconds: float
    outcome: Outcome
    remark: str = ""

    @property
    def choice(self) -> Choice:
        """What it tried."""
        return Choice(self.lr, self.batch, self.augment)


def best(trials: Sequence[Tried]) -> Tried | None:
    """The trial with the highest accuracy, of equals with the least loss; only what was trained to its end counts."""
    complete = ranked([trial for trial in trials if trial.outcome == "complete"])
    return complete[0] if complete else None


def ranked(trials: Sequence[Tried]) -> list[Tried]:
    """Trials, the best first, and behind them those that were not trained to their end."""
    return sorted(trials, key=lambda t: (t.outcome != "complete", -(t.accuracy or 0.0), t.loss or 0.0, t.number))


def write_trials(trials: Sequence[Tried], path: Path) -> None:
    """Write one CSV row per trial, with a header."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Tried)])
        writer.writeheader()
        writer.writerows(asdict(trial) for trial in trials)


def draw_trials(trials: Sequence[Tried], path: Path) -> None:
    """Draw the accuracy of each trial over each thing that was tried, the best one marked."""
    names = [field.name for field in fields(Choice)]
    figure, axes = canvas(CELL_IN * len(names), CELL_IN + 0.5)
    axes.remove()
    cells = figure.subplots(1, len(names), sharey=True)
    top = best(trials)
    for cell, name in zip(cells, names, strict=True):
        for outcome, colour in COLOURS.items():
            if shown := [trial for trial in trials if trial.outcome == outcome and trial.accuracy is not None]:
                places, heights = [getattr(trial, name) for trial in shown], [trial.accuracy for trial in shown]
                cell.scatter(places, heights, color=colour, alpha=0.7, label=outcome)
        if top is not None:
            cell.scatter([getattr(top, name)], [top.accuracy], s=220, facecolors="none", edgecolors="tab:orange")
        cell.set(xlabel=name)
        cell.grid(alpha=0.3)
    cells[0].set(xscale="log", xlabel="learning rate", ylabel="validation accuracy")
    cells[0].set_ylim(-0.03, 1.03)
    cells[1].set_xscale("log", base=2)
    cells[1].set(xlabel="batch size")
    cells[1].xaxis.set_major_formatter("{x:g}")
    cells[2].set(xlabel="strength of augmentation")
    if cells[2].get_legend_handles_labels()[0]:
        cells[2].legend(loc="lower right")
    figure.suptitle(f"{len(trials)} trials" + (f", the best one circled: {top.accuracy:.1%}" if top else ""))
    write_png(figure, path)
