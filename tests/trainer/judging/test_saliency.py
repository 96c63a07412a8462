"""Heat lies where a network finds what it answers, whatever the network is made of."""

import keras
import numpy as np
import pytest

from edge_agent.shelf import DataError
from tests.trainer.colours import colour_network
from trainer.judging.saliency import heat, overlay
from trainer.nets import models
from trainer.training.recipe import Recipe


@pytest.fixture
def photograph():
    """Grey, with something red in the upper left and something blue in the lower right: (1, 32, 32, 3) RGB."""
    pixels = np.full((1, 32, 32, 3), 120, np.uint8)
    pixels[0, 2:10, 4:12] = (220, 40, 40)
    pixels[0, 20:30, 18:30] = (30, 120, 220)
    return pixels


@pytest.mark.parametrize(("asked", "middle_yx"), [(0, (5.5, 7.5)), (2, (24.5, 23.5))])
def test_heat_lies_on_what_speaks_for_the_class(photograph, asked, middle_yx):
    """Asked for red it points at the red thing, asked for blue at the blue one, and nowhere else."""
    (found,) = heat(colour_network(), photograph, [asked])
    assert found.shape == (32, 32)
    assert found.max() == 1
    assert found.min() == 0
    assert np.average(np.mgrid[:32, :32], axis=(1, 2), weights=np.stack([found] * 2)) == pytest.approx(middle_yx, abs=1)


def test_photographs_are_asked_about_one_by_one(photograph):
    """Of two photographs each is asked about its own class, as if it were alone."""
    both = heat(colour_network(), np.concatenate([photograph, photograph[:, ::-1]]), [0, 2])
    assert np.array_equal(both[0], heat(colour_network(), photograph, [0])[0])
    assert np.allclose(both[1], heat(colour_network(), photograph, [2])[0][::-1], atol=1e-5)


def test_nothing_that_speaks_for_a_class_is_no_heat(photograph):
    """Where there is no green, nothing is hot, and nothing is divided by zero."""
    assert not heat(colour_network(), photograph, [1]).any()


@pytest.mark.parametrize("network", ["small-cnn", "mobilenet-v2", "mobilenet-v3-small"])
def test_every_network_has_maps_to_look_at(photograph, tmp_path, network):
    """Maps are found by their shape, whatever their name; also at the smallest size, with an embedding, from a file."""
    width = 0.35 if network == "mobilenet-v2" else 1.0
    recipe = Recipe(network=network, size_px=32, width=width, weights="none", embedding=8)
    models.build(recipe, classes=3).save(tmp_path / "m.keras")
    found = heat(keras.models.load_model(tmp_path / "m.keras"), photograph, [1])
    assert found.shape == (1, 32, 32)
    assert np.isfinite(found).all()


def test_a_network_without_a_sub_network_has_maps_as_well(photograph):
    """Layers may stand in a row."""
    pixels = keras.Input((32, 32, 3))
    maps = keras.layers.Conv2D(2, 3, activation="relu")(keras.layers.Rescaling(1 / 255)(pixels))
    scores = keras.layers.Dense(2, activation="softmax", name="scores")(keras.layers.GlobalMaxPooling2D()(maps))
    assert heat(keras.Model(pixels, scores), photograph, [0]).shape == (1, 32, 32)


def test_a_network_without_maps_is_refused(photograph):
    """There is nothing to look at, and that is said."""
    pixels = keras.Input((32, 32, 3))
    scores = keras.layers.Dense(2, activation="softmax", name="scores")(keras.layers.Flatten()(pixels))
    with pytest.raises(DataError, match="no maps"):
        heat(keras.Model(pixels, scores), photograph, [0])


def test_an_overlay_leaves_cold_places_as_they_were(photograph):
    """Only where there is heat are the colours changed; heat of any size fits."""
    warmth = np.zeros((8, 8), np.float32)
    warmth[0, 0] = 1
    painted = overlay(photograph[0], warmth)
    assert np.array_equal(painted[16:], photograph[0, 16:])
    assert not np.array_equal(painted[:2, :2], photograph[0, :2, :2])
