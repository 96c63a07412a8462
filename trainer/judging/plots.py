"""Figures of an evaluation as pictures: confusion matrix, reliability, accuracy against coverage. All are PNGs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.judging.evaluate import Bin
from trainer.judging.rejection import Coverage, Rejection
from trainer.report import canvas, literal, write_png

SIDE_IN = 5.0
"""Of a square diagram."""


def draw_confusion(confusion: NDArray[np.int64], labels: Sequence[str], path: Path) -> None:
    """Draw a confusion matrix: rows are the truth, columns the answers, colours the share (0..1) of the row.

    Args:
        confusion: (classes, classes) counts.
        labels: Names in the same order.
        path: The PNG to write.
    """
    count = len(labels)
    side = min(40.0, max(4.5, 3.0 + 0.18 * count))
    figure, axes = canvas(side + 1.0, side)
    share = confusion / np.maximum(1, confusion.sum(axis=1, keepdims=True))
    image = axes.imshow(share, vmin=0, vmax=1, cmap="Blues")
    plain = [literal(label) for label in labels]
    axes.set_xticks(range(count), plain, rotation=90, fontsize=7)
    axes.set_yticks(range(count), plain, fontsize=7)
    hits = float(np.trace(confusion)) / max(1, int(confusion.sum()))
    axes.set(
        title=f"Confusion matrix: {hits:.1%} of {confusion.sum()} are right",
        xlabel="answer of the network",
        ylabel="truth",
    )
    for row, column in zip(*np.nonzero(confusion), strict=True):
        shade = "white" if share[row, column] > 0.5 else "black"
        number = str(confusion[row, column])
        axes.text(column, row, number, ha="center", va="center", color=shade, fontsize=6)
    figure.colorbar(image, ax=axes, shrink=0.6, aspect=40, label="share of the row")
    write_png(figure, path)


def draw_reliability(bins: Sequence[Bin], path: Path, *, calibration_error: float) -> None:
    """Draw how often answers of a confidence are right, beside the line on which the two are equal.

    Guo et al. 2017, arXiv 1706.04599, figure 1; the area of a dot is the number of answers.
    """
    figure, axes = canvas(SIDE_IN, SIDE_IN)
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", label="as sure as right")
    confidence, accuracy = [b.confidence for b in bins], [b.accuracy for b in bins]
    axes.vlines(confidence, confidence, accuracy, color="tab:red", alpha=0.5, label="gap")
    most = max(b.count for b in bins)
    axes.scatter(confidence, accuracy, s=[30 + 270 * b.count / most for b in bins], alpha=0.8, zorder=3)
    for b in bins:
        axes.annotate(str(b.count), (b.confidence, b.accuracy), ha="center", va="center", fontsize=7, zorder=4)
    axes.set(
        title=f"Reliability: calibration error {calibration_error:.1%}",
        xlabel="confidence of the answers",
        ylabel="share of them that is right",
        xlim=(-0.03, 1.03),
        ylim=(-0.03, 1.03),
        aspect="equal",
    )
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left")
    write_png(figure, path)


def draw_coverage(curve: Coverage, path: Path, *, rejection: Rejection | None) -> None:
    """Draw accuracy against the share of photographs that are answered, and where the threshold of the card lies."""
    figure, axes = canvas(SIDE_IN * 1.3, SIDE_IN * 0.85)
    axes.plot(curve.coverage, curve.accuracy, label="the surest answers")
    if rejection is not None and (point := curve.at(rejection)):
        share, right = point
        label = f"at the model's threshold: {right:.1%} of {share:.1%}"
        axes.plot(share, right, "o", color="tab:red", label=label)
    axes.set(
        title=f"Accuracy against coverage: {curve.accuracy[-1]:.1%} of all",
        xlabel="share of the photographs that is answered",
        ylabel="share of the answers that is right",
        xlim=(0, 1.02),
    )
    axes.margins(y=0.15)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")
    write_png(figure, path)


def sheet(rows: int, columns: int, *, cell_wh_in: tuple[float, float]) -> tuple[Any, NDArray[Any]]:
    """A figure and its (rows, columns) cells, invisible until something is shown in them."""
    figure, axes = canvas(columns * cell_wh_in[0], rows * cell_wh_in[1] + 0.4)
    axes.remove()
    cells: NDArray[Any] = figure.subplots(rows, columns, squeeze=False)
    for cell in cells.flat:
        cell.set(xticks=[], yticks=[], visible=False)
    return figure, cells
