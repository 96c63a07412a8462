"""`shelf-train evaluate`: a network and photographs it has not seen → its figures, as a table, JSON and pictures."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer import Option

from trainer.commands.common import Data, quiet_start, say
from trainer.judging.evaluate import Evaluation, as_json, reliability
from trainer.judging.gallery import draw_errors, draw_pairs
from trainer.judging.mistakes import confused_pairs, worst
from trainer.judging.plots import draw_confusion, draw_coverage, draw_reliability
from trainer.judging.rejection import KNOWN_LOST, coverage, score_of
from trainer.photos import data
from trainer.place import check_folder
from trainer.report import Terminal

if TYPE_CHECKING:
    from trainer.judging.exam import Exam

CLASSES_SHOWN = 40
"""Rows of the table of an evaluation; the JSON has all."""
PAIRS_DRAWN = 8
PAIRS_SAID = 3
PAIRS_WRITTEN = 50
ERRORS_DRAWN = 30

Split = Annotated[
    data.Part | None, Option(help="all, train, validation or test; test (or else validation) where DATA has it.")
]
SplitSeed = Annotated[int | None, Option(help="Of the split; by default the seed of the training.")]
Strange = Annotated[
    Path | None,
    Option(metavar="DATA", help="Photographs of products that the network doesn't know: a folder, a list, COCO boxes."),
]


def evaluate(
    model: Annotated[Path, typer.Argument(help="A .keras file of shelf-train fit, its card beside it.")],
    photographs: Data,
    out: Annotated[Path | None, Option(help="Folder for evaluation.json and pictures of the figures.")] = None,
    split: Split = None,
    seed: SplitSeed = None,
    unknown: Strange = None,
) -> None:
    """Judge a network: accuracy, precision, recall and F1 of every class and group, what it mixes up, how sure it is.

    --out takes the figures as JSON, and pictures of the confusion matrix, of reliability, of accuracy against coverage,
    of what is taken for what, and of the surest mistakes.
    """
    if out is not None:
        check_folder(out)
    with quiet_start():
        from trainer.judging import exam  # noqa: PLC0415 - TensorFlow takes seconds to load

    console = Console()
    with Terminal(console) as watch:
        held = exam.hold(exam.Asked(model, photographs, split, seed, unknown), watch=watch)
    _show(held.evaluation, console)
    _show_exam(held, console)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        say(console, f"wrote {', '.join(str(file) for file in _write(held, model.name, out))}")


def report_of(held: "Exam", name: str) -> dict[str, Any]:
    """Every figure of an exam in JSON's own types; `name` is that of the model."""
    report = {"model": name, "unreadable": len(held.looks.problems), **as_json(held.evaluation)}
    report["reliability"] = [asdict(found) for found in reliability(held.scores, held.looks.truth)]
    report["pairs"] = [
        {**asdict(pair), "truth": held.labels[pair.truth], "answer": held.labels[pair.answer]}
        for pair in confused_pairs(held.evaluation.confusion, most=PAIRS_WRITTEN)
    ]
    if held.rejection and held.kept:
        report["rejection"] = {**held.rejection.as_json(), **asdict(held.kept)}
    if held.unknown:
        report["unknown"] = asdict(held.unknown)
    return report


def _write(held: "Exam", name: str, out: Path) -> list[Path]:
    """Write the figures and their pictures; those of mistakes only where there are some."""
    evaluation, truth = held.evaluation, held.looks.truth
    report = json.dumps(report_of(held, name), indent=2, ensure_ascii=False)
    names = ["evaluation.json", "confusion.png", "reliability.png", "coverage.png"]
    (out / "evaluation.json").write_text(report + "\n", encoding="utf-8")
    draw_confusion(evaluation.confusion, held.labels, out / "confusion.png")
    bins = reliability(held.scores, truth)
    draw_reliability(bins, out / "reliability.png", calibration_error=evaluation.calibration_error)
    curve = coverage(held.scores, truth, score=score_of(held.rejection))
    draw_coverage(curve, out / "coverage.png", rejection=held.rejection)
    if mistakes := worst(held.scores, truth, most=ERRORS_DRAWN):
        draw_errors(held.shown, mistakes, out / "errors.png")
        draw_pairs(held.shown, confused_pairs(evaluation.confusion, most=PAIRS_DRAWN), out / "pairs.png")
        names += ["errors.png", "pairs.png"]
    return [out / file for file in names]


def _show(evaluation: Evaluation, console: Console) -> None:
    """Print a table of the classes, the weakest first, and the figures of all of them."""
    table = Table("class", "precision", "recall", "F1", "photographs", title="By class, the weakest first")
    for column in table.columns[1:]:
        column.justify = "right"
    occurring = sorted((c for c in evaluation.classes if c.support or c.predicted), key=lambda c: (c.f1, c.label))
    for c in occurring[:CLASSES_SHOWN]:
        table.add_row(Text(c.label), f"{c.precision:.3f}", f"{c.recall:.3f}", f"{c.f1:.3f}", str(c.support))
    if (more := len(occurring) - CLASSES_SHOWN) > 0:
        table.caption = f"and {more} more with a higher F1"
    console.print(table)
    groups = evaluation.coarse
    coarse = f"of the group {groups.accuracy:.1%} (F1 {groups.macro_f1:.3f}), " if groups else ""
    say(
        console,
        f"{evaluation.photographs} photographs: accuracy {evaluation.accuracy:.1%}, {coarse}"
        f"top-5 {evaluation.top5_accuracy:.1%}, macro precision {evaluation.macro_precision:.3f}, "
        f"recall {evaluation.macro_recall:.3f}, F1 {evaluation.macro_f1:.3f}\n"
        f"log loss {evaluation.log_loss:.3f}, mean confidence {evaluation.mean_confidence:.1%}, "
        f"calibration error {evaluation.calibration_error:.1%}",
    )


def _show_exam(held: "Exam", console: Console) -> None:
    """Print what is mixed up most, and what becomes of answers that are not sure enough."""
    for pair in confused_pairs(held.evaluation.confusion, most=PAIRS_SAID):
        truth, answer = held.labels[pair.truth], held.labels[pair.answer]
        say(console, f'"{truth}" is taken for "{answer}" {pair.count} of {pair.support} times')
    if held.rejection and held.kept:
        right = "none is answered" if held.kept.accuracy is None else f"{held.kept.accuracy:.1%} of them right"
        enough = f"sure enough (at least {held.rejection.threshold:.3f})"
        say(console, f"{enough}: {held.kept.coverage:.1%} of the photographs, {right}")
    if held.unknown:
        at_model = "" if held.unknown.caught is None else f"{held.unknown.caught:.1%} caught at the model's threshold, "
        say(
            console,
            f"{held.unknown.photographs} photographs of unknown products: {at_model}"
            f"{held.unknown.caught_at_loss:.1%} at a loss of {KNOWN_LOST:.0%} of the known ones; "
            f"AUROC {held.unknown.auroc:.3f}",
        )
