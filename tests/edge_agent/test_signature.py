"""Signatures over a manifest: what holds, and what is refused in which words."""

import json
import shutil
import subprocess
import tomllib
import zipfile
from base64 import b64encode
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from typer.testing import CliRunner

from edge_agent.bundle import read
from edge_agent.cli import app
from edge_agent.config import load
from edge_agent.demo.store import write_config
from edge_agent.model import load_model
from edge_agent.shelf import BundleError, ConfigError, DataError, InputError
from edge_agent.signature import (
    PublicKey,
    Signature,
    check,
    check_signature,
    pack,
    parse,
    public_key,
    read_public_key,
)
from tests.conftest import REPO, free_port

MANIFEST = b'{"id": "demo"}\n'
OURS, THEIRS = (ed25519.Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2))
HERE = Path("agent.pub")


def public(key: ed25519.Ed25519PrivateKey) -> PublicKey:
    """The public half of a key."""
    return PublicKey(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def pem(key) -> bytes:
    """The public half of a key as a PEM file."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def signed(key: ed25519.Ed25519PrivateKey, content: bytes = MANIFEST) -> bytes:
    """A manifest.sig."""
    return pack(Signature(public(key), key.sign(content)))


def test_a_signature_holds_for_the_key_that_made_it():
    """What a key signed is taken where that key is asked for, and where none is."""
    assert check(MANIFEST, signed(OURS), public(OURS)) == public(OURS)
    assert check(MANIFEST, signed(OURS), None) == public(OURS)
    assert check(MANIFEST, None, None) is None


def test_another_keys_signature_is_refused_by_name():
    """Both keys are named by their fingerprints, so that one can go and look."""
    with pytest.raises(BundleError) as caught:
        check(MANIFEST, signed(THEIRS), public(OURS))
    assert f"key {public(THEIRS).fingerprint} signed it" in str(caught.value)
    assert f"only bundles that key {public(OURS).fingerprint} signed are taken" in str(caught.value)


def test_no_signature_is_refused_where_a_key_is_asked_for():
    """An unsigned bundle doesn't pass as one whose signature was forgotten."""
    with pytest.raises(BundleError, match=rf"not signed.*{public(OURS).fingerprint}.*shelf-convert sign"):
        check(MANIFEST, None, public(OURS))


@pytest.mark.parametrize("trusted", [None, public(OURS)])
def test_a_change_of_one_byte_is_found(trusted):
    """The signature is over the exact bytes: even a space more breaks it."""
    with pytest.raises(BundleError, match=r"manifest\.json is not what key [0-9a-f]{16} signed"):
        check(MANIFEST + b" ", signed(OURS), trusted)


def test_naming_the_right_key_does_not_make_a_signature():
    """Whoever writes our key into a signature of theirs is found out."""
    forged = pack(Signature(public(OURS), THEIRS.sign(MANIFEST)))
    with pytest.raises(BundleError, match=r"is not what key"):
        check(MANIFEST, forged, public(OURS))


def test_what_is_packed_is_parsed():
    """A signature comes back as it was written."""
    written = Signature(public(OURS), OURS.sign(MANIFEST))
    assert parse(pack(written)) == written


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\xff" * 40,
        b"[]",
        b'{"schema": "shelfwatch.signature/2", "public_key": "", "signature": ""}',
        b'{"schema": "shelfwatch.signature/1", "public_key": "%%", "signature": ""}',
        b'{"schema": "shelfwatch.signature/1", "public_key": "AAAA", "signature": ""}',
        signed(OURS)[:-20],
    ],
)
def test_a_damaged_signature_file_is_one_clear_error(content):
    """Whatever stands in manifest.sig: it is a signature, or a BundleError says that it isn't."""
    with pytest.raises(BundleError, match=r"manifest\.sig is damaged"):
        parse(content)


def test_a_signature_of_another_kind_of_key_is_damaged():
    """An RSA key in manifest.sig is not taken for one of ours."""
    key = rsa.generate_private_key(65537, 2048)
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    content = {"schema": "shelfwatch.signature/1", "public_key": b64encode(der).decode(), "signature": "AAAA"}
    with pytest.raises(BundleError, match=r"manifest\.sig is damaged .*RSA"):
        parse(json.dumps(content).encode())


def test_a_signature_that_is_too_short_does_not_hold():
    """Fewer than 64 bytes are no signature, and no crash."""
    with pytest.raises(BundleError, match=r"is not what key"):
        check(MANIFEST, pack(Signature(public(OURS), b"short")), None)


