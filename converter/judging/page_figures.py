"""Evidence → every figure of a conversion's page, as JSON: for programs, and for those who want to check the page."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from converter.judging import comparison
from converter.judging.comparison import Share, share
from converter.judging.evidence import Answers, Attempt, Evidence
from converter.judging.gate import RECALL_COUNT, Indices
from converter.judging.latency import Latency
from converter.photos.calibrate import names_of
from converter.quantizing.layers import ROUNDING
from edge_agent.bundle import FLOAT_FILE, MODEL_FILE

SCHEMA = "shelfwatch.conversion/1"


@dataclass(frozen=True, slots=True)
class Speed:
    """Milliseconds per crop of int8 and float32, for the same batch and threads."""

    threads: int
    batch: int
    int8_ms: float
    float32_ms: float

    @property
    def times(self) -> float:
        """How many times faster int8 is; below one it is slower."""
        return self.float32_ms / self.int8_ms


def figures(evidence: Evidence) -> dict[str, Any]:
    """Everything that the page shows, and the whole of the lists that it cuts short."""
    return {
        "schema": SCHEMA,
        "bundle": _bundle(evidence),
        "verdict": _verdict(evidence),
        "accuracy": _accuracy(evidence),
        "classes": [asdict(change) for change in class_changes(evidence)],
        "confusions": [asdict(pair) for pair in confusions(evidence)],
        "disagreements": _disagreements(evidence),
        "attempts": [_attempt(attempt) for attempt in evidence.attempts],
        "layers": {"rounding_alone_steps": ROUNDING, "in_float": list(in_float(evidence)), "errors": _layers(evidence)},
        "latency": {
            "per_crop": [asdict(one) for one in evidence.latency],
            "compared": [{**asdict(speed), "times_faster": speed.times} for speed in speeds(evidence.latency)],
        },
        "targets": {name: dict(found) for name, found in evidence.targets.items()},
        "sizes": {"bytes": dict(evidence.sizes_bytes), "times_smaller": times_smaller(evidence)},
        "calibration": {
            **evidence.manifest.calibration.model_dump(mode="json"),
            "photographs": list(evidence.calibrated_with),
        },
        "warnings": list(evidence.warnings),
        "versions": dict(evidence.manifest.versions),
    }


def best(answers: Answers) -> tuple[Indices, Indices]:
    """What float and int8 answer, (n,) label indices each. Float is the Keras network, as for the gate."""
    return answers.keras.argmax(axis=1), answers.int8.argmax(axis=1)


def class_changes(evidence: Evidence) -> tuple[comparison.ClassChange, ...]:
    """How each class fares, those that lose most first."""
    return comparison.class_changes(evidence.answers.truth, *best(evidence.answers), evidence.manifest.labels)


def confusions(evidence: Evidence) -> tuple[comparison.Confused, ...]:
    """What is taken for what, most often first."""
    return comparison.confusions(evidence.answers.truth, *best(evidence.answers), evidence.manifest.labels)


def disagreements(evidence: Evidence) -> tuple[comparison.Disagreement, ...]:
    """The photographs that float and int8 answer differently, the most telling first."""
    answers = evidence.answers
    return comparison.disagreements(answers.truth, answers.keras, answers.int8, evidence.manifest.labels)


def shares(evidence: Evidence) -> dict[str, Share]:
    """How many photographs each network gets right, and on how many float and int8 agree."""
    answers, count = evidence.answers, len(evidence.answers.truth)
    by_float, by_int8 = best(answers)
    hits = {
        "keras": by_float == answers.truth,
        "float32": answers.float32.argmax(axis=1) == answers.truth,
        "int8": by_int8 == answers.truth,
        "agreement": by_float == by_int8,
    }
    return {name: share(int(found.sum()), count) for name, found in hits.items()}


def proves_nothing(evidence: Evidence) -> bool:
    """Whether the photographs cannot tell: float only guesses, or may have been trained on them."""
    return evidence.verdict.doubt is not None


def in_float(evidence: Evidence) -> tuple[str, ...]:
    """The outputs of the layers that were kept in float, as the recipe names them."""
    conversion = evidence.manifest.recipe.get("conversion")
    kept = conversion.get("in_float") if isinstance(conversion, Mapping) else None
    return tuple(str(name) for name in kept or ())


def speeds(latency: tuple[Latency, ...]) -> tuple[Speed, ...]:
    """Int8 beside float for each batch and number of threads that both were timed with, the largest last."""
    timed = {(one.threads, one.batch, one.precision): one.ms_per_crop for one in latency}
    pairs = sorted({(threads, batch) for threads, batch, _ in timed})
    return tuple(
        Speed(threads, batch, timed[threads, batch, "int8"], timed[threads, batch, "float32"])
        for threads, batch in pairs
        if (threads, batch, "int8") in timed and (threads, batch, "float32") in timed
    )


def times_smaller(evidence: Evidence) -> float | None:
    """How many times the float file is the size of the int8 file, where both are known."""
    sizes = evidence.sizes_bytes
    return sizes[FLOAT_FILE] / sizes[MODEL_FILE] if sizes.get(FLOAT_FILE) and sizes.get(MODEL_FILE) else None


def _bundle(evidence: Evidence) -> dict[str, Any]:
    shown = {"id", "labels", "input", "output", "quantization", "delegates"}
    return evidence.manifest.model_dump(mode="json", include=shown)


def _verdict(evidence: Evidence) -> dict[str, Any]:
    verdict, bounds = evidence.verdict, evidence.bounds
    return {
        "passed": not verdict.failures,
        "proven": verdict.metrics.proven,
        "proves_nothing": proves_nothing(evidence),
        "photographs_needed": verdict.needed,
        "failures": list(verdict.failures),
        "warnings": list(verdict.warnings),
        "bounds": {**asdict(bounds), "proof_points": bounds.proof_points, "recall_photographs": RECALL_COUNT},
    }


def _accuracy(evidence: Evidence) -> dict[str, Any]:
    verdict = evidence.verdict
    return {
        "photographs": verdict.metrics.count,
        **{name: asdict(found) for name, found in shares(evidence).items()},
        "drop_points": verdict.drop_points,
        "drop_bound_points": verdict.metrics.drop_bound_points,
        "lost": verdict.lost,
        "won": verdict.won,
    }


def _disagreements(evidence: Evidence) -> list[dict[str, Any]]:
    names = names_of(evidence.answers.photos, evidence.manifest.labels)
    return [{"photograph": names[one.index], **asdict(one)} for one in disagreements(evidence)]


def _attempt(attempt: Attempt) -> dict[str, Any]:
    verdict, metrics = attempt.verdict, attempt.verdict.metrics
    return {
        "what": attempt.what,
        "passed": not verdict.failures,
        "failures": list(verdict.failures),
        "int8_top1": metrics.int8_top1,
        "drop_points": verdict.drop_points,
        "drop_bound_points": metrics.drop_bound_points,
        "agreement": metrics.agreement,
        "proven": metrics.proven,
        "took_s": attempt.took_s,
    }


def _layers(evidence: Evidence) -> list[dict[str, Any]]:
    kept = in_float(evidence)
    return [{**asdict(error), "in_float": error.tensor in kept} for error in evidence.layers]
