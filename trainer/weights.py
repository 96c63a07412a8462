"""Files of weights: read into a backbone, and where they do not fit, what they are of. Import this module lazily."""

import warnings
from pathlib import Path

import keras

from edge_agent.shelf import DataError, InputError
from trainer.recipe import Recipe


def load_into(backbone: keras.Model, recipe: Recipe) -> None:
    """Read the weights that a recipe names into its backbone.

    Raises:
        InputError: There is no such file.
        DataError: The weights are of another network.
    """
    path = Path(recipe.weights)
    if not path.is_file():
        raise InputError(f"{path}: there is no such weights file. Check --weights.")
    described = f"{recipe.network} of width {recipe.width:g}"
    if not path.name.endswith(".h5"):
        raise DataError(f"{path} is no weights file for {described}. Name a Keras .weights.h5 file.")
    try:
        with warnings.catch_warnings():
            # Keras only warns where a file holds some of the layers, and leaves the others as they began
            warnings.simplefilter("error", UserWarning)
            backbone.load_weights(path)
    except (ValueError, OSError, KeyError, UserWarning) as error:
        raise DataError(
            f"{path} does not fit {described}, or is no file of weights. Give the --network and --width that it was"
            " saved with, and for small-cnn the --size; they are not read from the file."
        ) from error
