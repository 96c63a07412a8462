"""What the agent's tests share: shelves, observations, a scripted classifier and its view, and small clips."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_agent.shelf import Observation, Shelf, Slot


def quad(left: float, top: float, right: float, bottom: float):
    """An upright rectangle as a quadrilateral."""
    return ((left, top), (right, top), (right, bottom), (left, bottom))


@pytest.fixture
def shelf() -> Shelf:
    """Four slots in a row: three of cola, one of milk."""
    products = ("cola", "cola", "cola", "milk")
    slots = tuple(
        Slot(f"s{n}", quad(n * 0.25, 0.2, (n + 1) * 0.25, 0.8), product) for n, product in enumerate(products)
    )
    return Shelf("a1", "cam1", slots)


def looks(labels: str | list[str], shelf: Shelf, *, confidence: float = 0.95) -> tuple[Observation, ...]:
    """Observations from short words: a label, or `!reason` for a slot that is unread."""
    names = labels.split() if isinstance(labels, str) else labels
    return tuple(
        Observation(slot.id, None, 0.0, name[1:]) if name.startswith("!") else Observation(slot.id, name, confidence)
        for slot, name in zip(shelf.slots, names, strict=True)
    )


COLOURS = {"cola": (0, 0, 220), "milk": (230, 230, 230), "empty": (60, 60, 60), "occluded": (120, 160, 210)}
"""What a product looks like in the painted clips, BGR."""


def by_colour(crops: np.ndarray) -> list[str]:
    """The script of a classifier that knows products by their colour."""
    means = crops[:, ::4, ::4, ::-1].reshape(len(crops), -1, 3).mean(axis=1)
    names = list(COLOURS)
    palette = np.asarray([COLOURS[name] for name in names])
    return [names[int(np.abs(palette - mean).sum(axis=1).argmin())] for mean in means]


def paint(labels: str, *, wh: tuple[int, int] = (320, 180)) -> np.ndarray:
    """A frame in which each quarter holds a product."""
    names = labels.split()
    image = np.full((wh[1], wh[0], 3), 90, np.uint8)
    for place, name in enumerate(names):
        left, right = wh[0] * place // len(names), wh[0] * (place + 1) // len(names)
        image[:, left:right] = COLOURS[name]
    return image


@pytest.fixture
def write_clip(tmp_path):
    """A function that writes frames to a clip and returns its path."""

    def write(frames: list[np.ndarray], *, fps: float = 10, name: str = "clip.mp4") -> Path:
        path = tmp_path / name
        height, width = frames[0].shape[:2]
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, (width, height))
        for frame in frames:
            writer.write(frame)
        writer.release()
        return path

    return write
