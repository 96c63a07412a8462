"""Standard TFLite Model Metadata: what other tools look for in a file, such as its labels and how to feed it.

A flatbuffer by TensorFlow Lite Support's metadata_schema.fbs (1.5.0; all that is used here is in 1.0.0 already) is one
of the model's buffers, named `TFLITE_METADATA`. The labels are a file in a ZIP that is appended to the model, as a
flatbuffer is read from its front and a ZIP from its end. Write it last: whatever packs the model anew drops the ZIP.
"""

import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from flatbuffers.table import Table

from converter.tflite import fields, graph
from edge_agent.shelf import DataError

ENTRY = b"TFLITE_METADATA"
IDENTIFIER = b"M001"
LABELS_FILE = "labels.txt"
LABELMAP_FILE = "labelmap.txt"
"""The same lines under the name that Frigate's custom classification wants beside a `model.tflite`."""
LABELS_BYTES_MAX = 2**20
PARSER_VERSION = "1.0.0"
"""The oldest reader that understands every field that is written here."""
# Numbers of the schema's enumerations and unions
_AXIS_LABELS = np.uint8(2)
_RGB = np.uint8(1)
_FEATURE, _IMAGE = np.uint8(1), np.uint8(2)
_NORMALIZATION = np.uint8(1)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file should say of itself; `labels` are in the order of its outputs."""

    name: str
    description: str
    version: str
    author: str
    licence: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a file says of itself; None or empty where it doesn't.

    `mean` and `std` are those of the input: (pixel - mean) / std is what the network takes, before quantization.
    `files` are the names of the attached files. `labels` are in the order of the outputs.
    """

    name: str | None
    description: str | None
    version: str | None
    author: str | None
    licence: str | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    labels: tuple[str, ...] | None
    files: tuple[str, ...]
    parser_version: str | None


def with_metadata(content: bytes, facts: Facts) -> bytes:
    """A classifier with its metadata, in place of what it may have had. The same input gives the same bytes.

    Args:
        content: A TFLite file with one input (batch, size, size, 3), RGB in 0..255 as uint8 or float32, and one output
            (batch, classes), probabilities as uint8 or float32.
        facts: What it should say of itself.

    Raises:
        DataError: The file has other ends, other than as many outputs as labels, or a label that is no single line.
    """
    labels = labels_text(facts.labels)
    model = graph.parse(content)
    given, answer = _ends(model, facts.labels)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(fields.write(_model(facts, given, answer), IDENTIFIER), dtype=np.uint8)
    index = _entry(model)
    if index is None:
        entry = schema.MetadataT()
        entry.name, entry.buffer = ENTRY, len(model.buffers)
        model.metadata = [*(model.metadata or ()), entry]
        model.buffers.append(buffer)
    else:
        model.buffers[index] = buffer
    return _attached(graph.packed(model), LABELS_FILE, labels)


def read_metadata(content: bytes) -> Metadata | None:
    """What a file of whatever tool says of itself, None where it has no metadata.

    Raises:
        DataError: It is not a TFLite file, or its metadata is damaged.
    """
    model = graph.parse(content)
    index = _entry(model)
    if index is None:
        return None
    if index >= len(model.buffers) or model.buffers[index].data is None:
        raise DataError(f"the metadata is damaged: it should be in buffer {index}, which is not there.")
    root = fields.read(bytes(model.buffers[index].data), IDENTIFIER)
    subgraphs = fields.children(root, 3)
    inputs = fields.children(subgraphs[0], 2) if subgraphs else []
    outputs = fields.children(subgraphs[0], 3) if subgraphs else []
    mean, std = _normalization(inputs[0]) if inputs else ((), ())
    files = attached(content)
    label_file = _label_file(outputs[0]) if outputs else None
    return Metadata(
        name=fields.text(root, 0),
        description=fields.text(root, 1),
        version=fields.text(root, 2),
        author=fields.text(root, 4),
        licence=fields.text(root, 5),
        mean=mean,
        std=std,
        labels=_lines(content, label_file) if label_file in files else None,
        files=files,
        parser_version=fields.text(root, 7),
    )


