"""What a person sees of a conversion: bars while it runs, and a table at its end."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from converter.convert import Outcome
from converter.photographs import Item


class Bars:
    """Shows on `console` how far each step is; passes items through."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __call__(self, items: Sequence[Item], what: str) -> Iterable[Item]:
        """The same items, with a bar that says `what` is done to them."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self._console) as progress:
            yield from progress.track(items, description=what)


def table(outcome: Outcome) -> Table:
    """The figures of a conversion: accuracy, size and time, float beside int8."""
    metrics = outcome.bundle.manifest.metrics
    figures = Table("", "float", "int8", title=f"Bundle {outcome.bundle.manifest.id}", title_justify="left")
    for column in figures.columns[1:]:
        column.justify = "right"
    figures.add_row(f"top-1, {metrics.count} photographs", f"{metrics.float_top1:.1%}", f"{metrics.int8_top1:.1%}")
    figures.add_row("drop, points", "", f"{outcome.verification.drop_points:+.2f}")
    figures.add_row("agreement", "", f"{metrics.agreement:.1%}")
    worst = min(metrics.int8_recall, key=lambda name: metrics.int8_recall[name])
    figures.add_row(
        Text(f"recall of the worst class, {worst}"),
        f"{metrics.float_recall[worst]:.1%}",
        f"{metrics.int8_recall[worst]:.1%}",
    )
    figures.add_row(
        "weights / file, KB", f"{outcome.float_bytes / 1000:.0f}", f"{len(outcome.bundle.model) / 1000:.0f}"
    )
    figures.add_row("ms per crop, this machine", "", f"{outcome.verification.ms_per_crop:.2f}")
    return figures
