"""Where a camera looks: the view that its slots were drawn in, and whether a picture still shows it. Pure values.

The reference is a small grey picture, the pixel-wise median of a few good ones. Two questions are put to it. The cheap
one, tile by tile: do the edges stand where they stood? Edges are compared by direction, not by strength, so that light,
exposure and contrast do not matter, and only corners are asked: a straight board looks the same from one step aside.
Where too few tiles answer yes, points that are found again (ORB, a similarity by RANSAC) say how far the view has gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.shelf import Quad

Grey = NDArray[np.uint8]
Plane = NDArray[np.float32]

TILE_PX = 20
"""Side of a tile of the small picture, about a twentieth of its width."""
STANDS_FROM = 0.6
"""Correlation of edges (-1..1) from which a tile is as it was: a shift of half a percent leaves 0.75, of one 0.45."""
CORNER_FROM = 1.0
"""Squared grey levels per pixel by which the weaker direction of a tile must change, for it to be a landmark."""
FIXED_MIN = 10
"""Fewer landmarks than this beside the slots do not tell another view from a shelf that was emptied."""
POINTS, MATCHES_MIN = 500, 15
"""Points that are looked for in a picture, and how many must agree on where the view went."""


@dataclass(frozen=True, slots=True, eq=False)
class Viewpoint:
    """The reference view of a camera.

    `grey` is (height, width) uint8 as `glance.glance` makes it; `sharpness` and `structure` are what is usual here;
    `frame_wh` (pixels) is the size of the frames that they were measured in. `shift` is how far, in widths
    of the picture, this view is from the first one: a reference that was renewed does not forget where it came from.
    """

    grey: Grey
    sharpness: float
    structure: float
    frame_wh: tuple[int, int]
    shift: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """The slope of a picture along x and y, (height, width) float32, and its square by tile."""

    x: Plane
    y: Plane
    energy: Plane


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """A reference view, ready to be compared with.

    `usable` marks the tiles that hold a corner, `fixed` those of them that lie beside the slots: products come and go,
    boards and walls stay. `points` is (n, 2) float32 in pixels of the small picture, `descriptors` (n, 32) uint8.
    """

    view: Viewpoint
    edges: Edges
    usable: NDArray[np.bool_]
    fixed: NDArray[np.bool_]
    points: NDArray[np.float32]
    descriptors: NDArray[np.uint8]


def landmarks(view: Viewpoint, slots: Sequence[Quad]) -> Landmarks:
    """Find what can be recognised in a view; `slots` are in 0..1 of the frame."""
    edges = edges_of(smooth(view.grey))
    xx, yy, xy = tiles(edges.x**2), tiles(edges.y**2), tiles(edges.x * edges.y)
    weaker = (xx + yy) / 2 - np.sqrt(((xx - yy) / 2) ** 2 + xy**2)
    usable = weaker > CORNER_FROM
    inside = np.zeros(view.grey.shape, dtype=np.uint8)
    for quad in slots:
        corners = np.asarray(quad) * np.asarray(view.grey.shape[::-1])
        cv2.fillPoly(inside, [np.round(corners).astype(np.int32)], 255)
    beside = tiles(inside.astype(np.float32)) < 0.5 * 255
    points, descriptors = _points(view.grey)
    return Landmarks(view, edges, usable, usable & beside, points, descriptors)


def tiles(values: Plane) -> Plane:
    """The mean of each tile, (height, width) → (rows, columns) float32; what is left over at the edges is dropped."""
    height, width = values.shape
    rows, columns = max(1, height // TILE_PX), max(1, width // TILE_PX)
    whole = values[: rows * TILE_PX, : columns * TILE_PX]
    return np.asarray(cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA), dtype=np.float32)


def smooth(grey: Grey) -> Plane:
    """A small picture as (height, width) float32, without noise and without its finest detail."""
    return np.asarray(cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.0), dtype=np.float32)


def edges_of(smoothed: Plane) -> Edges:
    """The slopes of a picture from `smooth`."""
    x = np.asarray(cv2.Sobel(smoothed, cv2.CV_32F, 1, 0, scale=1 / 8), dtype=np.float32)
    y = np.asarray(cv2.Sobel(smoothed, cv2.CV_32F, 0, 1, scale=1 / 8), dtype=np.float32)
    return Edges(x, y, tiles(x**2 + y**2))


def standing(now: Edges, before: Edges, where: NDArray[np.bool_]) -> float:
    """Which share (0..1) of the tiles in `where` is as it was; 0 where there is none."""
    if not where.any():
        return 0.0
    alike = tiles(now.x * before.x + now.y * before.y) / np.sqrt(now.energy * before.energy + 1e-3)
    return float((alike[where] > STANDS_FROM).mean())


def displacement(marks: Landmarks, grey: Grey) -> NDArray[np.float64] | None:
    """How far the corners of the picture have gone: (4, 2) in widths of the picture; None where it cannot be told.

    Args:
        marks: Of the reference view.
        grey: A picture of the same size.
    """
    points, descriptors = _points(grey)
    if min(len(points), len(marks.points)) < 2 * MATCHES_MIN:
        return None
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(marks.descriptors, descriptors, k=2)
    good = [pair[0] for pair in pairs if len(pair) == 2 and pair[0].distance < 0.8 * pair[1].distance]
    if len(good) < MATCHES_MIN:
        return None
    was = marks.points[[match.queryIdx for match in good]]
    now = points[[match.trainIdx for match in good]]
    matrix, agree = cv2.estimateAffinePartial2D(was, now, method=cv2.RANSAC, ransacReprojThreshold=2.0)
    if matrix is None or agree.sum() < max(MATCHES_MIN, 0.25 * len(good)):
        return None
    if not 0.7 < float(np.hypot(matrix[0, 0], matrix[1, 0])) < 1.4:  # nothing knocks a camera that much nearer
        return None
    height, width = grey.shape
    corners = np.asarray([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64)
    gone = corners @ matrix[:, :2].T + matrix[:, 2] - corners
    return np.asarray(gone / width + np.asarray(marks.view.shift), dtype=np.float64)


def _points(grey: Grey) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Points that can be found again, and what they look like."""
    found, descriptors = cv2.ORB.create(POINTS, edgeThreshold=16, fastThreshold=10).detectAndCompute(grey, None)
    if descriptors is None:
        return np.empty((0, 2), np.float32), np.empty((0, 32), np.uint8)
    return np.asarray([point.pt for point in found], np.float32), np.asarray(descriptors, np.uint8)
