"""What a bundle will be, in memory: drafted from a converted network, and completed once that is verified."""

import importlib
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.load import Trained
from converter.photos.calibrate import Calibration
from converter.quantizing.quantize import Quantized
from converter.targets.choice import Builds
from edge_agent.bundle import FLOAT_FILE, GPU_FILE, Bundle, Manifest, Metrics
from edge_agent.shelf import InputError

GOLDEN_COUNT = 15
"""8 + 4 + 2 + 1: the agent runs them in one chunk of each size, and all must answer as one by one."""
CLEAR = 0.1
"""Probability by which a golden answer leads, at least: 26 steps of 255, where processors differ by 1."""
UNVERIFIED = Metrics(count=1, float_top1=0, int8_top1=0, agreement=0, float_recall={}, int8_recall={})
"""Stands in a draft until the network has been verified; never written."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What a bundle is made of, before it is verified.

    `recipe` is how it was converted, and goes into the manifest beside the model's card; `bundle_id` None takes the
    file's name and the model's hash.
    """

    trained: Trained
    quantized: Quantized
    calibration: Calibration
    recipe: dict[str, Any]
    bundle_id: str | None


def draft(parts: Parts, golden_inputs: NDArray[np.uint8]) -> Bundle:
    """What the agent's classifier needs to run the network, before it is verified.

    Args:
        parts: The network in all its builds.
        golden_inputs: (n, size, size, 3) uint8 RGB, one or more.
    """
    trained, quantized, ends = parts.trained, parts.quantized, parts.quantized.ends
    manifest = Manifest.model_validate(
        {
            "schema": "shelfwatch.bundle/1",
            "id": parts.bundle_id or default_id(trained.path, quantized.sha256),
            "labels": trained.labels,
            "input": {
                "size_px": trained.size_px,
                "colour": "RGB",
                "scale": ends.input_scale,
                "zero_point": ends.input_zero_point,
            },
            "output": {"scale": ends.output_scale, "zero_point": ends.output_zero_point},
            "quantization": "int8",
            "recipe": {"training": trained.recipe, "card": trained.card, "conversion": parts.recipe},
            "calibration": {
                "count": len(parts.calibration.crops),
                "sha256": parts.calibration.sha256,
                "list_sha256": parts.calibration.list_sha256,
            },
            "metrics": UNVERIFIED,
            "delegates": ("cpu",),
            "versions": _versions(),
            "files": {},
        }
    )
    outputs = answers(quantized.content, golden_inputs)
    return Bundle(manifest, quantized.content, quantized.sha256, golden_inputs, outputs)


def verified(unverified: Bundle, builds: Builds, metrics: Metrics, golden_inputs: NDArray[np.uint8]) -> Bundle:
    """The bundle of a draft that was verified, with its other builds, and what all of them must answer.

    Args:
        unverified: From `draft`.
        builds: The same network for other processors.
        metrics: What the verification found.
        golden_inputs: (n, size, size, 3) uint8 RGB, one or more.
    """
    manifest = unverified.manifest.model_copy(update={"metrics": metrics, "delegates": builds.delegates})
    by_float = answers(builds.variants[FLOAT_FILE], golden_inputs) if FLOAT_FILE in builds.variants else None
    return replace(
        unverified,
        manifest=manifest,
        golden_inputs=golden_inputs,
        golden_outputs=answers(unverified.model, golden_inputs),
        variants=builds.variants,
        golden_float=by_float,
    )


def slimmed(bundle: Bundle) -> Bundle:
    """A bundle without its float build, which most devices have no use for."""
    variants = {name: content for name, content in bundle.variants.items() if name != FLOAT_FILE}
    return replace(bundle, variants=variants, golden_float=bundle.golden_float if GPU_FILE in variants else None)


def default_id(model: Path, model_sha256: str) -> str:
    """A name for a bundle: that of the file, or of its folder where the file is just a model; and a short hash.

    >>> default_id(Path("run/dairy/model.keras"), "c0ffee1234")
    'dairy-c0ffee12'
    """
    name = model.stem if model.stem != "model" else model.resolve().parent.name
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '-', name).strip('-') or 'model'}-{model_sha256[:8]}"


def check_id(bundle_id: str) -> None:
    """Make sure that a name can be one of a bundle: it ends up in topics and file names.

    Raises:
        InputError: It holds anything but letters, digits, dot, dash and underscore.
    """
    if not re.fullmatch(r"[A-Za-z0-9._-]+", bundle_id):
        raise InputError(f'"{bundle_id}" cannot name a bundle. Give --id letters, digits, dots, dashes, underscores.')


def answers(model: bytes, crops: NDArray[np.uint8]) -> NDArray[Any]:
    """What LiteRT answers to each crop (n, size, size, 3) by itself: (n, classes), uint8 or float32."""
    return one_by_one(model)(crops)


def one_by_one(model: bytes) -> Callable[[NDArray[np.uint8]], NDArray[Any]]:
    """A model loaded in LiteRT, as a function that gives its `answers`."""
    interpreter = importlib.import_module("ai_edge_litert.interpreter").Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    given, answer = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def ask(crop: NDArray[np.uint8]) -> NDArray[Any]:
        interpreter.set_tensor(given["index"], crop[np.newaxis].astype(given["dtype"]))
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(answer["index"])[0])

    return lambda crops: np.stack([ask(crop) for crop in crops])


def choose_golden(scores: NDArray[np.float32]) -> tuple[int, ...]:
    """Rows to keep as golden: the surest of each answer first, in turn, at most `GOLDEN_COUNT`.

    Close calls are left out, as another processor may round them otherwise; where all are close, the surest stay.

    Args:
        scores: (n, classes) int8's probabilities; an answer is as sure as it leads.
    """
    winners, ordered = scores.argmax(axis=1), np.sort(scores, axis=1)
    leads = ordered[:, -1] - ordered[:, -2]
    surest_first = [row for row in np.argsort(-leads, kind="stable") if leads[row] >= min(CLEAR, leads.max())]
    turn: dict[int, int] = {}
    ranked = []
    for row in surest_first:
        winner = int(winners[row])
        turn[winner] = turn.get(winner, 0) + 1
        ranked.append((turn[winner], winner, int(row)))
    return tuple(row for _, _, row in sorted(ranked)[:GOLDEN_COUNT])


def _versions() -> dict[str, str]:
    """What this bundle was made with."""
    names = ("shelfwatch", "tensorflow", "keras", "ai-edge-litert", "numpy")
    return {
        **{name: version(name) for name in names},
        "opencv": str(importlib.import_module("cv2").__version__),
        "python": ".".join(str(part) for part in sys.version_info[:3]),
    }
