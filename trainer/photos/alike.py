"""Photographs that are nearly the same picture: by a perceptual hash first, and by how they look when small.

The hash is the one known as pHash: the signs of the lowest 8 × 8 cosine coefficients of a 32 × 32 grey picture about
their median (C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010). It finds
candidates; that two are alike is said only where their small colour pictures correlate as well. Bounds were set on the
Grocery Store photographs: a picture that was scaled, brightened, stored as a JPEG of quality 30 or cut by 2 % on each
side is found in 99 of 100 cases, and of 4.3 million pairs only takes of one scene a moment apart are named.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

SMALL_PX = 32
"""Side of the small picture that is hashed and compared."""
MOST_BITS = 10
"""Of the 64 bits of the hash, so many may differ."""
LEAST_CORRELATION = 0.85
"""Of the small colour pictures, each without its mean colour."""
MOST_LEVELS = 40.0
"""Grey levels (0..255) between the mean colours; brightness may differ, a product's colour may not."""
CANDIDATES = 16
"""Of each photograph, so many of the nearest hashes are looked at, so that a thousand equal ones end."""
BLOCK = 2**24
"""Distances that are held in memory at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A photograph for comparing: `bits` is (64,) bool, `small` is (32, 32, 3) uint8 BGR."""

    bits: NDArray[np.bool_]
    small: Pixels


@dataclass(frozen=True, slots=True)
class Alike:
    """Two photographs by their places, how many bits of their hashes differ, and how they correlate (-1..1)."""

    first: int
    second: int
    bits: int
    correlation: float


def look(image: Pixels) -> Look:
    """Make a photograph small, and hash it; `image` is (height, width, 3) uint8 BGR."""
    small = cv2.resize(image, (SMALL_PX, SMALL_PX), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.float32)
    low = cv2.dct(grey)[:8, :8].ravel()
    return Look(low > np.median(low[1:]), small)  # the first coefficient is the brightness


def near_pairs(bits: NDArray[np.bool_], small: Pixels, *, kinds: NDArray[np.int64]) -> list[Alike]:
    """Find the photographs that are nearly the same.

    Args:
        bits: (n, 64) hashes.
        small: (n, 32, 32, 3) uint8 BGR.
        kinds: (n,) what is looked at first where a photograph has too many candidates: those of another kind.

    Returns:
        Each pair once, in the order of places.
    """
    signs = bits.astype(np.float32) * 2 - 1
    found: dict[tuple[int, int], Alike] = {}
    for first, second, distance in _candidates(signs, kinds):
        pair = (min(first, second), max(first, second))
        if pair not in found and (correlation := _correlation(small[first], small[second])) >= LEAST_CORRELATION:
            found[pair] = Alike(*pair, distance, correlation)
    return [found[pair] for pair in sorted(found)]


def _candidates(signs: NDArray[np.float32], kinds: NDArray[np.int64]) -> list[tuple[int, int, int]]:
    """Pairs of places with their distances in bits; `signs` are (n, 64) of -1 and 1, so a product counts equal bits."""
    pairs: list[tuple[int, int, int]] = []
    rows, least = max(1, BLOCK // max(1, len(signs))), 64 - 2 * MOST_BITS
    for start in range(0, len(signs), rows):
        product = signs[start : start + rows] @ signs.T  # 64 less twice the bits that differ
        product[np.arange(len(product)), start + np.arange(len(product))] = -64  # itself
        for row in np.flatnonzero(product.max(axis=1) >= least):
            near = np.flatnonzero(product[row] >= least)
            same_kind = kinds[near] == kinds[start + row]
            chosen = near[np.lexsort((-product[row, near], same_kind))][:CANDIDATES]
            pairs += [(int(start + row), int(other), int(64 - product[row, other]) // 2) for other in chosen]
    return pairs


def _correlation(one: Pixels, other: Pixels) -> float:
    """How alike two small pictures are, -1..1, whatever their brightness and contrast; -1 for other mean colours."""
    a, b = one.reshape(-1, 3).astype(np.float32), other.reshape(-1, 3).astype(np.float32)
    if np.abs(a.mean(axis=0) - b.mean(axis=0)).max() > MOST_LEVELS:
        return -1.0
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    strength = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / strength if strength else float(a.any() == b.any())
