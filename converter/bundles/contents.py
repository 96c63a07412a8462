"""Every file of a bundle, in a folder or a zip, held against the sha256 that the manifest lists for it."""

import hashlib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from edge_agent.bundle import FILE_BYTES_MAX, FILES, MANIFEST_FILE, SIGNATURE_FILE, UNREADABLE, Manifest, parse_manifest
from edge_agent.shelf import BundleError, DataError, InputError

CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Contents:
    """What lies in a bundle: the sha256 (hex) of each file by its name, and why others cannot be read.

    `manifest` and `signature` are the bytes of these two files, None where they are missing; `manifest` is known to be
    of the format.
    """

    path: Path
    sha256: dict[str, str]
    unreadable: dict[str, str]
    manifest: bytes | None
    signature: bytes | None


def look(path: Path) -> Contents:
    """Read all files of a bundle, one after the other; nothing of a model is parsed.

    Raises:
        InputError: There is nothing at `path`, or it may not be read.
        DataError: It is neither a folder nor a zip.
    """
    try:
        if path.is_dir():
            return _look(path, _in_folder(path))
        if not path.exists():
            raise InputError(f"there is no bundle at {path}. Give the directory that shelf-convert wrote, or its zip.")
        if not path.is_file():  # a pipe would keep us waiting
            raise DataError(f"{path}: neither a directory nor a file. Give the directory of a bundle, or its zip.")
        with zipfile.ZipFile(path) as archive:
            return _look(path, _in_zip(archive))
    except PermissionError as error:
        raise InputError(f"{error.filename}: may not be read. Give it read permission (chmod -R a+rX).") from error
    except UNREADABLE as error:
        raise DataError(f"{path}: neither a bundle's directory nor a zip that can be read ({error}).") from error


def check(contents: Contents) -> Manifest:
    """Make sure that a bundle holds what its manifest lists, and nothing else; the manifest.

    Raises:
        DataError: Names every file that is altered, missing, too much or unreadable.
    """
    manifest = None if contents.manifest is None else _manifest(contents.path, contents.manifest)
    found = [*_problems(contents, {} if manifest is None else manifest.files)]
    if found or manifest is None:
        lines = "".join(f"\n  - {problem}" for problem in found)
        raise DataError(f"{contents.path} is not the bundle that was written:{lines}\nCopy it again, or convert anew.")
    return manifest


def _manifest(path: Path, content: bytes) -> Manifest:
    """The agent's reader says what is wrong; here that is a matter of data, like all else that is altered."""
    try:
        return parse_manifest(path, content)
    except BundleError as error:
        raise DataError(str(error)) from error


def _problems(contents: Contents, listed: dict[str, str]) -> Iterator[str]:
    """What is wrong, a line each, by the name of the file."""
    there = contents.sha256.keys() | contents.unreadable.keys()
    for name in sorted({*FILES, *listed} - there):
        yield f"{name} is missing"
    for name, reason in sorted(contents.unreadable.items()):
        yield f"{name} {reason}"
    for name, seen in sorted(contents.sha256.items()):
        if name in {MANIFEST_FILE, SIGNATURE_FILE}:
            continue
        if name not in listed:
            yield f"{name} is there, and the manifest does not list it"
        elif listed[name] != seen:
            yield f"{name} was altered: it has sha256 {seen[:12]}…, the manifest says {listed[name][:12]}…"


def _look(path: Path, files: Iterator[tuple[str, int, IO[bytes] | None]]) -> Contents:
    """Hash what an iterator opens."""
    digests: dict[str, str] = {}
    unreadable: dict[str, str] = {}
    kept: dict[str, bytes] = {}
    for name, size_bytes, file in files:
        if name in digests or name in unreadable:
            unreadable[name] = "is there twice"
        elif file is None:
            unreadable[name] = "is no plain file"
        elif size_bytes > FILE_BYTES_MAX:
            unreadable[name] = f"has {size_bytes} bytes, more than {FILE_BYTES_MAX}"
        else:
            try:
                digests[name], content = _digest(file, keep=name in {MANIFEST_FILE, SIGNATURE_FILE})
                kept[name] = content
            except UNREADABLE as error:
                unreadable[name] = f"cannot be read ({error})"
    return Contents(path, digests, unreadable, kept.get(MANIFEST_FILE), kept.get(SIGNATURE_FILE))


def _digest(file: IO[bytes], *, keep: bool) -> tuple[str, bytes]:
    """The sha256 of a file and, if asked for, its content."""
    digest, content = hashlib.sha256(), bytearray()
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
        if keep:
            content += chunk
    return digest.hexdigest(), bytes(content)


def _in_folder(folder: Path) -> Iterator[tuple[str, int, IO[bytes] | None]]:
    """Name, size and opened file of all that lies in a folder, however deep; None for what is no plain file."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix().encode(errors="replace").decode()  # it may be no text at all
        if path.is_dir() and not path.is_symlink():
            continue
        if not path.is_file():
            yield name, 0, None
            continue
        with path.open("rb") as file:
            yield name, path.stat().st_size, file


def _in_zip(archive: zipfile.ZipFile) -> Iterator[tuple[str, int, IO[bytes] | None]]:
    """The same of a zip, without what macOS adds; a folder that the manifest lies in is left out of the names."""
    entries = [entry for entry in archive.infolist() if not entry.is_dir() and not _of_macos(entry.filename)]
    paths = [PurePosixPath(entry.filename) for entry in entries]
    manifests = [path for path in paths if path.name == MANIFEST_FILE]
    home = min(manifests, key=lambda path: len(path.parts)).parent if manifests else PurePosixPath()
    for entry in entries:
        path = PurePosixPath(entry.filename)
        name = str(path.relative_to(home) if path.is_relative_to(home) else path)
        with archive.open(entry) as file:
            yield name, entry.file_size, file


def _of_macos(name: str) -> bool:
    """Whether an entry of a zip holds what macOS knows of another: `__MACOSX/…/._NAME`, which no reader looks at.

    Other entries there count as any: the agent goes by the last part of a name, and would read them.
    """
    path = PurePosixPath(name)
    return path.parts[:1] == ("__MACOSX",) and path.name.startswith("._")
