"""Where the camera stands: from the flat shelf to the frame, and the slots as the camera sees them.

The shelf is drawn flat, in units of which 1200 × 675 fill a frame when the camera faces it squarely. A `Pose` says
where that rectangle lands in the frame; everything else follows from its homography.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.shelf import Quad

ROWS = 3
"""Boards of the shelf."""
COLUMNS = 8
"""Facings on a board."""
SLOTS = ROWS * COLUMNS
"""Facings in all, counted row by row from the upper left."""

FLAT_WH = (1200.0, 675.0)
"""The flat picture that a square camera would see, in units."""
MARGIN = 150.0
"""What is drawn around it, in units, because a slanted camera sees past its edges."""
SHELF_XYXY = (62.0, 34.0, 1138.0, 652.0)
"""The shelf with its side panels, in units."""
SLOT_WH = (130.0, 168.0)
"""One facing, in units."""
LIP = 34.0
"""Height of the rail with the price tags below each row, in units."""

_FIRST_X = (FLAT_WH[0] - COLUMNS * SLOT_WH[0]) / 2
_FIRST_Y = 44.0


def slot_xy(slot: int) -> tuple[float, float]:
    """The upper left corner of a slot (0..23) on the flat shelf, in units."""
    row, column = divmod(slot, COLUMNS)
    return _FIRST_X + column * SLOT_WH[0], _FIRST_Y + row * (SLOT_WH[1] + LIP)


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the corners of the flat picture land in the frame, in 0..1: from them follows the whole perspective."""

    corners: Quad

    def matrix(self, frame_wh: tuple[float, float] = (1.0, 1.0)) -> NDArray[np.float64]:
        """The homography (3 × 3) from units to a frame of `frame_wh` pixels, or to 0..1."""
        wide, tall = FLAT_WH
        source = np.asarray([[0, 0], [wide, 0], [wide, tall], [0, tall]], dtype=np.float32)
        target = np.asarray(self.corners, dtype=np.float32)
        unit = cv2.getPerspectiveTransform(source, target).astype(np.float64)
        return np.diag([frame_wh[0], frame_wh[1], 1.0]) @ unit

    def points(self, flat: NDArray[np.floating]) -> NDArray[np.float64]:
        """Points (n, 2) in units → points (n, 2) in 0..1 of the frame."""
        given = np.asarray(flat, dtype=np.float64).reshape(-1, 1, 2)
        return cv2.perspectiveTransform(given, self.matrix()).reshape(-1, 2).astype(np.float64)

    def _quad(self, xyxy: tuple[float, float, float, float]) -> Quad:
        left, top, right, bottom = xyxy
        found = self.points(np.asarray([[left, top], [right, top], [right, bottom], [left, bottom]]))
        one, two, three, four = ((float(x), float(y)) for x, y in found)
        return one, two, three, four

    def slot_quad(self, slot: int) -> Quad:
        """The corners of a slot (0..23) in the frame."""
        left, top = slot_xy(slot)
        return self._quad((left, top, left + SLOT_WH[0], top + SLOT_WH[1]))

    def slot_quads(self) -> tuple[Quad, ...]:
        """The corners of all slots, row by row."""
        return tuple(self.slot_quad(slot) for slot in range(SLOTS))

    def row_corners(self, row: int) -> Quad:
        """The corners of a whole row (0..2); eight columns in it, spaced evenly in perspective, are its slots."""
        left, top = slot_xy(row * COLUMNS)
        return self._quad((left, top, left + COLUMNS * SLOT_WH[0], top + SLOT_WH[1]))

    def centre(self, slot: int) -> tuple[float, float]:
        """The middle of a slot in the frame, in 0..1."""
        left, top = slot_xy(slot)
        found = self.points(np.asarray([[left + SLOT_WH[0] / 2, top + SLOT_WH[1] / 2]]))[0]
        return float(found[0]), float(found[1])


DEFAULT_POSE = Pose(((-0.022, -0.030), (1.006, 0.030), (0.978, 0.975), (0.008, 1.022)))
"""The demo's camera: a bit from the left and from above."""


def random_pose(rng: np.random.Generator) -> Pose:
    """A camera somewhere else: shifted, turned, nearer or farther, seen from any side; all slots stay in the frame."""
    while True:
        size = rng.uniform(0.72, 1.04)
        middle = np.asarray([0.5, 0.5]) + rng.uniform(-0.12, 0.12, 2) * max(0.0, 1.06 - size)
        corners = (
            np.asarray([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]) + rng.normal(0, 0.022, (4, 2))
        ) * size
        turn = np.deg2rad(rng.normal(0, 1.2))
        spin = np.asarray([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        one, two, three, four = ((float(x), float(y)) for x, y in corners @ spin.T + middle)
        pose = Pose((one, two, three, four))
        slots = np.asarray(pose.slot_quads())
        if slots.min() > 0.004 and slots.max() < 0.996:
            return pose
