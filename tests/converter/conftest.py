"""A tiny trained network on tiny drawn pictures, and the bundle that it converts to; each made once per session."""

import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from converter.cli import app
from converter.network import import_quietly

SIZE_PX = 48
LABELS = ("circle", "cross", "square")


@dataclass(frozen=True, slots=True)
class Workshop:
    """A trained network, the photographs that it was trained on, and those held out."""

    model: Path
    data: Path
    labels: tuple[str, ...] = LABELS
    size_px: int = SIZE_PX


@dataclass(frozen=True, slots=True)
class Conversion:
    """A bundle, and what the command line said when it made it."""

    out: Path
    said: str


def draw(shape: str, rng: np.random.Generator) -> np.ndarray:
    """A (64, 64, 3) uint8 BGR picture of a bright shape on a dark ground, none twice the same."""
    image = rng.integers(0, 60, (64, 64, 3), dtype=np.uint8)
    ink = tuple(int(value) for value in rng.integers(150, 256, 3))
    x, y = (int(value) for value in rng.integers(24, 40, 2))
    if shape == "circle":
        cv2.circle(image, (x, y), 16, ink, -1)
    elif shape == "square":
        cv2.rectangle(image, (x - 15, y - 15), (x + 15, y + 15), ink, -1)
    else:
        cv2.line(image, (x - 15, y - 15), (x + 15, y + 15), ink, 6)
        cv2.line(image, (x - 15, y + 15), (x + 15, y - 15), ink, 6)
    return image


def write_photographs(folder: Path, *, each: int, seed: int) -> Path:
    """A folder per class with `each` pictures."""
    rng = np.random.default_rng(seed)
    for label in LABELS:
        (folder / label).mkdir(parents=True)
        for number in range(each):
            cv2.imwrite(str(folder / label / f"{number:03}.png"), draw(label, rng))
    return folder


def save_model(network: Any, path: Path, *, labels: Sequence[str] = LABELS) -> Path:
    """Write a network, and the card that shelf-train would write beside it."""
    size_px = network.inputs[0].shape[1]
    card = {
        "schema": "shelfwatch.model/1",
        "labels": labels,
        "size_px": size_px,
        "recipe": {"network": "test"},
        "rejection": {"threshold": 0.4},
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Keras 3.15 asks NumPy in the old way
        network.save(path)
    path.with_suffix(".json").write_text(json.dumps(card))
    return path


def run_shelf_convert(*arguments: object) -> Result:
    """Run the command line as a person would."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="session")
def save() -> Callable[..., Path]:
    """`save_model`, for the tests."""
    return save_model


@pytest.fixture(scope="session")
def photographs() -> Callable[..., Path]:
    """`write_photographs`, for the tests."""
    return write_photographs


@pytest.fixture(scope="session")
def shelf_convert() -> Callable[..., Result]:
    """`run_shelf_convert`, for the tests."""
    return run_shelf_convert


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A small CNN with Flatten, trained for seconds."""
    keras = import_quietly("keras")
    home = tmp_path_factory.mktemp("workshop")
    write_photographs(home / "data" / "train", each=60, seed=1)
    write_photographs(home / "data" / "test", each=80, seed=2)  # enough to prove the bound

    from converter.photos.photographs import choose
    from trainer.photos.data import load, read

    photos = choose(load(home / "data", seed=0).train, count=200, seed=0, where=home)
    pixels = np.stack([read(photo, SIZE_PX) for photo in photos]).astype(np.float32)
    truth = np.asarray([photo.label_index for photo in photos])

    keras.utils.set_random_seed(3)
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((SIZE_PX, SIZE_PX, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(8, 3, strides=2, activation="relu"),
            layers.Conv2D(16, 3, strides=2, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dense(len(LABELS), activation="softmax"),
        ]
    )
    network.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    network.fit(pixels, truth, epochs=25, batch_size=16, verbose=0)
    save_model(network, home / "model.keras")
    return Workshop(home / "model.keras", home / "data")


@pytest.fixture(scope="session")
def uneven(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Callable[[float], Path]:
    """The tiny network with the same answers in float, and half of its first channels reaching so many times as far.

    A channel after a ReLU can be scaled, if what follows takes it by that much less; int8 has one scale for them all.
    """

    def make(times: float) -> Path:
        network = import_quietly("keras").saving.load_model(workshop.model, compile=False)
        first, second = (layer for layer in network.layers if type(layer).__name__ == "Conv2D")
        factors = np.repeat([1.0, times], first.filters // 2)
        kernel, bias = first.get_weights()
        first.set_weights([kernel * factors, bias * factors])
        kernel, bias = second.get_weights()
        second.set_weights([kernel / factors[:, None], bias])
        return save_model(network, tmp_path_factory.mktemp("uneven") / "uneven.keras")

    return make


@pytest.fixture(scope="session")
def conversion(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Conversion:
    """The bundle of the tiny network, by the command line."""
    out = tmp_path_factory.mktemp("converted") / "new" / "bundle"
    result = run_shelf_convert(
        workshop.model, "--calibrate", workshop.data, "--out", out, "--calibration-count", 120, "--target", "all"
    )
    assert result.exit_code == 0, result.output
    return Conversion(out, result.output)


@pytest.fixture(scope="session")
def converted(conversion: Conversion) -> Path:
    """Where the bundle of the tiny network lies."""
    return conversion.out
