"""The model bundle: the one contract between the converter and the agent. This reader owns its format.

A bundle is a directory, or a zip of one. The agent looks at these files of it, and at no others

    manifest.json           what `Manifest` says, with the sha256 of every other file
    model.tflite            int8 weights, uint8 in (batch, size, size, 3) RGB, uint8 out (batch, classes)
    golden.npz              `inputs` (n, size, size, 3) uint8 and `outputs` (n, classes) uint8: what the model must
                            answer; `float_outputs` (n, classes) float32, 0..1: what float must answer (optional)
    model_float.tflite      the same in float32 (0..255 in, 0..1 out), for runtimes without int8 kernels (optional)
    model_gpu.tflite        float32 in and out as before, float16 weights, for a GPU (optional)
    model_edgetpu.tflite    compiled for the Edge TPU, batch 1, uint8 in and out (optional)
    manifest.sig            a signature over manifest.json, see `edge_agent.signature` (optional)

Nothing of a model file is parsed before its sha256 has been found right: a model file is a program. A signature, where
one is asked for, is checked first of all, before anything else is unpacked or parsed.
"""

import hashlib
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_agent.shelf import BundleError

MANIFEST_FILE, SIGNATURE_FILE = "manifest.json", "manifest.sig"
MODEL_FILE, GOLDEN_FILE = "model.tflite", "golden.npz"
FLOAT_FILE, GPU_FILE, EDGETPU_FILE = "model_float.tflite", "model_gpu.tflite", "model_edgetpu.tflite"
FILES = (MANIFEST_FILE, MODEL_FILE, GOLDEN_FILE)
"""Without these there is no bundle."""
VARIANTS = (FLOAT_FILE, GPU_FILE, EDGETPU_FILE)
"""Other builds of the same network, each there or not."""
FILE_BYTES_MAX = 256 * 2**20
"""A file of a bundle that claims to be larger is refused unread: no device could use it."""


