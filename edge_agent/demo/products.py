"""The products of the simulated shop, drawn from nothing: eighteen packages, among them pairs that look alike."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from edge_agent.demo import artwork, pantry
from edge_agent.demo.brush import Label, Pixels
from edge_agent.demo.solids import Folded, Round, fold, wrap

_CAN = Round(0.72, 0.86, ((0, 0.84), (0.025, 0.86), (0.10, 1), (0.93, 1), (1, 0.86)), (178, 172, 166), gloss=0.62)
_TIN = Round(
    0.80, 0.80, ((0, 1), (0.05, 1), (0.075, 0.97), (0.93, 0.97), (0.95, 1), (1, 1)), (182, 178, 172), gloss=0.34
)
_BOTTLE = Round(
    0.54, 0.96,
    ((0, 0.38), (0.09, 0.38), (0.095, 0.44), (0.11, 0.34), (0.16, 0.40), (0.24, 0.72), (0.32, 0.95), (0.40, 1),
     (0.75, 1), (0.80, 0.93), (0.86, 0.97), (0.96, 1), (1, 0.92)),
    (230, 225, 220), gloss=0.55, glow=0.9,
)  # fmt: skip
_TEA = Round(
    0.58, 0.93,
    ((0, 0.36), (0.09, 0.36), (0.12, 0.33), (0.18, 0.45), (0.30, 0.90), (0.38, 0.98), (0.76, 0.98), (0.80, 1),
     (0.95, 1), (1, 0.88)),
    (70, 130, 60), gloss=0.50, glow=0.6,
)  # fmt: skip
_JAR = Round(
    0.76, 0.78, ((0, 0.90), (0.18, 0.92), (0.20, 0.86), (0.25, 0.90), (0.31, 1), (0.92, 1), (1, 0.90)), (176, 186, 205),
    gloss=0.58, glow=0.5,
)  # fmt: skip
_CARTON = Folded(0.60, 0.97, gable=0.15)
_BOX = Folded(0.80, 0.97)
_PASTA = Folded(0.72, 0.93)
_BAG = Folded(0.74, 0.92, pinch=0.035)


@dataclass(frozen=True, slots=True)
class Product:
    """A product: its stock keeping unit, its name for people, and its price in euro."""

    id: str
    name: str
    price_eur: float
    body: Round | Folded
    label: Callable[[], Label]


_CATALOGUE = (
    Product("cola-can", "Koko Cola", 1.19, _CAN, lambda: artwork.cola("#ffffff", "#cf1126", "#ffffff", "COLA")),
    Product("cola-zero-can", "Koko Cola zero", 1.19, _CAN,
            lambda: artwork.cola("#e8b923", "#1b1b1f", "#ffffff", "ZERO")),
    Product("orange-soda-can", "Orangino", 1.09, _CAN, artwork.orange_soda),
    Product("still-water", "Alpina still", 0.79, _BOTTLE, lambda: artwork.water("#1769b5", "#1769b5", "STILL")),
    Product("sparkling-water", "Alpina sparkling", 0.79, _BOTTLE, lambda: artwork.water("#d12f45", "#d12f45", "SPARK")),
    Product("lemon-tea", "Sunny lemon tea", 1.49, _TEA, artwork.lemon_tea),
    Product("milk-whole", "Whole milk", 1.29, _CARTON, lambda: artwork.milk("#1f5fbf", "WHOLE", "3.8 %")),
    Product("milk-skim", "Skim milk", 1.19, _CARTON, lambda: artwork.milk("#e0558e", "SKIM", "0.1 %")),
    Product("orange-juice", "Orange juice", 2.49, _CARTON, artwork.orange_juice),
    Product("corn-flakes", "Crunch corn", 2.99, _BOX, lambda: pantry.cereal("#1f7fd1", "#f2b33d", "Corn", "CRUNCH")),
    Product("choco-flakes", "Crunch choco", 3.29, _BOX, lambda: pantry.cereal("#6a3fa0", "#6b3a1e", "Choco", "CRUNCH")),
    Product("coffee", "Moro espresso", 6.99, _BAG, pantry.coffee),
    Product("tomato-soup", "Nonna tomato", 1.89, _TIN, lambda: artwork.soup("#c62a1d", "TOMATO", "#e8432e")),
    Product("bean-soup", "Nonna bean", 1.89, _TIN, lambda: artwork.soup("#3f7d3a", "BEAN", "#efe0b0")),
    Product("strawberry-jam", "Strawberry jam", 2.79, _JAR,
            lambda: artwork.jam("#e02438", "#a3142a", "Strawberry", "#d43a4a")),
    Product("apricot-jam", "Apricot jam", 2.79, _JAR, lambda: artwork.jam("#ff9d2e", "#e07a14", "Apricot", "#f08c2e")),
    Product("penne", "Bella penne", 1.39, _PASTA, lambda: pantry.pasta("#15438f", twisted=False)),
    Product("fusilli", "Bella fusilli", 1.39, _PASTA, lambda: pantry.pasta("#a3211f", twisted=True)),
)  # fmt: skip

CATALOGUE = {product.id: product for product in _CATALOGUE}
"""All products by their id."""

PRODUCTS = tuple(CATALOGUE)
"""The ids of all products."""

LOOK_ALIKES = (
    ("cola-can", "cola-zero-can"),
    ("still-water", "sparkling-water"),
    ("milk-whole", "milk-skim"),
    ("corn-flakes", "choco-flakes"),
    ("tomato-soup", "bean-soup"),
    ("strawberry-jam", "apricot-jam"),
    ("penne", "fusilli"),
)
"""Products that differ in a colour or a band only."""


@lru_cache(maxsize=64)
def _label(product: str) -> Pixels:
    """The front of a product, (height, width, 3) uint8 BGR; drawn once, since only its package varies."""
    image = CATALOGUE[product].label().image
    image.setflags(write=False)
    return image


def draw(product: str, size_wh: tuple[int, int], rng: np.random.Generator) -> tuple[Pixels, Pixels]:
    """One piece of a product, standing at the bottom of its cell, a little different each time.

    Args:
        product: An id of `PRODUCTS`.
        size_wh: Size of the cell, in pixels; the piece fills about 0.55 to 0.85 of its width.
        rng: Decides how the piece is turned, tilted (up to 2.5 degrees), placed (up to 3 % aside) and toned.

    Returns:
        (h, w, 3) uint8 BGR, and (h, w) uint8 alpha, 0 outside the piece.

    Raises:
        KeyError: There is no such product.
    """
    body = CATALOGUE[product].body
    turn, tilt_deg, aside, tone = (
        rng.uniform(-0.09, 0.09),
        rng.normal(0, 0.8),
        rng.uniform(-0.03, 0.03),
        rng.normal(1, 0.03),
    )
    warmth = rng.normal(0, 0.012)
    fine = 3 if size_wh[1] < 220 else 2
    large_wh = (size_wh[0] * fine, size_wh[1] * fine)
    label = _label(product)
    image, alpha = wrap(label, body, large_wh, turn) if isinstance(body, Round) else fold(label, body, large_wh)
    foot = (large_wh[0] / 2, large_wh[1] - 1.0)
    matrix = cv2.getRotationMatrix2D(foot, float(np.clip(tilt_deg, -2.5, 2.5)), 1.0)
    matrix[0, 2] += aside * large_wh[0]
    turned = cv2.warpAffine(image, matrix, large_wh, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpAffine(alpha, matrix, large_wh, flags=cv2.INTER_LINEAR)
    toned = cv2.multiply(turned, np.asarray([tone * (1 - warmth), tone, tone * (1 + warmth), 0.0]))
    return _shrunk(toned.astype(np.uint8, copy=False), mask.astype(np.uint8, copy=False), size_wh)


def _shrunk(image: Pixels, alpha: Pixels, size_wh: tuple[int, int]) -> tuple[Pixels, Pixels]:
    """Average to the final size, weighted by alpha, so that the edge keeps the colour of the piece."""
    weight = alpha.astype(np.float32) / 255
    small_weight = cv2.resize(weight, size_wh, interpolation=cv2.INTER_AREA)
    colour = cv2.resize(image * weight[..., None], size_wh, interpolation=cv2.INTER_AREA)
    colour = colour / np.maximum(small_weight, 1e-3)[..., None]
    return np.clip(colour, 0, 255).astype(np.uint8), np.round(small_weight * 255).astype(np.uint8)
