"""Pictures of an inspection: the balance of the classes, a contact sheet of each class, and the doubles side by side.

Text is drawn by Pillow with the font that comes with matplotlib, since labels and file names may be in any script.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.shelf import ShelfwatchError
from trainer.photos.data import open_photo
from trainer.photos.inspection import PARTS, TINY_PX, Double, Inspection, Sight
from trainer.photos.layout import PartName
from trainer.report import Watch, canvas, literal, write_png
from trainer.views.feed import workers

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

Colour = tuple[int, int, int]

COLUMNS = 8
TILE_PX = 112
FRAME_PX = 4
"""A frame in the colour of its part around each photograph."""
LINE_PX = 16
"""Height of a line of text."""
GAP_PX = 6
COARSER = [level & 0xF8 | level >> 5 for level in range(256)]
"""Five bits of a colour instead of eight: half the bytes of a contact sheet, and no eye sees it."""
SHEET_AT_MOST = 400
"""Photographs on a contact sheet."""
PAIRS_AT_MOST = 60
"""Pairs in the picture of doubles."""
PAIR_PX = 180
PAIR_COLUMNS = 3
CLASSES_NAMED = 150
"""With more classes than this, the bars of the balance have no names."""

PAPER: Colour = (255, 255, 255)
INK: Colour = (30, 30, 30)
QUIET: Colour = (110, 110, 110)
ALARM: Colour = (200, 30, 30)
PART_COLOURS: dict[PartName, Colour] = {"train": (70, 110, 180), "validation": (240, 150, 30), "test": (20, 115, 60)}
"""RGB; of different brightness too, for people who confuse colours."""


def draw_balance(inspection: Inspection, path: Path) -> None:
    """Draw a bar for each class, the largest on top: photographs to train on, to validate on and to test with."""
    classes = sorted(inspection.classes, key=lambda c: (c.total, c.label))
    axis_in = min(40.0, max(2.5, 0.17 * len(classes) + 1.2))
    figure, axes = canvas(9.0, axis_in)
    places, left = np.arange(len(classes)), np.zeros(len(classes))
    for part in PARTS:
        counts = np.asarray([getattr(c, part) for c in classes], dtype=np.float64)
        if counts.any():
            colour = [level / 255 for level in PART_COLOURS[part]]
            axes.barh(places, counts, left=left, color=colour, height=0.8, label=f"{part} ({counts.sum():.0f})")
            left += counts
    if len(classes) <= CLASSES_NAMED:
        for place, c in zip(places, classes, strict=True):
            axes.text(left[place] + left.max() * 0.006, place, str(c.total), va="center", fontsize=7)
        names = [literal(_plain(c.label)) for c in classes]
        axes.set_yticks(places, names, fontsize=7)
        axes.tick_params(axis="y", length=0)
    else:
        axes.set_yticks([])
    axes.set(
        title=f"{left.sum():.0f} photographs of {len(classes)} classes; training {inspection.imbalance:.1f} to 1",
        xlabel="photographs",
        ylim=(-0.6, len(classes) - 0.4),
    )
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=len(PARTS), frameon=False)
    write_png(figure, path)


def draw_sheets(inspection: Inspection, folder: Path, *, watch: Watch) -> None:
    """Draw a contact sheet for each class, `<label>.png` in `folder`; every core draws sheets of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    tags = _tags(inspection)
    members: list[list[int]] = [[] for _ in inspection.classes]
    for place, sight in enumerate(inspection.sights):
        members[sight.photo.label_index].append(place)
    names = file_names([c.label for c in inspection.classes])

    def draw(index: int) -> None:
        tiles = [(inspection.sights[place], tags.get(place, "")) for place in _chosen(members[index], tags)]
        sheet = _sheet(inspection, index, tiles)
        sheet.point(COARSER * 3).save(folder / f"{names[index]}.png", compress_level=4)

    watch.begin("drawing contact sheets", len(names))
    with ThreadPoolExecutor(workers()) as pool:
        try:
            for _ in pool.map(draw, range(len(names))):
                watch.advance()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def draw_doubles(inspection: Inspection, path: Path) -> None:
    """Draw the pairs of photographs that are the same or nearly so, side by side, the worst first."""
    from PIL import Image, ImageDraw  # noqa: PLC0415 - only when something is drawn

    pairs = inspection.doubles[:PAIRS_AT_MOST]
    side_px = PAIR_PX + 2 * FRAME_PX
    cell_w, cell_h = 2 * side_px + 5 * GAP_PX, side_px + 3 * LINE_PX + 3 * GAP_PX
    columns = max(1, min(PAIR_COLUMNS, len(pairs)))
    head = 2 * LINE_PX + 4 * GAP_PX
    page = Image.new("RGB", (columns * cell_w + GAP_PX, head + -(-len(pairs) // columns) * cell_h), PAPER)
    pen = ImageDraw.Draw(page)
    shown = f", the worst {len(pairs)} of" if len(pairs) < len(inspection.doubles) else ":"
    title = f"Doubles{shown} {len(inspection.doubles)} pairs" if pairs else "No doubles"
    pen.text((2 * GAP_PX, GAP_PX), title, fill=INK, font=_font(14))
    _legend(pen, (2 * GAP_PX, LINE_PX + 2 * GAP_PX), {part: part for part in _parts(inspection)})
    for number, double in enumerate(pairs):
        row, column = divmod(number, columns)
        _pair(pen, page, inspection, double, (2 * GAP_PX + column * cell_w, head + row * cell_h))
    page.save(path)


def _pair(pen: "ImageDraw", page: "Image", inspection: Inspection, double: Double, at: tuple[int, int]) -> None:
    """Two photographs with what is to be said about them above, and their labels and names below."""
    x, y = at
    words = ["the same file" if double.kind == "identical" else f"nearly the same ({double.correlation:.2f})"]
    words += ["different labels"] if inspection.at_odds(double) else []
    words += ["across parts"] if inspection.across(double) else []
    pen.text((x, y), ", ".join(words), fill=ALARM if len(words) > 1 else INK, font=_font(12))
    for side, place in enumerate((double.first, double.second)):
        sight = inspection.sights[place]
        left, top = x + side * (PAIR_PX + 2 * FRAME_PX + GAP_PX), y + LINE_PX
        page.paste(_framed(sight, PAIR_PX), (left, top))
        top += PAIR_PX + 2 * FRAME_PX
        label = inspection.classes[sight.photo.label_index].label
        _write(pen, (left, top), label, colour=INK, width=PAIR_PX)
        _write(pen, (left, top + LINE_PX), sight.photo.path.name, colour=QUIET, width=PAIR_PX)


def _parts(inspection: Inspection) -> list[PartName]:
    """The parts that have photographs."""
    return [part for part in PARTS if any(getattr(c, part) for c in inspection.classes)]


def _sheet(inspection: Inspection, index: int, tiles: Sequence[tuple[Sight, str]]) -> "Image":
    """The contact sheet of one class."""
    from PIL import Image, ImageDraw  # noqa: PLC0415 - only when something is drawn

    count = inspection.classes[index]
    cell_w, cell_h = TILE_PX + 2 * FRAME_PX + GAP_PX, TILE_PX + 2 * FRAME_PX + LINE_PX + GAP_PX
    rows = -(-len(tiles) // COLUMNS)
    head = 2 * LINE_PX + 3 * GAP_PX
    page = Image.new("RGB", (COLUMNS * cell_w + GAP_PX, head + rows * cell_h + GAP_PX), PAPER)
    pen = ImageDraw.Draw(page)
    title = _plain(count.label) + (f" ({count.group})" if count.group not in (None, count.label) else "")
    more = f", {len(tiles)} of them shown" if len(tiles) < count.total else ""
    pen.text((GAP_PX, GAP_PX), f"{title}: {count.total} photographs{more}", fill=INK, font=_font(14))
    counts: dict[PartName, str] = {part: f"{part} {getattr(count, part)}" for part in _parts(inspection)}
    _legend(pen, (GAP_PX, LINE_PX + 2 * GAP_PX), counts)
    for number, (sight, tag) in enumerate(tiles):
        row, column = divmod(number, COLUMNS)
        x, y = GAP_PX + column * cell_w, head + row * cell_h
        page.paste(_framed(sight, TILE_PX), (x, y))
        if tag:
            width = pen.textlength(tag, font=_font(11)) + 8
            pen.rectangle((x + FRAME_PX, y + FRAME_PX, x + FRAME_PX + width, y + FRAME_PX + LINE_PX), fill=ALARM)
            pen.text((x + FRAME_PX + 4, y + FRAME_PX + 1), tag, fill=PAPER, font=_font(11))
        caption = (x, y + TILE_PX + 2 * FRAME_PX)
        _write(pen, caption, sight.photo.path.name, colour=QUIET, width=TILE_PX + 2 * FRAME_PX)
    return page


def _framed(sight: Sight, side_px: int) -> "Image":
    """A photograph as a square tile in the frame of its part; one that cannot be read is a crossed-out grey one."""
    from PIL import Image, ImageDraw  # noqa: PLC0415 - only when something is drawn

    full = side_px + 2 * FRAME_PX
    tile = Image.new("RGB", (full, full), PART_COLOURS[sight.part])
    tile.paste((225, 225, 225), (FRAME_PX, FRAME_PX, FRAME_PX + side_px, FRAME_PX + side_px))
    try:
        image = _fitted(open_photo(sight.photo, least_px=side_px), side_px)
    except ShelfwatchError:
        pen = ImageDraw.Draw(tile)
        low, high = FRAME_PX + side_px // 4, FRAME_PX + side_px * 3 // 4
        pen.line((low, low, high, high), fill=ALARM, width=3)
        pen.line((low, high, high, low), fill=ALARM, width=3)
        return tile
    tile.paste(Image.fromarray(image), ((full - image.shape[1]) // 2, (full - image.shape[0]) // 2))
    return tile


def _fitted(image: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    """A photograph in its own proportions, as large as fits: (height, width, 3) uint8 RGB."""
    scale = side_px / max(image.shape[:2])
    size_wh = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST  # enlarged pixels show how few there are
    return cv2.cvtColor(cv2.resize(image, size_wh, interpolation=how), cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def _legend(pen: "ImageDraw", at: tuple[float, float], words: dict[PartName, str]) -> None:
    """What is said about the parts, beside their colours."""
    x, y = at
    for part, text in words.items():
        pen.rectangle((x, y + 3, x + 10, y + 13), fill=PART_COLOURS[part])
        pen.text((x + 15, y), text, fill=INK, font=_font(12))
        x += 15 + pen.textlength(text, font=_font(12)) + 18


def _write(pen: "ImageDraw", at: tuple[int, int], text: str, *, colour: Colour, width: int) -> None:
    """A line of text, without its middle where it is too long: what differs is at the end."""
    font, text = _font(11), _plain(text)
    kept = len(text)
    shown = text
    while pen.textlength(shown, font=font) > width and kept > 8:
        kept -= 1
        shown = f"{text[: kept // 3]}…{text[len(text) - (kept - kept // 3) :]}"
    pen.text(at, shown, fill=colour, font=font)


def _plain(text: str) -> str:
    """On one line, and not too long to draw."""
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:20] + "…" + text[-39:]


def _tags(inspection: Inspection) -> dict[int, str]:
    """What is written over a photograph, by its place: the worst that is to be said."""
    tags: dict[int, str] = {}
    for place, sight in enumerate(inspection.sights):
        if sight.problem:
            tags[place] = "unreadable"
        elif sight.short_px < TINY_PX:
            tags[place] = f"{sight.wh[0]}×{sight.wh[1]} px"
    for kind, words in (("near", "near double"), ("identical", "same file")):
        for double in inspection.doubles:
            if double.kind == kind:
                tags |= dict.fromkeys((double.first, double.second), words)
    return tags


def _chosen(places: Sequence[int], tags: dict[int, str]) -> list[int]:
    """All photographs of a class, or the marked ones and evenly chosen others, in their order."""
    if len(places) <= SHEET_AT_MOST:
        return list(places)
    marked = [place for place in places if place in tags][:SHEET_AT_MOST]
    others = [place for place in places if place not in tags]
    spread = np.linspace(0, len(others) - 1, SHEET_AT_MOST - len(marked)).round().astype(int).tolist()
    return sorted([*marked, *(others[at] for at in spread)])


def file_names(labels: Iterable[str]) -> list[str]:
    """Names that every file system takes, without suffix, one for each label, whatever stands in it.

    >>> file_names(["cola", "Cola", "a/b"])
    ['cola', 'Cola-2', 'a_b']
    """
    names: list[str] = []
    taken: set[str] = set()
    for label in labels:
        safe = "".join("_" if mark in '/\\:*?"<>|' or not mark.isprintable() else mark for mark in label)
        safe = name = safe.strip(". ")[:80] or "_"
        number = 1
        while name.casefold() in taken:
            number += 1
            name = f"{safe}-{number}"
        taken.add(name.casefold())
        names.append(name)
    return names


@cache
def _font(size_px: int) -> "FreeTypeFont":
    from matplotlib import get_data_path  # noqa: PLC0415 - only when something is drawn
    from PIL import ImageFont  # noqa: PLC0415

    return ImageFont.truetype(Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size_px)
