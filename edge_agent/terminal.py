"""What the commands print, and the files that they write beside what they read."""

import contextlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from edge_agent.doctor.finding import Finding, Level
from edge_agent.shelf import InputError

out, err = Console(), Console(stderr=True)
_STYLES: dict[Level, str] = {"ok": "green", "warn": "yellow", "wrong": "red"}


def shown(findings: Iterable[Finding]) -> list[Finding]:
    """Print a line for each finding as it comes, and keep it."""
    kept = []
    for finding in findings:
        words = escape(finding.words)  # [broker] is a table of the configuration, not markup
        mark = f"[{_STYLES[finding.level]}]{finding.level}[/]" + " " * (5 - len(finding.level))
        out.print(f"{mark} {escape(finding.what)}: {words}", highlight=False, soft_wrap=True)
        kept.append(finding)
    return kept


def refuse_to_replace(output: Path | None, inputs: Iterable[Path]) -> None:
    """Refuse to write over what a command reads."""
    if output is None or not output.exists():
        return
    for path in inputs:
        if path.exists() and output.samefile(path):
            raise InputError(f"{output} would be written over what is read from {path}. Give another path.")


@contextlib.contextmanager
def text_file(path: Path) -> Iterator[TextIO]:
    """A file to write lines to, or standard output for `-`."""
    if path == Path("-"):
        yield sys.stdout
        return
    try:
        file = path.open("w", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error}). Give a path of yours.") from error
    with file:
        yield file


def progress() -> Progress:
    """A progress bar on standard error, still where that is no terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=err,
        disable=not err.is_terminal,
    )
