"""One conversion from a trained network to a bundle, read top to bottom. Start here."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter import bundle
from converter.calibrate import calibrate
from converter.judging.verify import Verification, doubt, gate, verify
from converter.load import Trained, load
from converter.photographs import CALIBRATION_ENOUGH, Photographs, Track, find, untracked
from converter.quantizing.quantize import quantize
from edge_agent.bundle import Bundle
from edge_agent.inference import TfliteClassifier
from trainer.photos.data import Photo, read
from trainer.photos.doubts import of_labels


@dataclass(frozen=True, slots=True)
class Job:
    """What to convert, with what, and where to. `seed` None is that of the training, by the card."""

    model: Path
    data: Path
    out: Path
    evaluate: Path | None = None
    max_drop_points: float = 1.0
    calibration_count: int = 300
    bundle_id: str | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """A bundle that was written, how it was found to do, and what the float network weighs."""

    bundle: Bundle
    verification: Verification
    float_bytes: int


def convert(job: Job, *, track: Track = untracked, warn: Callable[[str], None] = print) -> Outcome:
    """Convert a network to int8, verify it against float, and write it as a bundle.

    Raises:
        InputError: A file is not there, or `out` cannot take a bundle.
        DataError: The model, its card or the photographs cannot be used.
        Refused: int8 loses more than `job.max_drop_points`; whatever stood at `job.out` is untouched.
    """
    bundle.check_target(job.out)
    if job.bundle_id is not None:
        bundle.check_id(job.bundle_id)
    trained = load(job.model)
    seed = _seed(job, trained)
    photos = find(job.data, evaluate=job.evaluate, labels=trained.labels, count=job.calibration_count, seed=seed)
    for doubtful in _doubts(job, trained, photos):
        warn(doubtful)

    calibration = calibrate(photos.calibration, size_px=trained.size_px, track=track)
    quantized = quantize(trained, calibration)

    unverified = bundle.draft(
        trained,
        quantized,
        calibration,
        bundle_id=job.bundle_id,
        recipe=_recipe(job, trained, seed),
        golden_inputs=_crops(photos.held_out[:1], trained.size_px),
    )
    classifier = TfliteClassifier(unverified, runtime="litert")
    verification = verify(trained.network, classifier, photos.held_out, track=track)
    if vacuous := doubt(verification.metrics, photos.held_out):
        warn(vacuous)
    gate(verification, max_drop_points=job.max_drop_points)

    surest = [photos.held_out[row] for row in bundle.choose_golden(verification.winners, verification.margins)]
    written = bundle.write(job.out, unverified, verification, _crops(surest, trained.size_px))
    return Outcome(written, verification, trained.float_bytes)


def _seed(job: Job, trained: Trained) -> int:
    """That of the training where nothing else is asked for: another would hold out photographs that were trained on."""
    if job.seed is not None:
        return job.seed
    by_card = trained.recipe.get("seed", 0)
    return by_card if isinstance(by_card, int) else 0


def _doubts(job: Job, trained: Trained, photos: Photographs) -> Iterator[str]:
    """What makes the result worth less, as far as it shows before the slow work."""
    yield from of_labels(trained.labels, job.data)
    if len(photos.calibration) < CALIBRATION_ENOUGH:
        yield f"only {len(photos.calibration)} photographs to calibrate with; {CALIBRATION_ENOUGH} or more lose less."
    if job.evaluate is None and (trained.trained_on or 0) > photos.train_count:
        yield (
            f"the network was trained on {trained.trained_on} photographs, but the training part of {job.data} has"
            f" {photos.train_count}: it may be judged on some that it was trained on. Name others with --evaluate."
        )


def _recipe(job: Job, trained: Trained, seed: int) -> dict[str, Any]:
    """How the conversion was done, for the manifest."""
    return {
        "keras_sha256": trained.sha256,
        "seed": seed,
        "convolutions": "per-channel",
        "dense": "per-tensor",
        "float_bytes": trained.float_bytes,
        "max_drop_points": job.max_drop_points,
    }


def _crops(photos: Sequence[Photo], size_px: int) -> NDArray[np.uint8]:
    return np.stack([read(photo, size_px) for photo in photos])
