"""Tiny photographs of things that are easy to tell apart, and small recipes to learn them with."""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

Draw = Callable[..., Path]
COLOURS = ((40, 40, 220), (60, 200, 60), (220, 120, 30))
"""BGR of the first, second and third class."""


def picture(kind: int, rng: np.random.Generator, *, side_px: int = 48) -> NDArray[np.uint8]:
    """A disc, a square or a cross in a colour of its own on a noisy ground: (side, side, 3) uint8 BGR."""
    image = rng.integers(90, 150, (side_px, side_px, 3)).astype(np.uint8)
    x, y = (int(value) for value in rng.integers(side_px * 2 // 5, side_px * 3 // 5, 2))
    radius = int(rng.integers(side_px // 5, side_px // 3))
    if kind == 0:
        cv2.circle(image, (x, y), radius, COLOURS[0], -1)
    elif kind == 1:
        cv2.rectangle(image, (x - radius, y - radius), (x + radius, y + radius), COLOURS[1], -1)
    else:
        cv2.line(image, (x - radius, y), (x + radius, y), COLOURS[2], 6)
        cv2.line(image, (x, y - radius), (x, y + radius), COLOURS[2], 6)
    return image


@pytest.fixture
def draw_classes(tmp_path: Path) -> Draw:
    """A function that fills a folder per class with PNGs and returns the folder above."""

    def draw(names: Sequence[str], count: int, *, folder: str = "photographs", seed: int = 0) -> Path:
        root = tmp_path / folder
        rng = np.random.default_rng(seed)
        for kind, name in enumerate(names):
            (root / name).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                cv2.imwrite(str(root / name / f"{number:03}.png"), picture(kind, rng))
        return root

    return draw
