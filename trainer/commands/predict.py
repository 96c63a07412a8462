"""`shelf-train predict`: a network and photographs → what it takes them for, as a table or JSON."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import cv2
import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer import Option

from edge_agent.shelf import DataError
from trainer.commands.common import quiet_start
from trainer.judging.answers import Answer, Speaker, answers, described
from trainer.judging.rejection import of_card
from trainer.photos.data import Photo, read
from trainer.photos.unlabelled import NO_LABEL, pictures
from trainer.place import check_folder

if TYPE_CHECKING:
    import keras

OVERLAY_PX = 320
"""Side of a photograph, and of the overlay beside it."""
PROBLEMS_SAID = 5


def predict(
    model: Annotated[Path, typer.Argument(help="A .keras file of shelf-train fit, its card beside it.")],
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Photographs, or folders of them.")],
    top: Annotated[int, Option(min=1, help="How many labels to show for each.")] = 5,
    as_json: Annotated[bool, Option("--json", help="Print JSON instead of a table.")] = False,  # noqa: FBT002 - an option
    saliency: Annotated[Path | None, Option(help="Folder for pictures of where the network looks (Grad-CAM).")] = None,
) -> None:
    """Say what photographs show: the likeliest labels of each, or "unknown" where the network is not sure enough.

    Photographs that cannot be read are named after the others are answered, and the exit status is 65.
    """
    if saliency is not None:
        check_folder(saliency, option="--saliency")
    photos = [photo for path in images for photo in pictures(path)]
    with quiet_start():
        from trainer.nets import models  # noqa: PLC0415 - TensorFlow takes seconds to load

    network, card = models.load(model)
    labels = tuple(str(label) for label in card["labels"])
    speaker = Speaker(models.predictor(network), labels, int(network.input_shape[1]), of_card(card), top)
    given = list(answers(photos, speaker))
    drawn = _draw(network, given, speaker.size_px, saliency) if saliency else {}
    if as_json:
        found = [described(answer, labels) for answer in given]
        for at, file in drawn.items():
            found[at]["saliency"] = str(file)
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        _show(given, labels, drawn)
    _report_problems(given)


def _show(given: Sequence[Answer], labels: Sequence[str], drawn: dict[int, Path]) -> None:
    """Print a table: a photograph, its answers, and where its overlay was written."""
    table = Table("photograph", "shows", "probability")
    table.columns[0].overflow = "fold"  # the end of a path says most
    table.columns[2].justify = "right"
    for at, answer in enumerate(given):
        if answer.problem:
            continue
        lines = [(labels[index], f"{share:.1%}") for index, share in answer.ranked]
        if answer.unknown:
            lines = [("unknown; at best:", ""), *lines]
        beside = [Text(str(answer.path)), *([Text(f"→ {drawn[at]}", style="dim")] if at in drawn else [])]
        lines += [("", "")] * (len(beside) - len(lines))
        for row, (label, share) in enumerate(lines):
            path = beside[row] if row < len(beside) else ""
            table.add_row(path, Text(label, style="bold" if row == 0 else ""), share)
        table.add_section()
    if table.row_count:
        Console().print(table)


def _report_problems(given: Sequence[Answer]) -> None:
    """End with an error where photographs could not be read.

    Raises:
        DataError: With the first few of them.
    """
    if problems := [answer.problem for answer in given if answer.problem]:
        shown = "".join(f"\n  {problem}" for problem in problems[:PROBLEMS_SAID])
        more = f"\n  and {len(problems) - PROBLEMS_SAID} more" if len(problems) > PROBLEMS_SAID else ""
        raise DataError(f"{len(problems)} of {len(given)} photographs could not be read:{shown}{more}")


def _draw(network: "keras.Model", given: Sequence[Answer], size_px: int, folder: Path) -> dict[int, Path]:
    """Write each photograph with what speaks for its best answer beside it; the files by the place of the answer."""
    from trainer.judging.saliency import heat, overlay  # noqa: PLC0415 - TensorFlow takes seconds to load

    folder.mkdir(parents=True, exist_ok=True)
    files: dict[int, Path] = {}
    for at, answer in enumerate(given):
        if answer.problem:
            continue
        photo = Photo(answer.path, NO_LABEL)
        large = read(photo, OVERLAY_PX)
        warmth = heat(network, read(photo, size_px)[None], [answer.ranked[0][0]])[0]
        files[at] = _free(folder, answer.path.stem, set(files.values()))
        cv2.imwrite(str(files[at]), np.hstack([large, overlay(large, warmth)])[:, :, ::-1])
    return files


def _free(folder: Path, stem: str, taken: set[Path]) -> Path:
    """A name that no other photograph of this run has; photographs of several folders may share one."""
    path, number = folder / f"{stem}.png", 1
    while path in taken:
        number += 1
        path = folder / f"{stem}-{number}.png"
    return path
