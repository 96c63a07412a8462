"""A trained network, photographs → a network that loses less in int8. Imports TensorFlow: import it lazily.

The network learns to answer in int8 as it does in float: each view of a photograph is answered by the float network,
and the rounded one is trained towards that answer. Labels are not needed, and what the float network knows is kept.
Views are those of its training, by its card. What comes out is a float network with folded batch norm; it is converted
as any other, and its ranges are measured on the same photographs again, so the training measures them anew each epoch.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from converter.load import Trained
from converter.photos.calibrate import Calibration
from converter.progress import Track, untracked
from converter.quantizing.qat.fake import Fake
from converter.quantizing.qat.fold import folded
from edge_agent.shelf import DataError
from trainer.nets.models import predictor
from trainer.photos.data import Photo
from trainer.training.loss import loss_of
from trainer.training.recipe import Recipe
from trainer.training.step import rate, trainee
from trainer.training.strategy import assemble
from trainer.views.augment import Jitter, asked
from trainer.views.feed import batches, open_album, steps_per_epoch

CHECKED, ALIKE = 32, 1e-3
"""Crops on which folding is checked, and the probability by which answers may differ."""
KEPT_BYTES = 2**29
"""Memory for decoded photographs; the rest is decoded again, which takes a moment beside a step on two networks."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """How long and how fast to fine-tune; `lr` is the peak of a half cosine. Small steps: the network is good."""

    epochs: int = 4
    batch: int = 16
    lr: float = 3e-6
    seed: int = 0


def fine_tune(
    trained: Trained,
    photos: Sequence[Photo],
    calibration: Calibration,
    tuning: Tuning | None = None,
    *,
    track: Track = untracked,
) -> keras.Model:
    """Fine-tune a network for int8.

    Args:
        trained: The float network; it is left as it is.
        photos: Those that it was trained on; unreadable ones are left out, and labels are not looked at.
        calibration: What the conversion afterwards is calibrated with.
        tuning: How; by default 4 epochs.
        track: Shows how far it is.

    Returns:
        A float network with the same input and output, for the conversion.

    Raises:
        DataError: No photograph can be read, or the loss was no number.
    """
    tuning = tuning or Tuning()
    album = open_album(photos, size_px=trained.size_px, watch=_Stages(track), kept_bytes=KEPT_BYTES)
    if not album.photos:
        first = next(iter(album.problems), "there are none")
        raise DataError(f"none of {len(photos)} photographs to fine-tune on can be read: {first}")
    network = _folded(trained, calibration)
    fake = Fake(network)
    teacher = predictor(trained.network)

    recipe = Recipe(network="fake", size_px=trained.size_px, lr=tuning.lr, batch=min(tuning.batch, len(album.photos)))
    student = trainee(fake, recipe, loss_of(recipe), assemble("none"))
    steps = steps_per_epoch(len(album.photos), batch=recipe.batch)
    total = tuning.epochs * steps
    with closing(batches(album, batch=recipe.batch, jitter=_jitter(trained), seed=tuning.seed)) as stream:
        for step in track(range(total), "Fine-tuning for int8"):
            if step % steps == 0:
                fake.measure(calibration.crops)
            student.at_rate(rate(step, total, tuning.lr))
            pixels, _ = next(stream)
            loss, _ = student.step(pixels, teacher(pixels))
            if not np.isfinite(loss):
                raise DataError(f"fine-tuning for int8 came to a loss of {loss} in step {step + 1}. Lower its rate.")
    return network


def _folded(trained: Trained, calibration: Calibration) -> keras.Model:
    """The network without batch norm, once it is seen to answer as before.

    Raises:
        DataError: It has layers that cannot be folded.
    """
    looks = calibration.crops[:CHECKED].astype(np.float32)
    try:
        network = folded(trained.network)
        apart = float(np.abs(network.predict_on_batch(looks) - trained.network.predict_on_batch(looks)).max())
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise DataError(f"{trained.path}: cannot be fine-tuned for int8 ({reason}).") from error
    if not apart <= ALIKE:
        raise DataError(f"{trained.path}: cannot be fine-tuned for int8 (without batch norm it is {apart:.3f} off).")
    return network


def _jitter(trained: Trained) -> Jitter:
    """How far views differ from photographs: as in the training where its card says so, else as usual."""
    usual = Recipe(network="any", size_px=trained.size_px)

    def figure(name: str) -> Any:
        found = trained.recipe.get(name)
        return found if isinstance(found, int | float) else getattr(usual, name)

    return asked(
        strength=float(figure("augment")),
        crop=float(figure("crop")),
        effects=float(figure("effects")),
        flip=bool(figure("flip")),
    )


class _Stages:
    """A `trainer.report.Watch` that shows its stages by a `Track`."""

    def __init__(self, track: Track) -> None:
        self._track = track
        self._shown: Iterator[int] = iter(())

    def begin(self, stage: str, total: int) -> None:
        """Show a new stage."""
        self._shown = iter(self._track(range(total), stage.capitalize()))

    def advance(self, note: str = "") -> None:
        """Show one more step."""
        del note
        next(self._shown, None)

    def say(self, line: str) -> None:
        """Nothing is said: an unreadable photograph is left out."""
