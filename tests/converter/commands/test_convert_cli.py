"""`shelf-convert` as a person meets it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import Result

from edge_agent.bundle import read

Run = Callable[..., Result]


def _calibrating_with(folder: Path, labels: Any, picture: Callable[[], np.ndarray]) -> Path:
    """A folder per class with pictures that are none of the shelf."""
    for label in labels:
        (folder / label).mkdir(parents=True)
        for number in range(60):
            cv2.imwrite(str(folder / label / f"{number}.png"), picture())
    return folder


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory, workshop: Any) -> Path:
    """Photographs that calibrate nothing: as many as it takes, and all nearly black."""
    rng = np.random.default_rng(5)
    folder = tmp_path_factory.mktemp("broken")
    return _calibrating_with(folder, workshop.labels, lambda: rng.integers(0, 6, (64, 64, 3), dtype=np.uint8))


def test_a_conversion_ends_with_its_figures(conversion: Any) -> None:
    """A conversion shows both accuracies, the drop and its bound, agreement, size and time, and where the report is."""
    name = read(conversion.out).manifest.id
    assert name.startswith("workshop")
    for part in (
        name,
        "top-1, 240 photographs",
        "drop, points",
        "proven)",
        "agreement",
        "report.html",
        "KB",
        "ms per crop",
    ):
        assert part in conversion.said
    assert "edgetpu_compiler is not on the PATH" in conversion.said
    assert "proves nothing" not in conversion.said


def test_a_broken_calibration_is_refused(
    workshop: Any, broken: Path, converted: Path, shelf_convert: Run, tmp_path: Path
) -> None:
    """A network that int8 has spoilt climbs the ladder in vain, ends with 2, and an older bundle stays to the byte."""
    out = Path(shutil.copytree(converted, tmp_path / "bundle"))
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    result = shelf_convert(workshop.model, "--calibrate", broken, "--evaluate", workshop.data / "test", "--out", out)
    assert result.exit_code == 2, result.output
    said = " ".join(result.output.split())
    for part in (
        "warning: the calibration photographs differ in brightness from those that judge",
        "warning: 126 photographs to calibrate with: of 240 held-out photographs int8 gets",
        "no more photographs to calibrate with: 126 are all there are",
        "worst layers in float (",
        "fine-tuning for int8, 4 epochs of 126 photographs",
        "error: refused after 3 attempts: quantization-aware fine-tuning",
        "at most 1 are allowed",
        "--max-drop",
    ):
        assert part in said, part
    assert "Traceback" not in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before


def test_calibrating_with_noise_is_noticed(workshop: Any, shelf_convert: Run, tmp_path: Path) -> None:
    """Noise is unlike any shelf, and that is said, whatever the network makes of it."""
    rng = np.random.default_rng(6)
    noise = _calibrating_with(
        tmp_path / "noise", workshop.labels, lambda: rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    )
    more = ("--evaluate", workshop.data / "test", "--no-ladder", "--slim")
    result = shelf_convert(workshop.model, "--calibrate", noise, *more, "--out", tmp_path / "bundle")
    assert "the calibration photographs differ in sharpness from those that judge" in result.output
    assert (result.exit_code == 0) == (tmp_path / "bundle").exists()
    assert result.exit_code in (0, 2), result.output


def test_calibrating_with_one_picture_is_refused(workshop: Any, shelf_convert: Run, tmp_path: Path) -> None:
    """Copies of one picture are one picture, however many there are."""
    one = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    copies = _calibrating_with(tmp_path / "one", workshop.labels, lambda: one)
    more = ("--evaluate", workshop.data / "test")
    result = shelf_convert(workshop.model, "--calibrate", copies, *more, "--out", tmp_path / "bundle")
    assert result.exit_code == 65, result.output
    assert "of 126 photographs to calibrate with" in result.output
    assert "only 1 differ" in result.output


def test_a_folder_of_something_else_is_never_replaced(workshop: Any, shelf_convert: Run, tmp_path: Path) -> None:
    """A folder that is no bundle stops the conversion before it begins."""
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    result = shelf_convert(workshop.model, "--calibrate", workshop.data, "--out", tmp_path)
    assert result.exit_code == 66
    assert (tmp_path / "holiday.jpg").read_bytes() == b"x"


def test_a_place_that_cannot_be_written_is_told_before_the_work(shelf_convert: Run, tmp_path: Path) -> None:
    """A file for a folder above the bundle, or a place that refuses even root, is told before any work."""
    (tmp_path / "file").touch()
    result = shelf_convert(tmp_path / "gone.keras", "--calibrate", tmp_path, "--out", tmp_path / "file" / "bundle")
    assert (result.exit_code, "cannot be written" in result.output) == (66, True), result.output
    result = shelf_convert(tmp_path / "gone.keras", "--calibrate", tmp_path, "--out", "/proc/bundle")
    assert (result.exit_code, "cannot be written" in result.output) == (66, True), result.output


def test_bad_inputs_end_with_a_message(workshop: Any, shelf_convert: Run, tmp_path: Path) -> None:
    """A model or photographs that are not there, are no model, too few or badly named: a status and a sentence each."""
    (tmp_path / "text.keras").write_text("not a network")
    cases = [
        (tmp_path / "gone.keras", workshop.data, (), 66, "gone.keras"),
        (tmp_path / "text.keras", workshop.data, (), 65, "not a .keras file"),
        (workshop.model, tmp_path / "nowhere", (), 66, "nowhere"),
        (workshop.model, workshop.data, ("--calibration-count", 99), 65, "at least 100"),
        (workshop.model, workshop.data, ("--id", "a/b"), 66, "--id"),
        (workshop.model, workshop.data, ("--licence", tmp_path / "gone.txt"), 66, "gone.txt"),
        (workshop.model, workshop.data, ("--sign", tmp_path / "gone.key"), 66, "gone.key"),
        (workshop.model, workshop.data, ("--sign", tmp_path / "text.keras"), 65, "text.keras"),
    ]
    for model, data, more, status, part in cases:
        result = shelf_convert(model, "--calibrate", data, "--out", tmp_path / "bundle", *more)
        assert (result.exit_code, part in result.output) == (status, True), result.output
        assert "Traceback" not in result.output
    assert not (tmp_path / "bundle").exists()


def test_help_does_not_wait_for_tensorflow() -> None:
    """The help names every option, and comes without loading TensorFlow."""
    code = (
        "import sys; from converter.cli import app\n"
        "try: app(['convert', '--help'])\n"
        "finally: print('tensorflow' in sys.modules, 'cv2' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={"COLUMNS": "200"}
    )
    for option in (
        "--calibrate",
        "--evaluate",
        "--out",
        "--target",
        "--max-drop",
        "--allow-unproven",
        "--sign",
        "--seed",
    ):
        assert option in done.stdout
    assert done.stdout.splitlines()[-1] == "False False"


def test_a_full_disk_is_told(workshop: Any, tmp_path: Path) -> None:
    """Where the disk takes no more, a conversion ends with 66 and what to do, and leaves nothing."""
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "from converter.cli import main; main()"
    )
    arguments = [workshop.model, "--calibrate", workshop.data, "--out", tmp_path / "bundle"]
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    assert done.returncode == 66, done.stderr
    assert "no room for what a conversion needs" in done.stderr
    assert "TMPDIR" in done.stderr
    assert "Traceback" not in done.stderr
    assert [*tmp_path.iterdir()] == []


def test_a_mistyped_command_is_told(shelf_convert: Run) -> None:
    """A word that is nearly a command, and no file, is not taken for a model."""
    result = shelf_convert("descibe", "bundle")
    assert result.exit_code == 2
    assert "Did you mean" in result.output
    assert '"describe"?' in result.output
