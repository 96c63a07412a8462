r"""Whose bundle it is: an ed25519 signature over the exact bytes of `manifest.json`, which holds every file's sha256.

It lies beside the manifest as `manifest.sig`, a small JSON

    schema       "shelfwatch.signature/1"
    public_key   the key of whoever signed, as between the lines of a PEM file (base64 of SubjectPublicKeyInfo)
    signature    64 bytes in base64

The key in it tells who claims to have signed, and no more: whoever alters a bundle can sign it anew with a key of their
own. What counts is the key that the device was given. With openssl 3 instead of this program:

    sed -n 's/.*"signature": "\(.*\)".*/\1/p' manifest.sig | openssl base64 -d -A > signature
    openssl pkeyutl -verify -pubin -inkey KEY.pub -rawin -in manifest.json -sigfile signature
    openssl pkey -pubin -in KEY.pub -outform DER | sha256sum                    # its first 16 digits: the fingerprint
"""

import binascii
import hashlib
import json
from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_agent.shelf import BundleError, ConfigError, DataError, InputError, ShelfwatchError

SCHEMA = "shelfwatch.signature/1"
KEY_BYTES_MAX = 65536
"""A key file that is larger is none."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An ed25519 key that signatures are held against. `der` is its SubjectPublicKeyInfo; `public_key` checks it."""

    der: bytes

    @property
    def fingerprint(self) -> str:
        """What people tell keys apart by: the first 16 hexadecimal digits of the sha256 of `der`."""
        return hashlib.sha256(self.der).hexdigest()[:16]

    def holds(self, signature: bytes, content: bytes) -> bool:
        """Whether this key made a signature over these bytes."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415  (only who checks signatures pays for it)

        try:
            _load(self.der).verify(signature, content)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signature:
    """What stands in `manifest.sig`: 64 bytes, and the key that they are said to be of."""

    key: PublicKey
    signature: bytes


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_: Literal["shelfwatch.signature/1"] = Field(alias="schema")
    public_key: str
    signature: str


def public_key(pem: bytes, where: Path) -> PublicKey:
    """The public key in the bytes of a PEM file; `where` is for the messages.

    Raises:
        DataError: It is no ed25519 public key; says what it is instead.
    """
    make = "shelf-convert keygen makes a pair"
    if b"PRIVATE KEY" in pem:
        raise DataError(
            f"{where}: a private key, and a public one is wanted. Give {where}.pub, and keep the private key to"
            " yourself: whoever has it can sign bundles."
        )
    if b"BEGIN PUBLIC KEY" not in pem:
        raise DataError(f"{where}: not a public key in PEM form ({_beginning(pem)}). Give the .pub file; {make}.")
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise DataError(f"{where}: a damaged public key ({_first_line(error)}). Copy it again; {make}.") from error
    return PublicKey(_der(key, where))


def read_public_key(path: Path) -> PublicKey:
    """The public key in a file.

    Raises:
        InputError: The file is not there, or cannot be read.
        DataError: It is no ed25519 public key.
    """
    return public_key(read_key_file(path), path)


def read_key_file(path: Path) -> bytes:
    """The bytes of a key file.

    Raises:
        InputError: It is not there, or cannot be read.
        DataError: It is too large for a key.
    """
    try:
        with path.open("rb") as file:
            content = file.read(KEY_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: the key cannot be read ({reason}). Give the path of a PEM file.") from error
    if len(content) > KEY_BYTES_MAX:
        raise DataError(f"{path}: more than {KEY_BYTES_MAX} bytes, so not a key. Give the path of a PEM file.")
    return content


def pack(signed: Signature) -> bytes:
    """The content of `manifest.sig`."""
    parts = {"public_key": signed.key.der, "signature": signed.signature}
    content = {"schema": SCHEMA, **{name: b64encode(part).decode() for name, part in parts.items()}}
    return (json.dumps(content, indent=2) + "\n").encode()


def parse(content: bytes) -> Signature:
    """What stands in `manifest.sig`.

    Raises:
        BundleError: It is not a signature of ours.
    """
    try:
        file = _File.model_validate_json(content)
        der, signature = (b64decode(part, validate=True) for part in (file.public_key, file.signature))
        key = PublicKey(_der(_load(der), Path("manifest.sig")))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BundleError(f"manifest.sig is damaged: {where}: {first['msg']}. Sign the bundle again.") from None
    except (binascii.Error, ValueError, DataError) as error:
        raise BundleError(f"manifest.sig is damaged ({error}). Sign the bundle again.") from None
    return Signature(key, signature)


def check(manifest: bytes, signature: bytes | None, trusted: PublicKey | None) -> PublicKey | None:
    """Hold the bytes of a manifest against the content of its `manifest.sig`.

    Args:
        manifest: `manifest.json`, byte for byte.
        signature: `manifest.sig`, None where there is none.
        trusted: The key that must have signed; None for whichever is named in the signature, which proves only that
            nothing was altered since by somebody without that key.

    Returns:
        The key that signed, None where nothing is signed and no key is asked for.

    Raises:
        BundleError: There is none though a key is asked for, or another key signed, or the manifest was altered.
    """
    if signature is None:
        if trusted is None:
            return None
        raise BundleError(
            f"it is not signed, and only bundles that key {trusted.fingerprint} signed are taken."
            " Sign it: shelf-convert sign BUNDLE --key KEY."
        )
    signed = parse(signature)
    if trusted is not None and signed.key != trusted:
        raise BundleError(
            f"key {signed.key.fingerprint} signed it, and only bundles that key {trusted.fingerprint} signed are taken."
            " Take the bundle from whoever has that key, or have it signed with it."
        )
    if not signed.key.holds(signed.signature, manifest):
        raise BundleError(
            f"manifest.json is not what key {signed.key.fingerprint} signed: one of the two files was altered or is of"
            " another bundle. Copy the bundle again, or sign it again if the change was yours."
        )
    return signed.key


def check_signature(path: Path, signed_by: Path | None, manifest: bytes, signature: bytes | None) -> None:
    """Make sure that a bundle is signed with the key that a device was given.

    Args:
        path: Of the bundle, for the messages.
        signed_by: The public key, a PEM file; None where any bundle is taken.
        manifest: `manifest.json`, byte for byte.
        signature: `manifest.sig`, None where there is none.

    Raises:
        BundleError: The bundle is unsigned, signed with another key, or altered since.
        ConfigError: `signed_by` cannot be read, or holds no public key.
    """
    if signed_by is None:
        return
    try:
        trusted = read_public_key(signed_by)
    except ShelfwatchError as error:
        raise ConfigError(f"model: signed_by: {error}") from error
    try:
        check(manifest, signature, trusted)
    except BundleError as error:
        raise BundleError(f"bundle {path}: {error}") from error


def _load(der: bytes) -> Any:
    """The library's key; ValueError where the bytes are none."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_der_public_key  # noqa: PLC0415

    try:
        return load_der_public_key(der)
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from error


def _der(key: Any, where: Path) -> bytes:
    """SubjectPublicKeyInfo of a key of the library, which must be ed25519."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415

    if not isinstance(key, Ed25519PublicKey):
        kind = type(key).__name__.lstrip("_").removesuffix("PublicKey")
        raise DataError(f"{where}: a key of the kind {kind}, and ed25519 is wanted. shelf-convert keygen makes one.")
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _beginning(content: bytes) -> str:
    """How a file begins, for a message."""
    return f"it begins with {content[:24].decode(errors='replace')!r}" if content else "it is empty"


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
