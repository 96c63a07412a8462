"""`shelf-train evaluate`: every figure in JSON, as pictures and in words."""

import json

import cv2
import numpy as np
import pytest

from tests.trainer.colours import LABELS, save
from tests.trainer.command import status_of


@pytest.fixture
def photographs(draw_classes):
    """Four of each of three products; one photograph of each of two is in the folder of another."""
    root = draw_classes(LABELS, 4)
    (root / LABELS[0] / "003.png").rename(root / LABELS[1] / "wrong.png")
    (root / LABELS[1] / "003.png").rename(root / LABELS[2] / "wrong.png")
    return root


@pytest.fixture
def strange(tmp_path):
    """Three pictures of nothing but grey."""
    (tmp_path / "strange").mkdir()
    for number in range(3):
        cv2.imwrite(str(tmp_path / "strange" / f"{number}.png"), np.full((40, 40, 3), 100 + number, np.uint8))
    return tmp_path / "strange"


def test_figures_of_groups_of_sureness_and_of_mistakes(photographs, strange, tmp_path, capfd):
    """Ten of twelve are right; one mistake stays within its group; grey is rejected; all of it is written and said."""
    out = tmp_path / "report"
    assert status_of("evaluate", save(tmp_path), photographs, "--split", "all", "--out", out, "--unknown", strange) == 0
    report = json.loads((out / "evaluation.json").read_text())
    assert report["accuracy"] == pytest.approx(10 / 12)
    assert report["coarse_accuracy"] == pytest.approx(11 / 12)
    assert report["coarse"]["confusion"] == [[7, 0], [1, 4]]
    assert {(pair["truth"], pair["answer"], pair["count"]) for pair in report["pairs"]} == {
        (LABELS[1], LABELS[0], 1),
        (LABELS[2], LABELS[1], 1),
    }
    assert sum(found["count"] for found in report["reliability"]) == 12
    assert report["rejection"] == {
        "score": "max_probability",
        "threshold": 0.5,
        "known_lost": 0.04,
        "coverage": 1.0,
        "accuracy": pytest.approx(10 / 12),
    }
    assert report["unknown"] == {"photographs": 3, "auroc": 1.0, "caught": 1.0, "caught_at_loss": 1.0}
    said = capfd.readouterr().out
    for line in (
        "accuracy 83.3%, of the group 91.7%",
        f'"{LABELS[1]}" is taken for "{LABELS[0]}" 1 of 4 times',
        "sure enough (at least 0.500): 100.0% of the photographs, 83.3% of them right",
        "3 photographs of unknown products: 100.0% caught at the model's threshold, 100.0% at a loss of 5%",
    ):
        assert line in said
    for name in ("confusion.png", "reliability.png", "coverage.png", "errors.png", "pairs.png"):
        assert str(out / name) in said
        assert cv2.imread(str(out / name)).std() > 1


def test_without_groups_threshold_and_mistakes_nothing_is_said_of_them(draw_classes, tmp_path, capfd):
    """An older card has neither, and where all is right there is no picture of mistakes."""
    model = save(tmp_path, coarse=None, rejection=None)
    out = tmp_path / "report"
    assert status_of("evaluate", model, draw_classes(LABELS, 2), "--split", "all", "--out", out) == 0
    report = json.loads((out / "evaluation.json").read_text())
    assert report["accuracy"] == 1
    assert not {"coarse", "coarse_accuracy", "rejection", "unknown"} & set(report)
    assert sorted(path.name for path in out.iterdir()) == [
        "confusion.png",
        "coverage.png",
        "evaluation.json",
        "reliability.png",
    ]
    said = capfd.readouterr().out
    assert "of the group" not in said
    assert "sure enough" not in said


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"coarse": {"labels": ["drinks"], "of": [0, 0]}}, "puts 2 labels into 1 groups, but there are 3"),
        ({"coarse": {"labels": ["drinks"], "of": [0, 0, 1]}}, "puts 3 labels into 1 groups"),
        ({"coarse": {"of": [0]}}, 'the card\'s "coarse" is'),
        ({"rejection": {"threshold": "high"}}, 'the card\'s "rejection" is'),
    ],
)
def test_a_card_that_makes_no_sense_is_an_error(photographs, tmp_path, capfd, section, message):
    """A card that was edited by hand is named before any photograph is read."""
    assert status_of("evaluate", save(tmp_path, **section), photographs) == 65
    said = capfd.readouterr()
    assert message in said.err
    assert "reading photographs" not in said.out


def test_unknown_products_that_are_not_there_are_an_error(photographs, tmp_path, capfd):
    """A slip in the path is told before any photograph is read."""
    assert status_of("evaluate", save(tmp_path), photographs, "--unknown", tmp_path / "gone") == 66
    said = capfd.readouterr()
    assert "Check --unknown" in said.err
    assert "reading photographs" not in said.out
