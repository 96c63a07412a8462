"""`shelf-convert describe FILE`: what is in a TFLite file, and what each target makes of it."""

import zipfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from edge_agent.bundle import FILE_BYTES_MAX, MODEL_FILE
from edge_agent.exits import reported
from edge_agent.shelf import DataError, InputError

TFLITE = b"TFL3"
"""Bytes 4 to 8 of a TFLite file. One with metadata is a ZIP too, so this is looked at first."""
ZIP = b"PK\x03\x04"
HDF5 = b"\x89HDF"
KERAS_PARTS = {"config.json", "model.weights.h5"}


def describe(
    file: Annotated[Path, typer.Argument(help="A .tflite file, or a bundle (folder or zip): its model.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Everything, operator by operator, as JSON.")] = False,
) -> None:
    """Say what a TFLite file is, and what a CPU, an Edge TPU and a GPU make of it. The file is never run.

    Exit status: 0 described; 65 not a TFLite file, or a damaged one; 66 it is not there.
    """
    console = Console()
    with reported("shelf-convert"):
        from converter.tflite.child import described  # noqa: PLC0415  (--help must not wait for it)
        from converter.tflite.describe import to_json  # noqa: PLC0415
        from converter.tflite.tables import tables  # noqa: PLC0415

        content, name = model_of(file)
        found = described(content, name=name)
        if as_json:
            typer.echo(to_json(found))
        else:
            console.print(tables(found, title=name), highlight=False, crop=False)
            if others := _others(file):
                console.print(f"\nThe bundle also holds {', '.join(others)}: name one to describe it.", highlight=False)


def model_of(file: Path) -> tuple[bytes, str]:
    """The bytes of a TFLite file, or of a bundle's model, and its name. Nothing in it is looked at beyond its first 8.

    Raises:
        InputError: It is not there or cannot be read, or a folder or zip has no model in it.
        DataError: It is something else than a TFLite file, or too large.
    """
    if file.is_dir():
        if not (file / MODEL_FILE).is_file():
            raise InputError(
                f"{file}: a folder without {MODEL_FILE}. Give a .tflite file, or a bundle of shelf-convert."
            )
        file = file / MODEL_FILE
    content = _content(file)
    if content[4:8] == TFLITE:
        return content, str(file)
    if content[:4] == ZIP:
        return _zipped(file), str(file / MODEL_FILE)
    if not content:
        raise DataError(f"{file}: an empty file. Copy it again.")
    if content[:4] == HDF5:
        raise DataError(
            f"{file}: a network in HDF5, not a TFLite file. Convert it: shelf-convert MODEL.keras --out BUNDLE."
        )
    raise DataError(
        f"{file}: not a TFLite file: {len(content)} bytes that begin with {content[:8]!r}. Give a .tflite file, or a"
        " bundle of shelf-convert."
    )


def _others(file: Path) -> list[str]:
    """Other builds of the network in a bundle's folder."""
    return sorted(path.name for path in file.glob("*.tflite") if path.name != MODEL_FILE) if file.is_dir() else []


def _content(file: Path) -> bytes:
    try:
        size_bytes = file.stat().st_size
        if size_bytes > FILE_BYTES_MAX:
            raise DataError(f"{file}: {size_bytes} bytes, more than {FILE_BYTES_MAX}. Give the model of a device.")
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be opened ({error.strerror}). Give a .tflite file, or a bundle.") from error


def _zipped(file: Path) -> bytes:
    """The model of a bundle in a zip."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = {Path(entry.filename).name: entry for entry in archive.infolist()}
            if entries.keys() >= KERAS_PARTS:
                raise DataError(
                    f"{file}: a Keras network, not a TFLite file. Convert it: shelf-convert {file} --calibrate DATA"
                    " --out BUNDLE, and describe the bundle."
                )
            entry = entries.get(MODEL_FILE)
            if entry is None:
                raise InputError(
                    f"{file}: a zip without {MODEL_FILE}. Give a .tflite file, or a bundle of shelf-convert."
                )
            if entry.file_size > FILE_BYTES_MAX:
                raise DataError(f"{file}: its {MODEL_FILE} has {entry.file_size} bytes, more than {FILE_BYTES_MAX}.")
            return archive.read(entry)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise DataError(f"{file}: a damaged zip ({error}). Copy it again.") from error
