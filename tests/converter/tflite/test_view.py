"""A TFLite file as values."""

from collections.abc import Callable
from typing import Any

import pytest

from converter.tflite import graph
from converter.tflite.view import printable, view
from edge_agent.shelf import DataError
from tests.conftest import REPO

DEMO = (REPO / "edge_agent" / "demo" / "bundle" / "model.tflite").read_bytes()


def changed(change: Callable[[Any], None]) -> bytes:
    """The demo's network after a change to its object tree."""
    model = graph.parse(DEMO)
    change(model)
    return graph.packed(model)


def test_a_file_is_read_as_its_own_schema_says() -> None:
    """Operators, tensors, constants and quantization are those of the file."""
    file, model = view(DEMO), graph.parse(DEMO)
    main = model.subgraphs[0]
    assert [one.code for one in file.operations] == [graph.code(model, one) for one in main.operators]
    assert len(file.tensors) == len(main.tensors)
    assert (file.inputs[0].kind, file.inputs[0].zero_points, file.inputs[0].constant) == ("UINT8", (0,), False)
    weights = next(one for one in file.operations if one.code == "CONV_2D").input(1)
    assert weights is not None
    assert weights.constant
    assert len(weights.scales) == weights.shape[0]
    assert weights.size == len(weights.data or b"")


def test_the_constant_axes_of_an_operator_are_numbers() -> None:
    """A constant int32 tensor is read as numbers; any other tensor has none."""
    file = view(DEMO)
    axes = next(one for one in file.operations if one.code == "MEAN").input(1)
    assert axes is not None
    assert axes.integers == (1, 2)
    assert file.inputs[0].integers == ()


def _no_graph(model: Any) -> None:
    model.subgraphs = []


def _input_beyond(model: Any) -> None:
    model.subgraphs[0].operators[0].inputs = [9999]


def _input_below(model: Any) -> None:
    model.subgraphs[0].operators[0].inputs = [-2]


def _code_beyond(model: Any) -> None:
    model.subgraphs[0].operators[0].opcodeIndex = 99


def _buffer_beyond(model: Any) -> None:
    model.subgraphs[0].tensors[0].buffer = 9999


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (_no_graph, "without a graph"),
        (_input_beyond, "an operator's input has number 9999"),
        (_input_below, "an operator's input has number -2"),
        (_code_beyond, "an operator's code has number 99"),
        (_buffer_beyond, "a buffer has number 9999"),
    ],
)
def test_what_points_beyond_the_file_is_told(change: Callable[[Any], None], word: str) -> None:
    """A file whose parts point at what isn't there is damaged, and the error says where."""
    with pytest.raises(DataError, match=word):
        view(changed(change))


def test_names_cannot_command_a_terminal() -> None:
    """Escape sequences in the names of a file of unknown origin come out as question marks."""

    def rename(model: Any) -> None:
        model.subgraphs[0].tensors[0].name = b"a\x1b[2Jb\n"

    assert view(changed(rename)).tensors[0].name == "a?[2Jb?"
    assert printable("Größe 1 × 2") == "Größe 1 × 2"
