"""The Edge TPU's documented conditions, each broken by one operator and met by another."""

from types import MappingProxyType
from typing import Any

import pytest

from converter.targets.edgetpu_memory import estimate, fit
from converter.targets.edgetpu_rules import LIMITED, RANK, TYPE, UNSUPPORTED, VERSION, refused
from converter.tflite.view import Operation, Tensor
from tests.converter.targets.parts import numbers, operation, tensor

SHAPE = (1, 4, 4, 8)
IN, OUT = tensor(0, SHAPE), tensor(9, SHAPE)


def one(code: str, *more: Tensor, given: Tensor = IN, out: Tensor = OUT, **options: Any) -> Operation:
    """An operator on a picture, with more inputs and with options."""
    version = options.pop("version", 1)
    return operation(code, [given, *more], [out], version=version, options=MappingProxyType(options))


BROKEN = [
    ("float input", one("RELU", given=tensor(0, SHAPE, "FLOAT32")), TYPE, "float32"),
    ("16 bit input", one("RELU", given=tensor(0, SHAPE, "INT16")), TYPE, "int16"),
    ("float weights", one("CONV_2D", tensor(1, (8, 1, 1, 8), "FLOAT32", data=bytes(256))), TYPE, "float32"),
    ("float to bytes", one("QUANTIZE", given=tensor(0, SHAPE, "FLOAT32")), LIMITED, "uint8 or int8 inputs"),
    ("no such operator", one("GELU"), UNSUPPORTED, "use ReLU"),
    ("two directions", one("BIDIRECTIONAL_SEQUENCE_LSTM"), UNSUPPORTED, "no such operator"),
    ("too new", one("ADD", IN, version=4), VERSION, "version 4 is newer than 3"),
    ("a batch of two", one("RELU", given=tensor(0, (2, 4, 4, 8))), RANK, "2 × 4 × 4 × 8"),
    ("computed weights", one("CONV_2D", tensor(1, (1, 1, 8))), LIMITED, "is computed"),
    ("fused pooling", one("MAX_POOL_2D", fusedActivationFunction=1), LIMITED, "activation"),
    ("constant ones", one("CONCATENATION", tensor(1, SHAPE, data=b"\1" * 128)), LIMITED, "not all zeros"),
    ("dilations", one("CONV_2D", dilationWFactor=2, dilationHFactor=1), LIMITED, "2 in x and 1 in y"),
    ("dense rows", one("FULLY_CONNECTED", out=tensor(9, (1, 2, 8))), LIMITED, "has rows"),
    ("dense weights", one("FULLY_CONNECTED", out=tensor(9, (1, 8)), weightsFormat=1), LIMITED, "shuffled"),
    ("mean of the batch", one("MEAN", numbers(1, [0])), LIMITED, "reduces the batch"),
    ("mean of 6 channels", one("MEAN", numbers(1, [-1]), given=tensor(0, (1, 4, 4, 6))), LIMITED, "multiple of 4"),
    ("padded batch", one("PAD", numbers(1, [1, 0, 0, 0, 0, 0, 0, 0], (4, 2))), LIMITED, "pads the batch"),
    ("packed batch", one("PACK", IN, axis=0), LIMITED, "along the batch"),
    ("slopes per pixel", one("PRELU", tensor(1, (4, 4, 8), data=bytes(128))), LIMITED, "4 × 4 × 8"),
    ("resize by 16", one("RESIZE_BILINEAR", out=tensor(9, (1, 64, 64, 8))), LIMITED, "precision"),
    ("a large resize", one("RESIZE_NEAREST_NEIGHBOR", out=tensor(9, (1, 8, 8, 80_000))), LIMITED, "precision"),
    ("softmax of a picture", one("SOFTMAX"), LIMITED, "not one row"),
    ("softmax of many", one("SOFTMAX", given=tensor(0, (1, 16_001))), LIMITED, "16001 values"),
    ("squeezed middle", one("SQUEEZE", given=tensor(0, (1, 5, 1, 8)), out=tensor(9, (5, 8))), LIMITED, "the middle"),
    ("steps", one("STRIDED_SLICE", *[numbers(n, [1, 1, 2, 1]) for n in (1, 2, 3)]), LIMITED, "not all 1"),
    ("an ellipsis", one("STRIDED_SLICE", ellipsisMask=1), LIMITED, "ellipsis"),
    ("sum of the batch", one("SUM", numbers(1, [0, 1])), LIMITED, "reduces the batch"),
]
MET = [
    ("zeros for padding", one("CONCATENATION", tensor(1, SHAPE, data=bytes(128)))),
    ("zeros of uint8", one("CONCATENATION", tensor(1, SHAPE, "UINT8", data=b"\x80" * 128, zero_points=(128,)))),
    ("zeros of a negative zero", one("CONCATENATION", tensor(1, SHAPE, data=b"\xfb" * 128, zero_points=(-5,)))),
    ("mean of height and width", one("MEAN", numbers(1, [1, 2]))),
    ("mean of 8 channels", one("MEAN", numbers(1, [3]))),
    ("padded sides", one("PAD", numbers(1, [0, 0, 1, 1, 1, 1, 0, 0], (4, 2)))),
    ("slopes per channel", one("PRELU", tensor(1, (1, 1, 8), data=bytes(8)))),
    ("resize by 2", one("RESIZE_BILINEAR", out=tensor(9, (1, 8, 8, 8)))),
    ("softmax of a row", one("SOFTMAX", given=tensor(0, (1, 16_000)))),
    ("squeezed front", one("SQUEEZE", given=tensor(0, (1, 1, 8)), out=tensor(9, (8,)))),
    ("an LSTM's state", one("UNIDIRECTIONAL_SEQUENCE_LSTM", tensor(1, (1, 8), "INT16", variable=True))),
    ("a bias", one("CONV_2D", tensor(1, (8, 1, 1, 8), data=bytes(64)), tensor(2, (8,), "INT32", data=bytes(32)))),
    ("as new as may be", one("CONV_2D", version=5)),
]


