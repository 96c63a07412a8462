"""`shelf-train predict`: what photographs show, what is unknown, and what cannot be read."""

import json

import cv2
import numpy as np
import pytest

from tests.trainer.colours import LABELS, save
from tests.trainer.command import status_of


@pytest.fixture
def images(draw_classes, tmp_path):
    """A red thing, a blue thing, and nothing but grey."""
    root = draw_classes(LABELS, 1)
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((40, 40, 3), 90, np.uint8))
    return [root / LABELS[0] / "000.png", root / LABELS[2] / "000.png", tmp_path / "grey.png"]


def test_the_likeliest_labels_of_each_photograph_as_json(images, tmp_path, capfd):
    """In the order given, the likeliest first, and "unknown" below the threshold of the card; nothing else is said."""
    model = save(tmp_path)
    capfd.readouterr()  # TensorFlow has its say when a first network is made
    assert status_of("predict", model, *images, "--json") == 0
    said = capfd.readouterr()
    assert not said.err
    found = json.loads(said.out)
    assert [answer["image"] for answer in found] == [str(path) for path in images]
    assert [answer["unknown"] for answer in found] == [False, False, True]
    assert [answer["answers"][0]["label"] for answer in found[:2]] == [LABELS[0], LABELS[2]]
    for answer in found:
        shares = [given["probability"] for given in answer["answers"]]
        assert len(shares) == 3
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) == pytest.approx(1, abs=1e-5)


def test_the_table_shows_the_best_and_marks_what_is_unknown(images, tmp_path, capfd, monkeypatch):
    """Names are shown as they are, as many as were asked for."""
    monkeypatch.setenv("COLUMNS", "250")
    assert status_of("predict", save(tmp_path), *images, "--top", 1) == 0
    lines = capfd.readouterr().out.splitlines()
    red, blue, grey = (next(line for line in lines if str(path) in line) for path in images)
    assert LABELS[0] in red
    assert LABELS[2] in blue
    assert "unknown" in grey
    assert sum("%" in line for line in lines) == 3


def test_without_a_threshold_nothing_is_unknown(images, tmp_path, capfd):
    """An older card has none."""
    assert status_of("predict", save(tmp_path, rejection=None), images[2], "--json") == 0
    assert json.loads(capfd.readouterr().out)[0]["unknown"] is False


def test_what_cannot_be_read_is_named_after_the_others_are_answered(images, tmp_path, capfd):
    """A file that is no picture and one that is not there: the good one is answered, and the status is 65."""
    (tmp_path / "notes.png").write_text("milk, eggs")
    bad = [tmp_path / "notes.png", tmp_path / "gone.png"]
    assert status_of("predict", save(tmp_path), bad[0], images[0], bad[1], "--json") == 65
    said = capfd.readouterr()
    found = json.loads(said.out)
    assert [sorted(answer) for answer in found] == [
        ["image", "problem"],
        ["answers", "image", "unknown"],
        ["image", "problem"],
    ]
    assert found[1]["answers"][0]["label"] == LABELS[0]
    assert "2 of 3 photographs could not be read" in said.err
    assert all(str(path) in said.err for path in bad)
    assert status_of("predict", save(tmp_path), *bad) == 65


def test_a_folder_stands_for_its_photographs(images, tmp_path, capfd):
    """Nobody types a hundred names."""
    assert status_of("predict", save(tmp_path), images[0].parents[1], "--json") == 0
    assert len(json.loads(capfd.readouterr().out)) == 3


def test_overlays_show_where_the_network_looks(images, tmp_path, capfd, monkeypatch):
    """A photograph and its overlay side by side; photographs of one name do not overwrite each other."""
    monkeypatch.setenv("COLUMNS", "250")
    folder = tmp_path / "looks"
    assert status_of("predict", save(tmp_path), *images[:2], "--json", "--saliency", folder) == 0
    files = [answer["saliency"] for answer in json.loads(capfd.readouterr().out)]
    assert files == [str(folder / "000.png"), str(folder / "000-2.png")]
    for file in files:
        image = cv2.imread(file).astype(int)
        assert image.shape == (320, 640, 3)
        assert np.abs(image[:, :320] - image[:, 320:]).max() > 50
    assert status_of("predict", save(tmp_path), images[0], "--top", 1, "--saliency", folder) == 0
    assert "looks/000.png" in capfd.readouterr().out.replace("\n", "")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["gone.keras", "a.png"], 66, "gone.keras"),
        (
            ["gone.keras", "a.png", "--saliency", "/dev/null/x"],
            66,
            "--saliency is /dev/null/x, which cannot be written",
        ),
        (["gone.keras", "empty"], 65, "has no photographs"),
        (["gone.keras", "a.png", "--top", "0"], 2, "top"),
        (["gone.keras"], 2, "IMAGE"),
    ],
)
def test_mistakes_end_with_a_message_and_their_status(tmp_path, capfd, monkeypatch, arguments, status, message):
    """No traceback, and nothing printed that a program could take for an answer."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert status_of("predict", *arguments) == status
    said = capfd.readouterr()
    assert message in said.err
    assert "Traceback" not in said.err
    assert not said.out
