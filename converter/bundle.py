"""A verified int8 network → a bundle directory that the agent's own reader and classifier accept, or nothing.

`edge_agent.bundle` owns the format. What is written lies in a directory beside its target until it has been read back
and loaded, and is then moved there in one step; an older bundle stays as it was until that moment.
"""

import importlib
import io
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.calibrate import Calibration
from converter.judging.verify import Verification
from converter.load import Trained
from converter.quantizing.quantize import Quantized
from edge_agent.bundle import GOLDEN_FILE, MANIFEST_FILE, MODEL_FILE, Bundle, Manifest, Metrics, read, sha256
from edge_agent.inference import TfliteClassifier
from edge_agent.shelf import InputError
from trainer.place import check_file

GOLDEN_COUNT = 15
"""8 + 4 + 2 + 1: the agent runs them in one chunk of each size, and all must answer as one by one."""
UNVERIFIED = Metrics(count=1, float_top1=0, int8_top1=0, agreement=0, float_recall={}, int8_recall={})
"""Stands in a draft until the network has been verified; never written."""


def draft(
    trained: Trained,
    quantized: Quantized,
    calibration: Calibration,
    *,
    bundle_id: str | None,
    recipe: dict[str, Any],
    golden_inputs: NDArray[np.uint8],
) -> Bundle:
    """What the agent's classifier needs to run the network, before it is verified.

    Args:
        trained: The float network.
        quantized: The int8 network.
        calibration: What set its ranges.
        bundle_id: Letters, digits, dot, dash and underscore; by default from the file's name and the model's hash.
        recipe: How it was converted; goes into the manifest beside the model's card.
        golden_inputs: (n, size, size, 3) uint8 RGB, one or more.
    """
    ends = quantized.ends
    manifest = Manifest.model_validate(
        {
            "schema": "shelfwatch.bundle/1",
            "id": bundle_id or default_id(trained.path, quantized.sha256),
            "labels": trained.labels,
            "input": {
                "size_px": trained.size_px,
                "colour": "RGB",
                "scale": ends.input_scale,
                "zero_point": ends.input_zero_point,
            },
            "output": {"scale": ends.output_scale, "zero_point": ends.output_zero_point},
            "quantization": "int8",
            "recipe": {"training": trained.recipe, "card": trained.card, "conversion": recipe},
            "calibration": {"count": len(calibration.crops), "sha256": calibration.sha256},
            "metrics": UNVERIFIED,
            "delegates": ("cpu",),
            "versions": _versions(),
            "files": {},
        }
    )
    outputs = answers(quantized.content, golden_inputs)
    return Bundle(manifest, quantized.content, quantized.sha256, golden_inputs, outputs)


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


def answers(model: bytes, crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What LiteRT answers to each crop (n, size, size, 3) by itself: (n, classes) uint8, n being 1 or more."""
    interpreter = importlib.import_module("ai_edge_litert.interpreter").Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    given, answer = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    rows = []
    for crop in crops:
        interpreter.set_tensor(given, crop[np.newaxis])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(answer)[0])
    return np.stack(rows)


def choose_golden(winners: NDArray[np.int64], margins: NDArray[np.float32]) -> tuple[int, ...]:
    """Rows to keep as golden: the surest of each answer first, in turn, at most `GOLDEN_COUNT`.

    Args:
        winners: (n,) int8's answers.
        margins: (n,) by how much each leads.
    """
    surest_first = np.argsort(-margins, kind="stable")
    turn: dict[int, int] = {}
    ranked = []
    for row in surest_first:
        winner = int(winners[row])
        turn[winner] = turn.get(winner, 0) + 1
        ranked.append((turn[winner], winner, int(row)))
    return tuple(row for _, _, row in sorted(ranked)[:GOLDEN_COUNT])


def check_target(out: Path) -> None:
    """Make sure, before the slow work, that a bundle can be put at `out`.

    Raises:
        InputError: Something stands there that is no bundle, or nothing can be written there.
    """
    check_file(out)
    if not out.exists():
        return
    try:
        found = {entry.name for entry in out.iterdir()} if out.is_dir() else None
    except OSError as error:
        raise InputError(f"{out}: cannot be looked into ({error.strerror}). Give --out a new folder.") from error
    if found == set():
        return
    ours = {MODEL_FILE, MANIFEST_FILE, GOLDEN_FILE}
    if found is None or MANIFEST_FILE not in found or found - ours:
        raise InputError(
            f"{out}: there is something else than a bundle, which stays as it is. Give --out a new folder."
        )


def write(out: Path, unverified: Bundle, verification: Verification, golden_inputs: NDArray[np.uint8]) -> Bundle:
    """Write a verified bundle, read it back, load it as the agent does, and only then put it at `out`.

    Raises:
        InputError: `out` cannot be written, or something stands there that is no bundle.
        BundleError: The agent does not accept what was written.
    """
    outputs = answers(unverified.model, golden_inputs)
    golden = _golden_file(golden_inputs, outputs)
    files = {MODEL_FILE: unverified.model_sha256, GOLDEN_FILE: sha256(golden)}
    manifest = unverified.manifest.model_copy(update={"metrics": verification.metrics, "files": files})
    text = json.dumps(manifest.model_dump(mode="json", by_alias=True), indent=2, ensure_ascii=False)
    with _beside(out) as folder:
        (folder / MODEL_FILE).write_bytes(unverified.model)
        (folder / GOLDEN_FILE).write_bytes(golden)
        (folder / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")
        TfliteClassifier(read(folder), runtime="litert")
    return replace(unverified, manifest=manifest, golden_inputs=golden_inputs, golden_outputs=outputs)


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """A new directory that becomes `out` if all goes well, and is gone if it doesn't."""
    target = out.resolve()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise InputError(
            f"{out}: cannot be written ({error.strerror}). Give --out a folder that you may write."
        ) from error
    try:
        new = folder / "new"
        new.mkdir()
        yield new
        check_target(out)
        if target.exists():
            target.rename(folder / "old")
        try:
            new.rename(target)
        except OSError:
            if (folder / "old").exists():
                (folder / "old").rename(target)
            raise
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror}). Make room or give --out another.") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _golden_file(inputs: NDArray[np.uint8], outputs: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, inputs=inputs, outputs=outputs)
    return file.getvalue()


def _versions() -> dict[str, str]:
    """What this bundle was made with."""
    names = ("shelfwatch", "tensorflow", "keras", "ai-edge-litert", "numpy")
    return {
        **{name: version(name) for name in names},
        "opencv": str(importlib.import_module("cv2").__version__),
        "python": ".".join(str(part) for part in sys.version_info[:3]),
    }
