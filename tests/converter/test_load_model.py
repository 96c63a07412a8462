"""What may be converted, and what is said of a model that may not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from converter.load import import_quietly, load
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


def test_a_network_without_a_softmax_is_told(save: Callable[..., Path], tmp_path: Path) -> None:
    """Outputs that are no probabilities are refused, for the agent would take them as such."""
    layers = import_quietly("keras").layers
    network = import_quietly("keras").Sequential(
        [layers.Input((48, 48, 3)), layers.GlobalAveragePooling2D(), layers.Dense(3)]
    )
    with pytest.raises(DataError, match="without a softmax"):
        load(save(network, tmp_path / "logits.keras"))


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
