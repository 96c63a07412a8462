"""`shelf-train`: from photographs of products to a Keras network, and its figures on others."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge_agent.exits import reported
from edge_agent.shelf import ConfigError, InputError, ShelfwatchError
from trainer import data, doubts
from trainer.evaluate import Evaluation, as_json, judge
from trainer.feed import look_at
from trainer.place import check_file, check_folder
from trainer.recipe import Recipe, lengthened, settle
from trainer.report import Terminal, draw_confusion

app = typer.Typer(
    help="Train a small network on photographs of products.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
CLASSES_SHOWN = 40
"""Rows of the table of an evaluation; the JSON has all."""

Data = Annotated[
    Path, typer.Argument(metavar="DATA", help="A folder with train/ validation/ test/, a folder per class, or a list.")
]
Seed = Annotated[int, typer.Option(help="Everything random follows from it.")]
Option = typer.Option


@app.command("fit")
def fit_command(  # noqa: PLR0913, PLR0917 - one parameter per option
    photographs: Data,
    out: Annotated[Path, Option(help="The model to write, a .keras file; its card, history and curves go beside it.")],
    validation: Annotated[Path | None, Option(help="Held-out photographs: a list, or a folder per class.")] = None,
    network: Annotated[str, Option(help="small-cnn or mobilenet-v2.")] = "mobilenet-v2",
    size: Annotated[int | None, Option(help="Side of the input in pixels; 150 or 224 by default.")] = None,
    width: Annotated[float | None, Option(help="Multiplies the filters of each layer; MobileNet's alpha.")] = None,
    weights: Annotated[
        str | None, Option(help="imagenet, none, or a Keras .weights.h5 file; imagenet by default, if there is one.")
    ] = None,
    freeze: Annotated[
        bool | None, Option("--freeze/--no-freeze", help="Train the head alone; the default with weights.")
    ] = None,
    flip: Annotated[bool, Option("--flip/--no-flip", help="Mirror at random; not for products with text.")] = True,  # noqa: FBT002 - an option
    epochs: Annotated[int | None, Option(help="At most so many; more for few photographs, unless given.")] = None,
    batch: Annotated[int | None, Option(help="Photographs per step.")] = None,
    lr: Annotated[float | None, Option(help="Peak learning rate.")] = None,
    patience: Annotated[int | None, Option(help="Stop after so many epochs without a better one.")] = None,
    views: Annotated[int | None, Option(help="Looks at each photograph through a frozen backbone.")] = None,
    label_smoothing: Annotated[float | None, Option(help="Taken from the true class; costs confidence.")] = None,
    seed: Seed = 0,
) -> None:
    """Train a network; the best epoch is what is written. Ctrl-C keeps the best so far."""
    _check_place(out)
    recipe = settle(
        network,
        weights=weights,
        freeze=freeze,
        size_px=size,
        width=width,
        epochs=epochs,
        batch=batch,
        lr=lr,
        patience=patience,
        views=views,
        flip=flip,
        label_smoothing=label_smoothing,
        seed=seed,
    )
    splits = data.load(photographs, validation=validation, seed=seed)
    for doubtful in doubts.of_training(splits, photographs):
        Console(stderr=True).print(f"warning: {doubtful}", soft_wrap=True, highlight=False, markup=False)
    _fit(splits, recipe if epochs else lengthened(recipe, photographs=len(splits.train)), out)


def _check_place(out: Path) -> None:
    """Find out before an hour of training whether its outcome can be written."""
    if out.suffix != ".keras":
        raise ConfigError("the training cannot start:", [f'--out is "{out}"; its name must end in .keras'])
    check_file(out)
    if out.is_dir():
        raise InputError(f"--out is {out}, which is a folder. Name a file in it, such as {out / 'model.keras'}.")


def _fit(splits: data.Splits, recipe: Recipe, out: Path) -> None:
    """Train, write, and say what came of it."""
    with _quiet_start():
        from trainer import fit  # noqa: PLC0415 - TensorFlow takes seconds to load

    console = Console(stderr=False)
    console.print(
        f"{recipe.network} of width {recipe.width:g} at {recipe.size_px} px, weights {recipe.weights}, "
        f"{'the head alone' if recipe.freeze else 'all layers'}: {len(splits.labels)} classes, "
        f"{len(splits.train)} photographs to train, {len(splits.validation)} to validate",
        soft_wrap=True,
        highlight=False,
        markup=False,
    )
    try:
        with Terminal(console) as watch:
            trained = fit.fit(splits, recipe, watch=watch)
    except KeyboardInterrupt:
        console.print("stopped before the first epoch was over; nothing was written")
        raise typer.Exit(130) from None
    files = fit.write(trained, out)
    course, figures = trained.course, trained.evaluation
    if course.interrupted:
        console.print("stopped by Ctrl-C; the best epoch so far is kept")
    console.print(
        f"epoch {course.best_epoch} of {len(course.history)} is the best: validation accuracy {figures.accuracy:.1%}, "
        f"top-5 {figures.top5_accuracy:.1%}, log loss {figures.log_loss:.3f}; {trained.seconds:.0f} s\n"
        f"wrote {', '.join(str(file) for file in files)}",
        soft_wrap=True,
        highlight=False,
        markup=False,
    )


@app.command("evaluate")
def evaluate_command(
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
    with _quiet_start():
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
        console.print(wrote, soft_wrap=True, highlight=False, markup=False)


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


@contextmanager
def _quiet_start() -> Iterator[None]:
    """Keep what TensorFlow's C++ side says while it loads off the terminal; Python's own errors still show."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    except ModuleNotFoundError as error:
        raise ShelfwatchError(
            f'{error.name} is not installed. Install it with: pip install "shelfwatch[train]"'
        ) from None
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def main(arguments: list[str] | None = None) -> Any:
    """Run `shelf-train`; errors become a message and an exit status."""
    with reported("shelf-train"):
        return app(arguments, prog_name="shelf-train")


if __name__ == "__main__":
    main()