def attached(content: bytes) -> tuple[str, ...]:
    """The names of the files in the ZIP at the end of a model; none where there is no ZIP that can be read."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return tuple(archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        return ()


def labels_text(labels: Sequence[str]) -> str:
    """The labels as a file, a line each: `labels.txt`, and `labelmap.txt` for Frigate.

    Raises:
        DataError: A label holds a line break, or nothing but white space.
    """
    for label in labels:
        if not label.strip() or re.search(r"[\r\n]", label):
            raise DataError(f"the label {label!r} cannot be a line of {LABELS_FILE}. Rename it, and train again.")
    return "".join(f"{label}\n" for label in labels)


def misread(labels: Sequence[str]) -> tuple[str, ...]:
    """Labels that pycoral, and Frigate before its version 0.17, take for a number and a name: warn of them.

    >>> misread(["7up", "330 cola", "oat-milk"])
    ('330 cola',)
    """
    return tuple(label for label in labels if re.split(r"[:\s]", label.strip(), maxsplit=1)[0].isdigit())


def _ends(model: Any, labels: Sequence[str]) -> tuple[Any, Any]:
    """The tensors of the input and the output."""
    main = model.subgraphs[0]
    given, answer = ([main.tensors[index] for index in side] for side in (main.inputs, main.outputs))
    shapes = [[int(side) for side in tensor.shape] for tensor in [*given, *answer]]
    kinds = [graph.kind(tensor) for tensor in [*given, *answer]]
    if len(given) != 1 or len(answer) != 1 or len(shapes[0]) != 4 or shapes[0][3] != 3 or len(shapes[1]) != 2:
        raise DataError(f"takes and gives {shapes}; metadata is written for one picture in and its classes out.")
    if any(kind not in {"UINT8", "FLOAT32"} for kind in kinds):
        raise DataError(f"takes {kinds[0]} and gives {kinds[1]}; metadata is written for UINT8 and FLOAT32 ends.")
    if shapes[1][1] != len(labels):
        raise DataError(
            f"has {shapes[1][1]} outputs, and there are {len(labels)} labels. Give the labels of this model."
        )
    return given[0], answer[0]


def _model(facts: Facts, given: Any, answer: Any) -> dict[int, Any]:
    """ModelMetadata."""
    subgraph = {2: [_input(given)], 3: [_output(answer)]}
    return {
        0: facts.name,
        1: facts.description,
        2: facts.version,
        3: [subgraph],
        4: facts.author,
        5: facts.licence,
        7: PARSER_VERSION,
    }


def _input(given: Any) -> dict[int, Any]:
    """TensorMetadata of a picture. Rescaling is a layer of the network, so pixels go in as they are: mean 0, std 1."""
    height, width = int(given.shape[1]), int(given.shape[2])
    image = {0: _RGB, 1: {0: np.uint32(width), 1: np.uint32(height)}}
    return {
        0: "image",
        1: f"A picture of one facing, {width} × {height}, RGB in 0..255, stretched to that size.",
        3: {0: _IMAGE, 1: image},
        4: [{0: _NORMALIZATION, 1: {0: [0.0], 1: [1.0]}}],
        5: {0: [255.0], 1: [0.0]},
    }


def _output(answer: Any) -> dict[int, Any]:
    """TensorMetadata of probabilities; the range is that of the tensor's own values, as other writers have it."""
    labels = {0: LABELS_FILE, 1: "The classes, in the order of the outputs.", 2: _AXIS_LABELS}
    return {
        0: "probability",
        1: "The probability of each label.",
        3: {0: _FEATURE, 1: {}},
        5: {0: [255.0 if graph.kind(answer) == "UINT8" else 1.0], 1: [0.0]},
        6: [labels],
    }


def _attached(model: bytes, name: str, text: str) -> bytes:
    """A file with another in a ZIP at its end: stored, as readers on phones cannot inflate, and of no date."""
    file = io.BytesIO(model)
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.create_system, entry.external_attr = 3, 0o644 << 16
    with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr(entry, text)
    return file.getvalue()


def _entry(model: Any) -> int | None:
    """The number of the buffer that holds the metadata."""
    return next((int(entry.buffer) for entry in model.metadata or () if entry.name == ENTRY), None)


def _normalization(tensor: Table) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of an input, empty where it says nothing of them."""
    for unit in fields.children(tensor, 4):
        options = fields.child(unit, 1)
        if fields.number(unit, 0) == _NORMALIZATION and options is not None:
            return fields.floats(options, 0), fields.floats(options, 1)
    return (), ()


def _label_file(tensor: Table) -> str | None:
    """The name of the file that labels an output."""
    files = fields.children(tensor, 6)
    return next((fields.text(file, 0) for file in files if fields.number(file, 2) == _AXIS_LABELS), None)


def _lines(content: bytes, name: str) -> tuple[str, ...]:
    """The lines of an attached file."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if archive.getinfo(name).file_size > LABELS_BYTES_MAX:
                raise DataError(f"the metadata is damaged: {name} claims {archive.getinfo(name).file_size} bytes.")
            text = archive.read(name).decode(errors="replace")
    except (zipfile.BadZipFile, ValueError, RuntimeError, OSError, EOFError, zipfile.LargeZipFile) as error:
        raise DataError(f"the metadata is damaged: {name} cannot be read ({error}).") from error
    return tuple(line.removesuffix("\r") for line in text.removesuffix("\n").split("\n"))
