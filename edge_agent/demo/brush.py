"""A brush for labels: shapes and words on a small picture, in fractions of its size."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]
"""Blue, green, red in 0..255."""

_SHIFT = 4  # OpenCV's fixed-point corners: sixteenths of a pixel

PLAIN = cv2.FONT_HERSHEY_DUPLEX
"""A sans serif face."""
SERIF = cv2.FONT_HERSHEY_TRIPLEX
"""A heavier face with serifs."""
SCRIPT = cv2.FONT_HERSHEY_SCRIPT_COMPLEX
"""A hand-written face."""


def bgr(code: str) -> Colour:
    """The colour of a web code.

    >>> bgr("#ff8000")
    (0, 128, 255)
    """
    return int(code[5:7], 16), int(code[3:5], 16), int(code[1:3], 16)


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """`one` with `share` (0..1) of `other` in it."""
    first, second, third = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return first, second, third


class Label:
    """A label to draw on: x and y are in 0..1 of its width and height, radii and line widths in 0..1 of its width."""

    def __init__(self, size_wh: tuple[int, int], ground: str) -> None:
        self.width_px, self.height_px = size_wh
        self.image: Pixels = np.full((self.height_px, self.width_px, 3), bgr(ground), dtype=np.uint8)

    def _points(self, points: Sequence[tuple[float, float]]) -> NDArray[np.int32]:
        scaled = np.asarray(points, dtype=np.float64) * [self.width_px, self.height_px] * (1 << _SHIFT)
        return np.round(scaled).astype(np.int32)

    def polygon(self, points: Sequence[tuple[float, float]], colour: str) -> None:
        """Fill the polygon through `points`."""
        cv2.fillPoly(self.image, [self._points(points)], bgr(colour), cv2.LINE_AA, _SHIFT)

    def band(self, top: float, bottom: float, colour: str) -> None:
        """Fill a band across the whole width."""
        self.polygon([(-0.1, top), (1.1, top), (1.1, bottom), (-0.1, bottom)], colour)

    def wave(self, y: float, colour: str, *, height: float = 0.04, waves: float = 1.0, phase: float = 0.0) -> None:
        """Fill everything below a wavy line at `y`; `height` is its amplitude and `waves` fit across the width."""
        x = np.linspace(-0.02, 1.02, 80)
        line = y + height * np.sin(2 * np.pi * (waves * x + phase))
        self.polygon([*zip(x.tolist(), line.tolist(), strict=True), (1.02, 1.1), (-0.02, 1.1)], colour)

    def fade(self, top: float, bottom: float, colour: str) -> None:
        """Let the ground fade into `colour` from `top` to `bottom`, and stay there."""
        rows = (np.arange(self.height_px) + 0.5) / self.height_px
        share = np.clip((rows - top) / (bottom - top), 0, 1)[:, None, None]
        faded = self.image * (1 - share) + np.asarray(bgr(colour)) * share
        self.image[:] = np.round(faded).astype(np.uint8)

    def disc(
        self, centre: tuple[float, float], radius: float, colour: str, *, flat: float = 1.0, turn_deg: float = 0.0
    ) -> None:
        """Fill a circle, or an ellipse whose second radius is `flat` times the first, turned clockwise."""
        angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        ring = np.stack([np.cos(angle), flat * np.sin(angle)]) * radius
        turn = np.deg2rad(turn_deg)
        x = centre[0] + ring[0] * np.cos(turn) - ring[1] * np.sin(turn)
        y = centre[1] + (ring[0] * np.sin(turn) + ring[1] * np.cos(turn)) * self.width_px / self.height_px
        self.polygon(list(zip(x.tolist(), y.tolist(), strict=True)), colour)

    def ball(self, centre: tuple[float, float], radius: float, colour: str, *, flat: float = 1.0) -> None:
        """A disc with a darker rim and a highlight: a fruit, a bean, a bubble."""
        base = bgr(colour)
        for step in range(6):
            tone = (
                mixed(mixed(base, (0, 0, 0), 0.28), base, step / 4) if step < 5 else mixed(base, (255, 255, 255), 0.5)
            )
            part = 1 - 0.13 * step if step < 5 else 0.17
            off = radius * (1 - part) * 0.45
            code = "#" + "".join(f"{level:02x}" for level in reversed(tone))
            place = (centre[0] - off, centre[1] - off * flat * self.width_px / self.height_px)
            self.disc(place, radius * part, code, flat=flat)

    def line(self, points: Sequence[tuple[float, float]], colour: str, width: float) -> None:
        """A line through `points`."""
        thick = max(1, round(width * self.width_px))
        cv2.polylines(self.image, [self._points(points)], False, bgr(colour), thick, cv2.LINE_AA, _SHIFT)  # noqa: FBT003

    def words(
        self,
        text: str,
        centre: tuple[float, float],
        colour: str,
        *,
        width: float,
        font: int = PLAIN,
        heavy: float = 1.0,
    ) -> None:
        """Words that fill `width`, centred; `heavy` scales the width of the strokes."""
        (unit_px, tall_px), _ = cv2.getTextSize(text, font, 1.0, 1)
        scale = width * self.width_px / max(1, unit_px)
        thick = max(1, round(heavy * 2.6 * scale))
        place = (
            round(centre[0] * self.width_px - unit_px * scale / 2),
            round(centre[1] * self.height_px + tall_px * scale / 2),
        )
        cv2.putText(self.image, text, place, font, scale, bgr(colour), thick, cv2.LINE_AA)
