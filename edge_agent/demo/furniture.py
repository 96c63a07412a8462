"""The shelf itself: wall, boards, price tags, and the items that stand on it with their shadows, seen squarely."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from edge_agent.demo.brush import PLAIN, Colour, Pixels, mixed
from edge_agent.demo.camera import COLUMNS, FLAT_WH, LIP, MARGIN, ROWS, SHELF_XYXY, SLOT_WH, slot_xy
from edge_agent.demo.products import CATALOGUE, draw

CELL = 1.14
"""Width of the cell that a piece is drawn in, in slots: what leans over shows in its neighbour."""
_DEPTH = 15.0  # of a board's upper side that shows, in units
_SHADOW_EDGE = 26.0  # how far a shadow reaches past its piece's cell, in units


@dataclass(frozen=True, slots=True)
class Look:
    """The colours of a shelf: BGR in 0..255."""

    wall: Colour = (206, 214, 218)
    back: Colour = (104, 113, 120)
    board: Colour = (196, 206, 214)
    rail: Colour = (58, 52, 44)
    tag: Colour = (235, 247, 250)


def random_look(rng: np.random.Generator) -> Look:
    """A shelf in other colours: light or dark, warm or cold."""

    def tone(low: float, high: float) -> Colour:
        level, tint = rng.uniform(low, high), rng.normal(0, 8, 3)
        blue, green, red = (int(np.clip(level + part, 8, 250)) for part in tint)
        return blue, green, red

    return Look(tone(130, 225), tone(60, 175), tone(120, 225), tone(30, 200), (235, 247, 250))


@lru_cache(maxsize=512)
def piece(product: str, variant: int, scale: float) -> tuple[Pixels, Pixels]:
    """One piece of a product at `scale` pixels per unit: (h, w, 3) uint8 BGR and (h, w) uint8 alpha, read-only."""
    size_wh = (round(CELL * SLOT_WH[0] * scale), round((SLOT_WH[1] - 8) * scale))
    image, alpha = draw(product, size_wh, np.random.default_rng([variant, 77]))
    image.setflags(write=False)
    alpha.setflags(write=False)
    return image, alpha


def piece_xy(slot: int) -> tuple[float, float]:
    """The upper left corner of the cell of a piece that stands in a slot, in units."""
    left, top = slot_xy(slot)
    return left - (CELL - 1) / 2 * SLOT_WH[0], top + 8 - _DEPTH * 0.35


class _Sheet:
    """The flat picture at a scale: drawing in units."""

    def __init__(self, scale: float, ground: Colour) -> None:
        self.scale = scale
        size = (round((FLAT_WH[1] + 2 * MARGIN) * scale), round((FLAT_WH[0] + 2 * MARGIN) * scale), 3)
        self.image: Pixels = np.full(size, ground, dtype=np.uint8)

    def box(self, xyxy: tuple[float, float, float, float], colour: Colour) -> None:
        left, top, right, bottom = (round((value + MARGIN) * self.scale) for value in xyxy)
        self.image[max(0, top) : bottom, max(0, left) : right] = colour

    def slope(self, xyxy: tuple[float, float, float, float], first: Colour, last: Colour) -> None:
        """A box whose colour changes from its top to its bottom."""
        left, top, right, bottom = (round((value + MARGIN) * self.scale) for value in xyxy)
        share = np.linspace(0, 1, max(1, bottom - top))[:, None, None]
        self.image[top:bottom, left:right] = np.asarray(first) * (1 - share) + np.asarray(last) * share

    def words(self, text: str, xy: tuple[float, float], height: float, colour: Colour) -> None:
        """Words whose lower left corner is at `xy`, `height` units tall."""
        place = (round((xy[0] + MARGIN) * self.scale), round((xy[1] + MARGIN) * self.scale))
        tall_px = cv2.getTextSize("8", PLAIN, 1.0, 1)[0][1]
        size = height * self.scale / tall_px
        cv2.putText(self.image, text, place, PLAIN, size, colour, max(1, round(size * 2)), cv2.LINE_AA)


def bare(look: Look, planned: Sequence[str], scale: float) -> Pixels:
    """The empty shelf with the price tags of a planogram.

    Args:
        look: Its colours.
        planned: The product of each of the 24 slots.
        scale: Pixels per unit.

    Returns:
        The flat picture with its margin, uint8 BGR.
    """
    sheet = _Sheet(scale, look.wall)
    left, top, right, bottom = SHELF_XYXY
    dark = mixed(look.board, (0, 0, 0), 0.35)
    sheet.slope((-MARGIN, -MARGIN, FLAT_WH[0] + MARGIN, bottom), mixed(look.wall, (0, 0, 0), 0.1), look.wall)
    sheet.slope((-MARGIN, bottom, FLAT_WH[0] + MARGIN, FLAT_WH[1] + MARGIN), (72, 78, 84), (120, 128, 134))
    sheet.box((left - 14, -MARGIN, right + 14, bottom + 10), dark)
    sheet.box((left - 14, -MARGIN, left - 8, bottom + 10), look.board)
    sheet.slope((left, -MARGIN, right, top), mixed(look.rail, (255, 255, 255), 0.1), look.rail)
    sheet.box((left, top - 5, right, top), (250, 252, 255))
    for row in range(ROWS):
        _board(sheet, look, row)
        for column in range(COLUMNS):
            product = planned[row * COLUMNS + column]
            if column == 0 or planned[row * COLUMNS + column - 1] != product:
                _tag(sheet, look, row * COLUMNS + column, product)
    sheet.box((left, bottom - 6, right, bottom + 10), mixed(look.rail, (0, 0, 0), 0.4))
    return sheet.image


def _board(sheet: _Sheet, look: Look, row: int) -> None:
    """The back wall of a row, lit by a strip above it, its board, and the rail in front."""
    left, right = SHELF_XYXY[0], SHELF_XYXY[2]
    y = slot_xy(row * COLUMNS)[1]
    floor, base = y + SLOT_WH[1] - _DEPTH, y + SLOT_WH[1]
    top = SHELF_XYXY[1] if row == 0 else y
    sheet.slope((left, top, right, floor), mixed(look.back, (255, 255, 255), 0.42), mixed(look.back, (0, 0, 0), 0.30))
    sheet.slope(
        (left, top, right, top + 16), mixed(look.back, (0, 0, 0), 0.35), mixed(look.back, (255, 255, 255), 0.36)
    )
    for column in range(COLUMNS + 1):
        x = slot_xy(0)[0] + column * SLOT_WH[0]
        sheet.slope((x - 1, top + 14, x + 1, floor), look.back, mixed(look.back, (0, 0, 0), 0.45))
    sheet.slope((left, floor, right, base), mixed(look.board, (0, 0, 0), 0.38), look.board)
    sheet.box((left, base, right, base + 3), mixed(look.board, (255, 255, 255), 0.5))
    sheet.slope((left, base + 3, right, base + LIP - 4), mixed(look.rail, (255, 255, 255), 0.14), look.rail)
    sheet.box((left, base + LIP - 4, right, base + LIP), mixed(look.rail, (0, 0, 0), 0.5))


def _tag(sheet: _Sheet, look: Look, slot: int, product: str) -> None:
    """The price tag below a slot: name, price and bars."""
    x, y = slot_xy(slot)[0] + 12, slot_xy(slot)[1] + SLOT_WH[1] + 4
    known = CATALOGUE[product]
    sheet.box((x, y, x + 84, y + 25), look.tag)
    sheet.box((x, y, x + 84, y + 3.5), (40, 190, 250))
    sheet.words(f"{known.price_eur:.2f}", (x + 4, y + 21), 10.5, (30, 26, 200))
    sheet.words(known.name[:12], (x + 42, y + 11), 4.4, (60, 60, 60))
    for bar in range(11):
        if (bar * 7 + slot) % 3:
            sheet.box((x + 44 + bar * 3, y + 14, x + 45.6 + bar * 3, y + 22), (40, 40, 40))


def stocked(flat: Pixels, contents: Sequence[tuple[str, int] | None], scale: float) -> Pixels:
    """The shelf with what stands on it: a copy of the flat picture.

    Args:
        flat: From `bare`.
        contents: For each of the 24 slots a product and its variant (any whole number), or None.
        scale: Pixels per unit, as in `bare`.

    Returns:
        uint8 BGR of the size of `flat`.
    """
    image = flat.copy()
    here = [(slot, held) for slot, held in enumerate(contents) if held is not None]
    for slot, held in here:
        _darken(image, _shadow(*held, scale), slot, scale)
    for slot, held in here:
        x, y = piece_xy(slot)
        blend(image, *piece(*held, scale), (round((x + MARGIN) * scale), round((y + MARGIN) * scale)))
    return image


@lru_cache(maxsize=512)
def _shadow(product: str, variant: int, scale: float) -> Pixels:
    """What is left of the light (0..255, three times) behind and below a piece, with an edge all round."""
    alpha = piece(product, variant, scale)[1]
    tall, wide = alpha.shape
    edge = round(_SHADOW_EDGE * scale)
    outline = cv2.copyMakeBorder(alpha, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=(0,))
    foot = np.zeros_like(outline)
    centre = (edge + round(wide / 2 + 2 * scale), edge + round(tall - 2 * scale))
    cv2.ellipse(foot, centre, (round(0.40 * wide), round(9 * scale)), 0, 0, 360, (255,), -1)
    move = np.asarray([[1, 0, 10 * scale], [0, 1, -3 * scale]], dtype=np.float64)
    outline = cv2.warpAffine(outline, move, outline.shape[::-1])
    behind = cv2.GaussianBlur(outline, (0, 0), 5.5 * scale).astype(np.float32) / 255
    below = cv2.GaussianBlur(foot, (0, 0), 3.5 * scale).astype(np.float32) / 255
    left = np.round(255 * (1 - 0.42 * behind) * (1 - 0.62 * below)).astype(np.uint8)
    return cv2.merge([left] * 3).astype(np.uint8, copy=False)


def _darken(image: Pixels, left: Pixels, slot: int, scale: float) -> None:
    x, y = piece_xy(slot)
    at = (
        round((x + MARGIN) * scale) - round(_SHADOW_EDGE * scale),
        round((y + MARGIN) * scale) - round(_SHADOW_EDGE * scale),
    )
    part = image[at[1] : at[1] + left.shape[0], at[0] : at[0] + left.shape[1]]
    cv2.multiply(part, left, dst=part, scale=1 / 255)


def blend(image: Pixels, piece_bgr: Pixels, alpha: Pixels, xy: tuple[int, int]) -> None:
    """Put a piece onto a picture, in place, with its upper left corner at `xy` (pixels, inside the picture)."""
    tall, wide = alpha.shape
    part = image[xy[1] : xy[1] + tall, xy[0] : xy[0] + wide]
    share = cv2.merge([alpha] * 3)
    cover = cv2.multiply(piece_bgr, share, scale=1 / 255)
    cv2.multiply(part, cv2.bitwise_not(share), dst=part, scale=1 / 255)
    cv2.add(part, cover, dst=part)
