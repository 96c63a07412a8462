"""How much of the Edge TPU's memory the parameters of a network take, estimated from the shapes of its weights.

The formulas were fitted on Coral's own pairs of models and hold on them within `ERROR`; the compiler alone knows the
exact figure (`converter.targets.compiled`).
"""

from collections.abc import Iterable
from typing import Literal

from converter.targets.edgetpu_rules import LSTMS
from converter.tflite.view import Operation

ON_CHIP_BYTES = 8 * 2**20
"""What an Edge TPU has; activations take a part of it, so less is left for parameters."""
FITS_BYTES = 6 * 2**20
MAY_STREAM_BYTES = int(7.5 * 2**20)
ERROR = 0.063
"""Largest relative error of the estimate on Coral's pairs."""

Fit = Literal["fits", "may stream", "streams"]


def estimate(operations: Iterable[Operation]) -> int:
    """Bytes that the parameters of these operators take on the chip."""
    return sum(_bytes(operation) for operation in operations)


def fit(on_chip_bytes: int) -> Fit:
    """Whether an estimate fits; what doesn't is fetched over USB or PCIe again for each picture, which is slow.

    >>> fit(3 * 2**20), fit(7 * 2**20), fit(8 * 2**20)
    ('fits', 'may stream', 'streams')
    """
    if on_chip_bytes < FITS_BYTES:
        return "fits"
    return "may stream" if on_chip_bytes <= MAY_STREAM_BYTES else "streams"


def _bytes(operation: Operation) -> int:
    if operation.code in LSTMS:
        return _lstm(operation)
    weights = operation.input(1)
    if weights is None or not weights.constant:
        return 0
    shape = weights.shape
    if operation.code in ("CONV_2D", "TRANSPOSE_CONV") and len(shape) == 4:
        out, high, wide, deep = shape
        return _dense(high * wide, deep, out)
    if operation.code == "DEPTHWISE_CONV_2D" and len(shape) == 4:
        _, high, wide, deep = shape
        return high * wide * _up(deep, 64) + 4 * _up(deep, 64)
    if operation.code == "FULLY_CONNECTED" and len(shape) == 2:
        return _dense(1, shape[1], shape[0])
    return 0


def _lstm(operation: Operation) -> int:
    """The four gates as one dense layer over input and state; within 2.5 % on the one such pair at hand."""
    inward, back = operation.input(1), operation.input(5)
    if inward is None or back is None or len(inward.shape) != 2 or len(back.shape) != 2:
        return 0
    return _dense(1, inward.shape[1] + back.shape[1], 4 * inward.shape[0])


def _dense(taps: int, deep: int, out: int) -> int:
    return taps * _up(deep, 16) * _up(out, 64) + 16 * _up(out, 64)


def _up(number: int, step: int) -> int:
    """The next multiple of `step`."""
    return -(-number // step) * step