@pytest.mark.parametrize(("one", "status", "word"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_a_broken_condition_is_named(one: Operation, status: str, word: str) -> None:
    """An operator that breaks a documented condition stays behind, with the compiler's words and a reason in ours."""
    found = refused(one)
    assert found is not None
    assert found.status == status
    assert word in found.reason


@pytest.mark.parametrize("one", [case[1] for case in MET], ids=[case[0] for case in MET])
def test_a_condition_that_is_just_met_is_enough(one: Operation) -> None:
    """An operator that just meets its condition is taken."""
    assert refused(one) is None


def test_memory_is_estimated_by_the_shapes_of_weights() -> None:
    """A convolution, a depthwise one and a dense layer take what the fitted formulas say; anything else nothing."""
    convolution = one("CONV_2D", tensor(1, (24, 3, 3, 3), data=bytes(648)))
    depthwise = one("DEPTHWISE_CONV_2D", tensor(1, (1, 3, 3, 24), data=bytes(216)))
    dense = one("FULLY_CONNECTED", tensor(1, (10, 560), data=bytes(5600)))
    assert estimate([convolution]) == 9 * 16 * 64 + 16 * 64
    assert estimate([depthwise]) == 9 * 64 + 4 * 64
    assert estimate([dense]) == 560 * 64 + 16 * 64
    assert estimate([one("RELU"), one("ADD", IN)]) == 0
    assert estimate([convolution, depthwise]) == estimate([convolution]) + estimate([depthwise])


@pytest.mark.parametrize(
    ("mib", "verdict"), [(0, "fits"), (5.9, "fits"), (6, "may stream"), (7.5, "may stream"), (7.6, "streams")]
)
def test_the_estimate_is_held_against_the_chip(mib: float, verdict: str) -> None:
    """Below 6 MiB parameters fit, up to 7.5 they may have to be streamed, above they are."""
    assert fit(int(mib * 2**20)) == verdict
