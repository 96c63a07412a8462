"""What a person sees of a training: progress while it runs, and its curves afterwards."""

import csv
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

DPI = 110
"""Of every diagram."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """The figures of one epoch: losses in nats, accuracies in 0..1, the learning rate at its end, and its duration."""

    epoch: int
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    lr: float
    seconds: float


def best_of(history: Sequence[Epoch]) -> Epoch:
    """Of the highest validation accuracy, then of the lowest loss; the first of equals. There is one at least."""
    return max(history, key=lambda epoch: (epoch.validation_accuracy, -epoch.validation_loss))


class Watch(Protocol):
    """Where a long job says how far it is."""

    def begin(self, stage: str, total: int) -> None:
        """A stage of `total` steps begins, and the one before is over."""

    def advance(self, note: str = "") -> None:
        """One more step is done; `note` replaces what stands beside the bar."""

    def say(self, line: str) -> None:
        """Something worth a line of its own."""


class Unwatched:
    """A `Watch` that keeps what was said, for tests and for programs."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.lines: list[str] = []

    def begin(self, stage: str, total: int) -> None:
        """Keep the stage."""
        del total
        self.stages.append(stage)

    def advance(self, note: str = "") -> None:
        """Do nothing."""

    def say(self, line: str) -> None:
        """Keep the line."""
        self.lines.append(line)


class Terminal:
    """A `Watch` with a progress bar; plain lines, one per stage and per thing said, where there is no terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._task: TaskID | None = None
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def begin(self, stage: str, total: int) -> None:
        """Replace the bar."""
        if not self._console.is_terminal:
            self._console.print(f"{stage} ({total})", soft_wrap=True, markup=False, highlight=False)
            return
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(stage, total=total, note="")

    def advance(self, note: str = "") -> None:
        """Move the bar on."""
        if self._task is not None:
            self._progress.advance(self._task)
            if note:
                self._progress.update(self._task, note=note)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self._console.print(line, soft_wrap=True, markup=False, highlight=False)


def write_history(history: Sequence[Epoch], path: Path) -> None:
    """Write one CSV row per epoch, with a header."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Epoch)])
        writer.writeheader()
        for epoch in history:
            writer.writerow({name: _short(value) for name, value in asdict(epoch).items()})


def read_history(path: Path) -> tuple[Epoch, ...]:
    """What `write_history` wrote; () where it is not there or is something else."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [{field.name: float(row[field.name]) for field in fields(Epoch)} for row in csv.DictReader(file)]
    except (OSError, KeyError, TypeError, ValueError, csv.Error):
        return ()
    return tuple(Epoch(epoch=int(row.pop("epoch")), **row) for row in rows)


def _short(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def draw_curves(history: Sequence[Epoch], folder: Path, *, best_epoch: int) -> None:
    """Draw `accuracy.png` and `loss.png`: training and validation over the epochs, the best one marked."""
    epochs = [epoch.epoch for epoch in history]
    for name, unit in (("accuracy", "share of photographs"), ("loss", "cross entropy, nats")):
        figure, axes = canvas(7.0, 4.2)
        for prefix, title in (("", "training"), ("validation_", "validation")):
            axes.plot(epochs, [getattr(epoch, prefix + name) for epoch in history], marker=".", label=title)
        axes.axvline(best_epoch, color="grey", linestyle=":", label=f"best epoch: {best_epoch}")
        axes.set(title=name.capitalize(), xlabel="epoch", ylabel=unit)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
        write_png(figure, folder / f"{name}.png")


def canvas(width_in: float, height_in: float) -> tuple[Any, Any]:
    """A figure and its axes that need no display and leave matplotlib's global state alone."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - only when something is drawn
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def write_png(figure: Any, path: Path, *, dpi: int = DPI) -> None:
    """Write a figure; a label of a script that the font lacks shows as boxes, which is no reason to warn of."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(path, format="png", dpi=dpi)


def literal(label: str) -> str:
    """A label as matplotlib shows it as it is: a dollar sign begins no formula."""
    return label.replace("$", r"\$")


def clock() -> float:
    """Seconds on a clock that never jumps, for the durations that are reported."""
    return time.monotonic()
