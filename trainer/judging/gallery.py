"""Photographs that went wrong, side by side with their captions. PNGs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.judging.mistakes import Pair, examples
from trainer.judging.plots import sheet
from trainer.report import literal, write_png

Pixels = NDArray[np.uint8]

COLUMNS = 6
SHOWN_OF_PAIR = 3
"""Photographs on each side of a pair."""
CELL_WH_IN = (1.75, 2.25)
CAPTION_CHARACTERS = 26
WRONG, RIGHT = "tab:red", "tab:green"


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What was looked at and said: (n, size, size, 3) uint8 RGB, (n, classes) probabilities, (n,) label indices."""

    pixels: Pixels
    scores: NDArray[np.float32]
    truth: NDArray[np.int64]
    labels: tuple[str, ...]

    @property
    def answers(self) -> NDArray[np.int64]:
        """The best label of each photograph, (n,)."""
        best: NDArray[np.int64] = self.scores.argmax(axis=1).astype(np.int64)
        return best


def draw_errors(shown: Shown, chosen: Sequence[int], path: Path) -> None:
    """Draw wrongly answered photographs, six in a row, with truth, answer and confidence under each.

    Args:
        shown: The photographs.
        chosen: Indices into it, at least one.
        path: The PNG to write.
    """
    rows = -(-len(chosen) // COLUMNS)
    figure, cells = sheet(rows, COLUMNS, cell_wh_in=CELL_WH_IN)
    for cell, index in zip(cells.flat, chosen, strict=False):
        answer = int(shown.answers[index])
        caption = (
            f"is {_cut(shown.labels[shown.truth[index]])}\nsaid {_cut(shown.labels[answer])}\n"
            f"{shown.scores[index, answer]:.0%} sure"
        )
        _show(cell, shown.pixels[index], caption, colour=WRONG)
    figure.suptitle("The surest mistakes")
    write_png(figure, path)


def draw_pairs(shown: Shown, pairs: Sequence[Pair], path: Path) -> None:
    """Draw the most confused pairs, one in a row: photographs taken for another product, beside ones that are it.

    Args:
        shown: The photographs.
        pairs: At least one.
        path: The PNG to write.
    """
    figure, cells = sheet(len(pairs), 2 * SHOWN_OF_PAIR, cell_wh_in=CELL_WH_IN)
    for row, pair in zip(cells, pairs, strict=True):
        wrong, others = examples(pair, shown.answers, shown.truth, most=SHOWN_OF_PAIR)
        truth, answer = _cut(shown.labels[pair.truth]), _cut(shown.labels[pair.answer])
        for cell, index in zip(row, wrong, strict=False):
            _show(cell, shown.pixels[index], f"is {truth}\nsaid {answer}", colour=WRONG)
        for cell, index in zip(row[SHOWN_OF_PAIR:], others, strict=False):
            _show(cell, shown.pixels[index], f"is {answer}", colour=RIGHT)
        if not others:
            _say(row[SHOWN_OF_PAIR], f"no photograph of {answer} here")
        row[0].set_title(f"{pair.count} of {pair.support} taken for {answer}", fontsize=8, loc="left")
    figure.suptitle("What is taken for what: mistakes on the left, the right thing on the right")
    write_png(figure, path)


def _show(cell: Any, pixels: Pixels, caption: str, *, colour: str) -> None:
    """Put a photograph into a cell, in a coloured frame."""
    cell.set_visible(True)
    cell.imshow(pixels)
    cell.set_xlabel(caption, fontsize=7)
    for edge in cell.spines.values():
        edge.set(color=colour, linewidth=2)


def _say(cell: Any, line: str) -> None:
    """Put words where a photograph would be."""
    cell.set_visible(True)
    cell.set_axis_off()
    cell.text(0, 0.5, line, fontsize=8).set_in_layout(False)  # it may reach over its neighbours


def _cut(label: str) -> str:
    """A label that fits under a photograph."""
    return literal(label if len(label) <= CAPTION_CHARACTERS else label[: CAPTION_CHARACTERS - 1] + "…")
