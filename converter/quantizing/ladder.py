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
from edge_agent.shelf import DataError

MORE = 1000
"""Photographs of the second rung."""
FLOAT_SHARE = 0.25
"""Of all layers, those that the third rung keeps in float. With 3 of MobileNetV1's 33 the loss stayed, with 8 two
thirds of it were left, with 16 no less (docs/experiments.md)."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """An int8 network that may do: how it was made, the TFLite file for any batch, and the layers kept in float.

    `before_s` are seconds that went into it before it was its turn.
    """

    what: str
    content: bytes
    calibration: Calibration
    in_float: tuple[str, ...] = ()
    before_s: float = 0.0


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
    """The plain conversion, and then each remedy, made when it is asked for; one that cannot be made is passed over."""
    yield climb.first
    best = climb.first.calibration
    for remedy in (_wider, _worst_in_float, _fine_tuned):
        try:
            made = remedy(climb, best)
        except DataError as error:
            climb.say(f"a remedy cannot be tried: {error}")
            continue
        if made is not None:
            best = made.calibration
            yield made


def _wider(climb: Climb, used: Calibration) -> Candidate | None:
    """With more photographs to calibrate with, where there are any."""
    trained, train = climb.trained, climb.photos.train
    if len(used.crops) >= min(MORE, len(train)):
        enough = "enough" if len(used.crops) >= MORE else "all there are"
        climb.say(f"no more photographs to calibrate with: {len(used.crops)} are {enough}")
        return None
    chosen = choose(train, count=MORE, seed=climb.seed, where=trained.path)
    calibration = calibrate(chosen, labels=trained.labels, size_px=trained.size_px, track=climb.track)
    content = converted(trained.path, calibration.crops, ("int8",))["int8"]
    lint.check(content)
    return Candidate(f"{len(chosen)} photographs to calibrate with", content, calibration)


def _worst_in_float(climb: Climb, calibration: Calibration) -> Candidate | None:
    """With the layers that lose most in float, where a target takes float."""
    if not climb.may_float:
        climb.say("no layer is kept in float, as the Edge TPU takes none")
        return None
    able = [error for error in climb.layers if error.can_be_float]
    worst = able[: math.ceil(FLOAT_SHARE * len(able))]
    kept = tuple(error.tensor for error in worst)
    names = ", ".join(error.layer for error in worst[:3]) + (", …" if len(worst) > 3 else "")
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
