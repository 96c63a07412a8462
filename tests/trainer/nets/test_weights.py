"""Weights that do not fit are told by layer and shape, and what they are of is found out."""

import h5py
import keras
import pytest
from keras.src.legacy.saving import legacy_h5_format

from edge_agent.shelf import DataError, InputError
from trainer.nets import backbones, models
from trainer.training.recipe import settle


def _recipe(network, weights="none", **options):
    return settle(network, weights=str(weights), **{"size_px": 32} | options)


def _save(path, network, **options):
    models.build(_recipe(network, **options), classes=2).get_layer(backbones.BACKBONE).save_weights(path)
    return path


def _refusal(path, network, **options):
    with pytest.raises(DataError) as caught:
        models.build(_recipe(network, path, **options), classes=2)
    return str(caught.value)


def test_another_width_is_found_out(tmp_path):
    """The first layer that differs is named with both shapes, and then the width to give."""
    path = _save(tmp_path / "thin.weights.h5", "mobilenet-v2", width=0.35)
    message = _refusal(path, "mobilenet-v2")
    assert "thin.weights.h5 does not fit mobilenet-v2 of width 1: " in message
    assert 'layer "Conv1" has the shape (3, 3, 3, 16) in the file and (3, 3, 3, 32) in the network, and ' in message
    assert message.endswith(" It fits --network mobilenet-v2 --width 0.35.")
    models.build(_recipe("mobilenet-v2", path, width=0.35), classes=2)


def test_another_network_is_found_out(tmp_path):
    """A file of V1 is not of V2, and the message says of what it is."""
    path = _save(tmp_path / "one.weights.h5", "mobilenet-v1", width=0.25)
    message = _refusal(path, "mobilenet-v2", width=0.35)
    assert "layers of the network are not in the file, such as " in message
    assert "It fits --network mobilenet-v1 --width 0.25" in message


def test_another_size_of_a_small_network_is_found_out(tmp_path):
    """The dense layer of a small network knows how many pixels it was made for."""
    path = _save(tmp_path / "small.weights.h5", "small-cnn", width=0.5, size_px=64)
    message = _refusal(path, "small-cnn", size_px=32)
    options = message.rpartition("It fits ")[2].rstrip(".").split()
    assert options[:-1] == ["--network", "small-cnn", "--width", "0.5", "--size"]
    models.build(_recipe("small-cnn", path, width=0.5, size_px=int(options[-1])), classes=2)


def test_weights_of_a_whole_model_are_told_from_those_of_a_backbone(tmp_path):
    """The head is in the way, and the message says how to leave it out."""
    models.build(_recipe("small-cnn"), classes=2).save_weights(tmp_path / "whole.weights.h5")
    message = _refusal(tmp_path / "whole.weights.h5", "small-cnn")
    assert 'Save its backbone alone: model.get_layer("backbone").save_weights' in message


def test_weights_of_nothing_known_name_the_options(tmp_path):
    """Where nothing fits, it is said what must be given, and what is in the way."""
    stranger = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Conv2D(5, 7, name="strange")])
    stranger.save_weights(tmp_path / "other.weights.h5")
    message = _refusal(tmp_path / "other.weights.h5", "small-cnn")
    assert "has the shape (7, 7, 3, 5) in the file and (3, 3, 3, 32) in the network" in message
    assert "3 layers of the network are not in the file" in message
    assert "Give the --network and --width that it was saved with" in message


def test_the_format_of_imagenet_files_is_read_too(tmp_path):
    """Files as Keras downloads them have another layout; they fit or not by the same words."""
    path = tmp_path / "fetched.h5"
    built = models.build(_recipe("mobilenet-v1", width=0.5), classes=2).get_layer(backbones.BACKBONE)
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, built)
    models.build(_recipe("mobilenet-v1", path, width=0.5), classes=2)
    message = _refusal(path, "mobilenet-v1")
    assert 'layer "conv1" has the shape (3, 3, 3, 16) in the file and (3, 3, 3, 32) in the network' in message
    assert "--width 0.5" in message


def test_weights_that_are_not_there_or_no_weights_are_told_apart(tmp_path):
    """A wrong path is an input error, a wrong file a data error."""
    with pytest.raises(InputError, match="--weights"):
        models.build(_recipe("small-cnn", tmp_path / "gone.weights.h5"), classes=2)
    for name in ("text.weights.h5", "model.keras"):
        (tmp_path / name).write_text("no weights")
        assert name in _refusal(tmp_path / name, "small-cnn")
