"""What a conversion says before its slow work, and which photographs it holds out."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from converter.convert import Job, Show, convert
from converter.judging.gate import Refused
from converter.load import load
from converter.network import import_quietly
from edge_agent.shelf import InputError


def _warnings(job: Job) -> list[str]:
    """What a conversion that is stopped warns of, but for the special classes, which no drawing has."""
    said: list[str] = []
    with pytest.raises(InputError, match="gone"):
        convert(job, Show(warn=said.append, track=_stop))
    return [message for message in said if "there is no class" not in message]


def _stop(items: Any, what: str) -> Any:
    raise InputError(f"{len(items)} gone while {what}")


@pytest.fixture
def job(workshop: Any, tmp_path: Path) -> Job:
    """The conversion of the tiny network."""
    return Job(workshop.model, workshop.data, tmp_path / "bundle")


def test_enough_photographs_need_no_warning(job: Job) -> None:
    """With 100 photographs or more, and held-out ones of its own, a conversion warns of nothing."""
    assert _warnings(job) == []


def test_a_wide_layer_behind_flatten_is_warned_of(job: Job, save: Any, tmp_path: Path) -> None:
    """A network whose weights are nearly all in one dense layer behind Flatten is told what would make it small."""
    keras = import_quietly("keras")
    layers = keras.layers
    network = keras.Sequential(
        [
            layers.Input((48, 48, 3)),
            layers.Conv2D(4, 3, strides=1),
            layers.Flatten(),
            layers.Dense(8),
            layers.Dense(3, activation="softmax"),
        ]
    )
    (warning,) = _warnings(replace(job, model=save(network, tmp_path / "wide.keras")))
    assert "behind Flatten has 8464 inputs, and 100% of all weights" in warning
    assert "GlobalAveragePooling2D" in warning


def test_photographs_that_may_have_been_trained_on_are_warned_of(job: Job, tmp_path: Path) -> None:
    """Where the card tells of more training photographs than there are here, the held-out ones are in doubt."""
    model = tmp_path / "model.keras"
    model.write_bytes(job.model.read_bytes())
    card = job.model.with_suffix(".json").read_text()
    model.with_suffix(".json").write_text(card.replace('"recipe"', '"data": {"train": 5000}, "recipe"'))
    assert load(model).trained_on == 5000
    (warning,) = _warnings(replace(job, model=model))
    assert "trained on 5000 photographs" in warning
    assert "--evaluate" in warning
    assert _warnings(replace(job, model=model, evaluate=job.data / "test")) == []


def test_a_network_that_cannot_see_a_gap_is_warned_of(job: Job) -> None:
    """A network without the classes of gaps and arms is converted, but not in silence."""
    said: list[str] = []
    with pytest.raises(InputError, match="gone"):
        convert(job, Show(warn=said.append, track=_stop))
    assert len(said) == 1
    assert 'cannot see a gap: there is no class "empty"' in said[0]
    assert 'cannot tell an arm from a product: there is no class "occluded"' in said[0]


def test_what_may_have_been_trained_on_proves_nothing(job: Job, tmp_path: Path) -> None:
    """Held-out photographs that the training may have seen make a bundle unproven, however well they come out."""
    model = tmp_path / "model.keras"
    model.write_bytes(job.model.read_bytes())
    card = job.model.with_suffix(".json").read_text()
    model.with_suffix(".json").write_text(card.replace('"recipe"', '"data": {"train": 5000}, "recipe"'))
    with pytest.raises(Refused, match=r"trained on 5000 photographs.*--evaluate.*--allow-unproven"):
        convert(replace(job, model=model, slim=True), Show(warn=lambda _: None))
    assert not job.out.exists()
