"""The bundle: read hash first, and refused with the file, the reason and the remedy when anything is off."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edge_agent import bundle
from edge_agent.demo.store import BUNDLE
from edge_agent.inference import TfliteClassifier
from edge_agent.shelf import BundleError


@pytest.fixture
def copy(tmp_path):
    """A copy of the demo's bundle, to be spoiled."""
    return shutil.copytree(BUNDLE, tmp_path / "bundle")


def resign(folder, name):
    """Make the manifest agree with a file that was changed."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = bundle.sha256((folder / name).read_bytes())
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_the_demos_bundle_is_whole_and_small():
    """It reads, is at most 1 MB, knows at least twelve products, and lost at most a point on its way to int8."""
    read = bundle.read(BUNDLE)
    products = set(read.manifest.labels) - {"empty", "occluded"}
    assert len(products) >= 12
    assert sum(file.stat().st_size for file in BUNDLE.iterdir()) <= 2**20
    assert read.manifest.metrics.float_top1 - read.manifest.metrics.int8_top1 <= 0.01
    assert read.manifest.metrics.int8_top1 > 0.95


def test_a_zip_is_as_good_as_a_folder(tmp_path):
    """A bundle can be moved as one file."""
    path = tmp_path / "bundle.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in BUNDLE.iterdir():
            archive.write(file, f"bundle/{file.name}")
    assert bundle.read(path).manifest == bundle.read(BUNDLE).manifest


@pytest.mark.parametrize("name", ["model.tflite", "golden.npz"])
def test_a_flipped_byte_is_found_before_the_file_is_parsed(copy, name):
    """A single byte that differs makes the bundle refused, naming the file."""
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(BundleError, match=rf"{name} was altered or damaged.*Copy the bundle again") as caught:
        bundle.read(copy)
    assert caught.value.exit_status == 78


@pytest.mark.parametrize("name", ["model.tflite", "golden.npz", "manifest.json"])
def test_a_missing_file_is_named(copy, name):
    """Whichever file is missing, the error says which."""
    (copy / name).unlink()
    with pytest.raises(BundleError, match=f"{name} is missing"):
        bundle.read(copy)


def zipped(path, spoil):
    """The demo's bundle as a zip, of which some bytes are changed."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("manifest.json", "model.tflite", "golden.npz"):
            archive.write(BUNDLE / name, name)
    content = bytearray(path.read_bytes())
    spoil(content, content.find(b"PK\x03\x04"), content.find(b"PK\x01\x02"))
    path.write_bytes(content)
    return path


def encrypt(content, local, central):
    """Say that the first entry is encrypted."""
    content[local + 6] |= 1
    content[central + 8] |= 1


def invent_method(content, local, central):
    """Say that the first entry is packed in a way that nobody knows."""
    content[local + 8] = content[central + 10] = 97


def flip(content, local, central):  # noqa: ARG001 — as the others
    """Damage the packed data of the first entry at its beginning, so that it cannot be unpacked."""
    content[local + 30 + len("manifest.json")] ^= 0xFF


@pytest.mark.parametrize("spoil", [encrypt, invent_method, flip])
def test_a_zip_that_cannot_be_unpacked_is_refused(tmp_path, spoil):
    """Damaged, encrypted or strangely packed: each is one message, whatever zipfile raises."""
    with pytest.raises(BundleError, match="cannot be read"):
        bundle.read(zipped(tmp_path / "b.zip", spoil))


def test_a_path_that_can_be_none_is_refused(tmp_path):
    """A NUL in the path is a mistake in the configuration, not a crash."""
    with pytest.raises(BundleError, match="cannot be read"):
        bundle.read(tmp_path / "a\0b")


def test_files_of_other_names_are_not_read(copy):
    """However large, what else lies in the folder is left alone."""
    with (copy / "film.mp4").open("wb") as film:
        film.truncate(bundle.FILE_BYTES_MAX + 1)
    assert bundle.read(copy).manifest == bundle.read(BUNDLE).manifest


def test_a_file_that_is_too_large_is_refused_unread(copy):
    """A model that no device could use is refused by its size."""
    with (copy / "model.tflite").open("wb") as model:
        model.truncate(bundle.FILE_BYTES_MAX + 1)
    with pytest.raises(BundleError, match=r"model\.tflite has \d+ bytes, more than"):
        bundle.read(copy)


def regild(folder, **changed):
    """Write other golden arrays, and make the manifest agree."""
    with np.load(folder / "golden.npz") as arrays:
        np.savez(folder / "golden.npz", **{**arrays, **changed})
    resign(folder, "golden.npz")


@pytest.mark.parametrize("name", bundle.VARIANTS)
def test_a_variant_is_read_where_the_manifest_lists_it(copy, name):
    """A second build of the network comes with the bundle, from a folder or a zip; without one there is none."""
    regild(copy, float_outputs=np.zeros(bundle.read(copy).golden_outputs.shape, np.float32))
    assert bundle.read(copy).variants == {}
    (copy / name).write_bytes(b"another build")
    resign(copy, name)
    assert bundle.read(copy).variants == {name: b"another build"}
    zipped = shutil.make_archive(str(copy), "zip", copy)
    assert bundle.read(Path(zipped)).variants == {name: b"another build"}


