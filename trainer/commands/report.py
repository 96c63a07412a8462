"""`shelf-train report`: a network and photographs it has not seen → one HTML page with everything about it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from typer import Option

from edge_agent.shelf import ShelfwatchError
from trainer.commands.common import Data, quiet_start, say
from trainer.commands.evaluate import Split, SplitSeed, Strange
from trainer.judging.page import Contents, Look, render, worth_a_look
from trainer.judging.rejection import unknown_of_card
from trainer.place import check_file, refuse_folder
from trainer.report import Epoch, Terminal, read_history

if TYPE_CHECKING:
    from trainer.judging.exam import Exam

LOOKS_SHOWN = 8


def report(
    model: Annotated[Path, typer.Argument(help="A .keras file of shelf-train fit, its card beside it.")],
    photographs: Data,
    out: Annotated[Path, Option(help="The page to write.")] = Path("report.html"),
    split: Split = None,
    seed: SplitSeed = None,
    unknown: Strange = None,
) -> None:
    """Write everything about a network on one HTML page that needs no network: how often it is right, and where not.

    It begins in plain words, for those who run the shop, and goes on with every figure, for engineers.
    """
    check_file(out)
    refuse_folder(out)
    with quiet_start():
        from trainer.judging import exam  # noqa: PLC0415 - TensorFlow takes seconds to load

    console = Console()
    with Terminal(console) as watch:
        held = exam.hold(exam.Asked(model, photographs, split, seed, unknown), watch=watch)
    page = render(
        Contents(
            name=model.name,
            card=held.card,
            shown=held.shown,
            evaluation=held.evaluation,
            rejection=held.rejection,
            kept=held.kept,
            unknown=held.unknown or unknown_of_card(held.card),
            problems=held.looks.problems,
            history=_history(model, held),
            looks=_looks(held, console),
        )
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page, encoding="utf-8")
    say(
        console,
        f"accuracy {held.evaluation.accuracy:.1%} on {held.evaluation.photographs} photographs; "
        f"wrote {out} ({len(page.encode()) / 1e6:.1f} MB)",
    )


def _history(model: Path, held: "Exam") -> tuple[Epoch, ...]:
    """The epochs of the training, if the file beside the model is of this training."""
    history = read_history(model.with_name("history.csv"))
    epochs = held.card.get("training", {}).get("epochs")
    return history if len(history) == epochs else ()


def _looks(held: "Exam", console: Console) -> tuple[Look, ...]:
    """Where the network looks, for a few photographs; none where it has no maps."""
    from trainer.judging.saliency import heat, overlay  # noqa: PLC0415 - TensorFlow takes seconds to load

    chosen = worth_a_look(held.shown, most=LOOKS_SHOWN)
    pixels = held.looks.pixels[chosen]
    try:
        warm = heat(held.network, pixels, held.shown.answers[chosen].tolist())
    except ShelfwatchError as error:
        say(console, f"left out where it looks: {error}")
        return ()
    return tuple(Look(index, overlay(photo, map_)) for index, photo, map_ in zip(chosen, pixels, warm, strict=True))
