"""What was not asked for is filled in, and what cannot be done is refused before anything slow."""

import pytest

from edge_agent.shelf import ConfigError
from trainer.training.recipe import lengthened, settle, weights_name


def test_pretrained_weights_are_frozen_and_random_ones_trained():
    """Few photographs with weights train a head; without weights everything must move."""
    assert settle("mobilenet-v2").weights == "imagenet"
    assert settle("mobilenet-v2").frozen
    assert settle("mobilenet-v2", weights="a.weights.h5").frozen
    assert not settle("mobilenet-v2", weights="none").frozen
    assert not settle("mobilenet-v2", weights="imagenet", unfreeze=1).frozen
    assert settle("small-cnn").weights == "none"


def test_what_is_asked_for_is_kept_and_the_rest_suits_the_network():
    """None means: choose for me."""
    recipe = settle("small-cnn", size_px=64, epochs=None, seed=5)
    assert (recipe.size_px, recipe.seed) == (64, 5)
    assert recipe.epochs > 1
    assert settle("small-cnn").size_px == 150
    assert settle("mobilenet-v2").size_px == 224


def test_an_unknown_network_is_named_with_the_nearest():
    """A slip of the keyboard is answered with the right word."""
    with pytest.raises(ConfigError, match='nearest is "mobilenet-v2"'):
        settle("mobilenetv2")


def test_all_problems_come_in_one_report():
    """Nobody mends an option only to hear of the next."""
    with pytest.raises(ConfigError) as caught:
        settle("small-cnn", weights="imagenet", size_px=8, epochs=0, lr=-1.0, seed=-1)
    assert len(caught.value.problems) == 5


def test_random_weights_cannot_be_frozen():
    """A head on a random backbone learns next to nothing, so it is refused."""
    with pytest.raises(ConfigError, match="cannot stay as it is"):
        settle("small-cnn", unfreeze=0)


def test_a_card_names_weights_without_their_folder():
    """Where a file lay on somebody's machine is nobody's business."""
    assert weights_name(settle("mobilenet-v2", weights="/home/me/x.weights.h5")) == "x.weights.h5"


def test_few_photographs_get_more_epochs():
    """A hundred photographs are few steps an epoch; many photographs, or a frozen backbone, need no more."""
    recipe = settle("small-cnn", batch=32)
    assert lengthened(recipe, photographs=320).epochs == 100
    assert lengthened(recipe, photographs=320).patience == 33
    assert lengthened(recipe, photographs=10).epochs == 200
    assert lengthened(recipe, photographs=6000) == recipe
    frozen = settle("mobilenet-v2")
    assert lengthened(frozen, photographs=10) == frozen
