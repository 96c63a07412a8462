"""The JSON of a conversion holds every number of its page, in a shape that programs can rely on."""

import json
from dataclasses import replace

import pytest

from converter.judging.gate import Bounds
from converter.judging.page import figures
from tests.converter.judging.conversions import LABELS, LATENCY, LAYERS, Course, climbed, evidence


@pytest.fixture(scope="module")
def pictures(photographs, tmp_path_factory):
    """Three pictures."""
    return sorted(photographs(tmp_path_factory.mktemp("pictures") / "shapes", each=1, seed=4).glob("*/*.png"))


def told(found):
    """The figures, through a JSON that allows no NaN."""
    return json.loads(json.dumps(figures(found), allow_nan=False))


def test_the_verdict_and_its_bounds_are_there(pictures):
    """What was found, what was asked for, and whether it is proven."""
    found = evidence(pictures)
    told_ = told(found)
    assert told_["schema"] == "shelfwatch.conversion/1"
    assert told_["bundle"]["id"] == "shapes-c0ffee12"
    assert told_["bundle"]["labels"] == list(LABELS)
    verdict, accuracy = told_["verdict"], told_["accuracy"]
    assert (verdict["passed"], verdict["proven"], verdict["proves_nothing"]) == (True, True, False)
    assert verdict["bounds"] == {
        "drop_points": 1.0,
        "agreement": 0.95,
        "recall_points": 5.0,
        "proof_points": Bounds().proof_points,
        "recall_photographs": 50,
    }
    assert (accuracy["photographs"], accuracy["lost"], accuracy["won"]) == (300, 2, 1)
    assert (accuracy["keras"]["hits"], accuracy["int8"]["hits"], accuracy["agreement"]["hits"]) == (250, 249, 296)
    assert accuracy["drop_points"] == pytest.approx(1 / 3)
    assert accuracy["drop_points"] < accuracy["drop_bound_points"] < 2


def test_classes_confusions_and_disagreements_add_up(pictures):
    """Every photograph is counted once in each of the lists."""
    told_ = told(evidence(pictures))
    assert sum(row["photographs"] for row in told_["classes"]) == 300
    assert sum(row["int8_right"] for row in told_["classes"]) == 249
    assert sum(pair["int8"] for pair in told_["confusions"]) == 300 - 249
    assert sum(pair["float32"] for pair in told_["confusions"]) == 300 - 250
    sides = [one["right"] for one in told_["disagreements"]]
    assert sides == ["float", "float", "int8", "neither"]
    first = told_["disagreements"][0]
    assert first["photograph"] == f"{first['truth']}/{pictures[first['index'] % 3].name}"


def test_every_attempt_is_there_with_its_reasons(pictures):
    """Also those that were refused."""
    found = climbed(evidence(pictures), failed=Course(lost=30), what="1000 photographs to calibrate with")
    first, last = told(found)["attempts"]
    assert (first["passed"], last["passed"]) == (False, True)
    assert any("a drop of 9.67 points" in failure for failure in first["failures"])
    assert last["what"] == "1000 photographs to calibrate with"


def test_layers_times_and_sizes_are_those_measured(pictures):
    """Nothing is rounded, and what was compared is named."""
    told_ = told(evidence(pictures, in_float=[LAYERS[0].tensor]))
    assert [layer["rmse_steps"] for layer in told_["layers"]["errors"]] == [layer.rmse_steps for layer in LAYERS]
    assert [layer["in_float"] for layer in told_["layers"]["errors"]] == [True, False, False]
    assert told_["layers"]["errors"][2]["noise_db"] is None
    assert len(told_["latency"]["per_crop"]) == len(LATENCY)
    assert all(pair["times_faster"] == pytest.approx(3) for pair in told_["latency"]["compared"])
    assert told_["sizes"] == {
        "bytes": {"model.tflite": 250_000, "model_float.tflite": 1_000_000},
        "times_smaller": 4.0,
    }


def test_the_list_of_calibration_photographs_is_whole(pictures):
    """Another machine can take the same ones."""
    found = evidence(pictures)
    calibration = told(found)["calibration"]
    assert calibration["photographs"] == list(found.calibrated_with)
    assert calibration["list_sha256"] == found.manifest.calibration.list_sha256
    assert told(found)["warnings"] == list(found.warnings)


def test_what_is_not_known_is_null_or_empty(pictures):
    """No float file, nothing timed, nothing asked of targets."""
    found = replace(evidence(pictures, targets={}), layers=(), latency=(), sizes_bytes={"model.tflite": 1})
    told_ = told(found)
    assert told_["sizes"]["times_smaller"] is None
    assert told_["latency"] == {"per_crop": [], "compared": []}
    assert told_["targets"] == {}
    assert told_["layers"]["errors"] == []
