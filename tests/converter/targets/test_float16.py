"""float16 weights, held against float32 in LiteRT."""

from typing import Any

import numpy as np
import pytest

from converter.targets import float16
from converter.tflite import graph
from edge_agent.golden import GPU_ERROR
from edge_agent.shelf import DataError
from tests.converter.targets.parts import converted

CROPS = np.random.default_rng(4).integers(0, 256, (65, 16, 16, 3), dtype=np.uint8)


def spoilt(value: float) -> bytes:
    """The float16 file with its largest constant, the weights of a dense layer, all of one value."""
    model: Any = graph.parse(converted("fp16"))
    weights = [model.buffers[tensor.buffer] for tensor in model.subgraphs[0].tensors if graph.kind(tensor) == "FLOAT16"]
    largest = max(weights, key=lambda buffer: 0 if buffer.data is None else len(buffer.data))
    largest.data = np.full(len(largest.data) // 2, value, dtype="<f2").view(np.uint8)
    return graph.packed(model)


def test_float16_answers_like_float32() -> None:
    """A file with float16 weights that holds the same network passes."""
    float16.check({"float32": converted("float32"), "float16": converted("fp16")}, CROPS)


@pytest.mark.parametrize("value", [0.0, np.inf])
def test_float16_that_answers_otherwise_is_refused(value: float) -> None:
    """Weights that became nothing or infinite are an error that says how far off the answers are, and what to do."""
    with pytest.raises(DataError, match=r"differs by \S+, at most 0\.02 is rounding.*--target cpu"):
        float16.check({"float32": converted("float32"), "float16": spoilt(value)}, CROPS)


def test_where_no_float16_was_made_there_is_nothing_to_hold() -> None:
    """Other targets have no such file, and pass."""
    float16.check({"float32": converted("float32"), "int8": converted("int8")}, CROPS)


def test_no_more_is_allowed_than_the_agent_allows() -> None:
    """A file that passes here is not refused by the agent for the same distance."""
    assert float16.CLOSE <= GPU_ERROR
