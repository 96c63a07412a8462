"""Float against int8, and the gate between a conversion and a bundle."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converter.judging.verify import Refused, Verification, doubt, gate, judge, verify
from edge_agent.bundle import read
from edge_agent.inference import TfliteClassifier
from trainer.photos.data import Photo, gather


@dataclass(frozen=True, slots=True)
class Stub:
    """A float network that always answers with the first class."""

    classes: int

    def predict_on_batch(self, crops: np.ndarray) -> np.ndarray:
        """Crops (n, …) → probabilities (n, classes)."""
        assert crops.dtype == np.float32
        return np.eye(self.classes, dtype=np.float32)[[0] * len(crops)]


def _verification(float_right: int, int8_right: int, count: int) -> Verification:
    truth = np.zeros(count, dtype=np.int64)
    metrics = judge(
        truth,
        by_float=(np.arange(count) >= float_right).astype(np.int64),
        by_int8=(np.arange(count) >= int8_right).astype(np.int64),
        labels=("milk", "empty"),
    )
    return Verification(metrics, truth, truth.astype(np.float32), 0.1)


def test_both_networks_see_the_same_photographs(converted: Path, workshop: Any) -> None:
    """Float and int8 are judged on the same pixels, int8 by the answers of the agent's own classifier."""
    photos = gather(workshop.data, labels=workshop.labels, part="test", seed=0)
    classifier = TfliteClassifier(read(converted))
    verification = verify(Stub(3), classifier, photos)
    metrics = verification.metrics
    assert metrics.count == len(photos)
    assert metrics.float_top1 == pytest.approx(1 / 3)
    assert metrics.float_recall == {"circle": 1, "cross": 0, "square": 0}
    assert metrics.int8_top1 == read(converted).manifest.metrics.int8_top1
    assert metrics.agreement == pytest.approx((verification.winners == 0).mean())
    assert verification.margins.shape == (len(photos),)
    assert verification.ms_per_crop > 0


def test_a_class_without_photographs_has_no_recall() -> None:
    """What was not seen is left out rather than called 0 or 1."""
    truth = np.asarray([0, 0, 2, 2])
    metrics = judge(truth, by_float=np.asarray([0, 1, 2, 2]), by_int8=np.asarray([0, 1, 2, 0]), labels=("a", "b", "c"))
    assert metrics.float_recall == {"a": 0.5, "c": 1.0}
    assert metrics.int8_recall == {"a": 0.5, "c": 0.5}
    assert (metrics.float_top1, metrics.int8_top1, metrics.agreement) == (0.75, 0.5, 0.75)


def test_a_drop_within_the_bound_passes() -> None:
    """A drop of exactly the bound passes, as does a gain."""
    gate(_verification(93, 92, 100), max_drop_points=1.0)
    gate(_verification(92, 93, 100), max_drop_points=0)


def test_a_drop_above_the_bound_is_refused() -> None:
    """A refusal names both accuracies, the drop, the bound and the remedy, and its exit status is 2."""
    with pytest.raises(Refused) as refusal:
        gate(_verification(90, 80, 100), max_drop_points=1.0)
    message = str(refusal.value)
    assert refusal.value.exit_status == 2
    for part in (
        "80.0%",
        "90.0%",
        "10.00 points (10 photographs)",
        "at most 1 ",
        "Calibrate with more photographs",
        "--max-drop",
    ):
        assert part in message


def test_a_network_that_guesses_is_doubted() -> None:
    """A float network no better than the commonest answer has nothing to lose, and that is said."""
    photos = [Photo(Path(f"{n}.jpg"), int(n >= 60)) for n in range(100)]
    assert "proves nothing" in str(doubt(_verification(60, 60, 100).metrics, photos))
    assert doubt(_verification(61, 60, 100).metrics, photos) is None
