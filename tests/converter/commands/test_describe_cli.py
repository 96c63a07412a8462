"""`shelf-convert describe` as a person meets it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest
from typer.testing import Result

from tests.conftest import REPO
from tests.converter.targets.parts import PAIRS, pair

Run = Callable[..., Result]
BUNDLE = REPO / "edge_agent" / "demo" / "bundle"


@pytest.mark.parametrize("columns", [80, 120])
def test_a_bundles_model_is_described(columns: int, shelf_convert: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle's model is described with its ends, operators and targets, in the width of the terminal."""
    monkeypatch.setenv("COLUMNS", str(columns))
    result = shelf_convert("describe", BUNDLE)
    assert result.exit_code == 0, result.output
    for part in ("int8", "uint8, scale 1, zero point 0", "DEPTHWISE_CONV_2D", "XNNPACK", "± 6.3%", ": fits", "GPU"):
        assert part in result.output
    assert "edgetpu_compiler -s -o . model.tflite" in result.output
    written = [line for line in result.output.splitlines() if str(BUNDLE) not in line]
    assert max(map(len, written)) <= columns


@pytest.mark.data
def test_a_compiled_file_shows_what_is_left(shelf_convert: Run, shared_data: Path) -> None:
    """A compiled file shows its exact memory and what is left to the CPU, and no command to compile it."""
    result = shelf_convert("describe", shared_data / "data" / "coral" / f"{PAIRS[0]}_edgetpu.tflite")
    assert result.exit_code == 0, result.output
    for part in ("compiled for the Edge TPU", "8 operators left to the CPU", "748.8 KiB on the chip", "ARG_MAX"):
        assert part in result.output
    assert "edgetpu_compiler" not in result.output


def test_json_says_everything(shelf_convert: Run) -> None:
    """With --json standard output is one JSON object with each operator's fate on each target."""
    kept = json.loads(shelf_convert("describe", BUNDLE / "model.tflite", "--json").stdout)
    assert kept["kind"] == "int8"
    assert {len(kept["targets"][target]["operators"]) for target in ("cpu", "edgetpu", "gpu")} == {
        sum(used["count"] for used in kept["operators"])
    }


def test_a_zip_of_a_bundle_is_opened(shelf_convert: Run, tmp_path: Path) -> None:
    """The model of a bundle in a zip is described, also where it lies in a folder of it."""
    with ZipFile(tmp_path / "bundle.zip", "w") as archive:
        archive.write(BUNDLE / "model.tflite", "bundle/model.tflite")
    result = shelf_convert("describe", tmp_path / "bundle.zip")
    assert (result.exit_code, "int8" in result.output) == (0, True), result.output


def test_other_builds_in_a_bundle_are_pointed_at(shelf_convert: Run, tmp_path: Path) -> None:
    """A bundle that holds other builds of its network describes the one that counts, and names the others."""
    for name in ("model.tflite", "model_gpu.tflite", "model_float.tflite"):
        (tmp_path / name).write_bytes((BUNDLE / "model.tflite").read_bytes())
    said = " ".join(shelf_convert("describe", tmp_path).output.split())
    assert "The bundle also holds model_float.tflite, model_gpu.tflite: name one to describe it." in said


def test_what_cannot_be_described_ends_with_one_sentence(shelf_convert: Run, tmp_path: Path) -> None:
    """What is missing, empty, cut, noise or something else ends with its status and a sentence that says what to do."""
    whole = (BUNDLE / "model.tflite").read_bytes()
    (tmp_path / "empty.tflite").touch()
    (tmp_path / "cut.tflite").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "head.tflite").write_bytes(whole[:8])
    (tmp_path / "noise.tflite").write_bytes(bytes(range(256)) * 20)
    (tmp_path / "old.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    (tmp_path / "torn.zip").write_bytes(b"PK\x03\x04" + bytes(100))
    (tmp_path / "folder").mkdir()
    with ZipFile(tmp_path / "model.keras", "w") as archive:
        for part in ("metadata.json", "config.json", "model.weights.h5"):
            archive.writestr(part, "{}")
    with ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("cat.jpg", "x")
    cases = [
        ("gone.tflite", 66, "cannot be opened (No such file or directory)"),
        ("folder", 66, "a folder without model.tflite"),
        ("photos.zip", 66, "a zip without model.tflite"),
        ("empty.tflite", 65, "an empty file"),
        ("cut.tflite", 65, "damaged TFLite file"),
        ("head.tflite", 65, "damaged TFLite file"),
        ("noise.tflite", 65, "not a TFLite file: 5120 bytes"),
        ("old.h5", 65, "a network in HDF5"),
        ("torn.zip", 65, "a damaged zip"),
        ("model.keras", 65, "a Keras network, not a TFLite file. Convert it: shelf-convert"),
    ]
    for name, status, said in cases:
        result = shelf_convert("describe", tmp_path / name)
        assert result.exit_code == status, (name, result.output)
        assert said in result.output, (name, result.output)
        assert name in result.output
        assert "Traceback" not in result.output


@pytest.mark.data
def test_a_file_without_layers_is_described(shelf_convert: Run, shared_data: Path) -> None:
    """Coral's model that loads and cannot be run is described: its one operator is unknown."""
    result = shelf_convert("describe", shared_data / "data" / "coral" / "invalid_models__model_invoking_error.tflite")
    assert result.exit_code == 0, result.output
    assert "fake-op-double" in result.output
    assert "LiteRT cannot run it alone" in result.output


def test_nothing_that_could_run_a_file_is_loaded() -> None:
    """A file is described without TensorFlow, OpenCV or LiteRT's interpreter in the command's process."""
    code = (
        "import sys\nfrom converter.cli import main\n"
        f"sys.argv = ['shelf-convert', 'describe', {str(BUNDLE)!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print('LOADED', sorted(name for name in sys.modules if name in ('tensorflow', 'cv2',"
        " 'ai_edge_litert.interpreter')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=False)
    assert "LOADED []" in done.stdout, done.stderr


@pytest.mark.data
def test_two_widths_show_the_same(shelf_convert: Run, shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is cut off in a narrow terminal: both widths hold the same words."""
    file = shared_data / "data" / "coral" / f"{PAIRS[0]}.tflite"
    assert pair(shared_data, PAIRS[0])[0] == file.read_bytes()
    said = []
    for columns in (80, 120):
        monkeypatch.setenv("COLUMNS", str(columns))
        said.append(shelf_convert("describe", file).output.split())
    assert said[0] == said[1]
