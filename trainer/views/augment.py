"""One photograph → another that could have been taken: turned, sheared, zoomed, cropped, mirrored, lit, on a shelf.

The geometry is a jittered quadrilateral, cut by the same function that cuts a shelf's slots on the device, so that
training sees the device's own sampling. Randomness comes in as a generator; the same one gives the same view.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.regions import cut, plan
from edge_agent.shelf import WHOLE_FRAME, Quad
from trainer.views.effects import OPEN_AIR, STORE, Shelf, more_often, on_shelf

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Jitter:
    """How far a view may differ from its photograph. Lengths are fractions of the photograph's sides.

    Attributes:
        zoom: Least and greatest side of what is seen; below 1 crops, above 1 repeats the border.
        rotate_deg: Rotation, to either side.
        shear: Shear along both axes, to either side.
        shift: Displacement, to either side.
        corner: Each corner's own displacement: a slot that was not drawn with care.
        gain: Brightness, by so much more or less.
        tint: The same for each colour on its own: the white balance.
        contrast: Contrast around the mean, by so much more or less.
        flip: Mirror every other view.
        shelf: How often glare, a price tag and the like befall a view; by default never.
    """

    zoom: tuple[float, float] = (0.75, 1.05)
    rotate_deg: float = 10.0
    shear: float = 0.1
    shift: float = 0.08
    corner: float = 0.03
    gain: float = 0.15
    tint: float = 0.05
    contrast: float = 0.15
    flip: bool = True
    shelf: Shelf = OPEN_AIR


def asked(*, strength: float, crop: float, effects: float, flip: bool) -> Jitter:
    """How far views may differ, from the figures that training and its preview are given (`training.recipe.Recipe`)."""
    usual = Jitter(zoom=(crop, Jitter().zoom[1]), flip=flip, shelf=more_often(STORE, effects))
    return scaled(usual, strength)


def scaled(jitter: Jitter, strength: float) -> Jitter:
    """The same jitter, weaker or stronger; mirroring is left as it is, since products with text must not be mirrored.

    Args:
        jitter: What strength 1 means.
        strength: 0 changes nothing, 2 doubles every range and how often a shelf's effects occur, up to what leaves a
            photograph recognizable.

    Raises:
        ValueError: The strength is negative.
    """
    if not strength >= 0:
        raise ValueError(f"a strength of {strength}; it must be 0 or more")
    least, most = (1 + (zoom - 1) * strength for zoom in jitter.zoom)
    return replace(
        jitter,
        zoom=(max(0.3, least), min(1.5, most)),
        rotate_deg=min(45.0, jitter.rotate_deg * strength),
        shear=min(0.4, jitter.shear * strength),
        shift=min(0.3, jitter.shift * strength),
        corner=min(0.12, jitter.corner * strength),
        gain=min(0.6, jitter.gain * strength),
        tint=min(0.3, jitter.tint * strength),
        contrast=min(0.6, jitter.contrast * strength),
        shelf=more_often(jitter.shelf, strength),
    )


def view(image: Pixels, *, size_px: int, jitter: Jitter, rng: np.random.Generator) -> Pixels:
    """A random view of a photograph.

    Args:
        image: (height, width, 3) uint8 BGR of any size.
        size_px: Side of the view.
        jitter: How far it may differ.
        rng: Advanced; the same one gives the same view.

    Returns:
        (size, size, 3) uint8 RGB.
    """
    height, width = image.shape[:2]
    crop = cut(image, plan([random_quad(jitter, rng)], frame_wh=(width, height), size_px=size_px))[0]
    table = random_light(jitter, rng, mean=float(crop.mean()))
    if rng.random() < 0.5 and jitter.flip:
        crop = crop[:, ::-1]
    lit: Pixels = cv2.LUT(np.ascontiguousarray(crop), table).astype(np.uint8, copy=False)
    return on_shelf(lit, jitter.shelf, rng)


def random_quad(jitter: Jitter, rng: np.random.Generator) -> Quad:
    """Corners, in 0..1 of the photograph, of the whole of it after a random affine map and a small pull at each."""
    angle = np.deg2rad(rng.uniform(-jitter.rotate_deg, jitter.rotate_deg))
    zoom = rng.uniform(*jitter.zoom, size=2)
    shear_x, shear_y = rng.uniform(-jitter.shear, jitter.shear, size=2)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    affine = rotation @ np.array([[1.0, shear_x], [shear_y, 1.0]]) @ np.diag(zoom)
    centre = 0.5 + rng.uniform(-jitter.shift, jitter.shift, size=2)
    pulls = rng.uniform(-jitter.corner, jitter.corner, size=(4, 2))
    corners = (np.asarray(WHOLE_FRAME) - 0.5) @ affine.T + centre + pulls
    top_left, top_right, bottom_right, bottom_left = ((float(x), float(y)) for x, y in corners)
    return top_left, top_right, bottom_right, bottom_left


def random_light(jitter: Jitter, rng: np.random.Generator, *, mean: float) -> Pixels:
    """A look-up table, (1, 256, 3) uint8: brightness, contrast around `mean` (0..255) and white balance, changed."""
    gain = 1 + rng.uniform(-jitter.gain, jitter.gain)
    tint = 1 + rng.uniform(-jitter.tint, jitter.tint, size=3)
    contrast = 1 + rng.uniform(-jitter.contrast, jitter.contrast)
    levels = np.arange(256.0)[:, None]
    changed = ((levels - mean) * contrast + mean) * gain * tint
    return changed.clip(0, 255).round().astype(np.uint8)[None]


def shrunk(image: Pixels, *, size_px: int) -> Pixels:
    """A copy to keep in memory: smaller by a whole factor (area average), with a quarter more than views will need.

    Args:
        image: (height, width, 3) uint8.
        size_px: Side of the views that will be cut from it.
    """
    height, width = image.shape[:2]
    factor = int(min(height, width) / (1.25 * size_px))
    if factor < 2:
        return image
    small = cv2.resize(image, (round(width / factor), round(height / factor)), interpolation=cv2.INTER_AREA)
    return small.astype(np.uint8, copy=False)
