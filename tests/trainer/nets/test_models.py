"""A network's head is one linear layer to whoever trains it, with or without an embedding in between."""

import h5py
import numpy as np
import pytest

from trainer.nets import backbones, models
from trainer.nets.head import Linear, factor
from trainer.training.recipe import settle

LARGEST = 3_500_000
"""Parameters that a network for a Raspberry Pi may have."""


def _linear(features, classes, seed=0):
    rng = np.random.default_rng(seed)
    return Linear(rng.normal(size=(features, classes)), rng.normal(size=classes))


def test_two_layers_do_what_one_did():
    """Through the embedding come the same logits, wherever its centre, and its dimensions carry alike much."""
    linear, rng = _linear(40, 5), np.random.default_rng(1)
    features = rng.normal(size=(30, 40))
    for centre in (None, features.mean(axis=0)):
        embedding, scores = factor(linear, 8, centre=centre)
        seen = features @ embedding.kernel + embedding.bias
        assert seen.shape == (30, 8)
        assert seen @ scores.kernel + scores.bias == pytest.approx(features @ linear.kernel + linear.bias)
        assert np.linalg.matrix_rank(seen - seen.mean(axis=0)) == 5
        spread = seen.std(axis=0)
        assert spread.max() < 4 * spread.min(), "int8 has one scale for all of them"
    assert seen.mean(axis=0) == pytest.approx(0, abs=1e-9)


def test_too_few_dimensions_keep_what_matters_most():
    """With fewer dimensions than classes, no other two layers of that size come nearer to the kernel."""
    linear = _linear(40, 12)
    embedding, scores = factor(linear, 4)
    missed = np.linalg.norm(linear.kernel - embedding.kernel @ scores.kernel)
    assert missed == pytest.approx(np.linalg.norm(np.linalg.svd(linear.kernel)[1][4:]))


@pytest.mark.parametrize("embedding", [0, 16])
def test_a_head_is_written_and_read_as_one_layer(embedding):
    """Training need not know whether there is an embedding; the network answers as the linear layer says."""
    model = models.build(settle("mobilenet-v2", weights="none", width=0.1, size_px=32, embedding=embedding), classes=3)
    assert models.has_embedding(model) == bool(embedding)
    linear = _linear(1280, 3)
    models.set_head(model, linear, centre=np.full(1280, 0.5))
    again = models.head_of(model)
    assert again.kernel == pytest.approx(linear.kernel, abs=1e-5)
    assert again.bias == pytest.approx(linear.bias, abs=1e-3)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)
    logits = models.predictor(models.features_of(model))(pixels) @ linear.kernel + linear.bias
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert models.predictor(model)(pixels) == pytest.approx(scores, abs=1e-3)


@pytest.mark.data
@pytest.mark.parametrize("network", ["mobilenet-v1", "mobilenet-v2"])
def test_the_best_networks_are_small_and_get_their_weights(shared_data, network):
    """81 products and an embedding of 128 stay within 3.5 million parameters, on the weights that are shared."""
    weights = shared_data / "weights" / f"{network.replace('-', '_')}_imagenet.weights.h5"
    recipe = settle(network, weights=str(weights), size_px=96)
    assert recipe.embedding == 128
    model = models.build(recipe, classes=81)
    assert model.count_params() <= LARGEST
    assert [layer.name for layer in model.layers][-3:] == ["dropout", "embedding", "scores"]
    with h5py.File(weights) as file:
        given = file["layers/conv2d/vars/0"][:]
    first = next(layer for layer in model.get_layer(backbones.BACKBONE).layers if layer.weights)
    assert np.array_equal(first.get_weights()[0], given)


def test_only_a_pretrained_network_has_an_embedding_unless_asked():
    """A network from scratch learns products, not a space of them."""
    assert settle("mobilenet-v1").embedding == 128
    assert settle("mobilenet-v1", embedding=0).embedding == 0
    assert settle("mobilenet-v1", weights="none").embedding == 0
    assert settle("small-cnn").embedding == 0
