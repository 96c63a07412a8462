"""What the benchmarks are asked to show, beside what they saw: as a table on the terminal and as JSON."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console


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
    """Print asked and seen, a line each and its note below."""
    what, asked, seen = (max(len(text) for text in column) for column in zip(*map(_texts, figures), strict=True))
    console.print(f"\n{'asked and seen':<{what}}  {'must':>{asked}}  {'seen':>{seen}}", style="bold", soft_wrap=True)
    for figure in figures:
        of, must, was = _texts(figure)
        console.print(
            f"{of:<{what}}  {must:>{asked}}  {was:>{seen}}  {figure.verdict}", highlight=False, soft_wrap=True
        )
        if figure.note:
            console.print(f"    {figure.note}", style="dim", highlight=False, markup=False, soft_wrap=True)


def _texts(figure: Figure) -> tuple[str, str, str]:
    return figure.what, figure.asked, figure.seen or "–"


def write(path: Path, figures: Sequence[Figure], measured: dict[str, Any]) -> None:
    """Write what was asked, what was seen, and everything measured, with the machine that it was measured on."""
    machine = {"processor": platform.machine(), "cores": os.cpu_count(), "system": platform.system()}
    rows = [{**asdict(figure), "verdict": figure.verdict} for figure in figures]
    text = json.dumps({"machine": machine, "asked": rows, "measured": measured}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
