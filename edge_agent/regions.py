"""Pixels of a frame → crops for the network. The one preprocessing of training, calibration, verification and counting.

A crop is always made the same way: where the frame is much larger than needed it is first shrunk by a whole factor
(area average, so that nothing aliases), then every slot's quadrilateral is warped onto a square in one remap, and BGR
becomes RGB. Nothing else is done to the pixels: rescaling to what the network wants is a layer of the network.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.shelf import WHOLE_FRAME, Quad

Pixels = NDArray[np.uint8]

REMAP_ROWS = 2**15 - 2
"""OpenCV's remap writes fewer than 2¹⁵ - 1 rows at a time."""
TILES_AT_MOST = 16
"""Tiles along a side of a crop, at most, in `glance`."""


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """Where the crops of one camera come from, worked out once for its frame size.

    `map_xy` and `map_fraction` are OpenCV's fixed-point remap tables of all crops, one below the other; `window_xyxy`
    (pixels) is the part of the frame that holds them, and `shrink` the whole factor by which it is first made smaller.
    """

    count: int
    size_px: int
    frame_wh: tuple[int, int]
    window_xyxy: tuple[int, int, int, int]
    shrink: int
    map_xy: NDArray[np.int16]
    map_fraction: NDArray[np.uint16]


def plan(quads: Sequence[Quad], *, frame_wh: tuple[int, int], size_px: int) -> Regions:
    """Work out how to cut `quads` from frames of `frame_wh` pixels into squares of `size_px`.

    Raises:
        ValueError: There is no quadrilateral, or a size is not positive.
    """
    if not quads or size_px < 1 or min(frame_wh) < 1:
        raise ValueError(f"nothing to plan: {len(quads)} slots, frame {frame_wh}, crops of {size_px} px")
    corners_px = np.asarray(quads, dtype=np.float64) * np.asarray(frame_wh, dtype=np.float64)  # (n, 4, 2)
    shrink = _shrink(corners_px, size_px)
    left, top = np.floor(corners_px.min(axis=(0, 1))).astype(int).clip(0)
    right, bottom = np.ceil(corners_px.max(axis=(0, 1))).astype(int)
    # whole blocks of shrink × shrink pixels, so that the area average is exact
    right = min(frame_wh[0], left + -(-(right - left) // shrink) * shrink)
    bottom = min(frame_wh[1], top + -(-(bottom - top) // shrink) * shrink)
    left = max(0, right - -(-(right - left) // shrink) * shrink)
    top = max(0, bottom - -(-(bottom - top) // shrink) * shrink)
    small_wh = (max(1, round((right - left) / shrink)), max(1, round((bottom - top) / shrink)))

    steps = ((np.arange(size_px) + 0.5) / size_px).astype(np.float32)
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 1, 2)
    unit = np.asarray(WHOLE_FRAME, dtype=np.float32)
    maps = []
    for corners in corners_px:
        homography = cv2.getPerspectiveTransform(unit, corners.astype(np.float32))
        source_px = cv2.perspectiveTransform(grid, homography).reshape(size_px, size_px, 2)
        scale = np.asarray(small_wh) / np.asarray([right - left, bottom - top])
        maps.append((source_px - [left, top]) * scale - 0.5)  # pixel centres lie at whole numbers
    stacked = np.concatenate(maps).astype(np.float32)
    map_xy, map_fraction = cv2.convertMaps(stacked[..., 0], stacked[..., 1], cv2.CV_16SC2)
    return Regions(
        count=len(quads),
        size_px=size_px,
        frame_wh=frame_wh,
        window_xyxy=(int(left), int(top), int(right), int(bottom)),
        shrink=shrink,
        map_xy=map_xy.astype(np.int16, copy=False),
        map_fraction=map_fraction.astype(np.uint16, copy=False),
    )


def grid_quads(corners: Quad, *, rows: int, columns: int) -> list[Quad]:
    """The slots of a grid, row by row, evenly spaced on the shelf as seen through the perspective of its corners."""
    unit = np.asarray(WHOLE_FRAME, dtype=np.float32)
    homography = cv2.getPerspectiveTransform(unit, np.asarray(corners, dtype=np.float32))
    across, down = np.meshgrid(np.linspace(0, 1, columns + 1), np.linspace(0, 1, rows + 1))
    knots = cv2.perspectiveTransform(np.stack([across, down], axis=-1).reshape(-1, 1, 2), homography)
    at = knots.reshape(rows + 1, columns + 1, 2).clip(0, 1)

    def point(row: int, column: int) -> tuple[float, float]:
        return float(at[row, column, 0]), float(at[row, column, 1])

    return [
        (point(r, c), point(r, c + 1), point(r + 1, c + 1), point(r + 1, c))
        for r in range(rows)
        for c in range(columns)
    ]


def neighbours(quads: Sequence[Quad]) -> tuple[tuple[int, ...], ...]:
    """Which slots lie next to each slot, diagonally too: less than half a slot away, by their bounding boxes."""
    corners = np.asarray(quads, dtype=np.float64)
    low, high = corners.min(axis=1), corners.max(axis=1)  # (n, 2)
    reach = (high - low) / 2
    apart = np.maximum(low[:, None] - high[None], low[None] - high[:, None])  # (n, n, 2), negative where they overlap
    near = (apart <= np.minimum(reach[:, None], reach[None])).all(axis=2)
    np.fill_diagonal(near, val=False)
    return tuple(tuple(np.flatnonzero(row).tolist()) for row in near)


def _shrink(corners_px: NDArray[np.float64], size_px: int) -> int:
    """The whole factor by which every slot can be shrunk and still be at least `size_px` along its shorter side."""
    sides = np.linalg.norm(corners_px - np.roll(corners_px, 1, axis=1), axis=2)
    return max(1, int(sides.min() / size_px))


def cut(image: Pixels, regions: Regions, *, out: Pixels | None = None) -> Pixels:
    """Cut all crops of a frame.

    Args:
        image: (height, width, 3) uint8 BGR of the size that `regions` was planned for.
        regions: From `plan`.
        out: An array of an earlier call to write into, so that a long run allocates nothing.

    Returns:
        (n, size, size, 3) uint8 RGB.

    Raises:
        ValueError: The frame has another size or type than planned.
    """
    if image.dtype != np.uint8 or image.shape != (regions.frame_wh[1], regions.frame_wh[0], 3):
        raise ValueError(f"expected a uint8 frame of {regions.frame_wh} (w, h), got {image.dtype} {image.shape}")
    left, top, right, bottom = regions.window_xyxy
    window = image[top:bottom, left:right]
    if regions.shrink > 1:
        small_wh = (
            max(1, round(window.shape[1] / regions.shrink)),
            max(1, round(window.shape[0] / regions.shrink)),
        )
        window = cv2.resize(window, small_wh, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    if out is None:
        out = np.empty((regions.count, regions.size_px, regions.size_px, 3), dtype=np.uint8)
    column = out.reshape(-1, regions.size_px, 3)
    for first in range(0, len(column), REMAP_ROWS):  # almost always once
        rows = slice(first, first + REMAP_ROWS)
        cv2.remap(
            window,
            regions.map_xy[rows],
            regions.map_fraction[rows],
            interpolation=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
            dst=column[rows],
        )
    row = out.reshape(1, -1, 3)  # one row stays on one thread, which for so little work is four times as fast
    cv2.cvtColor(row, cv2.COLOR_BGR2RGB, dst=row)
    return out


def whole(image: Pixels, *, size_px: int) -> Pixels:
    """A photograph that is one crop already, as the network sees it.

    Args:
        image: (height, width, 3) uint8 BGR of any size.
        size_px: Side of the result.

    Returns:
        (size, size, 3) uint8 RGB.
    """
    height, width = image.shape[:2]
    return np.asarray(cut(image, plan([WHOLE_FRAME], frame_wh=(width, height), size_px=size_px))[0])


def rectified(image: Pixels, quad: Quad) -> Pixels:
    """One slot, straightened at the resolution and aspect it has in the frame: a picture for people, and for labelling.

    Args:
        image: (height, width, 3) uint8 BGR.
        quad: Corners in 0..1.

    Returns:
        (slot height, slot width, 3) uint8 BGR.
    """
    corners = np.asarray(quad, dtype=np.float32) * np.asarray(image.shape[1::-1], dtype=np.float32)
    top, right, bottom, left = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
    width, height = max(1, round(float(max(top, bottom)))), max(1, round(float(max(left, right))))
    target = np.asarray(WHOLE_FRAME, dtype=np.float32) * np.asarray([width, height], dtype=np.float32) - 0.5
    warped = cv2.warpPerspective(
        image,
        cv2.getPerspectiveTransform(corners - 0.5, target),
        (width, height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return warped.astype(np.uint8, copy=False)


def glance(crops: Pixels) -> Pixels:
    """The crops in so few tiles that noise averages out: enough to see whether something changed, or is dark.

    Args:
        crops: (n, size, size, 3) uint8.

    Returns:
        (n, tiles, tiles, 3) uint8, with at most `TILES_AT_MOST` tiles along a side; a tile never mixes two crops.
    """
    count, size_px = crops.shape[:2]
    small, side = crops.reshape(-1, size_px, 3), size_px
    while side % 2 == 0 and side > TILES_AT_MOST:  # halving is several times faster than any other factor
        side //= 2
        small = cv2.resize(small, (side, count * side), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    tiles = max(t for t in range(1, min(TILES_AT_MOST, side) + 1) if side % t == 0)
    if tiles < side:
        small = cv2.resize(small, (tiles, count * tiles), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return small.reshape(count, tiles, tiles, 3)


def changed_fraction(now: Pixels, before: Pixels, *, levels: int) -> NDArray[np.float32]:
    """How much of each crop differs between two glances.

    Args:
        now: (n, tiles, tiles, 3) uint8, from `glance`.
        before: The same of an earlier frame.
        levels: Difference in grey levels (0..255) from which a tile counts as changed in any colour.

    Returns:
        (n,) float32 in 0..1.
    """
    count, tiles = now.shape[:2]
    apart = cv2.absdiff(now.reshape(-1, tiles, 3), before.reshape(-1, tiles, 3))
    alike = cv2.inRange(apart, (0, 0, 0), (levels - 1,) * 3).reshape(count, -1)  # 255 or 0
    return np.asarray(1 - alike.mean(axis=1, dtype=np.float32) / 255, dtype=np.float32)