def test_a_public_key_is_read_from_its_pem():
    """The fingerprint is that of the key, wherever it was read from."""
    assert public_key(pem(OURS), HERE) == public(OURS)
    assert len(public(OURS).fingerprint) == 16


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (OURS.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), r"a private key.*Give agent\.pub\.pub"),
        (pem(rsa.generate_private_key(65537, 2048)), r"a key of the kind RSA, and ed25519 is wanted"),
        (pem(OURS)[:60], r"a damaged public key"),
        (pem(OURS).replace(b"MCow", b"MCox"), r"a damaged public key"),
        (b"", r"not a public key in PEM form \(it is empty\)"),
        (b"ssh-ed25519 AAAAC3Nza me@shop", r"not a public key in PEM form \(it begins with 'ssh-ed25519"),
    ],
)
def test_what_is_no_public_key_says_what_it_is(content, words):
    """A private, foreign, damaged or altogether other file is named as that."""
    with pytest.raises(DataError, match=words):
        public_key(content, HERE)


def test_a_key_file_that_cannot_be_read_is_named(tmp_path):
    """A missing key, a folder and a huge file each end in one message."""
    with pytest.raises(InputError, match=r"nowhere\.pub: the key cannot be read \(No such file"):
        read_public_key(tmp_path / "nowhere.pub")
    with pytest.raises(InputError, match=r"the key cannot be read \(Is a directory\)"):
        read_public_key(tmp_path)
    (tmp_path / "huge").write_bytes(b"x" * 70_000)
    with pytest.raises(DataError, match=r"huge: more than 65536 bytes, so not a key"):
        read_public_key(tmp_path / "huge")


def test_the_agent_takes_what_its_key_signed(tmp_path):
    """`signed_by` names a file; what it holds decides, and a file that holds none is a matter of the configuration."""
    folder, key = tmp_path / "bundle", tmp_path / "agent.pub"
    shutil.copytree(REPO / "edge_agent" / "demo" / "bundle", folder)
    manifest = (folder / "manifest.json").read_bytes()
    key.write_bytes(pem(OURS))
    vouch = partial(check_signature, folder, key)
    with pytest.raises(BundleError, match=rf"bundle {folder}: it is not signed, .*{public(OURS).fingerprint}"):
        read(folder, vouch=vouch)
    (folder / "manifest.sig").write_bytes(signed(OURS, manifest))
    assert read(folder, vouch=vouch).manifest.id == "demo-shelf"
    (folder / "manifest.sig").write_bytes(signed(THEIRS, manifest))
    with pytest.raises(BundleError, match=public(THEIRS).fingerprint):
        read(folder, vouch=vouch)
    with pytest.raises(ConfigError, match=r"model: signed_by: .*nowhere: the key cannot be read"):
        read(folder, vouch=partial(check_signature, folder, tmp_path / "nowhere"))


def test_a_zip_brings_its_signature_along(tmp_path):
    """The signature of a zip is that of the manifest in it."""
    shutil.copytree(REPO / "edge_agent" / "demo" / "bundle", tmp_path / "bundle")
    signature = signed(OURS, (tmp_path / "bundle" / "manifest.json").read_bytes())
    (tmp_path / "bundle" / "manifest.sig").write_bytes(signature)
    (tmp_path / "agent.pub").write_bytes(pem(OURS))
    packed = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path, "bundle"))
    vouch = partial(check_signature, packed, tmp_path / "agent.pub")
    assert read(packed, vouch=vouch).manifest.id == "demo-shelf"


@pytest.fixture
def demo_config(tmp_path):
    """The demo's configuration with a copy of its bundle, and a key that must have signed it, beside it."""
    shutil.copytree(REPO / "edge_agent" / "demo" / "bundle", tmp_path / "signed")
    (tmp_path / "agent.pub").write_bytes(pem(OURS))
    path = write_config(tmp_path, port=free_port(), protocol="5")
    section = tomllib.loads(path.read_text())["model"]["bundle"]
    replacement = 'bundle = "signed"\nsigned_by = "agent.pub"'
    path.write_text(path.read_text().replace(f'bundle = "{section}"', replacement))
    return path


