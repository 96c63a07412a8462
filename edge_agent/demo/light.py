"""Light and noise: clouds, a lamp that fails now and then, a camera that adapts, and a sensor that is never quiet.

The light in the frame is a sum of two fixed fields, the shop's lamps and a window, each times a level that changes.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.demo.brush import Pixels

Field = NDArray[np.float32]
_SEGMENT_S = 40.0  # in each of these stretches a lamp may go off or on once
_ADAPT_S = 1.4  # time constant of the camera's exposure


@dataclass(frozen=True, slots=True)
class Levels:
    """How strong the lamps and the window are; both at 0.5 is an ordinary day."""

    lamp: float
    window: float


def fields(frame_wh: tuple[int, int], rng: np.random.Generator) -> tuple[Field, Field]:
    """The lamps' and the window's light over the frame: two (height, width, 3) float32.

    Where levels times fields add up to 1, a picture keeps its colours. `rng` decides where the window is, how warm the
    lamps are, and how much the lens darkens its corners.
    """
    x, y = np.meshgrid(np.linspace(-1, 1, 48), np.linspace(-1, 1, 27))
    lens = 1 - rng.uniform(0.10, 0.20) * (x**2 + y**2)
    spot = rng.uniform(-0.4, 0.4)
    lamp = (1.24 - 0.16 * (x - spot) ** 2 - 0.12 * y) * lens
    side = rng.choice([-1.0, 1.0], p=[0.7, 0.3])
    window = (1.18 + side * rng.uniform(0.16, 0.30) * x - 0.05 * y) * lens
    warm, cool = rng.uniform(0.02, 0.07), rng.uniform(0.01, 0.06)
    tints = ((1 - warm, 1.0, 1 + warm), (1 + cool, 1.0, 1 - cool))
    made = []
    for plane, tint in zip((lamp, window), tints, strict=True):
        small = (plane[..., None] * np.asarray(tint)).astype(np.float32)
        made.append(cv2.resize(small, frame_wh, interpolation=cv2.INTER_CUBIC).astype(np.float32, copy=False))
    return made[0], made[1]


def levels(seed: int, t_s: float) -> Levels:
    """The light at a time: a function of the seed and of the time alone.

    Args:
        seed: Any whole number.
        t_s: Seconds, 0 or more.
    """
    waves = np.random.default_rng([seed, 3])
    slow = sum(
        waves.uniform(0.05, 0.11) * np.sin(2 * np.pi * t_s / period + waves.uniform(0, 6.3))
        for period in (97.0, 41.0, 23.0)
    )
    window = 0.5 * float(1 + slow)
    now, before, since_s = _lamp(seed, t_s)
    adapted = now + (before - now) * float(np.exp(-since_s / _ADAPT_S))
    gain = float((1.0 / (adapted + window)) ** 0.62)
    flicker = 1 + 0.006 * float(np.sin(2 * np.pi * 49.3 * t_s))
    return Levels(now * gain * flicker, window * gain)


def _lamp(seed: int, t_s: float) -> tuple[float, float, float]:
    """The lamps' level, the one before, and the seconds since it changed."""
    segment = int(t_s // _SEGMENT_S)

    def of(index: int) -> tuple[float, float]:
        """A segment's level, and the second in it from which it holds."""
        if index <= 0:
            return 0.5, 0.0
        rng = np.random.default_rng([seed, 4, index])
        return float(rng.choice([0.5, 0.24, 0.66], p=[0.62, 0.24, 0.14])), float(rng.uniform(4, _SEGMENT_S - 8))

    level, from_s = of(segment)
    earlier, earlier_from_s = of(segment - 1)
    into_s = t_s - segment * _SEGMENT_S
    if into_s >= from_s:
        return level, earlier, into_s - from_s
    return earlier, of(segment - 2)[0], into_s + _SEGMENT_S - earlier_from_s


class Noise:
    """A sensor's noise, made once and shifted for every frame."""

    def __init__(self, frame_wh: tuple[int, int], sigma: float, seed: int) -> None:
        """Make a bank of noise of `sigma` grey levels (0..255) for frames of `frame_wh` pixels."""
        self._room = 61
        size = (frame_wh[1] + self._room, frame_wh[0] + self._room, 3)
        rng = np.random.default_rng([seed, 5])
        grain = rng.standard_normal(size, dtype=np.float32)
        grain = 0.6 * grain + 0.6 * rng.standard_normal((*size[:2], 1), dtype=np.float32)
        grain = cv2.GaussianBlur(grain, (0, 0), 0.55).astype(np.float32, copy=False)
        grain *= sigma / float(grain.std())
        self._brighter: Pixels = np.round(np.clip(grain, 0, 255)).astype(np.uint8)
        self._darker: Pixels = np.round(np.clip(-grain, 0, 255)).astype(np.uint8)

    def add(self, image: Pixels, key: int) -> None:
        """Add the noise of a frame, in place; the same `key` gives the same noise."""
        shift_x, shift_y = (key * 2654435761 >> 7) % self._room, (key * 40503 + 977) % self._room
        height, width = image.shape[:2]
        window = (slice(shift_y, shift_y + height), slice(shift_x, shift_x + width))
        cv2.add(image, self._brighter[window], dst=image)
        cv2.subtract(image, self._darker[window], dst=image)