UNREADABLE = (OSError, ValueError, RuntimeError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
"""What a damaged, encrypted or outlandish zip, or a path that can be none, may raise."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InputSpec(_Strict):
    """What the network takes: squares of `size_px` in `colour` order, as uint8 of `scale` and `zero_point`."""

    size_px: int = Field(ge=1, le=2048)
    colour: Literal["RGB"]
    scale: float
    zero_point: int


class OutputSpec(_Strict):
    """How an output byte becomes a probability: (byte - zero_point) * scale."""

    scale: float = Field(gt=0)
    zero_point: int


class Calibration(_Strict):
    """The photographs that set the ranges of the int8 model: how many, and the sha256 of their pixels in order.

    `list_sha256` is that of the list of their names.
    """

    count: int = Field(ge=1)
    sha256: str
    list_sha256: str | None = None


class Metrics(_Strict):
    """Accuracy (0..1) of float and int8 on the same `count` photographs, through this agent's preprocessing.

    `drop_bound_points` is the one-sided 95 % bound of the drop; `proven` says that the photographs were enough for it.
    """

    count: int = Field(ge=1)
    float_top1: float = Field(ge=0, le=1)
    int8_top1: float = Field(ge=0, le=1)
    agreement: float = Field(ge=0, le=1)
    float_recall: dict[str, float]
    int8_recall: dict[str, float]
    drop_bound_points: float | None = None
    proven: bool = False


class Manifest(_Strict):
    """What a bundle says of itself. Unknown keys are refused: a newer format is another `schema`."""

    schema_: Literal["shelfwatch.bundle/1"] = Field(alias="schema")
    id: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    labels: tuple[str, ...] = Field(min_length=2)
    input: InputSpec
    output: OutputSpec
    quantization: Literal["int8"]
    recipe: dict[str, Any]
    calibration: Calibration
    metrics: Metrics
    delegates: tuple[str, ...]
    versions: dict[str, str]
    files: dict[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A bundle whose hashes hold. `golden_inputs` is (n, size, size, 3) and `golden_outputs` (n, classes), uint8.

    `variants` holds the contents of those of `VARIANTS` that are there. `golden_float` is (n, classes) float32: the
    answers of float to the same inputs.
    """

    manifest: Manifest
    model: bytes
    model_sha256: str
    golden_inputs: NDArray[np.uint8]
    golden_outputs: NDArray[np.uint8]
    variants: dict[str, bytes] = field(default_factory=dict)
    golden_float: NDArray[np.float32] | None = None


Vouch = Callable[[bytes, bytes | None], None]
"""Takes the bytes of `manifest.json` and `manifest.sig` (None where there is none); raises `BundleError` to refuse."""


def sha256(content: bytes) -> str:
    """Hexadecimal sha256 of `content`."""
    return hashlib.sha256(content).hexdigest()


def read(path: Path, *, vouch: Vouch | None = None) -> Bundle:
    """Read a bundle and check every hash, shape and label count in it. No model is loaded yet.

    Args:
        path: A directory, or a zip.
        vouch: Says whether the manifest is to be trusted, before anything is made of it or of another file; see
            `edge_agent.signature.check_signature`.

    Raises:
        BundleError: A file is missing, altered, too large or not what the format says.
    """
    ends = _content(path, (MANIFEST_FILE, SIGNATURE_FILE), needed=(MANIFEST_FILE,))
    if vouch is not None:
        vouch(ends[MANIFEST_FILE], ends.get(SIGNATURE_FILE))
    manifest = parse_manifest(path, ends[MANIFEST_FILE])
    content = _content(path, (MODEL_FILE, GOLDEN_FILE, *VARIANTS), needed=(MODEL_FILE, GOLDEN_FILE))
    for name in (MODEL_FILE, GOLDEN_FILE, *VARIANTS):
        _check_hash(path, name, content.get(name), manifest.files.get(name))
    inputs, outputs, floats = _golden(path, content[GOLDEN_FILE], manifest)
    variants = {name: content[name] for name in VARIANTS if name in content}
    for name in variants.keys() & {FLOAT_FILE, GPU_FILE} if floats is None else ():
        raise BundleError(f"bundle {path}: {GOLDEN_FILE} has no float_outputs to hold {name} against. Convert anew.")
    return Bundle(
        manifest,
        content[MODEL_FILE],
        manifest.files[MODEL_FILE],
        inputs,
        outputs,
        variants=variants,
        golden_float=floats,
    )


def _check_hash(path: Path, name: str, content: bytes | None, listed: str | None) -> None:
    """A file is there and listed, with the same sha256, or neither."""
    if content is None and listed is None:
        return
    if content is None:
        raise BundleError(
            f"bundle {path}: {name} is missing, and the manifest lists it. Copy the whole bundle again, or convert"
            " anew without it."
        )
    seen = sha256(content)
    if listed is None:
        raise BundleError(
            f"bundle {path}: {name} is there, but the manifest does not list it: it is of another bundle. Copy the"
            " whole bundle again into an empty folder."
        )
    if listed != seen:
        raise BundleError(
            f"bundle {path}: {name} was altered or damaged: it has sha256 {seen[:12]}…, the manifest says"
            f" {listed[:12]}…. Copy the bundle again, or convert anew."
        )


def _content(path: Path, names: Sequence[str], *, needed: Sequence[str]) -> dict[str, bytes]:
    """Some files of a bundle by name, as far as they are there; those that are needed must be."""
    content = _files(path, names)
    for name in needed:
        if name not in content:
            raise BundleError(f"bundle {path}: {name} is missing. Copy the whole bundle again, or convert anew.")
    return content


def _files(path: Path, names: Sequence[str]) -> dict[str, bytes]:
    """The same, none of them needed."""
    try:
        if path.is_dir():
            files = [path / name for name in names if (path / name).is_file()]
            for file in files:
                _check_size(path, file.name, file.stat().st_size)
            return {file.name: file.read_bytes() for file in files}
        with zipfile.ZipFile(path) as archive:
            entries = {Path(entry.filename).name: entry for entry in archive.infolist()}
            entries = {name: entry for name, entry in entries.items() if name in names}
            for name, entry in entries.items():
                _check_size(path, name, entry.file_size)
            return {name: archive.read(entry) for name, entry in entries.items()}
    except FileNotFoundError:
        raise BundleError(f"there is no bundle at {path}. Give the directory that shelf-convert wrote.") from None
    except PermissionError:
        raise BundleError(
            f"bundle {path} may not be read by this user. Give it read permission (chmod -R a+rX)."
        ) from None
    except UNREADABLE as error:
        raise BundleError(f"bundle {path} cannot be read ({error}). Copy it again, or convert anew.") from error


def _check_size(path: Path, name: str, size_bytes: int) -> None:
    if size_bytes > FILE_BYTES_MAX:
        raise BundleError(f"bundle {path}: {name} has {size_bytes} bytes, more than {FILE_BYTES_MAX}: not a bundle.")


def parse_manifest(path: Path, content: bytes) -> Manifest:
    """What the bytes of a `manifest.json` say; `path` is the bundle's, for the message.

    Raises:
        BundleError: They are none that this version knows.
    """
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BundleError(
            f"bundle {path}: {MANIFEST_FILE} is not one that this agent knows: {where}: {first['msg']}."
            " Convert the model with the shelf-convert of this version."
        ) from None


def _golden(
    path: Path, content: bytes, manifest: Manifest
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32] | None]:
    """Inputs, outputs and, where they are there, the outputs of float."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for entry in archive.infolist():
                _check_size(path, f"{entry.filename} in {GOLDEN_FILE}", entry.file_size)
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            inputs, outputs = arrays["inputs"], arrays["outputs"]
            floats = arrays.get("float_outputs")
    except (*UNREADABLE, KeyError) as error:
        raise BundleError(f"bundle {path}: {GOLDEN_FILE} cannot be read ({error}). Convert anew.") from error
    size, answers = manifest.input.size_px, (len(inputs), len(manifest.labels))
    if inputs.dtype != np.uint8 or inputs.ndim != 4 or inputs.shape[1:] != (size, size, 3) or len(inputs) == 0:
        raise BundleError(
            f"bundle {path}: golden inputs are {inputs.dtype} {inputs.shape}, not (n, {size}, {size}, 3)."
        )
    if outputs.dtype != np.uint8 or outputs.shape != answers:
        raise BundleError(f"bundle {path}: golden outputs are {outputs.dtype} {outputs.shape}, not uint8 {answers}.")
    if floats is not None and (floats.dtype != np.float32 or floats.shape != answers or not np.isfinite(floats).all()):
        raise BundleError(
            f"bundle {path}: golden float_outputs are {floats.dtype} {floats.shape}, not finite float32 {answers}."
        )
    return inputs, outputs, floats
