"""Which photographs calibrate, and which judge."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from converter.photos.photographs import choose, find
from edge_agent.shelf import DataError, InputError
from trainer.photos.data import Photo


def _photos(*counts: int) -> tuple[Photo, ...]:
    """So many photographs of each class."""
    return tuple(Photo(Path(f"{label}/{n}.jpg"), label) for label, count in enumerate(counts) for n in range(count))


def test_every_class_is_calibrated_with() -> None:
    """Photographs are taken in turn from each class, so that a rare product still sets its ranges."""
    chosen = choose(_photos(500, 4, 100), count=130, seed=0, where=Path("data"))
    counts = [sum(photo.label_index == label for photo in chosen) for label in range(3)]
    assert counts == [63, 4, 63]


def test_the_seed_alone_decides() -> None:
    """The same photographs and seed give the same choice in the same order; another seed gives another."""
    photos = _photos(90, 90)
    assert choose(photos, count=130, seed=1, where=Path()) == choose(photos, count=130, seed=1, where=Path())
    assert choose(photos, count=130, seed=1, where=Path()) != choose(photos, count=130, seed=2, where=Path())


def test_too_few_photographs_to_calibrate_are_refused() -> None:
    """Fewer than 100 photographs are refused with the number seen, for they don't show the ranges of a network."""
    with pytest.raises(DataError, match=r"data: 99 photographs to calibrate with, at least 100 are needed"):
        choose(_photos(50, 49), count=300, seed=0, where=Path("data"))
    with pytest.raises(DataError, match="--calibration-count"):
        choose(_photos(90, 90), count=99, seed=0, where=Path("data"))
    assert len(choose(_photos(50, 50), count=300, seed=0, where=Path("data"))) == 100


def test_only_the_training_part_calibrates(workshop: Any) -> None:
    """No photograph that calibrates is one that judges, and the test part judges where there is one."""
    photos = find(workshop.data, evaluate=None, labels=workshop.labels, count=300, seed=0)
    assert {photo.path.parent.parent.name for photo in photos.calibration} == {"train"}
    assert {photo.path.parent.parent.name for photo in photos.held_out} == {"test"}


def test_labels_count_as_in_the_network(workshop: Any) -> None:
    """A network whose outputs are in another order than the folders is still judged by the right label."""
    photos = find(workshop.data, evaluate=None, labels=("square", "none", "cross", "circle"), count=120, seed=0)
    expected = {"square": 0, "cross": 2, "circle": 3}
    assert all(photo.label_index == expected[photo.path.parent.name] for photo in photos.calibration + photos.held_out)


def test_a_label_that_the_network_does_not_know_is_refused(workshop: Any) -> None:
    """A stranger among the labels is named together with the nearest known one."""
    with pytest.raises(DataError, match=r'"circle" \(nearest is "circles"\)'):
        find(workshop.data, evaluate=None, labels=("circles", "cross", "square"), count=120, seed=0)


def test_missing_photographs_are_told() -> None:
    """A data set that is not there is an input error with its path."""
    with pytest.raises(InputError, match="nowhere"):
        find(Path("nowhere"), evaluate=None, labels=("a", "b"), count=120, seed=0)


def test_photographs_that_were_trained_on_prove_nothing(workshop: Any) -> None:
    """To evaluate on the photographs that calibrate is refused."""
    with pytest.raises(DataError, match="proves nothing"):
        find(workshop.data, evaluate=workshop.data / "train", labels=workshop.labels, count=120, seed=0)


def test_without_held_out_photographs_nothing_is_converted(
    workshop: Any, photographs: Callable[..., Path], tmp_path: Path
) -> None:
    """Where no photograph is held out, the message says so and names --evaluate."""
    held_out = photographs(tmp_path / "held-out", each=1, seed=9)
    for photo in held_out.rglob("*.png"):
        photo.unlink()
    with pytest.raises(DataError, match=r"held.out|photographs"):
        find(workshop.data, evaluate=held_out, labels=workshop.labels, count=120, seed=0)
    shutil.rmtree(held_out)
    one_each = photographs(tmp_path / "one-each", each=1, seed=9)
    with pytest.raises(DataError, match="three or more"):
        find(one_each, evaluate=None, labels=workshop.labels, count=120, seed=0)