@pytest.mark.parametrize("name", bundle.VARIANTS)
def test_a_variant_must_be_the_one_that_the_manifest_lists(copy, name):
    """Altered, unlisted or missing: each is refused, and the message names the file and the way out."""
    (copy / name).write_bytes(b"another build")
    with pytest.raises(BundleError, match=f"{name} is there, but the manifest does not list it.*into an empty folder"):
        bundle.read(copy)
    resign(copy, name)
    (copy / name).write_bytes(b"another_build")
    with pytest.raises(BundleError, match=f"{name} was altered or damaged"):
        bundle.read(copy)
    (copy / name).unlink()
    with pytest.raises(BundleError, match=f"{name} is missing, and the manifest lists it"):
        bundle.read(copy)


@pytest.mark.parametrize("name", [bundle.FLOAT_FILE, bundle.GPU_FILE])
def test_a_float_build_needs_golden_answers_of_float(copy, name):
    """A build that nothing could be held against is refused."""
    (copy / name).write_bytes(b"another build")
    resign(copy, name)
    with pytest.raises(BundleError, match=rf"golden\.npz has no float_outputs to hold {name} against"):
        bundle.read(copy)


def test_files_that_the_agent_does_not_need_may_be_listed_or_not(copy):
    """The manifest holds the hash of a report or a licence too, and the agent runs without them."""
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["files"]["report.html"] = "0" * 64
    (copy / "manifest.json").write_text(json.dumps(manifest))
    (copy / "labels.txt").write_text("one\ntwo\n")
    assert bundle.read(copy).variants == {}


def test_proof_and_calibration_list_are_part_of_the_manifest(copy):
    """What the converter proved is read back; a bundle that says nothing of it is not proven."""
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["metrics"] |= {"drop_bound_points": 1.25, "proven": True}
    manifest["calibration"]["list_sha256"] = "f" * 64
    (copy / "manifest.json").write_text(json.dumps(manifest))
    read = bundle.read(copy).manifest
    assert (read.metrics.drop_bound_points, read.metrics.proven) == (1.25, True)
    assert read.calibration.list_sha256 == "f" * 64
    for part in ("drop_bound_points", "proven"):
        del manifest["metrics"][part]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    read = bundle.read(copy).manifest
    assert (read.metrics.drop_bound_points, read.metrics.proven) == (None, False)


def test_golden_float_outputs_are_read_where_they_are(copy):
    """What float must answer comes with the bundle, one row for each golden input."""
    golden = bundle.read(copy).golden_outputs
    regild(copy, float_outputs=(golden / 255).astype(np.float32))
    read = bundle.read(copy)
    assert read.golden_float is not None
    np.testing.assert_allclose(read.golden_float, golden / 255, atol=1e-6)


@pytest.mark.parametrize("spoil", [lambda a: a[:-1], lambda a: a.astype(np.float64), lambda a: a * np.nan])
def test_golden_float_outputs_that_do_not_fit_are_refused(copy, spoil):
    """A row too few, another type or no numbers at all: not what float answered."""
    floats = np.zeros(bundle.read(copy).golden_outputs.shape, np.float32)
    regild(copy, float_outputs=spoil(floats))
    with pytest.raises(BundleError, match="golden float_outputs are"):
        bundle.read(copy)


def test_no_bundle_at_all(tmp_path):
    """A path with nothing there is told apart from a broken bundle."""
    with pytest.raises(BundleError, match="there is no bundle at"):
        bundle.read(tmp_path / "none")
    (tmp_path / "text").write_text("not a zip")
    with pytest.raises(BundleError, match="cannot be read"):
        bundle.read(tmp_path / "text")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": "shelfwatch.bundle/2"}, "schema"),
        ({"surprise": 1}, "surprise"),
        ({"labels": ["one"]}, "labels"),
        ({"files": {}}, "does not list it"),
    ],
)
def test_a_manifest_of_another_kind_is_refused(copy, change, words):
    """A newer format, unknown keys or too few labels are named."""
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps({**manifest, **change}))
    with pytest.raises(BundleError, match=words):
        bundle.read(copy)


def test_golden_outputs_that_do_not_hold_are_refused(copy):
    """A model that answers differently than when it was verified never counts."""
    with np.load(copy / "golden.npz") as arrays:
        inputs, outputs = arrays["inputs"], arrays["outputs"]
    np.savez(copy / "golden.npz", inputs=inputs, outputs=outputs[:, ::-1])
    resign(copy, "golden.npz")
    with pytest.raises(BundleError, match="does not answer in litert as it did"):
        TfliteClassifier(bundle.read(copy))


@pytest.mark.parametrize("content", [b"", b"TFL3" * 400])
def test_a_model_that_is_none_is_refused_even_with_the_right_hash(copy, content):
    """A file that hashes right but is no model gives one error, not a crash."""
    (copy / "model.tflite").write_bytes(content)
    resign(copy, "model.tflite")
    with pytest.raises(BundleError, match=r"model\.tflite of .* does not load in litert"):
        TfliteClassifier(bundle.read(copy))


def test_golden_arrays_of_another_shape_are_refused(copy):
    """Golden inputs must be crops of the model's size."""
    np.savez(copy / "golden.npz", inputs=np.zeros((2, 8, 8, 3), np.uint8), outputs=np.zeros((2, 3), np.uint8))
    resign(copy, "golden.npz")
    with pytest.raises(BundleError, match="golden inputs are uint8"):
        bundle.read(copy)
