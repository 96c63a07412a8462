"""`shelf-convert keygen`, `sign` and `verify` as a person meets them, on the bundle of the demo."""

import json
import os
import shutil
import stat
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from typer.testing import Result

from converter.judging import golden
from converter.tflite import graph
from edge_agent.bundle import sha256
from edge_agent.shelf import DataError
from edge_agent.signature import read_public_key
from tests.conftest import REPO

Run = Callable[..., Result]


@dataclass(frozen=True, slots=True)
class Shop:
    """A copy of the demo's bundle, and a key."""

    bundle: Path
    key: Path

    @property
    def public(self) -> Path:
        """The half of the key that devices get."""
        return self.key.with_name("shop.key.pub")


@pytest.fixture
def shop(tmp_path: Path, shelf_convert: Run) -> Shop:
    """An unsigned bundle that nobody else uses, and a new pair of keys."""
    bundle = Path(shutil.copytree(REPO / "edge_agent" / "demo" / "bundle", tmp_path / "bundle"))
    result = shelf_convert("keygen", tmp_path / "shop.key")
    assert result.exit_code == 0, result.output
    return Shop(bundle, tmp_path / "shop.key")


def refused(result: Result, status: int, *words: str) -> None:
    """A command ended with this status and one message that holds these words."""
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    assert "failed unexpectedly" not in result.output
    assert result.output.count("error: ") == 1
    for part in words:
        assert part in result.output


def relist(bundle: Path, name: str) -> None:
    """Enter a file into the manifest as it now is."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["files"][name] = sha256((bundle / name).read_bytes())
    (bundle / "manifest.json").write_text(json.dumps(manifest))


def test_keygen_writes_a_pair_for_its_owner_only(shop: Shop) -> None:
    """The private key is readable for nobody else, and the public one is."""
    assert stat.S_IMODE(shop.key.stat().st_mode) == 0o600
    assert stat.S_IMODE(shop.public.stat().st_mode) & 0o077 == 0o044 & ~_umask()
    assert b"PRIVATE" in shop.key.read_bytes()
    assert len(read_public_key(shop.public).der) == 44


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("name", ["shop.key", "shop.key.pub"])
def test_keygen_never_replaces_a_key(shop: Shop, shelf_convert: Run, name: str) -> None:
    """Half of an older pair is enough to refuse, and stays as it is."""
    (shop.key if name.endswith(".pub") else shop.public).unlink()
    before = shop.key.with_name(name).read_bytes()
    refused(shelf_convert("keygen", shop.key), 66, name, "is there already", "another name")
    assert shop.key.with_name(name).read_bytes() == before
    assert [path.name for path in shop.key.parent.glob("shop.key*")] == [name]


def test_keygen_says_where_it_cannot_write(shelf_convert: Run, tmp_path: Path) -> None:
    """A folder that is not there is named, and so is the half that gets its name by itself; nothing is left."""
    refused(shelf_convert("keygen", tmp_path / "no" / "key"), 66, "no/key", "No such file or directory")
    refused(shelf_convert("keygen", tmp_path / "key.pub"), 66, "Leave .pub away")
    assert [*tmp_path.iterdir()] == []


def test_a_signed_bundle_verifies_with_its_key(shop: Shop, shelf_convert: Run) -> None:
    """Signed, then verified: files, signature and answers are each said to hold; signing twice gives the same bytes."""
    result = shelf_convert("sign", shop.bundle, "--key", shop.key)
    assert result.exit_code == 0, result.output
    fingerprint = read_public_key(shop.public).fingerprint
    assert fingerprint in result.output
    first = (shop.bundle / "manifest.sig").read_bytes()

    result = shelf_convert("verify", shop.bundle, "--key", shop.public)
    assert result.exit_code == 0, result.output
    for words in ("7 files", f"signed with key {fingerprint}, that of", "model.tflite answered 15 golden inputs"):
        assert words in result.output

    assert shelf_convert("sign", shop.bundle, "--key", shop.key).exit_code == 0
    assert (shop.bundle / "manifest.sig").read_bytes() == first
    demo = REPO / "edge_agent" / "demo" / "bundle"
    assert {path.name for path in shop.bundle.iterdir()} == {path.name for path in demo.iterdir()} | {"manifest.sig"}


def test_a_zip_is_verified_like_its_folder(shop: Shop, shelf_convert: Run, tmp_path: Path) -> None:
    """A zip of the bundle, in a folder within it, holds as well; one that cannot be signed says how to."""
    shelf_convert("sign", shop.bundle, "--key", shop.key)
    packed = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", shop.bundle.parent, "bundle"))
    result = shelf_convert("verify", packed, "--key", shop.public)
    assert result.exit_code == 0, result.output
    refused(shelf_convert("sign", packed, "--key", shop.key), 66, "Unpack it")


def test_an_unsigned_bundle_verifies_until_a_key_is_asked_for(shop: Shop, shelf_convert: Run) -> None:
    """Without --key a bundle may be unsigned, which is said; with it, it may not."""
    result = shelf_convert("verify", shop.bundle)
    assert result.exit_code == 0, result.output
    assert "not signed" in result.output
    fingerprint = read_public_key(shop.public).fingerprint
    refused(shelf_convert("verify", shop.bundle, "--key", shop.public), 78, "it is not signed", fingerprint)


def test_another_key_is_refused_by_name(shop: Shop, shelf_convert: Run) -> None:
    """A bundle that somebody else signed names both keys."""
    shelf_convert("keygen", shop.key.with_name("other"))
    shelf_convert("sign", shop.bundle, "--key", shop.key.with_name("other"))
    theirs = read_public_key(shop.key.with_name("other.pub")).fingerprint
    ours = read_public_key(shop.public).fingerprint
    refused(shelf_convert("verify", shop.bundle, "--key", shop.public), 78, theirs, ours)
    assert f"signed with key {theirs}; give --key" in shelf_convert("verify", shop.bundle).output


def test_a_manifest_that_was_changed_after_signing_is_found(shop: Shop, shelf_convert: Run) -> None:
    """Even without --key, a signature that doesn't hold is refused."""
    shelf_convert("sign", shop.bundle, "--key", shop.key)
    manifest = shop.bundle / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"demo-shelf"', '"demo-shelv"'))
    refused(shelf_convert("verify", shop.bundle), 78, "manifest.json is not what key")


