"""Signing a bundle that lies on the disk, and checking one whole: files, signature and golden answers."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from converter.bundles import contents, keys
from converter.judging import golden
from edge_agent import signature
from edge_agent.bundle import SIGNATURE_FILE, Manifest
from edge_agent.shelf import BundleError, InputError
from edge_agent.signature import PublicKey

SIGNATURE_MODE = 0o644


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found true of a bundle: `answers` in words, `signer` where it is signed."""

    manifest: Manifest
    files: int
    signer: PublicKey | None
    answers: str


def sign(bundle: Path, key: keys.PrivateKey) -> Manifest:
    """Write `manifest.sig` into a bundle's directory, once every file was found as the manifest lists it.

    Raises:
        InputError: There is no directory at `bundle`, or it cannot be read or written.
        DataError: A file is altered, missing or too much; nothing is signed.
    """
    found = contents.look(bundle)
    manifest = contents.check(found)
    if not bundle.is_dir():
        raise InputError(f"{bundle}: a zip, and signing writes into a directory. Unpack it, sign it, and zip it again.")
    _replace(bundle / SIGNATURE_FILE, keys.sign(found.manifest or b"", key))
    return manifest


def verify(bundle: Path, trusted: PublicKey | None = None) -> Proof:
    """Check a bundle whole; a model runs only once its hash, and the signature where there is one, are found right.

    Args:
        bundle: A directory or a zip.
        trusted: The key that must have signed it; None where any will do, or none.

    Raises:
        InputError: There is nothing at `bundle`, or it cannot be read.
        DataError: A file is altered, missing or too much, or a model doesn't give its golden answers.
        BundleError: The signature does not hold, is another key's, or is missing though a key was given.
    """
    found = contents.look(bundle)
    manifest = contents.check(found)
    try:
        signer = signature.check(found.manifest or b"", found.signature, trusted)
    except BundleError as error:
        raise BundleError(f"{bundle}: {error}") from error
    return Proof(manifest, len(found.sha256), signer, golden.check(bundle))


def _replace(path: Path, content: bytes) -> None:
    """Put a file in the place of an older one in one step."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}). Sign where you may write.") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(SIGNATURE_MODE)
        Path(name).replace(path)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise InputError(f"{path}: cannot be written ({error.strerror}). Make room, and sign again.") from error
