"""A batch → a batch whose photographs are blends of two, or hold a patch of another, with targets to match.

Few photographs are learned by heart; mixtures of them are not, and they teach a network to be less sure in between.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.shelf import ConfigError

Pixels = NDArray[np.uint8]
Targets = NDArray[np.float32]

MIXUP_BETA = 0.2
"""Both parameters of the Beta distribution of a blend's share (Zhang et al. 2018, arXiv 1710.09412, for ImageNet)."""
CUTMIX_BETA = 1.0
"""Both parameters of the Beta distribution of a patch's share (Yun et al. 2019, arXiv 1905.04899)."""


@dataclass(frozen=True, slots=True)
class Mixing:
    """How often a batch is mixed: probabilities in 0..1 of blending two photographs, and of pasting a patch.

    Raises:
        ConfigError: One of them is no probability, or together they exceed 1.
    """

    mixup: float = 0.0
    cutmix: float = 0.0

    def __post_init__(self) -> None:
        problems = [
            f"{name} is {share:g}; it must lie in 0..1"
            for name, share in (("mixup", self.mixup), ("cutmix", self.cutmix))
            if not 0 <= share <= 1
        ]
        if not problems and self.mixup + self.cutmix > 1 + 1e-9:
            problems = [f"mixup {self.mixup:g} and cutmix {self.cutmix:g} exceed 1 together; lower one of them"]
        if problems:
            raise ConfigError("batches cannot be mixed:", problems)


def mixed(pixels: Pixels, targets: Targets, mixing: Mixing, rng: np.random.Generator) -> tuple[Pixels, Targets]:
    """A batch with each photograph mixed with another of it, in one way or the other, or the batch as it is.

    Args:
        pixels: (n, size, size, 3) uint8 RGB. Left as it is.
        targets: (n, classes) float32, each row a distribution.
        mixing: How often.
        rng: Advanced.

    Returns:
        Pixels and targets of the same shapes and types.
    """
    way = rng.random()
    if way < mixing.mixup:
        return blended(pixels, targets, rng)
    if way < mixing.mixup + mixing.cutmix:
        return patched(pixels, targets, rng)
    return pixels, targets


def blended(pixels: Pixels, targets: Targets, rng: np.random.Generator) -> tuple[Pixels, Targets]:
    """Mixup: every photograph shines through another one, by a share of its own; shapes as in `mixed`."""
    partners = rng.permutation(len(pixels))
    shares = rng.beta(MIXUP_BETA, MIXUP_BETA, len(pixels)).astype(np.float32)  # of the photograph itself
    out = np.empty_like(pixels)
    for i, (partner, share) in enumerate(zip(partners, shares.tolist(), strict=True)):
        cv2.addWeighted(pixels[i], share, pixels[partner], 1 - share, 0.0, dst=out[i])  # rounds, and makes no floats
    return out, _shared(targets, partners, shares)


def patched(pixels: Pixels, targets: Targets, rng: np.random.Generator) -> tuple[Pixels, Targets]:
    """CutMix: a rectangle of every photograph shows another one, and targets follow its area; shapes as in `mixed`."""
    count, height, width = pixels.shape[:3]
    partners = rng.permutation(count)
    lengths = np.sqrt(1 - rng.beta(CUTMIX_BETA, CUTMIX_BETA, count))  # of the rectangle, of the photograph's sides
    centres = rng.random((count, 2))
    out = pixels.copy()
    shares = np.empty(count, dtype=np.float32)  # of what remains
    for i, partner in enumerate(partners):
        left, right = _ends(centres[i, 0], lengths[i], width)
        top, bottom = _ends(centres[i, 1], lengths[i], height)
        out[i, top:bottom, left:right] = pixels[partner, top:bottom, left:right]
        shares[i] = 1 - (bottom - top) * (right - left) / (width * height)
    return out, _shared(targets, partners, shares)


def _ends(centre: float, length: float, side_px: int) -> tuple[int, int]:
    """First pixel of a stretch, and the one after its last; what would lie outside is cut off."""
    first, last = round((centre - length / 2) * side_px), round((centre + length / 2) * side_px)
    return max(0, first), min(side_px, last)


def _shared(targets: Targets, partners: NDArray[np.int64], shares: Targets) -> Targets:
    mixture: Targets = shares[:, None] * targets + (1 - shares[:, None]) * targets[partners]
    return mixture