def test_every_file_that_is_wrong_is_named(shop: Shop, shelf_convert: Run) -> None:
    """Altered, missing and additional files come in one report, and nothing of it gets signed."""
    (shop.bundle / "labels.txt").write_text("a\nb\n")
    relist(shop.bundle, "labels.txt")
    (shop.bundle / "labels.txt").unlink()
    (shop.bundle / "notes").mkdir()
    (shop.bundle / "notes" / "mine.txt").write_text("x")
    model = shop.bundle / "model.tflite"
    model.write_bytes(model.read_bytes()[:-1] + b"\xff")
    os.mkfifo(shop.bundle / "pipe")
    words = ("labels.txt is missing", "notes/mine.txt is there", "model.tflite was altered", "pipe is no plain file")
    refused(shelf_convert("verify", shop.bundle), 65, *words)
    refused(shelf_convert("sign", shop.bundle, "--key", shop.key), 65, *words)
    assert not (shop.bundle / "manifest.sig").exists()


def test_what_lies_in_a_folder_cannot_hide(shop: Shop, shelf_convert: Run, tmp_path: Path) -> None:
    """A folder that is only linked and a name that is no text are found; a pipe in the bundle's place is not read."""
    (shop.bundle / "more").symlink_to(tmp_path)
    Path(os.fsdecode(os.fsencode(shop.bundle) + b"/bad-\xff")).write_text("x")
    refused(shelf_convert("verify", shop.bundle), 65, "more is no plain file", "bad-? is there")
    os.mkfifo(tmp_path / "pipe")
    refused(shelf_convert("verify", tmp_path / "pipe"), 65, "neither a directory nor a file")


def test_files_beside_the_model_are_held_to_their_hash(shop: Shop, shelf_convert: Run) -> None:
    """What the agent never looks at, such as a licence, is checked all the same."""
    (shop.bundle / "LICENSE").write_text("Apache-2.0")
    relist(shop.bundle, "LICENSE")
    assert shelf_convert("verify", shop.bundle).exit_code == 0
    (shop.bundle / "LICENSE").write_text("yours")
    refused(shelf_convert("verify", shop.bundle), 65, "LICENSE was altered")


def test_a_model_that_answers_otherwise_is_found(shop: Shop, shelf_convert: Run) -> None:
    """A bundle whose hashes all hold is refused if its model doesn't give the golden answers."""
    arrays = dict(np.load(shop.bundle / "golden.npz"))
    arrays["outputs"] = arrays["outputs"][:, ::-1]
    np.savez(shop.bundle / "golden.npz", **arrays)
    relist(shop.bundle, "golden.npz")
    refused(shelf_convert("verify", shop.bundle), 65, "does not answer", "golden inputs")


def test_a_damaged_model_with_the_right_hash_is_one_message(shop: Shop, shelf_convert: Run) -> None:
    """A model that is half zeros, and listed like that, does not load, and the message says where it ends."""
    model = shop.bundle / "model.tflite"
    half = model.stat().st_size // 2
    model.write_bytes(model.read_bytes()[:half] + bytes(half))
    relist(shop.bundle, "model.tflite")
    refused(shelf_convert("verify", shop.bundle), 65, "does not load in litert")


