"""A TFLite file described, in this process and in one of its own."""

import json
import os
import random
import subprocess
import sys
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest

from converter.tflite import graph
from converter.tflite.child import Answer, described
from converter.tflite.describe import Used, describe, payload, to_json
from converter.tflite.tables import size
from edge_agent.shelf import DataError
from tests.conftest import REPO
from tests.converter.targets.parts import PAIRS, converted, pair

DEMO = (REPO / "edge_agent" / "demo" / "bundle" / "model.tflite").read_bytes()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("float32", "float32"),
        ("fp16", "fp16"),
        ("int8", "int8"),
        ("dynamic", "int8 weights, float computation"),
    ],
)
def test_the_kind_of_a_file_is_told(kind: str, said: str) -> None:
    """What TensorFlow converted to float32, fp16, int8, or int8 weights only is called that."""
    assert describe(converted(kind)).kind == said


@pytest.mark.data
def test_a_compiled_file_is_told(shared_data: Path) -> None:
    """A compiled file is called one, has a compiled report and no forecast."""
    found = describe(pair(shared_data, PAIRS[0])[1])
    assert found.kind == "compiled for the Edge TPU"
    assert found.compiled is not None
    assert (len(found.compiled.left), found.edgetpu, found.gpu) == (8, None, None)


def test_the_ends_say_how_bytes_become_numbers() -> None:
    """An int8 file's ends have their scale and zero point, a float file's have none."""
    int8, floats = describe(converted("int8")), describe(converted("float32"))
    assert (int8.inputs[0].shape, int8.inputs[0].type, int8.inputs[0].zero_point) == ((1, 16, 16, 3), "uint8", 0)
    assert int8.outputs[0].scale == pytest.approx(1 / 256)
    assert (floats.outputs[0].type, floats.outputs[0].scale, floats.outputs[0].zero_point) == ("float32", None, None)


def test_parameters_are_weights_and_biases_only() -> None:
    """The parameters are those of the layers, four bytes each in float and two in fp16; shapes and axes don't count."""
    weights, biases = 3 * 3 * 3 * 8 + 3 * 3 * 8 + 6 * 6 * 8 * 16 + 16 * 5, 8 + 8 + 16 + 5
    floats, halves = describe(converted("float32")), describe(converted("fp16"))
    assert weights <= floats.parameters <= weights + biases  # TensorFlow keeps biases of zeros once, or not at all
    assert floats.parameter_bytes == 4 * floats.parameters
    assert halves.parameter_bytes == 2 * halves.parameters


@pytest.mark.data
def test_labels_that_are_packed_in_are_found(shared_data: Path) -> None:
    """Coral's classifiers carry metadata and 1,001 labels; those are found, and the demo's file has none."""
    found = describe(pair(shared_data, PAIRS[2])[0])
    assert "TFLITE_METADATA" in found.metadata
    assert found.files == ("imagenet_labels.txt",)
    assert (len(found.labels), found.labels[0]) == (1001, "background")


def test_labels_are_those_of_the_file_that_the_metadata_names() -> None:
    """Another text that is packed in is listed, and not taken for labels; without metadata no text is."""
    plain = graph.parse(DEMO)
    for metadata, labels in ((plain.metadata, ("milk", "tea")), ([], ())):
        plain.metadata = metadata
        packed = BytesIO(graph.packed(plain))
        with ZipFile(packed, "a") as archive:
            archive.writestr("a-note.txt", "made in a hurry\n")
            archive.writestr("labels.txt", "milk\ntea\n")
        found = describe(packed.getvalue())
        assert (found.files, found.labels) == (("a-note.txt", "labels.txt"), labels)


def test_a_label_cannot_command_a_terminal() -> None:
    """Labels of a file of unknown origin come without escape sequences, and what no zip is, is none."""
    bare = graph.packed(graph.parse(DEMO))  # packing anew drops the labels
    packed = BytesIO(bare)
    with ZipFile(packed, "a") as archive:
        archive.writestr("labels.txt", "milk\n\x1b[2Jtea\n")
    assert describe(packed.getvalue()).labels == ("milk", "?[2Jtea")
    assert describe(bare + b"PK\x05\x06 no zip").labels == ()


