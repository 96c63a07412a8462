"""A picture of what augmentation does: photographs as the network sees them, random views, each change by itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer.report import write_png
from trainer.views.augment import Jitter, scaled, view
from trainer.views.effects import EFFECTS, OPEN_AIR

Pixels = NDArray[np.uint8]

GAP_PX = 4
CAPTION_PX = 22
"""Height of a line of text."""
MARGIN_PX = 16
GROUND = 252
"""Grey level of the paper."""
LEAST_SIDE_PX = 128
"""Smaller pictures are shown enlarged."""
DPI = 100
SINGLES = "Each change by itself, as if it befell every view"

Text = tuple[int, int, str]
"""Left and top in pixels inside the margin, and what is written there."""


@dataclass(frozen=True, slots=True)
class Strip:
    """Pictures side by side, all (size, size, 3) uint8 RGB, with a line of text above them."""

    caption: str
    pictures: tuple[Pixels, ...]


def random_views(image: Pixels, jitter: Jitter, *, size_px: int, seeds: Sequence[Sequence[int]]) -> tuple[Pixels, ...]:
    """Views of a photograph, (height, width, 3) uint8 BGR, one for each seed."""
    return tuple(view(image, size_px=size_px, jitter=jitter, rng=np.random.default_rng(list(seed))) for seed in seeds)


def alone(jitter: Jitter) -> Iterator[tuple[str, Jitter]]:
    """Every part of a jitter by itself, in every view, with a caption that says how much or how often it occurs."""
    still = scaled(replace(jitter, flip=False), 0)
    near, far = jitter.zoom
    zoomed = replace(still, zoom=jitter.zoom, shift=jitter.shift)
    yield f"zoom and crop: {near:.0%} to {far:.0%} of a side, moved by up to {jitter.shift:.0%}", zoomed
    yield f"rotation: up to {jitter.rotate_deg:g}°", replace(still, rotate_deg=jitter.rotate_deg)
    yield f"shear: up to {jitter.shear:.0%}", replace(still, shear=jitter.shear)
    yield f"corners: each off by up to {jitter.corner:.0%}", replace(still, corner=jitter.corner)
    lit = replace(still, gain=jitter.gain, contrast=jitter.contrast)
    yield f"light: brightness ± {jitter.gain:.0%}, contrast ± {jitter.contrast:.0%}", lit
    yield f"tint: each colour ± {jitter.tint:.0%}", replace(still, tint=jitter.tint)
    yield f"mirror: {'half of the views' if jitter.flip else 'never'}", replace(still, flip=jitter.flip)
    for name in EFFECTS:
        share = getattr(jitter.shelf, name)
        often = f"{share:.0%} of the views" if share else "never"
        yield f"{name.replace('_', ' ')}: {often}", replace(still, shelf=replace(OPEN_AIR, **{name: float(share > 0)}))


def sheet(rows: Sequence[Strip], singles: Sequence[Strip], path: Path, *, title: str) -> None:
    """Write a PNG: `rows` below each other, and below them `singles` in two columns; all of the same picture size."""
    large = [_enlarged(strip) for strip in (*rows, *singles)]
    side_px = large[0].pictures[0].shape[0]
    line_px = CAPTION_PX + side_px + 2 * GAP_PX
    column_px = max((_width(strip) for strip in large[len(rows) :]), default=0)
    width_px = max(*(_width(strip) for strip in large), 2 * column_px + 4 * GAP_PX)
    middle = 2 * CAPTION_PX + len(rows) * line_px
    placed = [(0, 2 * CAPTION_PX + number * line_px, strip) for number, strip in enumerate(large[: len(rows)])]
    for number, strip in enumerate(large[len(rows) :]):
        left = (number % 2) * (width_px - column_px)
        placed.append((left, middle + 3 * CAPTION_PX + number // 2 * line_px, strip))
    height_px = placed[-1][1] + line_px
    paper = np.full((height_px + 2 * MARGIN_PX, width_px + 2 * MARGIN_PX, 3), GROUND, np.uint8)
    for left, top, strip in placed:
        for number, picture in enumerate(strip.pictures):
            x, y = MARGIN_PX + left + number * (side_px + GAP_PX), MARGIN_PX + top + CAPTION_PX
            paper[y : y + side_px, x : x + side_px] = picture
    titles = [(0, 0, title), *([(0, middle + CAPTION_PX, SINGLES)] if singles else [])]
    captions = [(left, top, strip.caption) for left, top, strip in placed]
    _write(paper, titles, captions, path)


def _enlarged(strip: Strip) -> Strip:
    """Pictures in a whole multiple of their size that a person can see."""
    times = -(-LEAST_SIDE_PX // strip.pictures[0].shape[0])
    return replace(strip, pictures=tuple(picture.repeat(times, 0).repeat(times, 1) for picture in strip.pictures))


def _width(strip: Strip) -> int:
    return len(strip.pictures) * (len(strip.pictures[0]) + GAP_PX) - GAP_PX


def _write(paper: Pixels, titles: Sequence[Text], captions: Sequence[Text], path: Path) -> None:
    """Draw texts onto paper, pixel by pixel, and write the PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - only when something is drawn
    from matplotlib.figure import Figure  # noqa: PLC0415

    height_px, width_px = paper.shape[:2]
    figure = Figure(figsize=(width_px / DPI, height_px / DPI), dpi=DPI)
    FigureCanvasAgg(figure)
    figure.figimage(paper, origin="upper")
    for texts, points, weight in ((titles, 11, "bold"), (captions, 9, "normal")):
        for left, top, text in texts:
            x, y = (MARGIN_PX + left) / width_px, 1 - (MARGIN_PX + top + CAPTION_PX - 6) / height_px
            figure.text(x, y, text, size=points, weight=weight, va="baseline", color="#222222", parse_math=False)
    write_png(figure, path, dpi=DPI)
