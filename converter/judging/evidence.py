"""Everything that a conversion found out, as one value: for the terminal, the report, the model card."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from converter.judging.evaluate import Scores
from converter.judging.gate import Bounds, Indices, Verdict
from converter.judging.latency import Latency
from converter.quantizing.layers import LayerError
from edge_agent.bundle import Manifest
from trainer.photos.data import Photo


@dataclass(frozen=True, slots=True)
class Attempt:
    """One rung of the ladder: what was tried, in words, what came of it, and the seconds that it took."""

    what: str
    verdict: Verdict
    took_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What three networks answer to the held-out photographs.

    `truth` is (n,) label indices; `keras`, `float32` and `int8` are (n, classes) probabilities, in the order of
    `photos`. `float32` is the float TFLite file in LiteRT.
    """

    photos: tuple[Photo, ...]
    truth: Indices
    keras: Scores
    float32: Scores
    int8: Scores


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What a conversion found out.

    Attributes:
        manifest: Of the bundle that is written, with everything but the hashes of its files.
        bounds: What int8 was allowed to lose.
        answers: To the held-out photographs.
        attempts: The rungs of the ladder, in the order tried; the last one is what the bundle holds.
        layers: The error of each layer, worst first.
        latency: On this machine.
        targets: What each target makes of its file: `cpu`, `edgetpu`, `gpu`, as far as they were asked for.
        sizes_bytes: Of each model file, by its name in the bundle.
        calibrated_with: `label/file` of each calibration photograph.
        warnings: What was said while it ran.
    """

    manifest: Manifest
    bounds: Bounds
    answers: Answers
    attempts: tuple[Attempt, ...]
    layers: tuple[LayerError, ...]
    latency: tuple[Latency, ...]
    targets: Mapping[str, Mapping[str, Any]]
    sizes_bytes: Mapping[str, int]
    calibrated_with: tuple[str, ...]
    warnings: tuple[str, ...] = field(default=())

    @property
    def verdict(self) -> Verdict:
        """Of what the bundle holds."""
        return self.attempts[-1].verdict