def test_operators_are_counted_by_name_and_version() -> None:
    """Operators of one name and version are counted together, and all operators are there."""
    found = describe(converted("int8"))
    assert Used("QUANTIZE", 1, 2) in found.operators
    assert sum(used.count for used in found.operators) == len(found.cpu.operators)


def test_the_description_is_json() -> None:
    """The whole description goes into JSON and comes back, with a report per target."""
    kept = json.loads(to_json(describe(DEMO)))
    assert kept == json.loads(json.dumps(payload(describe(DEMO))))
    assert set(kept["targets"]) == {"cpu", "edgetpu", "gpu"}
    assert kept["targets"]["edgetpu"]["mapped_count"] == kept["targets"]["edgetpu"]["operator_count"]


@pytest.mark.data
@pytest.mark.parametrize("part", [0, 1])
def test_a_child_says_the_same(part: int, shared_data: Path) -> None:
    """What a process of its own answers is what this one finds, for a plain and for a compiled file."""
    content = pair(shared_data, PAIRS[5])[part]
    assert described(content, name="somewhere/model.tflite") == describe(content)


def test_a_scale_that_is_no_number_comes_back_as_none() -> None:
    """A file with a scale of NaN is described; what JSON has no word for is left out."""
    found = describe(DEMO)
    scale = found.inputs[0].scale
    assert scale is not None
    broken = replace(found.inputs[0], scale=float("nan"))
    answer = Answer(description=replace(found, inputs=(broken,)))
    kept = Answer.model_validate_json(answer.model_dump_json()).description
    assert kept is not None
    assert kept.inputs[0].scale is None


def test_a_child_that_takes_too_long_is_ended() -> None:
    """A file that takes the parser for ever ends with an error that says so."""
    with pytest.raises(DataError, match=r"demo\.tflite: not read after 0\.01 s"):
        described(DEMO, name="demo.tflite", timeout_s=0.01)


def test_a_child_that_dies_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file that kills the parser ends with one sentence and the status, and without a traceback."""
    deadly = tmp_path / "sitecustomize.py"
    deadly.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(DataError, match=r"demo\.tflite: reading it ended with status -11"):
        described(DEMO, name="demo.tflite")


FLIPS = """
import json, random, sys, time
from converter.tflite import graph
from converter.tflite.child import _limit, answer_for
content = sys.stdin.buffer.read()
_limit(len(content))
chance, said = random.Random(7), []
for number in range(100):
    damaged = bytearray(content)
    for _ in range(1 + 9 * (number % 2)):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    began = time.process_time()
    answer = answer_for(bytes(damaged))
    said.append((answer.description is not None, answer.error, time.process_time() - began))
print(json.dumps(said))
"""


def test_a_hundred_flipped_files_are_each_described_or_called_damaged() -> None:
    """Each of a hundred files with one or ten bits flipped is described or called damaged in one sentence, in a second.

    All go through what a child does, one after the other under its limits.
    """
    environment = {**os.environ, "PYTHONPATH": str(REPO), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", FLIPS], input=converted("int8"), env=environment, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    said = json.loads(done.stdout)
    assert len(said) == 100
    assert {fine for fine, _, _ in said} == {True, False}
    for fine, error, took_s in said:
        assert fine == (error == "")
        assert "\n" not in error
        assert took_s < 1


def test_random_bytes_are_no_tflite_file() -> None:
    """Random bytes, with the right identifier or without, end with an error in a sentence."""
    chance = random.Random(1)
    for head in (b"", b"\x1c\x00\x00\x00TFL3"):
        with pytest.raises(DataError, match=r"noise: .*TFLite file"):
            described(head + chance.randbytes(5000), name="noise")


def test_memory_that_a_file_asks_for_is_limited() -> None:
    """What would take more memory than the limit is called damaged, and the machine goes on."""
    code = "from converter.tflite.child import _limit; _limit(0); bytearray(2 << 30)"
    environment = {**os.environ, "PYTHONPATH": str(REPO), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert b"MemoryError" in done.stderr


def test_sizes_are_written_as_the_compiler_does() -> None:
    """Bytes, KiB and MiB, as in the compiler's own report."""
    assert [size(count) for count in (0, 1023, 1024, 8 * 2**20)] == ["0 B", "1023 B", "1.0 KiB", "8.00 MiB"]
