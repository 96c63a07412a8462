"""Files that the Edge TPU's compiler made, read byte by byte."""

from pathlib import Path

import pytest

from converter.targets import compiled
from converter.tflite.view import view
from edge_agent.shelf import DataError
from tests.conftest import REPO
from tests.converter.targets.parts import PAIRS, pair

DEMO = REPO / "edge_agent" / "demo" / "bundle" / "model.tflite"
DEEPLAB, LSTM, SMALL, LARGE, POSENET, SPLIT = PAIRS


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "left", "on_chip", "off_chip", "runtime"),
    [
        (DEEPLAB, 8, 766_720, 0, 12),
        (LSTM, 0, 43_968, 576, 12),
        (SMALL, 0, 566_912, 0, 12),
        (LARGE, 0, 2_777_600, 0, 12),
        (POSENET, 1, 1_444_608, 0, 12),
        (SPLIT, 0, 192, 0, 13),
    ],
)
def test_a_compiled_file_says_what_it_takes(
    name: str, left: int, on_chip: int, off_chip: int, runtime: int, shared_data: Path
) -> None:
    """What is left to the CPU, the bytes on and off the chip and the oldest runtime are read from the file."""
    kept = compiled.payload(compiled.parse(pair(shared_data, name)[1]))
    assert (len(kept["left"]), kept["on_chip_bytes"], kept["off_chip_bytes"]) == (left, on_chip, off_chip)
    assert (kept["runtime_version"], kept["chips"]) == (runtime, ["beagle"])


@pytest.mark.data
def test_the_compilers_build_is_named_where_it_is(shared_data: Path) -> None:
    """The newest of Coral's files names the build of the compiler that made it."""
    assert compiled.payload(compiled.parse(pair(shared_data, SPLIT)[1]))["compiler"] == "cl/343520747"


@pytest.mark.data
def test_what_was_left_is_found_in_the_original(shared_data: Path) -> None:
    """The operators that DeepLab keeps on the CPU are found in the original: its last eight."""
    before, after = pair(shared_data, DEEPLAB)
    assert compiled.mapped(view(before), view(after)) == (True,) * 64 + (False,) * 8


@pytest.mark.data
def test_two_files_that_are_no_pair_are_told(shared_data: Path) -> None:
    """A compiled file held against another network's original is an error, not a wrong answer."""
    with pytest.raises(DataError, match="made from another file"):
        compiled.mapped(view(pair(shared_data, SMALL)[0]), view(pair(shared_data, DEEPLAB)[1]))


def test_an_uncompiled_file_is_told() -> None:
    """A plain int8 file is an error that says how to get a compiled one."""
    with pytest.raises(DataError, match="Compile it with edgetpu_compiler"):
        compiled.parse(DEMO.read_bytes())


@pytest.mark.data
def test_a_damaged_package_is_told(shared_data: Path) -> None:
    """A compiled file whose package has another name, points nowhere or is overwritten is an error that says so."""
    content = pair(shared_data, SPLIT)[1]
    root = content.index(b"DWN1") - 4
    for damage in (content[root : root + 4] + b"XXXX", b"\xff\xff\xff\x7f", content[root : root + 8] + b"\xff" * 6000):
        damaged = content[:root] + damage + content[root + len(damage) :]
        with pytest.raises(DataError, match="damaged"):
            compiled.parse(damaged)
