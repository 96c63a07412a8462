"""What the commands share: how photographs and a seed are named, and how TensorFlow is loaded without its chatter."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from edge_agent.shelf import ShelfwatchError

Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help="A folder with train/ validation/ test/, a folder per class, a list, or COCO boxes (.json).",
    ),
]
Seed = Annotated[int, typer.Option(help="Everything random follows from it.")]


def say(console: Console, line: str) -> None:
    """Print a line as it is: file names may hold brackets, and a terminal wraps by itself."""
    console.print(line, soft_wrap=True, highlight=False, markup=False)


@contextmanager
def quiet_start() -> Iterator[None]:
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
