"""A verified int8 network → a bundle directory that the agent's own reader and classifier accept, or nothing.

`edge_agent.bundle` owns the format. What is written lies in a directory beside its target until it has been read back
and loaded, and is then moved there in one step; an older bundle stays as it was until that moment.
"""

import importlib
import io
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.calibrate import Calibration
from converter.load import Trained
from converter.quantizing.quantize import Quantized
from converter.targets.choice import Builds
from edge_agent.bundle import (
    FLOAT_FILE,
    GOLDEN_FILE,
    GPU_FILE,
    MANIFEST_FILE,
    MODEL_FILE,
    SIGNATURE_FILE,
    Bundle,
    Manifest,
    Metrics,
    read,
    sha256,
)
from edge_agent.inference import TfliteClassifier
from edge_agent.shelf import InputError
from trainer.place import check_file

Sign = Callable[[bytes], bytes]
"""The exact bytes of a manifest → those of its signature file."""
GOLDEN_COUNT = 15
"""8 + 4 + 2 + 1: the agent runs them in one chunk of each size, and all must answer as one by one."""
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
    interpreter = importlib.import_module("ai_edge_litert.interpreter").Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    given, answer = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    rows = []
    for crop in crops:
        interpreter.set_tensor(given["index"], crop[np.newaxis].astype(given["dtype"]))
        interpreter.invoke()
        rows.append(interpreter.get_tensor(answer["index"])[0])
    return np.stack(rows)


def choose_golden(scores: NDArray[np.float32]) -> tuple[int, ...]:
    """Rows to keep as golden: the surest of each answer first, in turn, at most `GOLDEN_COUNT`.

    Args:
        scores: (n, classes) int8's probabilities; an answer is as sure as it leads.
    """
    winners, ordered = scores.argmax(axis=1), np.sort(scores, axis=1)
    surest_first = np.argsort(ordered[:, -2] - ordered[:, -1], kind="stable")
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
    if found is None or found - _belonging(out):
        raise InputError(
            f"{out}: there is something else than a bundle, which stays as it is. Give --out a new folder."
        )


def _belonging(out: Path) -> set[str]:
    """The names of the files of the bundle in a folder, by its manifest; none where there is no manifest of ours."""
    try:
        listed = Manifest.model_validate_json((out / MANIFEST_FILE).read_bytes()).files
    except (OSError, ValueError):
        return set()
    return {MANIFEST_FILE, SIGNATURE_FILE, *listed}


def models(bundle: Bundle) -> dict[str, bytes]:
    """The files that the agent reads beside the manifest, by name."""
    return {MODEL_FILE: bundle.model, **bundle.variants, GOLDEN_FILE: _golden_file(bundle)}


def hashes(files: Mapping[str, bytes]) -> dict[str, str]:
    """The sha256 (hex) of each file by name."""
    return {name: sha256(content) for name, content in sorted(files.items())}


def write(out: Path, manifest: Manifest, files: Mapping[str, bytes], *, sign: Sign | None = None) -> Manifest:
    """Write a verified bundle, read it back, load it as the agent does, and only then put it at `out`.

    Args:
        out: Where it goes; an older bundle is replaced.
        manifest: With its metrics.
        files: All that goes into the folder beside it, by name.
        sign: Makes the signature file's content of the manifest's.

    Returns:
        The manifest with the hash of every file.

    Raises:
        InputError: `out` cannot be written, or something stands there that is no bundle.
        BundleError: The agent does not accept what was written.
    """
    manifest = manifest.model_copy(update={"files": hashes(files)})
    text = json.dumps(manifest.model_dump(mode="json", by_alias=True), indent=2, ensure_ascii=False)
    written = {**files, MANIFEST_FILE: f"{text}\n".encode()}
    if sign is not None:
        written[SIGNATURE_FILE] = sign(written[MANIFEST_FILE])
    with _beside(out) as folder:
        for name, content in written.items():
            _store(folder / name, content)
        _sync(folder)
        _accepted(read(folder))
    return manifest


def _accepted(bundle: Bundle) -> None:
    """Load each build that this machine can run as the agent does; its golden answers must hold."""
    for variant in (MODEL_FILE, FLOAT_FILE):
        if variant == MODEL_FILE or variant in bundle.variants:
            TfliteClassifier(bundle, runtime="litert", variant=variant)


def _store(path: Path, content: bytes) -> None:
    """Write a file to the disk itself: a plug that is pulled afterwards leaves all of it."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Write the names in a folder to the disk itself."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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
        _sync(target.parent)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror}). Make room or give --out another.") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _golden_file(bundle: Bundle) -> bytes:
    arrays: dict[str, NDArray[Any]] = {"inputs": bundle.golden_inputs, "outputs": bundle.golden_outputs}
    if bundle.golden_float is not None:
        arrays["float_outputs"] = bundle.golden_float
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return file.getvalue()


def _versions() -> dict[str, str]:
    """What this bundle was made with."""
    names = ("shelfwatch", "tensorflow", "keras", "ai-edge-litert", "numpy")
    return {
        **{name: version(name) for name in names},
        "opencv": str(importlib.import_module("cv2").__version__),
        "python": ".".join(str(part) for part in sys.version_info[:3]),
    }
