"""What may be converted, and what is said of a model that may not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converter.load import load
from converter.network import import_quietly
from edge_agent.shelf import DataError, InputError


@pytest.fixture
def copy(workshop: Any, tmp_path: Path) -> Path:
    """A copy of the trained model and its card, to spoil."""
    shutil.copy(workshop.model.with_suffix(".json"), tmp_path / "model.json")
    return Path(shutil.copy(workshop.model, tmp_path / "model.keras"))


def _edit(model: Path, **changes: object) -> None:
    card = model.with_suffix(".json")
    card.write_text(json.dumps(json.loads(card.read_text()) | changes))


def test_a_trained_network_comes_with_its_labels(workshop: Any) -> None:
    """Labels, size and recipe come from the card, and the hash is that of the file."""
    trained = load(workshop.model)
    assert (trained.labels, trained.size_px, trained.recipe) == (workshop.labels, workshop.size_px, {"network": "test"})
    assert len(trained.sha256) == 64
    assert trained.float_bytes == 4 * trained.network.count_params()


def test_a_missing_model_is_told(tmp_path: Path) -> None:
    """A path where nothing lies is an input error."""
    with pytest.raises(InputError, match=r"gone\.keras: cannot be opened"):
        load(tmp_path / "gone.keras")


def test_a_file_that_is_no_keras_file_is_told(copy: Path) -> None:
    """Anything else under the name .keras is refused with its first bytes and what to give instead."""
    copy.write_bytes(b"\x89HDF\r\n\x1a\n and more")
    with pytest.raises(DataError, match=r"not a \.keras file .*HDF.*model\.save"):
        load(copy)


def test_a_damaged_keras_file_is_told(copy: Path) -> None:
    """A zip without a network in it is refused with the version of Keras that tried."""
    shutil.make_archive(str(copy.parent / "other"), "zip", copy.parent, "model.json")
    shutil.move(copy.parent / "other.zip", copy)
    with pytest.raises(DataError, match=r"Keras \d.* cannot load it"):
        load(copy)


def test_a_missing_card_is_told(copy: Path) -> None:
    """A model without its card is refused, and the message holds what a card looks like."""
    copy.with_suffix(".json").unlink()
    with pytest.raises(DataError, match=r"card model\.json is missing.*shelfwatch\.model/1"):
        load(copy)


def test_a_card_that_is_no_card_is_told(copy: Path) -> None:
    """Text that is not JSON, another schema and a label given twice are each told apart."""
    _edit(copy, labels=["circle", "circle", "square"])
    with pytest.raises(DataError, match='label "circle" is there twice'):
        load(copy)
    _edit(copy, schema="shelfwatch.model/9")
    with pytest.raises(DataError, match=r"not a model card: schema"):
        load(copy)
    copy.with_suffix(".json").write_text("labels: circle")
    with pytest.raises(DataError, match="not JSON"):
        load(copy)


def test_labels_that_do_not_match_the_head_are_told(copy: Path) -> None:
    """A card with more labels than the network has outputs is of another network."""
    _edit(copy, labels=["circle", "cross", "square", "star"])
    with pytest.raises(DataError, match="has 3 outputs, its card names 4 labels"):
        load(copy)


def test_a_size_that_does_not_match_is_told(copy: Path) -> None:
    """A card with another size than the network's input is of another network."""
    _edit(copy, size_px=96)
    with pytest.raises(DataError, match="takes 48 px, its card says 96 px"):
        load(copy)


def test_a_network_without_a_head_is_told(save: Callable[..., Path], tmp_path: Path) -> None:
    """Outputs that are neither probabilities nor logits are refused, for the agent would take them as such."""
    layers = import_quietly("keras").layers
    network = import_quietly("keras").Sequential(
        [layers.Input((48, 48, 3)), layers.GlobalAveragePooling2D(), layers.Dense(3, activation="relu")]
    )
    with pytest.raises(DataError, match="without a softmax"):
        load(save(network, tmp_path / "relu.keras"))


