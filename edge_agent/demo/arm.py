"""A shopper's arm: sleeve, forearm, hand and fingers, drawn once per visit and look, then laid over the frame.

Sprite lengths are in frame heights. The arm is drawn pointing up; its anchor is the middle of the palm.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.demo.brush import Colour, Pixels, bgr

SPRITE_WH = (0.56, 1.75)
"""Size of the drawing, in frame heights."""
ANCHOR = (0.28, 0.24)
"""Where the palm is in it, in frame heights."""
_SHADOW = (0.030, 0.026)

_SKIN = ("#f6d3b8", "#eab894", "#c98b62", "#8d5a3a", "#5f3b28")
_SLEEVE = ("#2f4f7f", "#7b2d3a", "#3d6b4a", "#d9a441", "#5b5f66", "#e4e2dc", "#1f2328", "#8a5ba6", "#d46a4c")

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Arm:
    """How an arm looks: skin and sleeve (BGR), where the sleeve ends and where the elbow bends (frame heights)."""

    skin: Colour
    sleeve: Colour
    cuff: float
    bend: float
    striped: bool
    mirrored: bool


def random_arm(rng: np.random.Generator) -> Arm:
    """Somebody's arm."""
    return Arm(
        skin=bgr(_SKIN[rng.integers(len(_SKIN))]),
        sleeve=bgr(_SLEEVE[rng.integers(len(_SLEEVE))]),
        cuff=float(rng.uniform(0.17, 0.46)),
        bend=float(rng.uniform(-0.07, 0.07)),
        striped=bool(rng.uniform() < 0.35),
        mirrored=bool(rng.uniform() < 0.35),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Sprite:
    """An arm: `bgra` (h, w, 4) uint8, premultiplied, with its shadow, and `solid` (h, w) uint8, the arm alone."""

    bgra: Pixels
    solid: Pixels


class _Figure:
    """Rounded limbs on a transparent ground."""

    def __init__(self, scale_px: int) -> None:
        self.scale = scale_px
        width, height = (round(side * scale_px) for side in SPRITE_WH)
        self.image: Pixels = np.zeros((height, width, 3), dtype=np.uint8)
        self.solid: Pixels = np.zeros((height, width), dtype=np.uint8)

    def limb(
        self,
        ends: tuple[Point, Point],
        radii: Point,
        colour: Colour,
        *,
        stripes: float = 0.0,
        tip: bool = False,
        blunt: float = 1.0,
    ) -> None:
        """A tapered limb between two points (from the anchor), shaded like a cylinder, or like a ball at a `tip`.

        `stripes` is their distance in frame heights, 0 for none; `blunt` flattens the round ends that many times.
        """
        one, two = ((np.asarray(end) + ANCHOR) * self.scale for end in ends)
        first, last = radii[0] * self.scale, radii[1] * self.scale
        reach = max(first, last) + 2
        low = np.maximum(np.floor(np.minimum(one, two) - reach), 0).astype(int)
        high = np.minimum(np.ceil(np.maximum(one, two) + reach), [self.image.shape[1], self.image.shape[0]]).astype(int)
        x = np.arange(low[0], high[0], dtype=np.float32)[None, :] + 0.5 - one[0]
        y = np.arange(low[1], high[1], dtype=np.float32)[:, None] + 0.5 - one[1]
        run = two - one
        length = float(np.hypot(*run)) or 1.0
        run = run / length
        along = x * run[0] + y * run[1]
        aside = x * run[1] - y * run[0]
        share = np.clip(along / length, 0, 1)
        radius = first + (last - first) * share
        beyond = along - share * length
        far = np.sqrt(aside**2 + (beyond * blunt) ** 2)
        mask = np.clip(radius - far + 0.5, 0, 1)
        deep = far if tip else np.abs(aside)
        round_off = np.sqrt(np.clip(1 - (deep / radius) ** 2, 0, 1))
        tone = 0.52 + 0.50 * round_off + 0.13 * np.clip(aside / radius, -1, 1) * np.sign(run[1] or 1)
        if stripes:
            tone = tone * np.where(np.mod(along / self.scale, stripes) < stripes * 0.4, 0.72, 1.0)
        window = (slice(low[1], high[1]), slice(low[0], high[0]))
        lit = np.clip(tone[..., None] * np.asarray(colour, dtype=np.float32), 0, 255)
        part = self.image[window]
        part[:] = (part * (1 - mask[..., None]) + lit * mask[..., None]).astype(np.uint8)
        np.maximum(self.solid[window], (mask * 255).astype(np.uint8), out=self.solid[window])


def _tone(colour: Colour, factor: float) -> Colour:
    blue, green, red = (min(255, round(level * factor)) for level in colour)
    return blue, green, red


def _hand(figure: _Figure, skin: Colour, *, grip: bool) -> None:
    """Palm, thumb and four fingers, seen from behind; gripping bends them."""
    dark, light = _tone(skin, 0.93), _tone(skin, 1.04)
    figure.limb(((-0.052, 0.060), (-0.092, -0.004 if grip else -0.012)), (0.024, 0.019), dark)
    figure.limb(
        ((-0.092, -0.004), (-0.076 if grip else -0.108, -0.052 if grip else -0.066)), (0.019, 0.016), skin, tip=True
    )
    reach = (0.070, 0.082, 0.076, 0.058) if grip else (0.118, 0.138, 0.128, 0.100)
    for finger, length in enumerate(reach):
        x = -0.043 + 0.0287 * finger
        spread = x * (0.12 if grip else 0.42) + (0.0 if grip else 0.004)
        base, tip = (x, -0.012), (x + spread, -0.012 - length)
        middle = ((base[0] + tip[0]) / 2 + x * 0.05, (base[1] + tip[1]) / 2)
        figure.limb((base, middle), (0.0165, 0.0150), skin)
        figure.limb((middle, tip), (0.0150, 0.0122), light, tip=True)
        figure.limb((tip, (tip[0], tip[1] - 0.004)), (0.0072, 0.0066), _tone(skin, 1.16))
    figure.limb(((0.0, 0.005), (0.0, 0.080)), (0.061, 0.050), skin)
    for x, low in ((-0.030, 0.075), (-0.010, 0.085), (0.011, 0.085), (0.031, 0.075)):
        figure.limb(((x, 0.0), (x * 0.55, low * 0.7)), (0.0135, 0.006), _tone(skin, 1.03), tip=True)
    for finger in range(4):
        x = -0.043 + 0.0287 * finger
        figure.limb(((x, -0.012), (x * 0.9, 0.010)), (0.0148, 0.012), light, tip=True)


@lru_cache(maxsize=6)
def sprite(arm: Arm, scale_px: int, *, grip: bool) -> Sprite:
    """The picture of an arm for frames of `scale_px` pixels height, its hand open or gripping."""
    figure = _Figure(scale_px)
    elbow = (arm.bend, 0.62)
    figure.limb(((0.0, 0.075), elbow), (0.045, 0.070), arm.skin)
    _hand(figure, arm.skin, grip=grip)
    figure.limb(((0.0, 0.070), (arm.bend * 0.12, 0.16)), (0.044, 0.049), arm.skin)
    cuff = (arm.bend * (arm.cuff - 0.075) / 0.545, arm.cuff)
    stripes = 0.055 if arm.striped else 0.0
    thick = 0.066 + 0.03 * arm.cuff
    figure.limb((elbow, (arm.bend * 0.4, 1.6)), (0.095, 0.14), arm.sleeve, stripes=stripes)
    figure.limb((cuff, elbow), (thick, 0.095), arm.sleeve, stripes=stripes, blunt=3)
    figure.limb((cuff, (cuff[0], cuff[1] + 0.034)), (thick + 0.007, thick + 0.007), _tone(arm.sleeve, 0.84), blunt=3)
    image, solid = figure.image, figure.solid
    if arm.mirrored:
        image, solid = np.ascontiguousarray(image[:, ::-1]), np.ascontiguousarray(solid[:, ::-1])
    shift = np.asarray([[1, 0, _SHADOW[0] * scale_px], [0, 1, _SHADOW[1] * scale_px]])
    shadow = cv2.GaussianBlur(cv2.warpAffine(solid, shift, solid.shape[::-1]), (0, 0), 0.017 * scale_px) * 0.40
    share = solid.astype(np.float32)[..., None] / 255
    alpha = solid + shadow * (1 - share[..., 0])
    bgra = np.dstack([image * share, alpha]).round().astype(np.uint8)
    return Sprite(bgra, solid)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an arm is: its palm and its shoulder, as (x, y) in 0..1 of the frame, and what its hand does.

    `held` is a product with its variant. `sink` is how far the held piece has slid down from the hand, in frame
    heights.
    """

    palm: Point
    shoulder: Point
    grip: bool = False
    held: tuple[str, int] | None = None
    sink: float = 0.0


PIECE_ABOVE = 0.030
"""The middle of a held piece is this far above the palm, in frame heights."""


def matrix(place: Placement, frame_wh: tuple[int, int]) -> NDArray[np.float64]:
    """The affine map (2 × 3) from an arm's sprite to the frame, in pixels."""
    width, height = frame_wh
    palm = np.asarray(place.palm) * (width, height)
    run = palm - np.asarray(place.shoulder) * (width, height)
    run = run / (np.hypot(*run) or 1.0)
    turn = np.asarray([[-run[1], -run[0]], [run[0], -run[1]]])  # straight up is no turn
    return np.column_stack([turn, palm - turn @ (np.asarray(ANCHOR) * height)])


_HULL = ((-0.16, -0.17), (0.02, -0.20), (0.17, -0.15), (0.22, 0.25), (0.26, 1.4), (-0.22, 1.4), (-0.17, 0.2))


def in_frame(place: Placement, aspect: float) -> bool:
    """Whether anything of the arm, its shadow or the held piece can show; `aspect` is the frame's width over height."""
    size = (round(1000 * aspect), 1000)
    corners = (np.asarray(_HULL) + ANCHOR) * size[1]
    moved = corners @ matrix(place, size)[:, :2].T + matrix(place, size)[:, 2]
    frame = np.asarray([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], dtype=np.float32)
    if cv2.intersectConvexConvex(cv2.convexHull(moved.astype(np.float32)), frame)[0] > 0:
        return True
    if place.held is None:
        return False
    x, y = place.palm[0] * aspect, place.palm[1] + place.sink - PIECE_ABOVE
    return -0.14 < x < aspect + 0.14 and y - 0.17 < 1
