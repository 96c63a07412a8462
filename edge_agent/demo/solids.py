"""Packages from their labels: a label wrapped around a can, a bottle or a jar, or folded into a box, a carton, a bag.

The camera looks a bit from above and from the left, so round bodies show their lids and boxes a strip of their side.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.demo.brush import Pixels

Plane = NDArray[np.float32]

TILT = 0.10
"""How much of a round body's radius its rims rise, because the camera looks from above."""


@dataclass(frozen=True, slots=True)
class Round:
    """A body of revolution, in fractions of the cell it stands in.

    `wide` and `tall` are its largest width and its height, `profile` pairs of (depth 0..1 from the top, radius 0..1 of
    the largest). `gloss` is the strength of its highlight, 0..1, and `glow` how much light comes through, 0..1.
    """

    wide: float
    tall: float
    profile: tuple[tuple[float, float], ...]
    lid: tuple[int, int, int]
    gloss: float = 0.5
    glow: float = 0.0


@dataclass(frozen=True, slots=True)
class Folded:
    """A box, carton or bag, in fractions of the cell: its front is `wide` × `tall`.

    `gable` is the height of a carton's roof and `pinch` how much a bag narrows at its top, both 0 for a box.
    """

    wide: float
    tall: float
    gable: float = 0.0
    pinch: float = 0.0


