"""The drawn products."""

import re

import cv2
import numpy as np
import pytest

from edge_agent.demo.products import CATALOGUE, LOOK_ALIKES, PRODUCTS, draw
from edge_agent.shelf import SPECIAL_LABELS

CELL_WH = (96, 120)


def _seen(product: str, seed: int = 0) -> np.ndarray:
    """A product before a grey wall, at the size that a network sees."""
    image, alpha = draw(product, CELL_WH, np.random.default_rng(seed))
    share = alpha[..., None] / 255
    return cv2.resize((image * share + 110 * (1 - share)).astype(np.uint8), (96, 96), interpolation=cv2.INTER_AREA)


def test_there_are_enough_products_with_plain_ids():
    """A dozen products and more, whose ids can be folders, topics and labels."""
    assert len(PRODUCTS) == len(set(PRODUCTS)) >= 14
    assert all(re.fullmatch(r"[a-z0-9-]+", product) for product in PRODUCTS)
    assert not SPECIAL_LABELS & set(PRODUCTS)


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_piece_is_cut_out_and_stands_at_the_bottom(product):
    """A piece fills a good part of its cell, stands on its lower edge and leaves the upper corners free."""
    image, alpha = draw(product, CELL_WH, np.random.default_rng(3))
    assert image.shape == (120, 96, 3)
    assert alpha.shape == (120, 96)
    assert image.dtype == alpha.dtype == np.uint8
    assert 0.25 < (alpha > 127).mean() < 0.95
    assert (alpha[-8:] > 127).any()
    assert alpha[0, 0] == alpha[0, -1] == 0


def test_the_same_generator_draws_the_same_piece():
    """A seed gives a piece, another seed a slightly different one."""
    assert np.array_equal(_seen("cola-can", 1), _seen("cola-can", 1))
    assert not np.array_equal(_seen("cola-can", 1), _seen("cola-can", 2))


@pytest.mark.parametrize(("one", "other"), LOOK_ALIKES)
def test_look_alikes_differ_in_a_band(one, other):
    """At the size of a crop, a band tells look-alikes apart more clearly than any two pieces of the same product."""

    def bands(product, seed):
        return _seen(product, seed)[:, 30:66].reshape(12, -1, 3).mean(axis=1)

    def apart(first, second):
        return float(np.abs(first - second).max())

    within = max(apart(bands(product, 0), bands(product, seed)) for product in (one, other) for seed in range(1, 6))
    between = min(apart(bands(one, seed), bands(other, seed + 1)) for seed in range(6))
    assert between > 50
    assert between > 1.3 * within, (between, within)


def test_prices_and_names_fit_a_tag():
    """Every product has a name and a price to print."""
    assert all(product.name and 0 < product.price_eur < 100 for product in CATALOGUE.values())
