"""A network without batch norm gives the answers that it gave with it."""

from typing import Any

import numpy as np
import pytest

from converter.network import import_quietly

SIZE_PX = 32


def _lived(network: Any, crops: np.ndarray) -> Any:
    """The same network with scales as unlike one as those of a training, and the statistics of these pictures."""
    rng = np.random.default_rng(2)
    for layer in _norms(network):
        gamma, beta, *statistics = layer.get_weights()
        size = gamma.shape
        layer.set_weights([rng.uniform(0.6, 1.4, size), beta + rng.normal(0, 0.2, size), *statistics])
        layer.momentum = 0.0
    network(crops, training=True)
    return network


def _norms(network: Any) -> list[Any]:
    """The layers of batch norm, also in a network within the network."""
    found = []
    for layer in network.layers:
        if getattr(layer, "layers", None):
            found += _norms(layer)
        elif type(layer).__name__ == "BatchNormalization":
            found.append(layer)
    return found


def _built(network: str, width: float) -> Any:
    import_quietly("keras").utils.set_random_seed(3)
    from trainer.nets.models import build
    from trainer.training.recipe import Recipe

    return build(Recipe(network=network, size_px=SIZE_PX, width=width, embedding=8), classes=5)


@pytest.mark.parametrize(
    ("network", "width"),
    [
        ("small-cnn", 0.5),
        ("small-cnn-bn", 0.5),
        ("mobilenet-v1", 0.25),
        ("mobilenet-v2", 0.35),
        ("mobilenet-v3-small", 1.0),
    ],
)
def test_a_folded_network_gives_the_same_answers(network: str, width: float) -> None:
    """Every batch norm of the usual networks is gone, and no answer changes by more than float32 rounds."""
    from converter.quantizing.qat.fold import folded

    rng = np.random.default_rng(1)
    crops = (rng.integers(0, 256, (8, SIZE_PX, SIZE_PX, 3)) * rng.random((8, 1, 1, 3))).astype(np.float32)
    before = _lived(_built(network, width), crops)
    wanted = np.asarray(before(crops, training=False))
    after = folded(before)
    assert np.ptp(wanted, axis=0).max() > 0.01, "a network that answers all alike proves nothing"
    np.testing.assert_allclose(np.asarray(after(crops, training=False)), wanted, atol=1e-4)
    assert not _norms(after)
    assert bool(_norms(before)) == (network != "small-cnn")
    np.testing.assert_array_equal(np.asarray(before(crops, training=False)), wanted)


def test_a_batch_norm_that_cannot_be_folded_stays() -> None:
    """A layer whose output something else takes too keeps its kernel, and its batch norm stays; so does one first."""
    keras = import_quietly("keras")
    from converter.quantizing.qat.fold import folded

    layers = keras.layers
    keras.utils.set_random_seed(4)
    pixels = keras.Input((8, 8, 3))
    first = layers.BatchNormalization(name="first")(pixels)
    twice = layers.Conv2D(4, 3, padding="same", name="twice")(first)
    kept = layers.BatchNormalization(name="kept")(twice)
    separated = layers.SeparableConv2D(4, 3, padding="same", use_bias=False)(layers.Add()([kept, twice]))
    normal = layers.ReLU()(layers.BatchNormalization(name="gone")(separated))
    scores = layers.Dense(3, activation="softmax")(layers.Dropout(0.5)(layers.Flatten()(normal)))
    crops = np.random.default_rng(1).normal(size=(4, 8, 8, 3)).astype(np.float32)
    before = _lived(keras.Model(pixels, scores), crops)
    after = folded(before)
    np.testing.assert_allclose(
        np.asarray(after(crops, training=True)), np.asarray(before(crops, training=False)), atol=1e-5
    )
    assert {layer.name for layer in _norms(after)} == {"first", "kept"}
    assert type(after.layers[-1]).__name__ == "Activation", "the softmax is a layer of its own"
