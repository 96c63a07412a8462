"""What the benchmarks are asked to show, beside what they saw: as a table on the terminal and as JSON."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that was asked for. `seen` None: it was not measured, and `note` says why.

    Attributes:
        what: What was measured.
        asked: What it must be, in words.
        seen: What it was, in words.
        holds: Whether it was as asked.
        note: What one needs to know to read it.
    """

    what: str
    asked: str
    seen: str | None
    holds: bool
    note: str = ""

    @property
    def verdict(self) -> str:
        """One word on it."""
        return "not measured" if self.seen is None else "holds" if self.holds else "FAILS"


def at_most(what: str, seen: float, most: float, form: str = "{:.2f}", *, note: str = "") -> Figure:
    """A figure that must not exceed a bound; `form` writes both with their unit."""
    return Figure(what, f"≤ {form.format(most)}", form.format(seen), seen <= most, note)


def at_least(what: str, seen: float, least: float, form: str = "{:.2f}", *, note: str = "") -> Figure:
    """A figure that must reach a bound; `form` writes both with their unit."""
    return Figure(what, f"≥ {form.format(least)}", form.format(seen), seen >= least, note)


def unmeasured(what: str, asked: str, why: str) -> Figure:
    """A figure that could not be had."""
    return Figure(what, asked, None, holds=False, note=why)


def show(figures: Sequence[Figure], console: Console) -> None:
    """Print asked and seen, a line each."""
    table = Table(title="asked and seen", box=SIMPLE)
    for column in ("what", "must", "seen", ""):
        table.add_column(column, justify="right" if column in {"must", "seen"} else "left")
    for figure in figures:
        what = Text(figure.what).append(f"\n  {figure.note}" if figure.note else "", style="dim")
        table.add_row(what, figure.asked, figure.seen or "–", figure.verdict)
    console.print(table)


def write(path: Path, figures: Sequence[Figure], measured: dict[str, Any]) -> None:
    """Write what was asked, what was seen, and everything measured, with the machine that it was measured on."""
    machine = {"processor": platform.machine(), "cores": os.cpu_count(), "system": platform.system()}
    rows = [{**asdict(figure), "verdict": figure.verdict} for figure in figures]
    text = json.dumps({"machine": machine, "asked": rows, "measured": measured}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
