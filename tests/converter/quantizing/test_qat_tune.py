"""Fine-tuning gives a network that suffers in int8 its answers back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converter.load import Trained, load
from converter.photos.calibrate import Calibration
from converter.photos.photographs import find
from converter.quantizing.quantize import converted
from edge_agent.shelf import DataError
from trainer.photos.data import Photo, read

Uneven = Callable[[float], Path]


def _agreement(model: Path, calibration: Calibration, crops: np.ndarray, wanted: np.ndarray) -> float:
    """How often the int8 file of a network answers as `wanted`, (n,) label indices."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=converted(model, calibration.crops, ("int8",))["int8"])
    given, answer = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    interpreter.resize_tensor_input(given, crops.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(given, crops)
    interpreter.invoke()
    return float((interpreter.get_tensor(answer).argmax(axis=1) == wanted).mean())


def _pixels(photos: Any, trained: Trained) -> np.ndarray:
    return np.stack([read(photo, trained.size_px) for photo in photos])


def test_a_network_that_suffers_in_int8_is_healed(
    workshop: Any, uneven: Uneven, save: Callable[..., Path], tmp_path: Path
) -> None:
    """int8 answers otherwise than float, and after fine-tuning as float does; the float network stays as it is."""
    from converter.quantizing.qat.tune import Tuning, fine_tune

    suffers = uneven(300)
    trained = load(suffers)
    photos = find(workshop.data, evaluate=None, labels=trained.labels, count=120, seed=0)
    calibration = Calibration(_pixels(photos.calibration, trained), "0" * 64)
    held_out = _pixels(photos.held_out, trained)
    before = np.asarray(trained.network(held_out.astype(np.float32), training=False))

    tuning = Tuning(epochs=10, lr=1e-3)
    shown: list[str] = []

    def track(items: Any, what: str) -> Any:
        for item in items:
            shown.append(what)
            yield item

    tuned = save(fine_tune(trained, photos.train, calibration, tuning, track=track), tmp_path / "t.keras")
    plain, healed = (_agreement(path, calibration, held_out, before.argmax(axis=1)) for path in (suffers, tuned))
    assert plain < 0.87, "int8 should lose something to begin with"
    assert healed > 0.93
    np.testing.assert_array_equal(np.asarray(trained.network(held_out.astype(np.float32), training=False)), before)
    assert load(tuned).labels == trained.labels
    assert shown.count("Fine-tuning for int8") == 10 * -(-len(photos.train) // 16)
    assert shown.count("Reading photographs") == len(photos.train)


def test_photographs_that_cannot_be_read_are_said(workshop: Any, tmp_path: Path) -> None:
    """Without a single photograph there is nothing to learn from, and the first reason is given."""
    from converter.quantizing.qat.tune import fine_tune

    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    crops = np.zeros((20, 48, 48, 3), np.uint8)
    with pytest.raises(DataError, match=r"none of 1 photographs .* can be read: .*broken\.jpg"):
        fine_tune(load(workshop.model), [Photo(tmp_path / "broken.jpg", 0)], Calibration(crops, "0" * 64))
