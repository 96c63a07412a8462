"""`shelf-train evaluate`: a network and photographs it has not seen → its figures, as a table, JSON and pictures."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer import Option

from trainer import data
from trainer.commands.common import Data, quiet_start, say
from trainer.evaluate import Evaluation, as_json, judge
from trainer.feed import look_at
from trainer.place import check_folder
from trainer.plots import draw_confusion
from trainer.report import Terminal

CLASSES_SHOWN = 40
"""Rows of the table of an evaluation; the JSON has all."""


def evaluate(
    model: Annotated[Path, typer.Argument(help="A .keras file of shelf-train fit, its card beside it.")],
    photographs: Data,
    out: Annotated[Path | None, Option(help="Folder for evaluation.json and confusion.png.")] = None,
    split: Annotated[
        data.Part | None, Option(help="all, train, validation or test; test (or else validation) where DATA has it.")
    ] = None,
    seed: Annotated[int | None, Option(help="Of the split; by default the seed of the training.")] = None,
) -> None:
    """Judge a network: accuracy, precision, recall and F1 of every class, top-5 accuracy, confusion matrix."""
    if out is not None:
        check_folder(out)
    with quiet_start():
        from trainer import models  # noqa: PLC0415 - TensorFlow takes seconds to load

    network, card = models.load(model)
    labels = [str(label) for label in card["labels"]]
    seed = int(card.get("recipe", {}).get("seed", 0)) if seed is None else seed
    photos = data.gather(photographs, labels=labels, part=split, seed=seed)
    console = Console()
    with Terminal(console) as watch:
        if split is None and (unseen := data.unseen(photos, labels, seed=seed, trained_sha256=_trained_sha256(card))):
            watch.say(f"the network was trained on these; judging the {len(unseen)} kept for the test (see --split)")
            photos = unseen
        looks = look_at(photos, size_px=int(network.input_shape[1]), watch=watch)
        for problem in looks.problems:
            watch.say(f"left out: {problem}")
        evaluation = judge(models.predictor(network)(looks.pixels), looks.truth, labels=labels)
    _show(evaluation, console)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        report = {"model": model.name, "unreadable": len(looks.problems), **as_json(evaluation)}
        (out / "evaluation.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        draw_confusion(evaluation.confusion, labels, out / "confusion.png")
        wrote = f"wrote {out / 'evaluation.json'}, {out / 'confusion.png'}"
        say(console, wrote)


def _trained_sha256(card: dict[str, Any]) -> str:
    return str(card.get("data", {}).get("sha256"))


def _show(evaluation: Evaluation, console: Console) -> None:
    """Print a table of the classes, the weakest first, and the figures of all of them."""
    table = Table("class", "precision", "recall", "F1", "photographs", title="By class, the weakest first")
    for column in table.columns[1:]:
        column.justify = "right"
    occurring = sorted((c for c in evaluation.classes if c.support or c.predicted), key=lambda c: (c.f1, c.label))
    for c in occurring[:CLASSES_SHOWN]:
        table.add_row(Text(c.label), f"{c.precision:.3f}", f"{c.recall:.3f}", f"{c.f1:.3f}", str(c.support))
    if more := len(occurring) - CLASSES_SHOWN:
        table.caption = f"and {more} more with a higher F1" if more > 0 else None
    console.print(table)
    console.print(
        f"{evaluation.photographs} photographs: accuracy {evaluation.accuracy:.1%}, "
        f"top-5 {evaluation.top5_accuracy:.1%}, macro precision {evaluation.macro_precision:.3f}, "
        f"recall {evaluation.macro_recall:.3f}, F1 {evaluation.macro_f1:.3f}\n"
        f"log loss {evaluation.log_loss:.3f}, mean confidence {evaluation.mean_confidence:.1%}, "
        f"calibration error {evaluation.calibration_error:.1%}",
        soft_wrap=True,
        highlight=False,
    )
