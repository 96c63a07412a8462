"""A network that tells the things of `conftest.picture` apart by their colour, made by hand: no training, no chance."""

from pathlib import Path

import keras
import numpy as np

from trainer.nets import models

LABELS = ("cola", "oat <b>", "tea & $lime")
"""Red, green and blue, in the order of `conftest.COLOURS`; names that HTML and matplotlib could trip over."""
CARD = {
    "schema": "shelfwatch.model/1",
    "labels": list(LABELS),
    "size_px": 32,
    "recipe": {"network": "colours", "seed": 7, "size_px": 32},
    "coarse": {"labels": ["drinks", "leaves"], "of": [0, 0, 1]},
    "rejection": {"score": "max_probability", "threshold": 0.5, "known_lost": 0.04},
    "data": {"train": 60, "validation": 12, "unreadable": 0, "sha256": "0" * 64},
    "training": {"epochs": 2, "best_epoch": 2, "seconds": 1.5},
    "metrics": {"validation": {"accuracy": 0.9}},
    "versions": {"python": "3", "keras": keras.__version__},
}


def colour_network(size_px: int = 32) -> keras.Model:
    """Three maps, each bright where one colour outweighs the others, averaged and weighed against each other."""
    pixels = keras.Input((size_px, size_px, 3), name="pixels")
    maps = keras.layers.Conv2D(3, 1, activation="relu", name="maps")
    backbone = keras.Sequential(
        [keras.Input((size_px, size_px, 3)), maps, keras.layers.GlobalAveragePooling2D()], name="backbone"
    )
    features = keras.layers.Dropout(0.2, name="dropout")(backbone(keras.layers.Rescaling(1 / 255)(pixels)))
    scores = keras.layers.Dense(3, activation="softmax", name="scores")
    network = keras.Model(pixels, scores(features))
    over_the_others = 1.5 * np.eye(3) - 0.5
    maps.set_weights([over_the_others[None, None].astype(np.float32), np.full(3, -0.15, np.float32)])
    scores.set_weights([50 * np.eye(3, dtype=np.float32), np.zeros(3, np.float32)])
    return network


def save(folder: Path, **card: object) -> Path:
    """Write the network with its card, some sections replaced or (None) left out, and return where it is."""
    folder.mkdir(parents=True, exist_ok=True)
    sections = {**CARD, **card}
    models.save(colour_network(), folder / "m.keras", {name: value for name, value in sections.items() if value})
    return folder / "m.keras"
