"""What a shelf does to a product: each effect is seen, repeats with its generator, and leaves most of the product."""

import cv2
import numpy as np
import pytest

from tests.trainer.conftest import picture
from trainer.views.effects import EFFECTS, STORE, Shelf, more_often, on_shelf


def _image(side_px=96):
    return np.ascontiguousarray(picture(1, np.random.default_rng(5), side_px=side_px))


def _rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name", EFFECTS)
@pytest.mark.parametrize("side_px", [33, 96, 224])
def test_every_effect_keeps_size_and_type_and_the_picture_it_was_given(name, side_px):
    """Effects can be chained in any order at any size, and kept photographs stay whole."""
    image = _image(side_px)
    before = image.copy()
    for seed in range(30):
        out = EFFECTS[name](image, _rng(seed))
        assert (out.shape, out.dtype) == (image.shape, np.uint8)
    assert np.array_equal(image, before)


@pytest.mark.parametrize("name", EFFECTS)
def test_every_effect_is_seen_and_repeats_with_its_generator(name):
    """The same generator spoils a picture in the same way, another one in another."""
    one, again, other = (EFFECTS[name](_image(), _rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, _image())
    assert not np.array_equal(one, other)


def _touched(name, seed):
    """Share of the pixels that an effect changes by more than noise."""
    image = _image()
    return float((cv2.absdiff(EFFECTS[name](image, _rng(seed)), image).max(axis=2) > 8).mean())


def test_something_before_a_product_hides_a_part_of_it():
    """Never most of it: what cannot be known cannot be learned."""
    shares = [_touched("hiding", seed) for seed in range(100)]
    assert max(shares) < 0.45
    assert np.median(shares) > 0.03


def test_a_price_tag_stands_at_the_upper_or_lower_edge():
    """The middle of the product stays free."""
    image = _image()
    for seed in range(50):
        changed = (cv2.absdiff(EFFECTS["price_tag"](image, _rng(seed)), image) > 0).any(axis=(1, 2))
        assert changed[:24].any() or changed[-24:].any()
        assert not changed[35:61].any()


def test_a_shadow_darkens_and_glare_brightens():
    """Light is taken away or added, nowhere both; a shadow leaves a third, so that a product can still be read."""
    image = _image()
    for seed in range(30):
        dark, bright = EFFECTS["shadow"](image, _rng(seed)), EFFECTS["glare"](image, _rng(seed))
        assert (dark <= image).all()
        assert dark.mean() > 0.33 * image.mean()
        assert (bright >= image).all()
    assert any((EFFECTS["glare"](image, _rng(seed)) == 255).any() for seed in range(10))


def test_a_lamp_changes_colours_and_not_shapes():
    """Grey becomes warm or cool: each level of a channel goes to one other."""
    grey = np.full((32, 32, 3), 128, np.uint8)
    casts = np.array([EFFECTS["lamp"](grey, _rng(seed))[0, 0].astype(int) for seed in range(40)])
    warmth = casts[:, 0] - casts[:, 2]
    assert warmth.min() < -20
    assert warmth.max() > 20
    assert (EFFECTS["lamp"](grey, _rng(3)) == EFFECTS["lamp"](grey, _rng(3))[0, 0]).all()


@pytest.mark.parametrize("name", ["defocus", "motion"])
def test_blur_takes_detail_and_keeps_brightness(name):
    """Nothing gets brighter or darker by it."""
    image = _image()
    for seed in range(20):
        out = EFFECTS[name](image, _rng(seed))
        assert abs(float(out.mean()) - float(image.mean())) < 1
        assert out.std() < image.std()


def test_probability_nought_and_one_mean_never_and_always():
    """A shelf does what its figures say."""
    image = _image()
    assert on_shelf(image, Shelf(), _rng()) is image
    for seed in range(20):
        assert np.array_equal(on_shelf(image, Shelf(jpeg=0), _rng(seed)), image)
        assert not np.array_equal(on_shelf(image, Shelf(jpeg=1), _rng(seed)), image)


def test_effects_are_as_frequent_as_their_probabilities():
    """Of four hundred views in a store, as many are spoiled as the figures together say."""
    image = _image(32)
    spoiled = sum(not np.array_equal(on_shelf(image, STORE, _rng(seed)), image) for seed in range(400)) / 400
    expected = 1 - np.prod([1 - getattr(STORE, name) for name in EFFECTS])
    assert spoiled == pytest.approx(expected, abs=0.07)


def test_more_often_stops_at_always():
    """A strength beyond reason still gives probabilities."""
    assert more_often(Shelf(glare=0.3, jpeg=0.7), 2) == Shelf(glare=0.6, jpeg=1)