def wrap(label: Pixels, body: Round, cell_wh: tuple[int, int], turn: float) -> tuple[Pixels, Pixels]:
    """A label around a round body that stands at the bottom of the cell.

    Args:
        label: (height, width, 3) uint8 BGR, half the circumference.
        body: The shape.
        cell_wh: Size of the result, in pixels.
        turn: How far the body is turned, in halves of its circumference, -0.5..0.5.

    Returns:
        (h, w, 3) uint8 BGR and (h, w) uint8 alpha.
    """
    width, height = cell_wh
    radius = body.wide * width / 2
    low = height - 1 - TILT * radius * 1.15
    top = max(TILT * radius, low - body.tall * height)
    x = (np.arange(width, dtype=np.float32) + 0.5 - width / 2)[None, :]
    y = (np.arange(height, dtype=np.float32) + 0.5)[:, None]
    depths, radii = np.asarray(body.profile, dtype=np.float32).T
    reach = np.interp((y - top) / (low - top), depths, radii).astype(np.float32) * radius  # (h, 1)
    across = x / np.maximum(reach, 1)
    inside = np.abs(across) <= 1
    across = np.clip(across, -1, 1)
    v = (y - top - TILT * reach * np.sqrt(1 - across**2)) / (low - top)
    mask = inside & (v >= 0) & (v <= 1)
    tall_px, wide_px = label.shape[:2]
    u = np.mod(np.arcsin(across) / np.pi + 0.5 + turn, 1.0) * (wide_px - 1)
    image = cv2.remap(
        label, u, (v * (tall_px - 1)).astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    lit = image.astype(np.float32) * _shade(across, body)[..., None]
    lit += (_highlight(across, v) * body.gloss * 255)[..., None]
    alpha = (mask * 255).astype(np.uint8)
    image = np.clip(lit, 0, 255).astype(np.uint8)
    _lid(image, alpha, (width / 2, top, float(radii[0]) * radius), body.lid)
    return image, alpha


def _shade(across: Plane, body: Round) -> Plane:
    """Brightness over a round body, lit from the left: `across` is -1..1 from its left to its right edge."""
    facing = np.sqrt(1 - np.minimum(across**2, 1))
    soft = 0.42 + 0.52 * facing - 0.20 * across + 0.06
    through = body.glow * 0.35 * np.abs(across) ** 3
    tone: Plane = np.clip(soft + through, 0.25, 1.12).astype(np.float32)
    return tone


def _highlight(across: Plane, v: Plane) -> Plane:
    """Two soft streaks of light along a round body, 0..1."""
    strong = 0.55 * np.exp(-(((across + 0.48) / 0.10) ** 2)) + 0.16 * np.exp(-(((across - 0.78) / 0.07) ** 2))
    ends = np.clip((v - 0.03) * 14, 0, 1) * np.clip((0.97 - v) * 9, 0, 1)
    streaks: Plane = (strong * ends * (0.75 + 0.25 * np.cos(v * 5))).astype(np.float32)
    return streaks


def _lid(image: Pixels, alpha: Pixels, ring: tuple[float, float, float], colour: tuple[int, int, int]) -> None:
    """The top of a round body, an ellipse; `ring` is (x, y, radius) in pixels."""
    x, y, radius = ring
    centre, axes = (round(x * 16), round(y * 16)), (round(radius * 16), round(TILT * radius * 16 + 8))
    rim = tuple(min(255, level + 45) for level in colour)
    cv2.ellipse(image, centre, axes, 0, 0, 360, rim, -1, cv2.LINE_AA, 4)
    cv2.ellipse(alpha, centre, axes, 0, 0, 360, (255,), -1, cv2.LINE_AA, 4)
    inner = (round(radius * 14), round(TILT * radius * 13))
    cv2.ellipse(image, centre, inner, 0, 0, 360, colour, -1, cv2.LINE_AA, 4)


def fold(label: Pixels, body: Folded, cell_wh: tuple[int, int]) -> tuple[Pixels, Pixels]:
    """A label as the front of a box, carton or bag that stands at the bottom of the cell.

    Args:
        label: (height, width, 3) uint8 BGR, the front.
        body: The shape.
        cell_wh: Size of the result, in pixels.

    Returns:
        (h, w, 3) uint8 BGR and (h, w) uint8 alpha.
    """
    width, height = cell_wh
    wide, side = body.wide * width, 0.075 * body.wide * width
    left = (width - wide + side) / 2
    right, low = left + wide, height - 2.0
    top = low - body.tall * height + (side * 0.5 if body.gable == 0 else body.gable * height)
    image: Pixels = np.zeros((height, width, 3), dtype=np.uint8)
    alpha: Pixels = np.zeros((height, width), dtype=np.uint8)
    pinch = body.pinch * wide
    front = np.asarray([[left + pinch, top], [right - pinch, top], [right, low], [left, low]], dtype=np.float32)
    rise = side * 0.55
    flank = np.asarray([[left - side, top - rise], [left + pinch, top], [left, low], [left - side, low - rise * 1.2]])
    if body.pinch == 0:
        _face(image, alpha, label[:, : max(2, label.shape[1] // 10)], flank, 0.55)
    if body.gable > 0:
        _roof(image, alpha, label, front, (body.gable * height, side))
    elif body.pinch == 0:
        roof = np.asarray([[left - side, top - rise], [right - side, top - rise], [right, top], [left, top]])
        _face(image, alpha, label[: max(2, label.shape[0] // 40)], roof, 1.18)
    _face(image, alpha, _pillow(label) if body.pinch > 0 else _flat(label), front, 1.0)
    return image, alpha


def _face(image: Pixels, alpha: Pixels, label: Pixels, corners: NDArray[np.floating], tone: float) -> None:
    """Warp a picture onto four corners, at `tone` of its brightness."""
    corners = np.asarray(corners, dtype=np.float32)
    tall, wide = label.shape[:2]
    source = np.asarray([[0, 0], [wide, 0], [wide, tall], [0, tall]], dtype=np.float32)
    size = (image.shape[1], image.shape[0])
    matrix = cv2.getPerspectiveTransform(source, corners)
    warped = cv2.warpPerspective(label, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    patch = np.zeros_like(alpha)
    cv2.fillPoly(patch, [np.round(corners * 16).astype(np.int32)], (255,), cv2.LINE_AA, 4)
    toned = cv2.convertScaleAbs(warped, alpha=tone)
    image[patch > 127] = toned[patch > 127]
    cv2.max(alpha, patch, alpha)


def _flat(label: Pixels) -> Pixels:
    """A flat front: a little brighter at the upper left, darker at its right and lower edges."""
    tall, wide = label.shape[:2]
    x, y = np.linspace(0, 1, wide)[None, :, None], np.linspace(0, 1, tall)[:, None, None]
    tone = 1.06 - 0.10 * x - 0.10 * y - 0.25 * np.exp(-(1 - x) / 0.012) - 0.12 * np.exp(-x / 0.01)
    return np.clip(label * tone, 0, 255).astype(np.uint8)


def _pillow(label: Pixels) -> Pixels:
    """A soft bag: rounded towards its sides, with creases and a glossy streak."""
    tall, wide = label.shape[:2]
    x, y = np.linspace(-1, 1, wide)[None, :], np.linspace(0, 1, tall)[:, None]
    tone = 0.55 + 0.5 * np.sqrt(np.clip(1 - x**2 * 0.92, 0, 1)) - 0.12 * x
    tone = tone * np.where((y < 0.09) & (np.mod(y * 60, 1) < 0.4), 0.75, 1.0)
    shine = 46 * np.exp(-(((x + 0.62 - 0.10 * np.sin(6 * y)) / 0.07) ** 2)) * np.clip((y - 0.12) * 8, 0, 1)
    bag: Pixels = np.clip(label * tone[..., None] + shine[..., None], 0, 255).astype(np.uint8)
    return bag


def _roof(image: Pixels, alpha: Pixels, label: Pixels, front: NDArray[np.float32], size: tuple[float, float]) -> None:
    """A carton's gable and its seam, above the front; `size` is (gable height, side width) in pixels."""
    gable, side = size
    (left, top), (right, _) = front[0], front[1]
    plain = label[: max(2, label.shape[0] // 24)]
    slope = [
        [left + side * 0.2, top - gable * 0.68],
        [right - side * 0.9, top - gable * 0.68],
        [right, top],
        [left, top],
    ]
    flank = [[left - side, top - side * 0.55], [left + side * 0.2, top - gable * 0.68], [left, top], [left, top]]
    _face(image, alpha, plain, np.asarray(flank, dtype=np.float32), 0.60)
    _face(image, alpha, plain, np.asarray(slope, dtype=np.float32), 0.86)
    seam = np.asarray(slope, dtype=np.float32)
    seam[2], seam[3] = seam[1], seam[0]
    seam[:2, 1] -= gable * 0.30
    _face(image, alpha, plain, seam, 1.0)
