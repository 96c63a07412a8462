"""What XNNPACK takes of a file, held against LiteRT itself."""

import importlib
from pathlib import Path

import pytest

from converter.targets import cpu
from converter.tflite.view import view
from tests.conftest import REPO
from tests.converter.targets.parts import PAIRS, converted, graph_of, operation, pair, tensor

DEMO = (REPO / "edge_agent" / "demo" / "bundle" / "model.tflite").read_bytes()


def pieces(content: bytes) -> list[set[int]]:
    """The tensors that come out of each piece that LiteRT really gives to XNNPACK."""
    interpreter = importlib.import_module("ai_edge_litert.interpreter").Interpreter(model_content=content)
    interpreter.allocate_tensors()
    operators = interpreter._get_ops_details()
    return [set(map(int, found["outputs"])) for found in operators if found["op_name"] == "DELEGATE"]


def check(content: bytes) -> None:
    """Fail unless LiteRT hands XNNPACK as many pieces as foretold, which end where foretold."""
    file = view(content)
    found = cpu.of(file)
    taken = {one.index for one in found.operators if one.mapped}
    made = {held.index for one in file.operations if one.index in taken for held in one.outputs}
    used = {held.index for one in file.operations if one.index not in taken for held in one.given}
    real = pieces(content)
    assert found.parts == len(real)
    assert made & (used | {held.index for held in file.outputs}) <= set().union(*real)
    assert set().union(*real) <= made


@pytest.mark.parametrize("kind", ["float32", "fp16", "int8"])
def test_xnnpack_takes_what_is_foretold_of_our_files(kind: str) -> None:
    """Of a float, an fp16 and an int8 file LiteRT gives XNNPACK the pieces that were foretold."""
    check(converted(kind))


def test_xnnpack_takes_what_is_foretold_of_the_demos_file() -> None:
    """Of the network that the demo runs it does too, in one piece."""
    check(DEMO)
    assert cpu.of(view(DEMO)).parts == 1


@pytest.mark.data
@pytest.mark.parametrize("name", [name for name in PAIRS if "posenet" not in name])
def test_xnnpack_takes_what_is_foretold_of_corals_files(name: str, shared_data: Path) -> None:
    """Of Coral's uint8 and int8 networks it does as well; the pose network has an operator that LiteRT can't load."""
    check(pair(shared_data, name)[0])


@pytest.mark.data
def test_an_operator_of_somebodys_own_is_named(shared_data: Path) -> None:
    """A network with a custom operator is said not to run in LiteRT alone."""
    found = cpu.of(view(pair(shared_data, PAIRS[4])[0]))
    assert not found.runs
    assert [one.code for one in found.operators if one.status == cpu.UNKNOWN] == ["PosenetDecoderOp"]


def test_a_graph_that_runs_in_circles_ends() -> None:
    """A damaged file whose operators wait for each other is described, and doesn't hang."""
    first, second = tensor(0, (1, 4)), tensor(1, (1, 4))
    circle = graph_of(
        operation("RESHAPE", [second], [first], index=0), operation("RESHAPE", [first], [second], index=1)
    )
    assert cpu.of(circle).parts == 0
