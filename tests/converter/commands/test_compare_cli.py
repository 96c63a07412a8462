"""`shelf-convert compare` and `bench`: bundles against each other and against the clock."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

from converter.bundles.writing import models, write
from converter.judging.versus import Side, Versus, versus
from edge_agent.bundle import read

Run = Callable[..., Result]


def _versus(only_a: int, only_b: int, count: int) -> Versus:
    sides = [Side(name, 0, 1, ()) for name in ("old", "new")]
    return Versus(*sides, count=count, same=0, only_a=only_a, only_b=only_b, classes=())


def test_a_bundle_against_itself_is_the_same(
    converted: Path, workshop: Any, shelf_convert: Run, tmp_path: Path
) -> None:
    """A copy under the same name answers alike, is told apart by its place, and is not called better."""
    copy = Path(shutil.copytree(converted, tmp_path / "copy"))
    result = shelf_convert("compare", converted, copy, "--on", workshop.data)
    assert result.exit_code == 0, result.output
    assert "the same answer" in result.output
    assert "100.0%" in result.output
    assert "may be chance" in result.output
    assert str(copy) in result.output.replace("\n", "")


def test_the_order_of_labels_does_not_matter(converted: Path, workshop: Any, tmp_path: Path) -> None:
    """Labels in another order are matched by name: one that has them swapped is wrong where the other is right."""
    bundle = read(converted)
    swapped = (*bundle.manifest.labels[1:], bundle.manifest.labels[0])
    other = bundle.manifest.model_copy(update={"labels": swapped, "id": "swapped"})
    write(tmp_path / "swapped", other, models(replace(bundle, manifest=other)))
    found = versus(converted, tmp_path / "swapped", workshop.data)
    assert found.count == 240
    assert found.a.right > 0.85 * 240
    assert found.same == 0
    assert found.b.right < 0.15 * 240
    assert "swapped is worse by" in found.sentence


def test_a_real_difference_is_told_from_chance() -> None:
    """Ten photographs more of a thousand are news where none is lost, and chance where nearly as many are."""
    assert _versus(0, 10, 1000).sentence.startswith("new is better by 1.0 points")
    assert "may be chance" in _versus(40, 50, 1000).sentence
    assert _versus(30, 5, 1000).sentence.startswith("new is worse by 2.5 points")


def test_bundles_of_other_labels_are_not_compared(
    converted: Path, workshop: Any, shelf_convert: Run, tmp_path: Path
) -> None:
    """Networks that tell different things apart are refused with a label that only one of them knows."""
    bundle = read(converted)
    other = bundle.manifest.model_copy(update={"labels": ("circle", "cross", "star")})
    write(tmp_path / "other", other, models(replace(bundle, manifest=other)))
    result = shelf_convert("compare", converted, tmp_path / "other", "--on", workshop.data)
    assert result.exit_code == 65
    assert '"square"' in result.output


@pytest.mark.parametrize("command", ["compare", "bench"])
def test_what_is_no_bundle_is_told(command: str, converted: Path, workshop: Any, shelf_convert: Run) -> None:
    """A bare model file, or nothing at all, is refused by name with status 78."""
    more = (converted, "--on", workshop.data) if command == "compare" else ()
    for path in (converted / "model.tflite", converted / "nowhere"):
        result = shelf_convert(command, path, *more)
        assert result.exit_code == 78, result.output
        assert str(path) in result.output.replace("\n", "")
        assert "Traceback" not in result.output


def test_a_bundle_is_timed_in_batches(converted: Path, shelf_convert: Run) -> None:
    """int8 and float are timed side by side, for the threads that are asked for and all sizes of batch."""
    result = shelf_convert("bench", converted, "--threads", 1)
    assert result.exit_code == 0, result.output
    for part in ("batch 1", "batch 2", "batch 4", "batch 8", "int8", "float32"):
        assert part in result.output
    figures = [
        float(word) for word in result.output.split() if word.count(".") == 1 and word.replace(".", "").isdigit()
    ]
    assert len(figures) == 8
    assert (np.asarray(figures) > 0).all()
