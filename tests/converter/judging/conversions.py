"""What conversions could have found out, made of drawn photographs, answers as asked for, and the real judge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from converter.judging.evidence import Answers, Attempt, Evidence
from converter.judging.gate import Bounds, Verdict, judge
from converter.judging.latency import Latency
from converter.quantizing.layers import LayerError
from edge_agent.bundle import FLOAT_FILE, MODEL_FILE, Manifest
from trainer.photos.data import Photo

LABELS = ("circle", "cross", "square")
SIZE_PX = 48
SURE, SECOND = 0.6, 0.3
"""What an answer gets, and what comes next."""
LAYERS = (
    LayerError("FULLY_CONNECTED", "scores", "net/scores/MatMul", 0.1, 3, 0.0144, 1.2, 31.5, can_be_float=True),
    LayerError("CONV_2D", "conv", "net/conv/Relu", 0.02, -128, 4e-5, 0.316, 40.0, can_be_float=True),
    LayerError("RESHAPE", "flatten", "net/flatten", 0.02, -128, 0.0, 0.0, None, can_be_float=True),
)
LATENCY = tuple(
    Latency(precision, threads, batch, ms / batch**0.25 / threads)
    for precision, ms in (("int8", 0.2), ("float32", 0.6))
    for threads in (1, 2)
    for batch in (1, 2, 4, 8)
)
CPU = {
    "operators": [
        {"index": 0, "code": "QUANTIZE", "mapped": False, "status": "TFLite's own kernel", "reason": "it costs little"},
        {"index": 1, "code": "CONV_2D", "mapped": True, "status": "XNNPACK", "reason": ""},
        {"index": 2, "code": "CONV_2D", "mapped": True, "status": "XNNPACK", "reason": ""},
    ],
    "runs": True,
    "parts": 1,
}


@dataclass(frozen=True, slots=True)
class Course:
    """How the photographs are answered.

    Float gets `right` of `count` right, of which int8 loses `lost`; it wins `won` of the others, and `astray` more are
    answered wrongly by both, but differently.
    """

    count: int = 300
    right: int = 250
    lost: int = 2
    won: int = 1
    astray: int = 1


def evidence(
    photographs: Sequence[Path],
    course: Course | None = None,
    *,
    labels: Sequence[str] = LABELS,
    in_float: Sequence[str] = (),
    targets: Mapping[str, Mapping[str, Any]] | None = None,
) -> Evidence:
    """A conversion in one attempt.

    Args:
        photographs: Pictures, one at least; they are taken in turn, whatever they show.
        course: How they are answered.
        labels: The classes; photographs are of each in turn.
        in_float: Outputs of layers that stayed in float.
        targets: By default the CPU.
    """
    course = course or Course()
    truth = np.arange(course.count) % len(labels)
    by_float, by_int8 = _answers(truth, course, len(labels))
    verdict = _judge(truth, by_float, by_int8, labels)
    photos = tuple(
        Photo(photographs[row % len(photographs)], int(label_index)) for row, label_index in enumerate(truth)
    )
    float32 = _scores(by_float, by_int8, len(labels))
    return Evidence(
        manifest=_manifest(labels, verdict, in_float),
        bounds=Bounds(),
        answers=Answers(photos, truth, float32, float32, _scores(by_int8, by_float, len(labels))),
        attempts=(Attempt("300 photographs to calibrate with", verdict, 12.0),),
        layers=LAYERS,
        latency=LATENCY,
        targets={"cpu": CPU} if targets is None else targets,
        sizes_bytes={MODEL_FILE: 250_000, FLOAT_FILE: 1_000_000},
        calibrated_with=tuple(f"{label}/{number:03}.png" for label in labels for number in range(2)),
        warnings=("the light of the calibration photographs differs",),
    )


def climbed(found: Evidence, *, failed: Course, what: str) -> Evidence:
    """The same conversion, but reached on a second attempt."""
    labels = found.manifest.labels
    truth = np.arange(failed.count) % len(labels)
    worse = _judge(truth, *_answers(truth, failed, len(labels)), labels)
    first, last = Attempt("300 photographs to calibrate with", worse, 12.0), replace(found.attempts[-1], what=what)
    return replace(found, attempts=(first, last), warnings=(f"{first.what}: {'; '.join(worse.failures)}.",))


def _answers(truth: np.ndarray, course: Course, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """(n,) what float and int8 answer: the first photographs are those that float gets right."""
    by_float = np.where(np.arange(len(truth)) < course.right, truth, (truth + 1) % classes)
    by_int8 = by_float.copy()
    by_int8[: course.lost] = (truth[: course.lost] + 1) % classes
    won = slice(course.right, course.right + course.won)
    by_int8[won] = truth[won]
    astray = slice(won.stop, won.stop + course.astray)
    by_int8[astray] = (truth[astray] + 2) % classes
    return by_float, by_int8


def _scores(answers: np.ndarray, second: np.ndarray, classes: int) -> np.ndarray:
    scores = np.full((len(answers), classes), 0.01, np.float32)
    rows = np.arange(len(answers))
    scores[rows, second] = SECOND
    scores[rows, answers] = SURE + rows / len(rows) / 10
    return scores


def _judge(truth: np.ndarray, by_float: np.ndarray, by_int8: np.ndarray, labels: Sequence[str]) -> Verdict:
    return judge(truth, by_float=by_float, by_int8=by_int8, labels=labels, bounds=Bounds())


def _manifest(labels: Sequence[str], verdict: Verdict, in_float: Sequence[str]) -> Manifest:
    return Manifest.model_validate(
        {
            "schema": "shelfwatch.bundle/1",
            "id": "shapes-c0ffee12",
            "labels": labels,
            "input": {"size_px": SIZE_PX, "colour": "RGB", "scale": 1.0, "zero_point": 0},
            "output": {"scale": 1 / 256, "zero_point": 0},
            "quantization": "int8",
            "recipe": {"conversion": {"seed": 7, "in_float": list(in_float)}},
            "calibration": {"count": 300, "sha256": "ab" * 32, "list_sha256": "cd" * 32},
            "metrics": verdict.metrics,
            "delegates": ["cpu"],
            "versions": {"tensorflow": "2.21.0"},
            "files": {},
        }
    )
