"""Networks go by name, take pixels as they are, and say at once what they cannot be asked for."""

import inspect
import re
import sys

import keras
import numpy as np
import pytest

from edge_agent.shelf import ConfigError
from trainer.nets import backbones, models, networks
from trainer.training.recipe import settle


def _build(network, **options):
    return models.build(settle(network, weights="none", **{"size_px": 32} | options), classes=3)


def test_every_network_of_keras_goes_by_its_name():
    """What can be chosen without TensorFlow is what Keras has, and what is said of it is true."""
    assert set(networks.keras_names()) == {name for name in dir(keras.applications) if name[0].isupper()}
    assert set(networks.SHELF.values()) | networks.WITH_WIDTH <= set(networks.keras_names())
    for name in networks.keras_names():
        function = getattr(keras.applications, name)
        assert ("alpha" in inspect.signature(function).parameters) == networks.has_width(name), name
        least = re.findall(r"min_size=(\d+)", inspect.getsource(sys.modules[function.__module__]))
        assert {int(px) for px in least} <= {networks.least_size_px(name)}, name


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("mobilnet-v3-small", 'nearest is "mobilenet-v3-small"'),
        ("resnet50v2", 'nearest is "ResNet50V2"'),
        ("yolo", "known are small-cnn, .*efficientnetv2-b0, and those of keras.applications"),
    ],
)
def test_a_network_that_is_not_there_is_answered_with_one_that_is(asked, answer):
    """A slip of the keyboard costs no look into a manual."""
    with pytest.raises(ConfigError, match=answer):
        settle(asked)


def test_a_network_says_what_it_cannot_be_asked_for():
    """Width where there is none, a size that is too small, weights that nobody trained: all in one report."""
    with pytest.raises(ConfigError, match="ResNet50V2 comes in one width only"):
        settle("ResNet50V2", width=0.5)
    with pytest.raises(ConfigError, match="--size is 64; Xception needs at least 71"):
        settle("Xception", size_px=64)
    with pytest.raises(ConfigError, match='no ImageNet weights for "small-cnn-bn"'):
        settle("small-cnn-bn", weights="imagenet")


@pytest.mark.parametrize("network", ["small-cnn", "small-cnn-bn", *networks.SHELF])
def test_each_small_network_takes_pixels_as_they_are(network):
    """0..255 in, probabilities out; and batch norm follows a short training."""
    model = _build(network)
    scores = models.predictor(model)(np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8))
    assert scores.shape == (2, 3)
    assert scores.sum(axis=1) == pytest.approx(1, abs=1e-4)
    norms = [layer for layer in model.get_layer(backbones.BACKBONE).layers if hasattr(layer, "momentum")]
    assert bool(norms) == (network != "small-cnn")
    assert all(layer.momentum == 0.9 for layer in norms)


@pytest.mark.parametrize(
    "network", ["mobilenet-v1", "mobilenet-v2", "mobilenet-v3-small", "efficientnetv2-b0", "DenseNet121", "VGG16"]
)
def test_what_enters_a_backbone_is_what_its_weights_expect(network):
    """The rescaling inside does what `preprocess_input` of Keras does, for each of its ways of doing it."""
    model = _build(network)
    backbone = model.get_layer(backbones.BACKBONE)
    entering = keras.Model(model.input, backbone._inbound_nodes[-1].input_tensors[0])
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
    function = getattr(keras.applications, networks.application(network))
    expected = sys.modules[function.__module__].preprocess_input(pixels.copy())
    assert np.asarray(entering(pixels)) == pytest.approx(np.asarray(expected), abs=1e-4)


def test_a_network_with_swapped_channels_is_written_and_read(tmp_path):
    """The layers around a backbone of any family survive the .keras file."""
    recipe = settle("VGG16", weights="none", size_px=32)
    model = models.build(recipe, classes=2)
    models.save(model, tmp_path / "m.keras", models.card(recipe, labels=["a", "b"]))
    again, _ = models.load(tmp_path / "m.keras")
    pixels = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype(np.uint8)
    assert np.allclose(models.predictor(again)(pixels), models.predictor(model)(pixels))
