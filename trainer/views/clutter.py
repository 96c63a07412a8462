"""What stands before a product: a neighbour, an arm, a box, a price tag.

As in `effects`, a picture is (size, size, 3) uint8 RGB, and what is given is left alone.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

CARDS_RGB = ((250, 250, 245), (250, 250, 245), (255, 222, 60), (225, 45, 40))
"""Price tags: white, and now and then yellow or red."""
ARMS_RGB = ((224, 172, 140), (141, 85, 54), (35, 40, 60), (200, 200, 205), (30, 90, 60))
"""Skin, and the sleeves of shoppers and staff."""


def hiding(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Something stands before a part, at most a third: a neighbour at a side, an arm, or a box anywhere."""
    out = image.copy()
    mirrored = out[:, ::-1] if rng.random() < 0.5 else out  # what is drawn there appears at the other side
    (_neighbour, _arm, _box)[rng.integers(3)](mirrored, rng)
    return out


def _neighbour(picture: Pixels, rng: np.random.Generator) -> None:
    """Another product leans in: a piece of this picture in other colours, and a dark gap beside it."""
    side_px = len(picture)
    width_px, top_px = _px(rng, (0.08, 0.3), side_px), _px(rng, (-0.4, 0.4), side_px)
    start = int(rng.integers(side_px - width_px + 1))
    other = np.roll(picture[:, start : start + width_px], int(rng.integers(1, 3)), axis=2)
    gap = picture[max(0, top_px) :, width_px : width_px + max(1, side_px // 60)]
    gap[:] = gap // 3
    picture[max(0, top_px) :, :width_px] = other[: side_px - max(0, top_px)]


def _arm(picture: Pixels, rng: np.random.Generator) -> None:
    """Somebody reaches in from a side, above or below: a bar that gets thinner, lit from above, with a round end."""
    side_px = len(picture)
    angle = rng.uniform(-1.2, 1.2)
    hand = np.array([rng.uniform(0.15, 0.6), rng.uniform(0.1, 0.9)]) * side_px
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    thick_px = rng.uniform(0.05, 0.11) * side_px
    elbow = hand - 1.5 * side_px * along
    colour = np.array(ARMS_RGB[rng.integers(len(ARMS_RGB))]) * rng.uniform(0.6, 1.1)
    drawn = picture.copy()  # OpenCV draws on nothing that is mirrored
    for shade, offset, width in ((0.75, 0.0, 1.0), (1.0, -0.15, 0.75)):
        rgb = tuple((colour * shade).clip(0, 255).tolist())
        end = hand + offset * thick_px * across
        start = elbow + offset * thick_px * across
        corners = [end - width * thick_px * across, end + width * thick_px * across]
        corners += [start + 1.6 * width * thick_px * across, start - 1.6 * width * thick_px * across]
        cv2.fillConvexPoly(drawn, np.rint(corners).astype(np.int32), rgb, cv2.LINE_AA)
        cv2.circle(drawn, _point(end), max(1, round(width * thick_px)), rgb, -1, cv2.LINE_AA)
    picture[:] = drawn


def _box(picture: Pixels, rng: np.random.Generator) -> None:
    """A flat thing of one colour, brighter towards one end, such as a carton or a sign."""
    side_px = len(picture)
    width_px, height_px = _px(rng, (0.15, 0.5), side_px), _px(rng, (0.15, 0.5), side_px)
    left, top = _px(rng, (-0.1, 0.9), side_px), _px(rng, (-0.1, 0.9), side_px)
    part = picture[max(0, top) : max(0, top + height_px), max(0, left) : max(0, left + width_px)]
    colour = rng.integers(20, 235) + rng.integers(-60, 61, 3)  # cartons are seldom of pure colours
    light = np.linspace(rng.uniform(0.7, 1.1), rng.uniform(0.7, 1.1), part.shape[1])[:, None]
    part[:] = (colour * light).clip(0, 255).astype(np.uint8)


def price_tag(image: Pixels, rng: np.random.Generator) -> Pixels:
    """A card with a price, a name and a bar code, slightly askew, along the lower or the upper edge."""
    side_px = len(image)
    width_px, height_px = _px(rng, (0.3, 0.7), side_px), _px(rng, (0.12, 0.22), side_px)
    card = _card(width_px, height_px, rng)
    angle = np.deg2rad(rng.uniform(-4, 4))
    left = rng.uniform(-0.1, 1.1 - width_px / side_px) * side_px
    hanging = rng.uniform(0.5, 1.0) * height_px  # so much of it is seen
    top = side_px - hanging if rng.random() < 0.7 else hanging - height_px
    place = np.array([[np.cos(angle), -np.sin(angle), left], [np.sin(angle), np.cos(angle), top]])
    out = image.copy()
    cv2.warpAffine(card, place, (side_px, side_px), dst=out, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT)
    return out


def _card(width_px: int, height_px: int, rng: np.random.Generator) -> Pixels:
    """A price tag by itself, (height, width, 3) uint8 RGB."""
    card = np.empty((height_px, width_px, 3), np.uint8)
    ground = np.array(CARDS_RGB[rng.integers(len(CARDS_RGB))]) * rng.uniform(0.75, 1.0)
    card[:] = ground.astype(np.uint8)
    ink = (255, 255, 255) if ground[1] < 80 else (25, 25, 30)
    for row, length in zip((0.18, 0.38), rng.uniform(0.2, 0.45, 2), strict=True):  # the name, unreadable
        y, thick = round(row * height_px), max(1, height_px // 10)
        cv2.line(card, (width_px // 16, y), (round((0.06 + length) * width_px), y), ink, thick)
    bars = rng.random(max(2, width_px // 5)) < 0.5
    code = np.repeat(bars, 2)[: max(1, round(0.4 * width_px))]
    top, left = round(0.58 * height_px), width_px // 16
    card[top : round(0.88 * height_px), left : left + len(code)][:, code[: width_px - left]] = ink
    price = f"{rng.integers(20)}.{rng.integers(10)}9"
    scale = height_px / 34
    (text_px, _), _ = cv2.getTextSize(price, cv2.FONT_HERSHEY_DUPLEX, scale, 1)
    scale *= min(1.0, 0.45 * width_px / text_px)
    thick = max(1, round(2 * scale))
    at = (round(0.52 * width_px), round(0.8 * height_px))
    cv2.putText(card, price, at, cv2.FONT_HERSHEY_DUPLEX, scale, ink, thick, cv2.LINE_AA)
    return card


def _px(rng: np.random.Generator, fractions: tuple[float, float], side_px: int) -> int:
    """A random length in whole pixels, from the least to the greatest fraction of a side."""
    return round(rng.uniform(*fractions) * side_px)


def _point(at: NDArray[np.float64]) -> tuple[int, int]:
    return round(float(at[0])), round(float(at[1]))
