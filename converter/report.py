"""What a person sees of a conversion: bars while it runs, and a table at its end."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from converter.convert import Outcome
from converter.judging.latency import Latency
from converter.judging.versus import Versus
from converter.progress import Item
from edge_agent.bundle import FLOAT_FILE, MODEL_FILE


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
    evidence, metrics = outcome.evidence, outcome.manifest.metrics
    verdict = evidence.verdict
    figures = Table("", "float", "int8", title=f"Bundle {outcome.manifest.id}", title_justify="left")
    for column in figures.columns[1:]:
        column.justify = "right"
    figures.add_row(f"top-1, {metrics.count} photographs", f"{metrics.float_top1:.1%}", f"{metrics.int8_top1:.1%}")
    figures.add_row("drop, points", "", f"{verdict.drop_points:+.2f}")
    proof = "proven" if metrics.proven else "not proven"
    allowed = f"  by chance up to ({evidence.bounds.proof_points:g} may be: {proof})"
    figures.add_row(allowed, "", f"{metrics.drop_bound_points:+.2f}")
    figures.add_row("agreement", "", f"{metrics.agreement:.1%}")
    worst = min(metrics.int8_recall, key=lambda name: metrics.int8_recall[name])
    figures.add_row(
        Text(f"recall of the worst class, {worst}"),
        f"{metrics.float_recall[worst]:.1%}",
        f"{metrics.int8_recall[worst]:.1%}",
    )
    sizes = evidence.sizes_bytes
    figures.add_row("file, KB", f"{sizes[FLOAT_FILE] / 1000:.0f}", f"{sizes[MODEL_FILE] / 1000:.0f}")
    for threads, by_precision in _fastest(evidence.latency).items():
        what = f"ms per crop, {threads} thread{'s' * (threads > 1)}, this machine"
        figures.add_row(what, f"{by_precision['float32']:.2f}", f"{by_precision['int8']:.2f}")
    if len(evidence.attempts) > 1:
        figures.add_row("made with", "", Text(evidence.attempts[-1].what))
    return figures


def _fastest(latency: Sequence[Latency]) -> dict[int, dict[str, float]]:
    """By threads and precision, the milliseconds per crop in the batch that suits it best."""
    found: dict[int, dict[str, float]] = {}
    for one in latency:
        by_precision = found.setdefault(one.threads, {})
        by_precision[one.precision] = min(one.ms_per_crop, by_precision.get(one.precision, one.ms_per_crop))
    return found


def latency_table(name: str, latency: Sequence[Latency]) -> Table:
    """Milliseconds per crop, a row for each number of threads and build, a column for each size of batch."""
    batches = sorted({one.batch for one in latency})
    figures = Table("threads", "build", *(f"batch {batch}" for batch in batches), title_justify="left")
    figures.title = f"{name}, ms per crop on this machine"
    for column in figures.columns[2:]:
        column.justify = "right"
    found = {(one.threads, one.precision, one.batch): one.ms_per_crop for one in latency}
    for threads, precision in dict.fromkeys((one.threads, one.precision) for one in latency):
        row = (f"{found[threads, precision, batch]:.3f}" for batch in batches)
        figures.add_row(str(threads), precision, *row)
    return figures


def versus_table(found: Versus) -> Table:
    """Two bundles side by side."""
    figures = Table("", escape(found.a.name), escape(found.b.name))
    for column in figures.columns[1:]:
        column.justify = "right"
    sides = (found.a, found.b)
    right = (f"{one.right} ({one.right / found.count:.1%})" for one in sides)
    figures.add_row(f"right, of {found.count} photographs", *right)
    figures.add_row("right where the other is wrong", str(found.only_a), str(found.only_b))
    figures.add_row("the same answer", "", f"{found.same / found.count:.1%}")
    figures.add_row("int8 file, KB", *(f"{one.model_bytes / 1000:.0f}" for one in sides))
    fastest = (min(at.ms_per_crop for at in one.latency if at.precision == "int8") for one in sides)
    figures.add_row("ms per crop, this machine", *(f"{ms:.2f}" for ms in fastest))
    for label, won in found.classes[:8]:
        figures.add_row(Text(label), f"{-won:+d}" if won < 0 else "", f"{won:+d}" if won > 0 else "")
    return figures
