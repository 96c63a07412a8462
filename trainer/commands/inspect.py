"""`shelf-train inspect`: photographs → what is wrong with them, before any training."""

import json
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer import Option

from trainer.commands.common import Data, Seed, quiet_start, say
from trainer.photos import contact, data, doubts, findings
from trainer.photos.inspection import PARTS, Inspection
from trainer.photos.inspection import inspect as look_into
from trainer.place import check_folder
from trainer.report import Terminal, Watch

WRITTEN = ("inspection.json", "balance.png", "duplicates.png", "contact/")
CLASSES_SHOWN = 10
"""Rows of the table from each end; the JSON has all."""


def inspect(
    photographs: Data,
    validation: Annotated[
        Path | None, Option(help="Held-out photographs: a list, boxes, or a folder per class.")
    ] = None,
    out: Annotated[
        Path | None, Option(help="Folder for inspection.json, balance.png, duplicates.png, contact/.")
    ] = None,
    size: Annotated[
        int, Option(min=1, help="Side of the network's input in pixels; smaller photographs are counted.")
    ] = 224,
    as_json: Annotated[bool, Option("--json", help="Print everything as JSON instead of a table.")] = False,  # noqa: FBT002 - an option
    seed: Seed = 0,
) -> None:
    """Look at a data set before training: balance, unreadable and tiny files, duplicates, sizes, contact sheets."""
    if out is not None:
        check_folder(out)
        with quiet_start():
            import_module("matplotlib")  # so that its absence is told before the work
    splits = data.load(photographs, validation=validation, seed=seed)
    errors = Console(stderr=True)
    warnings = list(doubts.of_training(splits, photographs))
    for warning in warnings:
        say(errors, f"warning: {warning}")
    with Terminal(errors if as_json else Console()) as watch:
        inspection = look_into(splits, size_px=size, watch=watch)
        report = {"warnings": warnings, **findings.as_json(inspection)}
        if out is not None:
            _write(inspection, report, out, watch)
    if as_json:
        typer.echo(json.dumps(report, indent=2, ensure_ascii=False))
        return
    console = Console()
    _show(inspection, console)
    if out is not None:
        say(console, f"wrote {', '.join(str(out / name) for name in WRITTEN)}")


def _write(inspection: Inspection, report: dict[str, Any], out: Path, watch: Watch) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "inspection.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    contact.draw_balance(inspection, out / "balance.png")
    contact.draw_doubles(inspection, out / "duplicates.png")
    contact.draw_sheets(inspection, out / "contact", watch=watch)


def _show(inspection: Inspection, console: Console) -> None:
    """Print the smallest and the largest classes, the sizes, and what was found."""
    grouped = any(c.group for c in inspection.classes)
    ordered = sorted(inspection.classes, key=lambda c: (c.train, c.total, c.label))
    table = Table("class", *(["group"] if grouped else []), *PARTS, title="Photographs by class, the smallest first")
    for column in table.columns[-len(PARTS) :]:
        column.justify = "right"
    cut = len(ordered) > 2 * CLASSES_SHOWN + 1
    shown = [*ordered[:CLASSES_SHOWN], *ordered[-CLASSES_SHOWN:]] if cut else ordered
    for number, c in enumerate(shown):
        if cut and number == CLASSES_SHOWN:
            table.add_row(f"… {len(ordered) - len(shown)} more", *[""] * (len(table.columns) - 1))
        counts = [str(getattr(c, part)) for part in PARTS]
        table.add_row(Text(c.label), *([Text(c.group or "")] if grouped else []), *counts)
    console.print(table)
    for line in findings.in_words(inspection):
        say(console, f"- {line}")