def test_a_runtime_that_dies_takes_only_a_child_along(
    shop: Shop, shelf_convert: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever kills the process that runs the model is named by its signal."""
    (tmp_path / "deadly").mkdir()
    (tmp_path / "deadly" / "sitecustomize.py").write_text("import os\nos.abort()\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "deadly"))
    refused(shelf_convert("verify", shop.bundle), 65, "the model crashed the runtime (SIGABRT)")


def test_a_model_that_hangs_is_given_up(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer within the limit is an answer too."""
    monkeypatch.setattr(golden, "LIMIT_S", 0.05)
    with pytest.raises(DataError, match=r"the model gave no answer in 0\.05 s"):
        golden.check(shop.bundle)


def test_a_zip_that_holds_a_file_twice_is_refused(shop: Shop, shelf_convert: Run, tmp_path: Path) -> None:
    """Two files of one name could be read as either; the agent's and ours need not agree."""
    packed = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", shop.bundle))
    with zipfile.ZipFile(packed, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("model.tflite", b"other")
    refused(shelf_convert("verify", packed), 65, "model.tflite is there twice")


def test_a_damaged_zip_is_refused(shop: Shop, shelf_convert: Run, tmp_path: Path) -> None:
    """A zip with a broken file names it; what is no zip at all is said to be none."""
    packed = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", shop.bundle))
    with zipfile.ZipFile(packed) as archive:
        place = archive.getinfo("model.tflite").header_offset + 2000
    content = bytearray(packed.read_bytes())
    content[place : place + 50] = bytes(50)
    packed.write_bytes(bytes(content))
    refused(shelf_convert("verify", packed), 65, "model.tflite cannot be read")
    packed.write_bytes(b"not a zip")
    refused(shelf_convert("verify", packed), 65, "neither a bundle's directory nor a zip")


def test_what_is_not_there_is_named(shop: Shop, shelf_convert: Run, tmp_path: Path) -> None:
    """A path without a bundle, a folder without a manifest and a key that is nowhere are each told apart."""
    refused(shelf_convert("verify", tmp_path / "nowhere"), 66, "there is no bundle at")
    refused(shelf_convert("sign", tmp_path / "nowhere", "--key", shop.key), 66, "there is no bundle at")
    refused(shelf_convert("verify", shop.bundle, "--key", tmp_path / "no.pub"), 66, "no.pub", "the key cannot be read")
    refused(shelf_convert("sign", shop.bundle, "--key", tmp_path / "no"), 66, "the key cannot be read")
    (tmp_path / "empty").mkdir()
    refused(shelf_convert("verify", tmp_path / "empty"), 65, "manifest.json is missing", "model.tflite is missing")
    (shop.bundle / "manifest.json").write_text("{}")
    refused(
        shelf_convert("verify", shop.bundle), 65, "manifest.json is not one that this agent knows", "Field required"
    )


def test_a_key_of_the_wrong_half_is_refused(shop: Shop, shelf_convert: Run) -> None:
    """The public key cannot sign, and the private one is not for checking."""
    refused(shelf_convert("sign", shop.bundle, "--key", shop.public), 65, "a public key, and signing takes the private")
    refused(shelf_convert("verify", shop.bundle, "--key", shop.key), 65, "a private key, and a public one is wanted")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            ed25519.Ed25519PrivateKey.generate().private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
            ),
            "a key with a passphrase",
        ),
        (
            ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()),
            "a key of OpenSSH",
        ),
        (
            rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            "a key of the kind RSA, and ed25519 is wanted",
        ),
        (
            ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())[:70],
            "a damaged private key",
        ),
        (b"", "not a private key in PEM form (it is empty)"),
        (b"hello", "it begins with 'hello'"),
    ],
    ids=["passphrase", "openssh", "rsa", "truncated", "empty", "other"],
)
def test_a_key_that_cannot_sign_says_why(shop: Shop, shelf_convert: Run, content: bytes, words: str) -> None:
    """Encrypted, foreign, truncated and altogether other files are one clear error each, and nothing is signed."""
    key = shop.key.with_name("odd")
    key.write_bytes(content)
    refused(shelf_convert("sign", shop.bundle, "--key", key), 65, words)
    assert not (shop.bundle / "manifest.sig").exists()


def test_a_key_that_others_can_read_is_warned_of(shop: Shop, shelf_convert: Run) -> None:
    """Signing goes on, and says how to close the file."""
    shop.key.chmod(0o644)
    result = shelf_convert("sign", shop.bundle, "--key", shop.key)
    assert result.exit_code == 0, result.output
    assert "warning: " in result.output
    assert "mode 0644" in result.output
    assert "chmod 600" in result.output


def test_every_build_of_a_converted_bundle_is_asked(converted: Path, shelf_convert: Run, tmp_path: Path) -> None:
    """What shelf-convert writes verifies, with its float builds; one that answers otherwise than it must is named."""
    bundle = Path(shutil.copytree(converted, tmp_path / "bundle"))
    result = shelf_convert("verify", bundle)
    assert result.exit_code == 0, result.output
    assert "model.tflite, model_float.tflite, model_gpu.tflite answered" in result.output
    (bundle / "model_float.tflite").write_bytes(_other_weights((bundle / "model_float.tflite").read_bytes()))
    relist(bundle, "model_float.tflite")
    refused(shelf_convert("verify", bundle), 65, "model_float.tflite of", "does not answer")


def _other_weights(model: bytes) -> bytes:
    """The same network with its largest constant, a matrix of weights, turned round."""
    parsed = graph.parse(model)
    largest = max(parsed.buffers, key=lambda buffer: 0 if buffer.data is None else len(buffer.data))
    largest.data = largest.data.reshape(-1, 4)[::-1].reshape(-1)
    return graph.packed(parsed)
