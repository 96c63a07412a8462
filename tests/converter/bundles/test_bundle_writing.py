"""What a bundle is once it is written."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converter.bundles.drafting import check_id, choose_golden, default_id
from converter.bundles.writing import check_target, models, write
from edge_agent.bundle import read
from edge_agent.inference import TfliteClassifier
from edge_agent.shelf import BundleError, InputError
from trainer.photos.data import gather
from trainer.photos.data import read as read_photo


def test_the_agent_accepts_a_bundle(converted: Path, workshop: Any) -> None:
    """The agent's reader and classifier take what was written, and it tells held-out photographs apart."""
    classifier = TfliteClassifier(read(converted))
    photos = gather(workshop.data, labels=workshop.labels, part="test", seed=0)
    scores = classifier.classify(np.stack([read_photo(photo, workshop.size_px) for photo in photos]))
    right = scores.argmax(axis=1) == [photo.label_index for photo in photos]
    assert classifier.labels == workshop.labels
    assert right.mean() > 0.85


def test_a_bundle_holds_what_other_people_and_tools_need(converted: Path) -> None:
    """Beside what the agent reads lie labels, reports and a model card, each hashed, and anyone may read them."""
    names = sorted(file.name for file in converted.iterdir())
    wanted = {"MODEL_CARD.md", "confusion.png", "edgetpu.json", "golden.npz", "labelmap.txt", "labels.txt"}
    wanted |= {"model.tflite", "model_float.tflite", "model_gpu.tflite", "report.html", "report.json"}
    assert set(names) == wanted | {"manifest.json"}
    assert set(read(converted).manifest.files) == wanted
    assert converted.stat().st_mode & 0o055 == 0o055
    assert all(file.stat().st_mode & 0o044 == 0o044 for file in converted.iterdir())
    assert [path.name for path in converted.parent.iterdir()] == ["bundle"]


def test_the_manifest_says_where_the_model_comes_from(converted: Path, workshop: Any) -> None:
    """Recipe, calibration, versions and both accuracies per class travel with the model."""
    manifest = read(converted).manifest
    assert manifest.recipe["training"] == {"network": "test"}
    assert manifest.recipe["card"] == {"data": {}, "rejection": {"threshold": 0.4}}
    assert manifest.recipe["conversion"]["dense"] == "per-tensor"
    assert manifest.calibration.count == 120
    assert len(manifest.calibration.list_sha256 or "") == 64
    assert manifest.metrics.count == 240
    assert manifest.metrics.proven
    assert set(manifest.metrics.int8_recall) == set(workshop.labels)
    assert manifest.delegates == ("cpu", "gpu")
    assert manifest.versions["tensorflow"].startswith("2.")
    assert "time" not in json.dumps(manifest.recipe)


def test_golden_answers_cover_every_class(converted: Path) -> None:
    """The golden inputs make the network give each of its answers, in chunks of every size that the agent runs."""
    bundle = read(converted)
    assert len(bundle.golden_inputs) == 8 + 4 + 2 + 1
    assert set(bundle.golden_outputs.argmax(axis=1)) == set(range(3))


def test_golden_photographs_are_the_surest_of_each_answer() -> None:
    """Golden rows are taken in turn from each answer, the surest first, so that no rounding changes the winner."""
    scores = [
        [0.55, 0.35, 0.1],
        [0.95, 0.05, 0.0],
        [0.7, 0.2, 0.1],
        [0.3, 0.6, 0.1],
        [0.3, 0.2, 0.5],
        [0.45, 0.5, 0.05],
    ]
    assert choose_golden(np.asarray(scores, dtype=np.float32)) == (1, 3, 4, 2, 0)
    assert choose_golden(np.asarray(scores[5:], dtype=np.float32)) == (0,)


def test_a_bundle_is_named_after_its_model() -> None:
    """A file that is just called model is named after its folder; what topics cannot hold becomes a dash."""
    assert default_id(Path("run/dairy aisle/model.keras"), "c0ffee1234") == "dairy-aisle-c0ffee12"
    assert default_id(Path("run/cola.keras"), "c0ffee1234") == "cola-c0ffee12"
    with pytest.raises(InputError, match="--id"):
        check_id("dairy/aisle")


def test_only_a_bundle_is_ever_replaced(converted: Path, tmp_path: Path) -> None:
    """A new folder, an empty one or an older bundle may be the target; anything else is refused and kept."""
    check_target(tmp_path)
    check_target(tmp_path / "new")
    check_target(converted)
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(InputError, match="something else"):
        check_target(tmp_path)
    with pytest.raises(InputError, match="something else"):
        check_target(tmp_path / "holiday.jpg")


def test_an_older_bundle_is_replaced_whole(converted: Path, tmp_path: Path) -> None:
    """Writing over an older bundle leaves the new one and nothing beside it, also through a symbolic link."""
    shutil.copytree(converted, tmp_path / "bundle-1")
    (tmp_path / "current").symlink_to("bundle-1")
    bundle = read(converted)
    newer = replace(bundle, manifest=bundle.manifest.model_copy(update={"id": "newer"}))
    write(tmp_path / "current", newer.manifest, models(newer))
    assert read(tmp_path / "bundle-1").manifest.id == "newer"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle-1", "current"]
    assert (tmp_path / "current").is_symlink()
    assert not (tmp_path / "bundle-1" / "report.html").exists()


def test_what_the_agent_does_not_accept_is_not_written(converted: Path, tmp_path: Path) -> None:
    """A bundle that the agent's reader refuses never reaches its place, and the older one stays."""
    out = Path(shutil.copytree(converted, tmp_path / "bundle"))
    bundle = read(converted)
    odd = bundle.manifest.model_copy(update={"labels": (*bundle.manifest.labels, "star")})
    with pytest.raises(BundleError):
        write(out, odd, models(bundle))
    assert read(out).manifest == bundle.manifest
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
