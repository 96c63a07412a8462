"""The Edge TPU's compiler, played by a stand-in on the PATH that hands out Coral's own compiled files.

The real one is a program of Coral's for x86-64 that no test machine has; what the stand-in prints is what version 16
prints, and what it fails with is what that one fails with.
"""

import json
import os
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from converter.targets import compiler
from converter.targets.edgetpu_rules import MAPPED
from edge_agent.shelf import DataError
from tests.conftest import REPO, wait_for
from tests.converter.targets.parts import PAIRS, pair

DEEPLAB, _, SMALL, _, POSENET, SPLIT = PAIRS
SAYS = """\
Edge TPU Compiler version 16.0.384591198
Started a compilation timeout timer of 180 seconds.

Model compiled successfully in 1626 ms.

Number of Edge TPU subgraphs: 1
Total number of operations: 38

Operator                       Count      Status

CONV_2D                        18         Mapped to Edge TPU
QUANTIZE                       4          Mapped to Edge TPU
CUSTOM                         1          Operation is working on an unsupported data type
Compilation child process completed within timeout period.
Compilation succeeded!
"""
DEMO = (REPO / "edge_agent" / "demo" / "bundle" / "model.tflite").read_bytes()


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A function that puts an `edgetpu_compiler` with this body (shell) on the PATH; `$made` is the file to write."""

    def put(body: str) -> Path:
        program = tmp_path / "bin" / compiler.PROGRAM
        program.parent.mkdir()
        head = """\
            #!/bin/sh
            [ "$1 $2" = "-s -o" ] || exit 64
            made="$3/$(basename "$4" .tflite)_edgetpu.tflite"
            """
        program.write_text(textwrap.dedent(head) + body)
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        return program

    return put


@pytest.fixture
def hands_out(stand_in: Callable[[str], Path], tmp_path: Path) -> Callable[[bytes], None]:
    """A function that makes the stand-in hand out a compiled file and say what the compiler says."""

    def put(compiled: bytes) -> None:
        (tmp_path / "says").write_text(SAYS)
        (tmp_path / "made").write_bytes(compiled)
        stand_in(f'cat "{tmp_path}/says"; cp "{tmp_path}/made" "$made"\n')

    return put


@pytest.mark.data
def test_a_compilation_is_read_back(hands_out: Callable[[bytes], None], shared_data: Path) -> None:
    """What the compiler made comes back to the byte, with its version, its table, and no difference."""
    before, after = pair(shared_data, POSENET)
    hands_out(after)
    made = compiler.compile_(before, name="some where/pose net.tflite")
    assert made is not None
    assert made.content == after
    assert made.version == "Edge TPU Compiler version 16.0.384591198"
    assert [(row.code, row.count, row.mapped) for row in made.statuses] == [
        ("CONV_2D", 18, True),
        ("QUANTIZE", 4, True),
        ("CUSTOM", 1, False),
    ]
    assert sum(made.mapped) == 37
    assert made.differences == ()
    kept = json.loads(json.dumps(compiler.payload(made)))
    assert (kept["mapped_count"], kept["on_chip_bytes"], kept["differences"]) == (37, 1_444_608, [])


@pytest.mark.data
def test_a_difference_from_the_forecast_is_named(
    hands_out: Callable[[bytes], None], shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the compiler decides otherwise, each such operator is named with what was expected and what was found."""
    before, after = pair(shared_data, DEEPLAB)
    hands_out(after)
    monkeypatch.setattr("converter.targets.edgetpu_rules.RESIZE_FACTOR_MAX", 1000)  # a forecast that is wrong
    made = compiler.compile_(before)
    assert made is not None
    assert [(one.index, one.code) for one in made.differences] == [
        (64, "RESIZE_BILINEAR"),
        (65, "QUANTIZE"),
        (66, "CONCATENATION"),
        (67, "CONV_2D"),
        (68, "CONV_2D"),
        (69, "RESIZE_BILINEAR"),
    ]
    assert {one.expected for one in made.differences} == {MAPPED}
    assert {row["found"] for row in compiler.payload(made)["differences"]} == {"Left to the CPU"}


def test_without_a_compiler_there_is_no_compilation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no compiler is on the PATH the answer is None, and no error."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert compiler.compile_(DEMO) is None


def test_a_refusal_is_told_in_the_compilers_words(stand_in: Callable[[str], Path]) -> None:
    """What the compiler says when it refuses a file stands in the error, with what to do."""
    stand_in(
        'echo "Edge TPU Compiler version 15.0.340273435"; echo "Invalid model: $4"; echo "Model not quantized"; exit 1'
    )
    with pytest.raises(DataError) as caught:
        compiler.compile_(DEMO, name="demo.tflite")
    assert str(caught.value) == (
        "edgetpu_compiler cannot compile demo.tflite (status 1): Invalid model: demo.tflite / Model not quantized."
        " Give it the int8 file."
    )


def test_a_failure_that_ends_well_is_still_told(stand_in: Callable[[str], Path]) -> None:
    """A compiler that writes no file has failed, whatever its exit status."""
    stand_in('printf "ERROR: a graph that has dynamic-sized tensors.\\nCompilation failed!\\n"')
    with pytest.raises(DataError, match=r"dynamic-sized tensors.*batch of one"):
        compiler.compile_(DEMO)


def test_a_compiler_that_hangs_is_ended_with_its_children(stand_in: Callable[[str], Path], tmp_path: Path) -> None:
    """A compiler that never ends is killed in time, its child process too, and the error says how long it had."""
    stand_in(f'echo "Internal compiler error"; sleep 60 & echo $! > "{tmp_path}/child"; wait')
    began = time.monotonic()
    with pytest.raises(DataError, match=r"still at model\.tflite after 2\.5 s"):
        compiler.compile_(DEMO, timeout_s=2.5)
    assert time.monotonic() - began < 30
    child = Path("/proc", (tmp_path / "child").read_text().strip(), "stat")

    def gone() -> bool:
        try:
            return child.read_text().rsplit(")", 1)[1].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    wait_for(gone, 10, "the child's end")


def test_a_program_that_cannot_run_here_is_told(stand_in: Callable[[str], Path]) -> None:
    """A compiler for another processor, or no program at all, is named with its place and the reason."""
    program = stand_in("")
    program.write_bytes(b"\x7fELF of another machine")
    with pytest.raises(DataError, match=r"bin/edgetpu_compiler cannot be started \(Exec format error\)"):
        compiler.compile_(DEMO)


def test_a_file_that_is_cut_short_is_told(hands_out: Callable[[bytes], None]) -> None:
    """A compiler that leaves half a file has failed, however it ended."""
    hands_out(DEMO[:1000])
    with pytest.raises(DataError, match="made a damaged file"):
        compiler.compile_(DEMO)


def test_a_file_that_is_not_compiled_is_told(hands_out: Callable[[bytes], None]) -> None:
    """A compiler that hands back a file without any compiled part has mapped nothing, and the error says so."""
    hands_out(DEMO)
    with pytest.raises(DataError, match="mapped no operator at all"):
        compiler.compile_(DEMO)


@pytest.mark.data
def test_the_file_of_another_network_is_told(hands_out: Callable[[bytes], None], shared_data: Path) -> None:
    """A compiled file that was made from something else is an error, not a wrong report."""
    hands_out(pair(shared_data, DEEPLAB)[1])
    with pytest.raises(DataError, match="made from another file"):
        compiler.compile_(DEMO)
