"""What is tried, in this order, until int8 loses no more than it may: each rung costs more than the one before."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from converter.load import Trained
from converter.photos.calibrate import Calibration, calibrate
from converter.photos.photographs import Photographs, choose
from converter.progress import Track
from converter.quantizing.layers import LayerError, selective
from converter.quantizing.quantize import converted
from converter.scratch import scratch
from converter.tflite import lint
from converter.tflite.batch import free_batch

MORE = 1000
"""Photographs of the second rung."""
FLOAT_SHARE = 0.25
"""Of all layers, those that the third rung keeps in float. With 3 of MobileNetV1's 33 the loss stayed, with 8 two
thirds of it were left, with 16 no less (docs/experiments.md)."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """An int8 network that may do: how it was made, the TFLite file for any batch, and the layers kept in float."""

    what: str
    content: bytes
    calibration: Calibration
    in_float: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Climb:
    """What the ladder works with.

    `first` is the plain conversion, and `layers` its errors, worst first. `may_float` says that layers may stay in
    float, which the Edge TPU doesn't take.
    """

    trained: Trained
    photos: Photographs
    first: Candidate
    layers: tuple[LayerError, ...]
    may_float: bool
    seed: int
    track: Track
    say: Callable[[str], None]


def candidates(climb: Climb) -> Iterator[Candidate]:
    """The plain conversion, and then each remedy, made when it is asked for.

    Raises:
        DataError: TensorFlow cannot convert the network, or not to int8 throughout.
    """
    yield climb.first
    wider = _wider(climb)
    if wider is None:
        climb.say(f"there are no more photographs to calibrate with than the {len(climb.first.calibration.crops)} used")
    else:
        yield wider
    best = (wider or climb.first).calibration
    if climb.may_float:
        yield _worst_in_float(climb, best)
    else:
        climb.say("no layer is kept in float, as the Edge TPU takes none")
    yield _fine_tuned(climb, best)


def _wider(climb: Climb) -> Candidate | None:
    """With more photographs to calibrate with, where there are any."""
    used, trained = len(climb.first.calibration.crops), climb.trained
    if used >= min(MORE, len(climb.photos.train)):
        return None
    chosen = choose(climb.photos.train, count=MORE, seed=climb.seed, where=trained.path)
    calibration = calibrate(chosen, labels=trained.labels, size_px=trained.size_px, track=climb.track)
    content = converted(trained.path, calibration.crops, ("int8",))["int8"]
    lint.check(content)
    return Candidate(f"{len(chosen)} photographs to calibrate with", content, calibration)


def _worst_in_float(climb: Climb, calibration: Calibration) -> Candidate:
    worst = climb.layers[: math.ceil(FLOAT_SHARE * len(climb.layers))]
    kept = tuple(error.tensor for error in worst)
    names = ", ".join(error.layer for error in worst)
    content = free_batch(selective(climb.trained.path, calibration.crops, kept))
    lint.check(content, in_float=kept)
    return Candidate(f"the {len(kept)} worst layers in float ({names})", content, calibration, kept)


def _fine_tuned(climb: Climb, calibration: Calibration) -> Candidate:
    from converter.quantizing.qat.tune import Tuning, fine_tune  # noqa: PLC0415  (few conversions need the trainer)

    trained, tuning = climb.trained, Tuning(seed=climb.seed)
    climb.say(
        f"fine-tuning for int8, {tuning.epochs} epochs of {len(climb.photos.train)} photographs: minutes to hours"
    )
    network = fine_tune(trained, climb.photos.train, calibration, tuning, track=climb.track)
    with scratch() as folder:
        path = folder / trained.path.name
        network.save(path)
        content = converted(path, calibration.crops, ("int8",))["int8"]
    lint.check(content)
    return Candidate(f"quantization-aware fine-tuning, {tuning.epochs} epochs", content, calibration)
