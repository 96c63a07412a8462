"""How long a bundle takes per crop on this machine, in the agent's own classifier."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from converter.progress import Track, untracked
from edge_agent.bundle import FLOAT_FILE, MODEL_FILE, Bundle
from edge_agent.inference import CHUNKS, TfliteClassifier, cores

ROUNDS, ROUND_S = 5, 0.06
"""Each figure is the best median of so many rounds, which take turns, so that a busy moment hits all alike."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds per crop for batches of `batch` crops on `threads` threads; `precision` is int8 or float32."""

    precision: str
    threads: int
    batch: int
    ms_per_crop: float


@dataclass(frozen=True, slots=True, eq=False)
class _Race:
    precision: str
    threads: int
    batch: int
    classifier: TfliteClassifier


def measure(bundle: Bundle, *, threads: Sequence[int] | None = None, track: Track = untracked) -> tuple[Latency, ...]:
    """Time int8, and float where the bundle holds it, for each number of threads and size of batch.

    Args:
        bundle: A bundle; its golden inputs are the crops.
        threads: By default one, and as many as there are cores.
        track: Shows how far it is.
    """
    runners = []
    for count in threads or sorted({1, cores()}):
        for precision, file in (("int8", MODEL_FILE), ("float32", FLOAT_FILE)):
            if file == MODEL_FILE or file in bundle.variants:
                classifier = TfliteClassifier(bundle, runtime="litert", threads=count, variant=file)
                runners += [_Race(precision, count, batch, classifier) for batch in sorted(CHUNKS)]
    best: dict[int, float] = {}
    for turn in track(range(ROUNDS * len(runners)), "Timing"):
        place = turn % len(runners)
        best[place] = min(best.get(place, np.inf), _median_ms(runners[place], bundle))
    return tuple(
        Latency(race.precision, race.threads, race.batch, best[place] / race.batch)
        for place, race in enumerate(runners)
    )


def _median_ms(race: _Race, bundle: Bundle) -> float:
    """The median over one round of classifying one batch."""
    crops = np.resize(bundle.golden_inputs, (race.batch, *bundle.golden_inputs.shape[1:]))
    race.classifier.classify(crops)
    took_s: list[float] = []
    while sum(took_s) < ROUND_S or len(took_s) < 3:
        started_s = time.perf_counter()
        race.classifier.classify(crops)
        took_s.append(time.perf_counter() - started_s)
    return float(np.median(took_s)) * 1000
