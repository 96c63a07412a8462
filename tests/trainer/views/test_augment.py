"""Views of a photograph could have been taken, and the same generator takes the same view."""

import numpy as np
import pytest

from edge_agent.regions import whole
from trainer.views.augment import Jitter, random_quad, scaled, shrunk, view
from trainer.views.effects import EFFECTS, STORE, Shelf

STILL = Jitter(
    zoom=(1.0, 1.0), rotate_deg=0, shear=0, shift=0, corner=0, gain=0, tint=0, contrast=0, flip=False
)  # changes nothing


def _image(width=90, height=60):
    return np.random.default_rng(0).integers(0, 255, (height, width, 3)).astype(np.uint8)


def test_a_view_without_jitter_is_what_the_device_sees():
    """Augmentation starts from the device's own sampling."""
    image = _image()
    assert np.array_equal(view(image, size_px=32, jitter=STILL, rng=np.random.default_rng(1)), whole(image, size_px=32))


def test_views_differ_but_repeat_with_their_generator():
    """Randomness comes from the generator alone."""
    one, again, other = (view(_image(), size_px=32, jitter=Jitter(), rng=np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert (one.shape, one.dtype) == ((32, 32, 3), np.uint8)


def test_without_flip_nothing_is_mirrored():
    """Products that are told apart by text keep it readable."""
    image = np.zeros((40, 40, 3), np.uint8)
    image[:, :20] = 255
    sides = {
        flip: {
            bool(view(image, size_px=16, jitter=Jitter(flip=flip), rng=np.random.default_rng(s))[8, 2, 0] > 127)
            for s in range(20)
        }
        for flip in (True, False)
    }
    assert sides == {True: {True, False}, False: {True}}


def test_quads_stay_near_the_photograph():
    """A view shows most of the photograph: its corners wander by no more than the jitter allows."""
    corners = np.array([random_quad(Jitter(), np.random.default_rng(seed)) for seed in range(200)])
    assert corners.min() > -0.35
    assert corners.max() < 1.35


def test_a_jitter_of_no_strength_changes_nothing():
    """A search over the strength begins at the device's own picture."""
    none = scaled(Jitter(flip=False, shelf=STORE), 0)
    image = _image()
    for seed in range(5):
        seen = view(image, size_px=32, jitter=none, rng=np.random.default_rng(seed))
        assert np.array_equal(seen, whole(image, size_px=32))


def test_strength_one_is_the_jitter_itself_and_two_is_twice_as_much():
    """Strength is a factor on every range, around no change."""
    jitter = Jitter(shelf=Shelf(glare=0.2, jpeg=0.8))
    assert scaled(jitter, 1) == jitter
    double = scaled(jitter, 2)
    assert (double.rotate_deg, double.shift, double.gain) == (20, 0.16, 0.3)
    assert double.zoom == (0.5, pytest.approx(1.1))
    assert double.shelf == Shelf(glare=0.4, jpeg=1)
    assert double.flip


def test_no_strength_is_too_much_for_a_photograph():
    """However strong, a view still shows some of the product, at most half upright, in light that can be seen."""
    wild = scaled(Jitter(shelf=STORE), 1000)
    assert wild.zoom[0] >= 0.3
    assert wild.rotate_deg <= 45
    assert max(wild.gain, wild.contrast) <= 0.6
    assert wild.shelf == Shelf(**dict.fromkeys(EFFECTS, 1.0))


def test_a_negative_strength_is_refused():
    """A sign that got lost is not taken for a mirror."""
    with pytest.raises(ValueError, match=r"-0\.5"):
        scaled(Jitter(), -0.5)


def test_a_shelf_changes_views_and_leaves_their_geometry():
    """Effects come after the view is cut, so that with and without them the same part of the photograph is seen."""
    image = np.zeros((60, 60, 3), np.uint8)
    image[:, 20:40] = 200
    plain, tinted = (
        view(image, size_px=32, jitter=Jitter(shelf=shelf), rng=np.random.default_rng(4))
        for shelf in (Shelf(), Shelf(lamp=1))
    )
    assert not np.array_equal(plain, tinted)
    assert np.array_equal(plain.max(axis=2) > 100, tinted.max(axis=2) > 100)


def test_kept_copies_are_small_but_large_enough():
    """Memory holds a quarter more than views need, and small photographs as they are."""
    assert shrunk(_image(1000, 800), size_px=64).shape == (80, 100, 3)
    small = _image(90, 60)
    assert shrunk(small, size_px=64) is small
