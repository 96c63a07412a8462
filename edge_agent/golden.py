"""Golden answers: whether a loaded network says what it said when the bundle was verified.

Bytes are compared with int8's golden answers, floats with float's. Two runtimes, or a processor and an accelerator,
round differently, and softmax makes much of it: one step of a logit can be ten of a probability. So each way of running
it has a bound of its own.

The winner must be the same besides, however far apart bytes may be: a wide bound is for probabilities, and a count goes
by the winner. Only where it leads by so little that LiteRT itself may differ as much, either class may win.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.bundle import FLOAT_FILE, Bundle
from edge_agent.engines import FLOAT_ENDS, NAMES, Plan
from edge_agent.shelf import BundleError, DelegateError

INT8_STEPS = {"litert": 2, "tflite-runtime": 64}
"""How far an output byte may be from its golden value. LiteRT agrees with itself across processors within 1; the older
kernels of tflite-runtime differ by up to 50."""
CLEAR_STEPS = 2 * INT8_STEPS["litert"]
"""With a larger lead the winner must be the same: both outputs may be one bound of LiteRT away, to opposite sides."""
EDGETPU_STEPS = 32
"""The same on an Edge TPU. A healthy one was seen 5 away (google-coral/edgetpu, issue 503); a sick one is off by
whole classes."""
FLOAT_ERROR, GPU_ERROR = 1e-3, 2e-2
"""How far a probability may be: in float32, and with float16 weights or on a GPU, which may calculate in float16."""


def check(bundle: Bundle, plan: Plan, answers: NDArray[Any]) -> None:
    """Hold the answers to a bundle's golden inputs against what they must be.

    Float answers are not judged where the bundle has no golden ones, which `edge_agent.bundle.read` refuses: that is
    a bundle that is being made.

    Args:
        bundle: What it must answer.
        plan: How it was run.
        answers: (n, classes) uint8 or float32, from `edge_agent.engines`.

    Raises:
        BundleError: The network answers otherwise on the CPU.
        DelegateError: It does so on an accelerator.
    """
    if (wrong := _mismatch(bundle, plan, answers)) is None:
        return
    name = f'{plan.variant} of "{bundle.manifest.id}"'
    if plan.delegate == "cpu":
        raise BundleError(
            f"{name} does not answer in {plan.runtime} as it did when it was verified: {wrong}. Don't count with it:"
            " copy the bundle again, or convert it with the shelf-convert of this version."
        )
    raise DelegateError(
        f"{name} does not answer on the {NAMES[plan.delegate]} as it did when it was verified: {wrong}. Don't count"
        " with it: convert it anew for this target, or install another version of the driver."
    )


def _mismatch(bundle: Bundle, plan: Plan, answers: NDArray[Any]) -> str | None:
    """What is wrong with the answers, in words; None if they hold."""
    golden, allowed, unit = _bound(bundle, plan)
    if golden is None:
        return None
    worst = float(np.abs(answers.astype(np.float64) - golden).max())
    others = answers.argmax(axis=1) != golden.argmax(axis=1)
    ordered = np.sort(golden.astype(np.float64), axis=1)
    clear = ordered[:, -1] - ordered[:, -2] > (CLEAR_STEPS if golden.dtype == np.uint8 else 2 * allowed)
    if worst <= allowed and not (others & clear).any():  # NaN is not at most anything
        return None
    named = f", and names another class for {others.sum()} of {len(golden)}" if others.any() else ""
    return f"it is up to {worst:.3g}{unit} away on its golden inputs, where the limit is {allowed:g}{named}"


def _bound(bundle: Bundle, plan: Plan) -> tuple[NDArray[Any] | None, float, str]:
    """The golden answers for a way of running it, how far from them an answer may be, and in what unit."""
    if plan.variant in FLOAT_ENDS:
        exact = plan.delegate == "cpu" and plan.variant == FLOAT_FILE
        return bundle.golden_float, FLOAT_ERROR if exact else GPU_ERROR, ""
    steps = EDGETPU_STEPS if plan.delegate == "edgetpu" else INT8_STEPS[plan.runtime]
    return bundle.golden_outputs, steps, " steps of 255"
