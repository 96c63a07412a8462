"""Mixed batches: pixels and targets always say the same about what is seen."""

import numpy as np
import pytest

from edge_agent.shelf import ConfigError
from trainer.views.mix import Mixing, blended, mixed, patched

COUNT, SIDE = 12, 20


@pytest.fixture
def batch():
    """A dozen photographs, each of one grey level and of a class of its own."""
    levels = np.arange(COUNT, dtype=np.uint8) * 20
    return np.broadcast_to(levels[:, None, None, None], (COUNT, SIDE, SIDE, 3)).copy(), np.eye(COUNT, dtype=np.float32)


def _rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("mixing", [Mixing(mixup=1), Mixing(cutmix=1), Mixing(mixup=0.5, cutmix=0.5)])
def test_a_mixed_batch_keeps_its_shapes_and_its_targets_add_up(batch, mixing):
    """Every target stays a distribution, and memory stays uint8."""
    pixels, targets = mixed(*batch, mixing, _rng())
    assert (pixels.shape, pixels.dtype) == (batch[0].shape, np.uint8)
    assert (targets.shape, targets.dtype) == (batch[1].shape, np.float32)
    assert np.allclose(targets.sum(axis=1), 1, atol=1e-6)
    assert not np.array_equal(targets, batch[1])


def test_a_blend_has_the_shares_of_its_target(batch):
    """What shines through by a third counts for a third."""
    pixels, targets = blended(*batch, _rng())
    levels = np.arange(COUNT) * 20
    assert np.abs(pixels[:, 0, 0, 0] - targets @ levels).max() <= 0.51
    assert (pixels == pixels[:, :1, :1]).all()


def test_a_patch_counts_for_its_exact_area(batch):
    """Pixels of a photograph in a mixture are as many as its target says, where the border cuts the patch as well."""
    for seed in range(20):
        pixels, targets = patched(*batch, _rng(seed))
        for picture, target in zip(pixels[..., 0], targets, strict=True):
            areas = np.bincount(picture.ravel() // 20, minlength=COUNT) / SIDE**2
            assert np.allclose(areas, target, atol=1e-6)


def test_probability_nought_changes_nothing(batch):
    """Who does not ask for mixing gets the very photographs."""
    pixels, targets = mixed(*batch, Mixing(), _rng())
    assert pixels is batch[0]
    assert targets is batch[1]


def test_mixing_leaves_the_batch_it_was_given_alone(batch):
    """Kept photographs are not spoiled."""
    before = batch[0].copy(), batch[1].copy()
    for mixing in (Mixing(mixup=1), Mixing(cutmix=1)):
        mixed(*batch, mixing, _rng())
    assert np.array_equal(before[0], batch[0])
    assert np.array_equal(before[1], batch[1])


@pytest.mark.parametrize("mixing", [Mixing(mixup=1), Mixing(cutmix=1)])
def test_the_same_generator_mixes_the_same(batch, mixing):
    """A run can be had again, and another seed is another run."""
    one, again, other = (mixed(*batch, mixing, _rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(one[0], again[0])
    assert np.array_equal(one[1], again[1])
    assert not np.array_equal(one[1], other[1])


def test_each_way_is_taken_as_often_as_asked(batch):
    """Of four hundred batches about a quarter is blended and half is patched."""
    ways = []
    rng = _rng()
    for _ in range(400):
        pixels, _ = mixed(*batch, Mixing(mixup=0.25, cutmix=0.5), rng)
        flat = bool((pixels == pixels[:, :1, :1]).all())
        ways.append("plain" if pixels is batch[0] else "blended" if flat else "patched")
    assert ways.count("blended") == pytest.approx(100, abs=30)
    assert ways.count("patched") == pytest.approx(200, abs=30)


def test_probabilities_that_cannot_be_are_refused():
    """The message names each value and what it must be."""
    with pytest.raises(ConfigError, match=r"mixup is -0\.1"):
        Mixing(mixup=-0.1)
    with pytest.raises(ConfigError, match=r"0\.8.*0\.5.*exceed 1"):
        Mixing(mixup=0.8, cutmix=0.5)
