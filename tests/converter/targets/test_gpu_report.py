"""What a GPU takes of a file, by the delegate's documented rules."""

import json
from types import MappingProxyType
from typing import Any

import pytest

from converter.targets import gpu
from converter.tflite.view import Operation, Tensor
from tests.converter.targets.parts import converted, graph_of, numbers, operation, tensor

SHAPE = (1, 4, 4, 8)
IN, OUT = tensor(0, SHAPE, "FLOAT32", scales=()), tensor(9, SHAPE, "FLOAT32", scales=())


def one(code: str, *more: Tensor, given: Tensor = IN, out: Tensor = OUT, **options: Any) -> Operation:
    """A float operator on a picture."""
    version = options.pop("version", 1)
    return operation(code, [given, *more], [out], version=version, options=MappingProxyType(options))


@pytest.mark.parametrize("kind", ["float32", "fp16"])
def test_a_float_and_an_fp16_file_go_whole_onto_a_gpu(kind: str) -> None:
    """A network that TensorFlow converts to float32 or to fp16 weights is taken whole, without a warning."""
    found = gpu.report(converted(kind))
    assert found.whole
    assert found.warnings == ()


def test_fp16_weights_are_folded_into_their_users() -> None:
    """The operators that widen fp16 weights are dropped by the delegate, which reads the weights themselves."""
    folded = [one for one in gpu.report(converted("fp16")).operators if one.code == "DEQUANTIZE"]
    assert folded
    assert {one.status for one in folded} == {gpu.FOLDED}


def test_an_int8_file_is_sent_back_for_the_float_one() -> None:
    """Integers are not a GPU's business: every operator of an int8 file says to give the float or fp16 file."""
    found = gpu.report(converted("int8"))
    assert found.mapped == 0
    assert all("give it the float or fp16 file" in one.reason for one in found.operators)


def test_int8_weights_are_sent_back_too() -> None:
    """A file that computes in floats with int8 weights is taken but for the layers that have such weights."""
    found = gpu.report(converted("dynamic"))
    refused = [one for one in found.operators if "parameters are int8" in one.reason]
    assert [one.code for one in refused] == ["FULLY_CONNECTED"]
    assert not found.whole


BROKEN = [
    (one("ARG_MAX"), "no such operator"),
    (one("CONV_2D", version=2), "version 2 is newer than 1"),
    (one("DEPTHWISE_CONV_2D", version=3), "version 3 is newer than 2"),
    (one("RELU", out=tensor(9, (1, 4, 4, 8), "FLOAT32", signature=(1, -1, 4, 8))), "open shape"),
    (one("RELU", given=tensor(0, (1, 1, 4, 4, 8), "FLOAT32")), "5 sides"),
    (one("CONV_2D", IN), "weights are computed"),
    (one("CONV_2D", fusedActivationFunction=5), "activation"),
    (one("DEPTHWISE_CONV_2D", depthMultiplier=2), "depth multiplier is 2"),
    (one("FULLY_CONNECTED", weightsFormat=1), "shuffled"),
    (one("SOFTMAX", beta=2.0), "beta is 2"),
    (one("ADD"), "has 1 inputs"),
    (one("PAD", numbers(1, [0, 0, 1, 1], (2, 2))), "3 or 4 pairs"),
    (one("STRIDED_SLICE", shrinkAxisMask=1), "drops a side"),
    (one("RESIZE_BILINEAR", alignCorners=True, halfPixelCenters=True), "half pixel"),
    (one("MEAN", tensor(1, (2,), "INT32")), "integers"),
]


@pytest.mark.parametrize(("one", "word"), BROKEN, ids=[word for _, word in BROKEN])
def test_what_breaks_a_condition_is_left_to_the_cpu(one: Operation, word: str) -> None:
    """An operator that breaks a condition of the delegate stays on the CPU, and the reason is named."""
    (found,) = gpu.of(graph_of(one)).operators
    assert not found.mapped
    assert word in found.reason


@pytest.mark.parametrize(
    "one",
    [one("HARD_SWISH"), one("RESIZE_BILINEAR", version=3), one("SOFTMAX", beta=1.0), one("ADD", IN), one("RELU6")],
)
def test_what_meets_its_condition_is_taken(one: Operation) -> None:
    """An operator that meets the delegate's conditions is taken."""
    assert gpu.of(graph_of(one)).whole


def test_what_moves_data_around_is_warned_of() -> None:
    """A transposition is taken, and warned of as costly."""
    found = gpu.of(graph_of(one("TRANSPOSE", numbers(1, [0, 2, 1, 3]))))
    assert found.whole
    assert "TRANSPOSE" in found.warnings[0]


def test_the_gpu_payload_is_json() -> None:
    """The report goes into JSON with all its operators."""
    kept = json.loads(json.dumps(gpu.payload(gpu.report(converted("int8")))))
    assert kept["operator_count"] == len(kept["operators"]) > kept["mapped_count"]
