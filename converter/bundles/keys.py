"""Keys that sign bundles: an ed25519 pair in PEM files, the private one for its owner's eyes only."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from edge_agent.shelf import DataError, InputError
from edge_agent.signature import PublicKey, Signature, pack, read_key_file

PRIVATE_MODE, PUBLIC_MODE = 0o600, 0o644


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """An ed25519 key that signs; never shown."""

    key: Ed25519PrivateKey

    @property
    def public(self) -> PublicKey:
        """Its other half, which devices are given."""
        return PublicKey(self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def generate(path: Path) -> PublicKey:
    """Write a new pair: the private key at `path`, for its owner only, and the public one at `path`.pub.

    Raises:
        InputError: One of them is there already, or cannot be written, or `path` itself ends in .pub; nothing is left
            behind.
    """
    if path.suffix == ".pub":
        raise InputError(f"{path} names a public key, and this is where the private one goes. Leave .pub away.")
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    beside = path.with_name(f"{path.name}.pub")
    for file in (path, beside):
        if os.path.lexists(file):
            raise InputError(
                f"{file} is there already, and stays as it is: nobody could sign with a key that is gone."
                " Give another name."
            )
    _write_new(path, private, PRIVATE_MODE)
    try:
        _write_new(beside, public, PUBLIC_MODE)
    except InputError:
        path.unlink(missing_ok=True)
        raise
    return PrivateKey(key).public


def read_private_key(path: Path) -> PrivateKey:
    """The private key in a PEM file.

    Raises:
        InputError: The file is not there, or cannot be read.
        DataError: It is no ed25519 private key that can be used as it is; says what it is instead.
    """
    pem = read_key_file(path)
    make = "shelf-convert keygen makes a pair"
    if b"PUBLIC KEY" in pem:
        raise DataError(f"{path}: a public key, and signing takes the private one. Give the file without .pub; {make}.")
    if b"OPENSSH PRIVATE KEY" in pem:
        raise DataError(f"{path}: a key of OpenSSH, and a PKCS #8 one is wanted; {make}.")
    if b"ENCRYPTED" in pem:
        raise DataError(
            f"{path}: a key with a passphrase, which is not asked for here. Write it without one, for your eyes only:"
            f" (umask 077; openssl pkey -in {path} -out PLAIN)."
        )
    if b"PRIVATE KEY" not in pem:
        beginning = f"it begins with {pem[:24].decode(errors='replace')!r}" if pem else "it is empty"
        raise DataError(f"{path}: not a private key in PEM form ({beginning}). Give the key's file; {make}.")
    try:
        key: Any = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise DataError(f"{path}: a damaged private key ({reason}). Take it from your backup; {make}.") from error
    if not isinstance(key, Ed25519PrivateKey):
        kind = type(key).__name__.lstrip("_").removesuffix("PrivateKey")
        raise DataError(f"{path}: a key of the kind {kind}, and ed25519 is wanted; {make}.")
    return PrivateKey(key)


def exposed(path: Path) -> str | None:
    """A warning where others than its owner may use a private key's file, else None."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if not mode & 0o077:
        return None
    return f"{path} may be used by others than its owner (mode {mode:04o}). Close it: chmod 600 {path}."


def sign(manifest: bytes, key: PrivateKey) -> bytes:
    """The content of `manifest.sig` for these bytes of `manifest.json`; the same key gives the same bytes."""
    return pack(Signature(key.public, key.key.sign(manifest)))


def _write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a file that must not be there, never readable to more than `mode`, or leave none."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}). Name a file in a folder of yours.") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)
        raise InputError(f"{path}: cannot be written ({error.strerror}). Make room, or name another.") from error
