"""What lies in a zip of a bundle: the agent's reader and `shelf-convert verify` must agree on it."""

import zipfile
from pathlib import Path

import pytest

from converter.bundles import contents
from edge_agent.bundle import read
from edge_agent.shelf import DataError
from tests.conftest import REPO

DEMO = REPO / "edge_agent" / "demo" / "bundle"


def zipped(path: Path, *more: str, folder: str = "") -> Path:
    """The demo's bundle in a zip, after other entries of these names; as Finder does it, a folder's come first."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in more:
            archive.writestr(name, b"\0\5\x16\7")
        for file in sorted(DEMO.iterdir()):
            archive.write(file, f"{folder}{file.name}")
    return path


@pytest.mark.parametrize("folder", ["", "bundle/"])
def test_what_macos_adds_to_a_zip_is_no_file_of_the_bundle(tmp_path: Path, folder: str) -> None:
    """A zip that a Mac made holds a shadow of each file; both readers see the bundle and nothing else."""
    shadows = [f"__MACOSX/{folder}._{file.name}" for file in DEMO.iterdir()]
    packed = zipped(tmp_path / "mac.zip", "__MACOSX/._bundle", *shadows, folder=folder)
    found = contents.look(packed)
    assert set(found.sha256) == {file.name for file in DEMO.iterdir()}
    assert contents.check(found) == read(packed).manifest


@pytest.mark.parametrize("name", ["__MACOSX/model.tflite", "._manifest.json", "old-manifest.json"])
def test_what_only_looks_like_that_is_told(tmp_path: Path, name: str) -> None:
    """A model in the Mac's folder, which the agent would read, and a manifest of another name are foreign files."""
    with pytest.raises(DataError, match="is there, and the manifest does not list it") as caught:
        contents.check(contents.look(zipped(tmp_path / "odd.zip", name, folder="bundle/")))
    assert str(caught.value).count("\n  - ") == 1
    assert f"  - {name} is there" in str(caught.value)