@pytest.mark.parametrize("spoiled", ["golden.npz", "model.tflite", "manifest.json"])
def test_the_signature_comes_before_everything_else(demo_config, spoiled):
    """Of a bundle that somebody else made nothing is parsed: its signature is refused, whatever else it is."""
    folder = demo_config.parent / "signed"
    (folder / spoiled).write_bytes(b"not what it says")
    (folder / "manifest.sig").write_bytes(signed(THEIRS, (folder / "manifest.json").read_bytes()))
    with pytest.raises(BundleError, match=rf"key {public(THEIRS).fingerprint} signed it"):
        load_model(load(demo_config))
    result = CliRunner().invoke(app, ["check", "-c", str(demo_config), "--no-cameras", "--no-broker"])
    said = " ".join(result.output.split())
    assert result.exit_code == 78
    assert f"key {public(THEIRS).fingerprint} signed it" in said
    assert spoiled not in said
    demo_config.write_text(demo_config.read_text().replace("site =", "sight ="))  # then the configuration is no help
    said = " ".join(CliRunner().invoke(app, ["check", "-c", str(demo_config)]).output.split())
    assert f"key {public(THEIRS).fingerprint} signed it" in said


def test_of_a_zip_only_manifest_and_signature_are_unpacked_before(demo_config):
    """A file in it that cannot be unpacked shows only once the signature has held."""
    folder, packed = demo_config.parent / "signed", demo_config.parent / "signed.zip"
    manifest = (folder / "manifest.json").read_bytes()
    vouch = partial(check_signature, packed, demo_config.parent / "agent.pub")
    for key, words in ((THEIRS, "signed it, and only bundles"), (OURS, r"cannot be read \(Bad CRC-32")):
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("manifest.json", manifest)
            archive.writestr("manifest.sig", signed(key, manifest))
            archive.writestr("model.tflite", b"model")
            archive.writestr("golden.npz", b"not what it says")
        packed.write_bytes(packed.read_bytes().replace(b"not what it says", b"but a little bit"))
        with pytest.raises(BundleError, match=words):
            read(packed, vouch=vouch)


def test_signed_by_lies_beside_the_configuration(demo_config):
    """A relative path of a key is relative to the configuration file, and no key at all is the default."""
    assert load(demo_config).model.signed_by == demo_config.parent / "agent.pub"
    demo_config.write_text(demo_config.read_text().replace('signed_by = "agent.pub"', ""))
    assert load(demo_config).model.signed_by is None


def test_the_agent_loads_only_what_its_key_signed(demo_config):
    """Unsigned or signed by another key, the model is not loaded; signed by the right one, it is."""
    folder = demo_config.parent / "signed"
    manifest = (folder / "manifest.json").read_bytes()
    with pytest.raises(BundleError, match=r"it is not signed"):
        load_model(load(demo_config))
    (folder / "manifest.sig").write_bytes(signed(THEIRS, manifest))
    with pytest.raises(BundleError, match=rf"key {public(THEIRS).fingerprint} signed it.*{public(OURS).fingerprint}"):
        load_model(load(demo_config))
    (folder / "manifest.sig").write_bytes(signed(OURS, manifest))
    assert load_model(load(demo_config)).info.id == "demo-shelf"


def test_check_refuses_with_status_78_and_both_fingerprints(demo_config):
    """An operator sees with `shelf-agent check` whose key signed and whose must, or which key is missing."""
    folder = demo_config.parent / "signed"
    (folder / "manifest.sig").write_bytes(signed(THEIRS, (folder / "manifest.json").read_bytes()))
    arguments = ["check", "-c", str(demo_config), "--no-cameras", "--no-broker"]
    result = CliRunner().invoke(app, arguments)
    said = " ".join(result.output.split())
    assert result.exit_code == 78
    assert f"key {public(THEIRS).fingerprint} signed it" in said
    assert f"only bundles that key {public(OURS).fingerprint} signed" in said
    (demo_config.parent / "agent.pub").unlink()
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 78
    assert "signed_by" in result.output
    assert "agent.pub: the key cannot be read" in " ".join(result.output.split())


def test_openssl_agrees(tmp_path):
    """The lines in the module's text check a signature without this program, and find a change."""
    from edge_agent import signature

    (tmp_path / "manifest.json").write_bytes(MANIFEST)
    (tmp_path / "manifest.sig").write_bytes(signed(OURS))
    (tmp_path / "KEY.pub").write_bytes(pem(OURS))
    lines = [
        line.strip() for line in (signature.__doc__ or "").splitlines() if line.startswith("    ") and "openssl" in line
    ]
    assert len(lines) == 3

    def run():
        return subprocess.run(["sh", "-c", "\n".join(lines)], cwd=tmp_path, capture_output=True, text=True, check=False)

    said = run().stdout
    assert "Signature Verified Successfully" in said
    assert public(OURS).fingerprint in said
    (tmp_path / "manifest.json").write_bytes(MANIFEST + b" ")
    assert "Signature Verified Successfully" not in run().stdout