def test_logits_become_probabilities(save: Callable[..., Path], tmp_path: Path) -> None:
    """A network that ends in logits gets the softmax that its training had in the loss."""
    keras = import_quietly("keras")
    network = keras.Sequential([keras.Input((48, 48, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)])
    trained = load(save(network, tmp_path / "logits.keras"))
    crops = np.random.default_rng(0).uniform(0, 255, (4, 48, 48, 3)).astype(np.float32)
    answers = np.asarray(trained.network(crops))
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)
    assert (answers.argmax(axis=1) == np.asarray(network(crops)).argmax(axis=1)).all()


def test_a_network_for_any_size_is_told(save: Callable[..., Path], tmp_path: Path) -> None:
    """A network whose pictures may have any size is refused, with the size that its card names."""
    layers = import_quietly("keras").layers
    network = import_quietly("keras").Sequential(
        [layers.Input((None, None, 3)), layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax")]
    )
    path = save(network, tmp_path / "any.keras")
    _edit(path, size_px=48)
    with pytest.raises(DataError, match=r"pictures of any size.*keras\.Input\(\(48, 48, 3\)\)"):
        load(path)


def test_a_network_with_two_inputs_is_told(save: Callable[..., Path], tmp_path: Path) -> None:
    """A network that wants something beside the picture is refused."""
    keras = import_quietly("keras")
    given = keras.Input((48, 48, 3)), keras.Input((48, 48, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Add()(given))
    network = keras.Model(given, keras.layers.Dense(3, activation="softmax")(pooled))
    with pytest.raises(DataError, match="one input"):
        load(save(network, tmp_path / "two.keras"))
    logits = keras.Model(given, keras.layers.Dense(3)(pooled))
    with pytest.raises(DataError, match="one input"):
        load(save(logits, tmp_path / "two-logits.keras"))


def test_a_custom_layer_is_told(save: Callable[..., Path], tmp_path: Path) -> None:
    """A network with a layer that only its author has is refused by name, and nothing of it is run."""
    keras = import_quietly("keras")

    class Secret(keras.layers.Layer):  # type: ignore[name-defined,misc]
        """Of somebody else's program."""

        def call(self, given: Any) -> Any:
            """Do nothing."""
            return given

    network = keras.Sequential(
        [
            keras.Input((48, 48, 3)),
            Secret(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    with pytest.raises(DataError, match=r"its layer Secret is not one of Keras. own.*built-in layers only"):
        load(save(network, tmp_path / "custom.keras"))


def test_a_file_that_was_converted_already_is_told(converted: Path) -> None:
    """A TFLite file is sent to the command that takes one."""
    with pytest.raises(DataError, match=r"a TFLite file, so converted already.*shelf-convert describe"):
        load(converted / "model.tflite")


def test_a_softmax_within_a_network_counts(save: Callable[..., Path], tmp_path: Path) -> None:
    """A softmax may be a layer of its own, or lie in a network within the network."""
    keras = import_quietly("keras")
    layers = keras.layers
    inner = keras.Sequential([layers.Input((8,)), layers.Dense(3), layers.Softmax()])
    network = keras.Sequential([layers.Input((48, 48, 3)), layers.Conv2D(8, 3), layers.GlobalAveragePooling2D(), inner])
    assert load(save(network, tmp_path / "nested.keras")).size_px == 48


def test_a_network_for_grey_or_oblong_pictures_is_told(save: Callable[..., Path], tmp_path: Path) -> None:
    """The agent cuts square RGB crops; a network that takes anything else is refused with what it takes."""
    keras = import_quietly("keras")
    layers = keras.layers
    for number, shape in enumerate([(48, 48, 1), (48, 64, 3)]):
        network = keras.Sequential(
            [layers.Input(shape), layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax")]
        )
        with pytest.raises(DataError, match="agent gives one input"):
            load(save(network, tmp_path / f"{number}.keras"))
