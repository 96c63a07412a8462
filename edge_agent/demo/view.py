"""One camera's view of one shelf: the still picture in its light, and the arm in front of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.demo.arm import PIECE_ABOVE, Arm, Placement, matrix, sprite
from edge_agent.demo.brush import Pixels
from edge_agent.demo.camera import DEFAULT_POSE, MARGIN, SLOT_WH, SLOTS, Pose, slot_xy
from edge_agent.demo.furniture import Look, bare, piece, piece_xy, stocked
from edge_agent.demo.light import Field, Levels, fields

Contents = tuple[tuple[str, int] | None, ...]
"""What stands in each of the 24 slots: a product and its variant, or None."""

_COARSE = 4  # hidden slots are measured on a picture this much smaller


@dataclass(frozen=True, slots=True, eq=False)
class Still:
    """A shelf without a shopper, as the lamps alone and as the window alone show it: two (h, w, 3) uint8 BGR."""

    lamp: Pixels
    window: Pixels


class View:
    """A camera that looks at a shelf. Everything that doesn't change is worked out once."""

    def __init__(
        self,
        frame_wh: tuple[int, int],
        planned: Sequence[str],
        *,
        pose: Pose = DEFAULT_POSE,
        look: Look | None = None,
        seed: int = 0,
    ) -> None:
        """Set up a camera.

        Args:
            frame_wh: Size of its frames, in pixels.
            planned: The products on the price tags, one for each of the 24 slots.
            pose: Where the camera stands.
            look: The colours of the shelf.
            seed: Decides where the light comes from.
        """
        self.frame_wh = frame_wh
        self.pose = pose
        # a little finer than the frame, and in round steps so that pieces are shared between cameras
        self._scale = round(max(frame_wh[0] / 1200, frame_wh[1] / 675) * 1.1 * 20) / 20
        self._bare = bare(look or Look(), planned, self._scale)
        self._lamp, self._window = fields(frame_wh, np.random.default_rng([seed, 9]))
        self._to_frame = pose.matrix(frame_wh)

    def still(self, contents: Contents) -> Still:
        """The shelf with `contents`, without a shopper and before the light's levels."""
        flat = stocked(self._bare, contents, self._scale)
        scale = self._scale
        unit = np.asarray([[1 / scale, 0, -MARGIN], [0, 1 / scale, -MARGIN], [0, 0, 1]])
        clean = cv2.warpPerspective(
            flat, self._to_frame @ unit, self.frame_wh, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return Still(_times(clean, self._lamp), _times(clean, self._window))

    def lit(self, still: Still, levels: Levels) -> Pixels:
        """A still in the light of a moment: a new (h, w, 3) uint8 BGR."""
        made = cv2.addWeighted(still.lamp, levels.lamp, still.window, levels.window, 0.0)
        return made.astype(np.uint8, copy=False)

    def reach(self, image: Pixels, levels: Levels, arm: Arm, place: Placement) -> None:
        """Lay an arm and what it holds over a lit picture, in place."""
        width, height = self.frame_wh
        x = int(np.clip(place.palm[0] * width, 0, width - 1))
        y = int(np.clip(place.palm[1] * height, 0, height - 1))
        local = self._lamp[y, x] * levels.lamp + self._window[y, x] * levels.window
        if place.held is not None:
            picture, alpha = piece(*place.held, self._scale)
            share = alpha[..., None].astype(np.uint16)
            whole = np.dstack([(picture * share // 255).astype(np.uint8), alpha])
            _over(image, whole, self._held_matrix(place), local)
        picture = sprite(arm, height, grip=place.grip).bgra
        _over(image, picture, matrix(place, self.frame_wh), local)

    def hidden(self, arm: Arm, place: Placement) -> NDArray[np.float64]:
        """How much of each slot an arm and what it holds cover, 0..1; a shadow covers nothing."""
        width, height = (side // _COARSE for side in self.frame_wh)
        small = np.diag([1 / _COARSE, 1 / _COARSE])
        solid = sprite(arm, self.frame_wh[1], grip=place.grip).solid
        cover = cv2.warpAffine(solid, small @ matrix(place, self.frame_wh), (width, height))
        if place.held is not None:
            alpha = piece(*place.held, self._scale)[1]
            cover = cv2.max(cover, cv2.warpAffine(alpha, small @ self._held_matrix(place), (width, height)))
        covered = np.bincount(self._owner[cover > 127], minlength=SLOTS + 1)[:SLOTS]
        return covered / np.maximum(self._area, 1)

    @cached_property
    def _owner(self) -> NDArray[np.int32]:
        """The slot of each coarse pixel; SLOTS where there is none."""
        width, height = (side // _COARSE for side in self.frame_wh)
        owner = np.full((height, width), SLOTS, dtype=np.int32)
        for slot, quad in enumerate(self.pose.slot_quads()):
            cv2.fillPoly(owner, [np.round(np.asarray(quad) * (width, height)).astype(np.int32)], (slot,))
        return owner

    @cached_property
    def _area(self) -> NDArray[np.intp]:
        return np.bincount(self._owner.ravel(), minlength=SLOTS + 1)[:SLOTS]

    def _held_matrix(self, place: Placement) -> NDArray[np.float64]:
        """The affine map from a piece to the frame where it is held: as the perspective would show it there."""
        width, height = self.frame_wh
        middle = np.asarray([place.palm[0] * width, (place.palm[1] + place.sink - PIECE_ABOVE) * height, 1.0])
        flat = np.linalg.inv(self._to_frame) @ middle
        flat = flat[:2] / flat[2]
        near = np.asarray([flat, flat + np.asarray([1.0, 0.0]), flat + np.asarray([0.0, 1.0])])
        seen = np.column_stack([near, np.ones(3)]) @ self._to_frame.T
        seen = seen[:, :2] / seen[:, 2:]
        slope = np.column_stack([seen[1] - seen[0], seen[2] - seen[0]]) / self._scale
        x, y = piece_xy(0)
        left, top = slot_xy(0)
        corner = (np.asarray([x - left, y - top]) - np.asarray(SLOT_WH) / 2) * self._scale
        return np.column_stack([slope, seen[0] + slope @ corner])


def _times(image: NDArray[np.generic], field: Field) -> Pixels:
    made = cv2.multiply(np.asarray(image, dtype=np.uint8), field, dtype=cv2.CV_8U)
    return made.astype(np.uint8, copy=False)


def _over(image: Pixels, picture: Pixels, affine: NDArray[np.float64], light: NDArray[np.floating]) -> None:
    """Warp a premultiplied BGRA picture onto an image, in place, in the light (BGR factors) of where it is."""
    tall, wide = picture.shape[:2]
    corners = np.asarray([[0, 0], [wide, 0], [wide, tall], [0, tall]]) @ affine[:, :2].T + affine[:, 2]
    left, top = np.floor(corners.min(axis=0)).astype(int).clip(0)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)).astype(int), (image.shape[1], image.shape[0]))
    if right <= left or bottom <= top:
        return
    moved = affine.copy()
    moved[:, 2] -= (left, top)
    warped = cv2.warpAffine(picture, moved, (int(right - left), int(bottom - top)))
    alpha = cv2.extractChannel(warped, 3)
    box = cv2.boundingRect(alpha)
    if box[2] == 0:
        return
    warped, alpha = (plane[box[1] : box[1] + box[3], box[0] : box[0] + box[2]] for plane in (warped, alpha))
    part = image[top + box[1] : top + box[1] + box[3], left + box[0] : left + box[0] + box[2]]
    colour = cv2.cvtColor(warped, cv2.COLOR_BGRA2BGR)
    blue, green, red = (float(level) for level in light)
    colour = cv2.multiply(colour, np.asarray([blue, green, red, 1.0]))
    rest = cv2.bitwise_not(alpha)
    cv2.multiply(part, cv2.merge([rest, rest, rest]), dst=part, scale=1 / 255)
    cv2.add(part, colour, dst=part)
