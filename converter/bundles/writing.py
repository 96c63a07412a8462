"""A verified bundle → a directory that the agent's own reader and classifier accept, or nothing.

`edge_agent.bundle` owns the format. What is written lies in a directory beside its target until it has been read back
and loaded, and is then moved there in one step; an older bundle stays as it was until that moment.
"""

import ctypes
import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from converter.judging import golden
from edge_agent.bundle import (
    GOLDEN_FILE,
    MANIFEST_FILE,
    MODEL_FILE,
    SIGNATURE_FILE,
    Bundle,
    Manifest,
    read,
    sha256,
)
from edge_agent.shelf import InputError
from trainer.place import check_file

AT_FDCWD, RENAME_EXCHANGE = -100, 2
"""Of Linux' fcntl.h and fs.h."""
Sign = Callable[[bytes], bytes]
"""The exact bytes of a manifest → those of its signature file."""


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
        golden.asked(read(folder))
    return manifest


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
        if not target.exists():
            new.rename(target)
        elif not _exchanged(new, target):
            _replaced(target, new, old=folder / "old")
        _sync(target.parent)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror}). Make room or give --out another.") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _exchanged(new: Path, target: Path) -> bool:
    """Let two folders change places in one step, by Linux' renameat2; False where the file system cannot do it."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    if rename is None:
        return False
    return bool(rename(AT_FDCWD, os.fsencode(new), AT_FDCWD, os.fsencode(target), RENAME_EXCHANGE) == 0)


def _replaced(target: Path, new: Path, *, old: Path) -> None:
    """The same in two steps; whatever comes in between, the older bundle is put back."""
    try:
        target.rename(old)
        new.rename(target)
    except BaseException:
        if old.exists() and not target.exists():
            old.rename(target)
        raise


def _golden_file(bundle: Bundle) -> bytes:
    arrays: dict[str, Any] = {"inputs": bundle.golden_inputs, "outputs": bundle.golden_outputs}
    if bundle.golden_float is not None:
        arrays["float_outputs"] = bundle.golden_float
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return file.getvalue()
