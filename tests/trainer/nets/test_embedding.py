"""Photographs become points on a sphere: the command writes them, and says what looks alike."""

import json

import keras
import numpy as np
import pytest

from edge_agent.shelf import DataError
from tests.trainer.command import status_of
from trainer.nets import embedding, models
from trainer.photos import data
from trainer.report import Unwatched
from trainer.training.recipe import settle


def _save(path, network="mobilenet-v2", **options):
    asked = {"weights": "none", "size_px": 32, "width": 0.1} | options
    recipe = settle(network, **asked)
    model = models.build(recipe, classes=2)
    models.save(model, path, models.card(recipe, labels=["cola", "oat"]))
    return model


def test_the_command_writes_an_embedder_with_its_card(draw_classes, tmp_path, capfd):
    """What it gives are the outputs of the embedding, of length 1, and the card tells what they are of."""
    model = _save(tmp_path / "m.keras", embedding=16)
    assert status_of("embed", tmp_path / "m.keras", "--out", tmp_path / "new" / "e.keras") == 0
    assert "32 px → 16 dimensions" in capfd.readouterr().out
    card = json.loads((tmp_path / "new" / "e.json").read_text())
    assert (card["schema"], card["dims"], card["layer"]) == ("shelfwatch.embedder/1", 16, "embedding")
    assert card["labels"] == ["cola", "oat"]
    assert len(card["model_sha256"]) == 64

    embedder = keras.models.load_model(tmp_path / "new" / "e.keras", compile=False)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3)).astype(np.uint8)
    vectors = models.predictor(embedder)(pixels)
    plain = models.predictor(keras.Model(model.input, model.get_layer("embedding").output))(pixels)
    assert vectors.dtype == np.float32
    assert vectors == pytest.approx(plain / np.linalg.norm(plain, axis=1, keepdims=True), abs=1e-5)

    folder = draw_classes(["cola", "oat"], 3)
    assert status_of("evaluate", tmp_path / "new" / "e.keras", folder) == 65
    assert "is an embedder" in capfd.readouterr().err


def test_photographs_of_new_products_get_vectors_too(draw_classes, tmp_path, capfd):
    """Enrolling needs no training: classes that the network never saw are embedded, and broken pictures are named."""
    _save(tmp_path / "m.keras", "small-cnn", width=0.25)
    folder = draw_classes(["disc", "square", "cross"], 4)
    (folder / "disc" / "000.png").write_bytes(b"no picture")
    vectors = tmp_path / "v.npz"
    asked = ("--out", tmp_path / "e.keras", "--photographs", folder, "--vectors", vectors)
    assert status_of("embed", tmp_path / "m.keras", *asked) == 0
    said = capfd.readouterr().out
    assert "the network has no embedding layer" in said
    assert "left out: " in said
    assert "The most look-alike classes" in said
    assert "the nearest other photograph shows the same class, where there is another, in " in said
    with np.load(vectors) as kept:
        assert kept["labels"].tolist() == ["cross"] * 4 + ["disc"] * 3 + ["square"] * 4
        assert kept["paths"][0] == str(folder / "cross" / "000.png")
        assert np.linalg.norm(kept["vectors"], axis=1) == pytest.approx(1, abs=1e-5)
        embedder = keras.models.load_model(tmp_path / "e.keras", compile=False)
        seen = data.read(data.Photo(folder / "square" / "003.png", 0), 32)
        assert kept["vectors"][-1] == pytest.approx(models.predictor(embedder)(seen[None])[0], abs=1e-5)


def test_what_cannot_come_out_is_told_first(tmp_path, capfd):
    """Every option that makes no sense is named at once, before TensorFlow is loaded or a file is written."""
    assert status_of("embed", tmp_path / "m.keras", "--out", tmp_path / "e.h5", "--vectors", "v.csv") == 78
    said = capfd.readouterr().err
    assert "must end in .keras" in said
    assert "must end in .npz" in said
    assert "--vectors needs --photographs" in said
    assert status_of("embed", tmp_path / "m.keras", "--out", tmp_path / "m.keras") == 78
    assert "the model itself" in capfd.readouterr().err


def test_look_alikes_are_the_classes_whose_means_are_nearest():
    """By hand: at 0, 10 and 90 degrees, the first two are alike."""
    degrees = np.array([-5, 5, 10, 10, 90])
    vectors = np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], axis=1).astype(np.float32)
    found = embedding.look_alikes(vectors, np.array([0, 0, 3, 3, 1]), ["a", "b", "never", "c"], count=2)
    assert [(pair.one, pair.other) for pair in found] == [("a", "c"), ("b", "c")]
    assert found[0].cosine == pytest.approx(np.cos(np.radians(10)))


def test_neighbours_agree_where_a_class_lies_together():
    """Nobody is a neighbour of one's own, and a class of one photograph is not asked."""
    vectors = np.array([[1, 0], [0.9, 0.1], [0, 1], [-1, 0], [-0.1, 1]], np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert embedding.neighbours_agree(vectors, np.array([0, 0, 1, 2, 1])) == 1
    assert embedding.neighbours_agree(vectors, np.array([0, 1, 0, 2, 1])) == 0
    assert np.isnan(embedding.neighbours_agree(vectors[:2], np.array([0, 1])))


def test_nothing_that_can_be_read_is_an_error(tmp_path):
    """An empty file of vectors helps nobody."""
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="none of the 1 photographs to embed can be read"):
        embedding.embed([data.Photo(tmp_path / "a.png", 0)], lambda _: np.zeros((1, 2)), size_px=8, watch=Unwatched())


@pytest.mark.data
def test_a_photograph_of_a_product_is_near_others_of_it(shared_data):
    """On real photographs, the nearest neighbour is the right product far more often than by chance."""
    labels, photos = data.catalogue(shared_data / "data" / "grocery" / "val.txt")
    weights = shared_data / "weights" / "mobilenet_v1_imagenet.weights.h5"
    model = models.build(settle("mobilenet-v1", weights=str(weights), size_px=96, embedding=0), classes=len(labels))
    found = embedding.embed(photos[::2], models.predictor(models.embedder(model)), size_px=96, watch=Unwatched())
    by_chance = float(np.square(np.bincount(found.truth) / len(found.truth)).sum())
    assert by_chance < 0.05
    assert embedding.neighbours_agree(found.vectors, found.truth) > 0.6
