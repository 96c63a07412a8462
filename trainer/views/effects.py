"""What a shelf does to a product: things before it, light on it, and a camera that is not a good one.

Every effect takes and returns (size, size, 3) uint8 RGB, leaves what it was given alone, and draws its own place and
amount from the generator, up to what a person can still read. Lengths are fractions of the picture's side, so that an
effect looks the same at every size.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.views.clutter import hiding, price_tag

Pixels = NDArray[np.uint8]
Effect = Callable[[Pixels, np.random.Generator], Pixels]

COARSE = 4
"""Soft light is drawn at a quarter of the size: nobody sees the difference, and it takes a tenth of the time."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """How often each effect befalls a view: probabilities in 0..1, in the order in which light meets the effects.

    Attributes:
        hiding: A neighbour, a box or an arm hides a part.
        price_tag: A card stands along the lower or the upper edge.
        shadow: A part is darker, beyond an edge.
        lamp: The light is warmer, cooler or greener.
        glare: A reflection burns a part out.
        defocus: The lens is focused on something else.
        motion: Something moved while the shutter was open.
        noise: The sensor had too little light.
        jpeg: The camera compresses more than it should.
    """

    hiding: float = 0.0
    price_tag: float = 0.0
    shadow: float = 0.0
    lamp: float = 0.0
    glare: float = 0.0
    defocus: float = 0.0
    motion: float = 0.0
    noise: float = 0.0
    jpeg: float = 0.0


OPEN_AIR = Shelf()
"""No shelf at all: nothing happens to a product."""
STORE = Shelf(
    hiding=0.2, price_tag=0.15, shadow=0.2, lamp=0.25, glare=0.15, defocus=0.1, motion=0.1, noise=0.15, jpeg=0.2
)
"""A store: three views in four suffer from something."""


def more_often(shelf: Shelf, factor: float) -> Shelf:
    """The same effects, so many times as often, but never more often than always."""
    return replace(shelf, **{field.name: min(1.0, getattr(shelf, field.name) * factor) for field in fields(shelf)})


def on_shelf(image: Pixels, shelf: Shelf, rng: np.random.Generator) -> Pixels:
    """A product as it might look on a shelf.

    Args:
        image: (size, size, 3) uint8 RGB. Left as it is.
        shelf: How often each effect is applied.
        rng: Advanced, where any effect is possible.

    Returns:
        The same shape and type.
    """
    if shelf == OPEN_AIR:
        return image
    for (name, effect), chance in zip(EFFECTS.items(), rng.random(len(EFFECTS)).tolist(), strict=True):
        if chance < getattr(shelf, name):
            image = effect(image, rng)
    return image


def shadow(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Beyond a straight line, hard or soft, it is darker by a quarter to two thirds, as below the shelf above."""
    side_px = -(-len(image) // COARSE)
    angle = rng.uniform(0, 2 * np.pi)
    softness = rng.uniform(0.02, 0.4)
    steps = np.linspace(-0.5, 0.5, side_px, dtype=np.float32)
    beyond = np.cos(angle) * steps[None, :] + np.sin(angle) * steps[:, None] - rng.uniform(-0.25, 0.35)
    light = 1 - rng.uniform(0.25, 0.65) * (beyond / softness + 0.5).clip(0, 1)
    levels = _full((255 * light).astype(np.uint8), len(image))
    return cv2.multiply(image, levels, scale=1 / 255).astype(np.uint8, copy=False)


def lamp(image: Pixels, rng: np.random.Generator) -> Pixels:
    """A lamp of another colour: warm or cool by up to a third of an aperture, green or pink by a sixth."""
    warm, green = rng.uniform(-0.35, 0.35), rng.uniform(-0.15, 0.15)
    gains = 2.0 ** np.array([warm, green, -warm])
    table = (np.arange(256.0)[:, None] * gains).clip(0, 255).round().astype(np.uint8)
    return cv2.LUT(image, table[None]).astype(np.uint8, copy=False)


def glare(image: Pixels, rng: np.random.Generator) -> Pixels:
    """One or two bright ellipses or streaks with soft borders; what is too bright for the sensor is white."""
    side_px = -(-len(image) // COARSE)
    light = np.zeros((side_px, side_px), np.uint8)
    for _ in range(rng.integers(1, 3)):
        streak = rng.random() < 0.5
        length, width = rng.uniform(0.2, 0.6) if streak else rng.uniform(0.05, 0.25), rng.uniform(0.02, 0.08)
        axes = (max(1, round(length * side_px)), max(1, round((width if streak else length * 0.8) * side_px)))
        x, y = rng.uniform(0.1, 0.9, 2) * side_px
        cv2.ellipse(light, (round(x), round(y)), axes, rng.uniform(0, 180), 0, 360, float(rng.uniform(100, 240)), -1)
    light = cv2.GaussianBlur(light, (0, 0), max(0.5, rng.uniform(0.015, 0.06) * side_px)).astype(np.uint8, copy=False)
    return cv2.add(image, _full(light, len(image))).astype(np.uint8, copy=False)


def defocus(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Every point becomes a disc, of a radius up to a seventieth of the picture."""
    radius_px = max(0.8, rng.uniform(0.005, 0.015) * len(image))
    reach = int(np.ceil(radius_px))
    steps = np.arange(-reach, reach + 1, dtype=np.float32)
    disc = (radius_px + 0.5 - np.hypot(steps[None, :], steps[:, None])).clip(0, 1)
    return _filtered(image, disc)


def motion(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Every point becomes a line, of up to a twentieth of the picture, in some direction."""
    length_px = max(2.0, rng.uniform(0.01, 0.05) * len(image))
    angle = rng.uniform(0, np.pi)
    reach = int(np.ceil(length_px / 2))
    along = np.linspace(-length_px / 2, length_px / 2, 8 * reach + 1)
    line = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    rows, columns = np.rint(along * np.sin(angle)).astype(int), np.rint(along * np.cos(angle)).astype(int)
    np.add.at(line, (rows + reach, columns + reach), 1)
    return _filtered(image, line)


def noise(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Grain of 3 to 14 grey levels (standard deviation), the same in all colours or not."""
    grain = rng.standard_normal(image.shape[:2], dtype=np.float32) * np.float32(rng.uniform(3, 14))
    levels = np.rint(grain).astype(np.int16)
    # drawing takes long, and nobody sees that the grain of each colour is that of another, turned
    colours = [levels, levels, levels] if rng.random() < 0.5 else [levels, levels[::-1], levels[:, ::-1]]
    return cv2.add(image, cv2.merge(colours), dtype=cv2.CV_8U).astype(np.uint8, copy=False)


def jpeg(image: Pixels, rng: np.random.Generator) -> Pixels:
    """JPEG of quality 20 to 60, there and back."""
    quality = int(rng.integers(20, 61))
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])  # as if it were BGR, both ways
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), dtype=np.uint8)


EFFECTS: Mapping[str, Effect] = MappingProxyType(
    {
        "hiding": hiding,
        "price_tag": price_tag,
        "shadow": shadow,
        "lamp": lamp,
        "glare": glare,
        "defocus": defocus,
        "motion": motion,
        "noise": noise,
        "jpeg": jpeg,
    }
)
"""Every effect by its name in `Shelf`, in the order in which they are applied: things, light, lens, sensor, file."""


def _full(light: Pixels, side_px: int) -> Pixels:
    """Coarse light, (side, side) uint8, smoothly in full size and for every colour."""
    large = cv2.resize(light, (side_px, side_px), interpolation=cv2.INTER_LINEAR)
    return cv2.merge([large] * 3).astype(np.uint8, copy=False)


def _filtered(image: Pixels, kernel: NDArray[np.float32]) -> Pixels:
    mean = (kernel / kernel.sum()).astype(np.float32)
    return cv2.filter2D(image, -1, mean, borderType=cv2.BORDER_REPLICATE).astype(np.uint8, copy=False)
