"""What each layer loses, as bars for a page or a folder."""

import io
import warnings
from collections.abc import Sequence
from typing import Any

from converter.quantizing.layers import ROUNDING, LayerError
from trainer.report import DPI, canvas, literal

MOST_BARS = 25
"""The worst ones; a network has up to a few hundred layers, and the last of them lose nothing but rounding."""
BAR_IN = 0.24
"""Height of a bar with the room around it."""


def layers_chart(errors: Sequence[LayerError], *, in_float: Sequence[str] = ()) -> bytes:
    """Draw the layers that lose most, the worst on top, beside what rounding alone loses.

    Args:
        errors: One at least, the worst first.
        in_float: Those kept in float, by `LayerError.tensor`; they have a colour of their own.

    Returns:
        A PNG.
    """
    shown = errors[:MOST_BARS]
    figure, axes = canvas(8.0, 1.6 + BAR_IN * len(shown))
    kept = [row for row, error in enumerate(shown) if error.tensor in in_float]
    rest = [row for row in range(len(shown)) if row not in kept]
    for rows, colour, said in ((rest, "tab:blue", None), (kept, "tab:orange", f"kept in float: {len(kept)}")):
        if rows:
            axes.barh(rows, [shown[row].rmse_steps for row in rows], color=colour, height=0.75, label=said)
    names = [f"{literal(error.layer)} · {_words(error.operator)}" for error in shown]
    axes.set_yticks(range(len(shown)), names, fontsize=8)
    axes.invert_yaxis()
    axes.axvline(ROUNDING, color="grey", linestyle=":", label=f"rounding alone: {ROUNDING:.2f}")
    for row, error in enumerate(shown):
        axes.text(error.rmse_steps, row, f" {error.rmse_steps:.2f}", va="center", fontsize=7)
    of = "" if len(shown) == len(errors) else f", the worst {len(shown)} of {len(errors)}"
    axes.set(title=f"What int8 loses in each layer{of}", xlabel="root mean square error, in steps of the layer's int8")
    axes.margins(x=0.08, y=0.01)
    axes.set_xlim(left=0)
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="lower right")
    return _png(figure)


def _words(operator: str) -> str:
    """An operator's name in lower case, which is quicker to read: `CONV_2D` → `conv 2d`."""
    return operator.lower().replace("_", " ")


def _png(figure: Any) -> bytes:
    drawn = io.BytesIO()
    with warnings.catch_warnings():  # a label of a script that the font lacks shows as boxes
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(drawn, format="png", dpi=DPI)
    return drawn.getvalue()
