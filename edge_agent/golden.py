"""Golden answers: whether a loaded network says what it said when the bundle was verified.

Bytes are compared with int8's golden answers, floats with float's. Two runtimes, or a processor and an accelerator,
round differently, and softmax makes much of it: one step of a logit can be ten of a probability. So besides a bound
for each way of running it, the same winner is asked for.
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
    if plan.variant not in FLOAT_ENDS:
        allowed = EDGETPU_STEPS if plan.delegate == "edgetpu" else INT8_STEPS[plan.runtime]
        return _in_steps(bundle.golden_outputs, answers, allowed)
    if bundle.golden_float is None:
        return None
    exact = plan.delegate == "cpu" and plan.variant == FLOAT_FILE
    return _in_floats(bundle.golden_float, answers, FLOAT_ERROR if exact else GPU_ERROR)


def _in_steps(golden: NDArray[np.uint8], answers: NDArray[Any], allowed: int) -> str | None:
    worst = int(np.abs(answers.astype(int) - golden).max())
    others = int((answers.argmax(axis=1) != golden.argmax(axis=1)).sum())
    if worst <= allowed and not others:
        return None
    return (
        f"it is {worst} steps of 255 away on its golden inputs, where {allowed} are allowed{_winners(others, golden)}"
    )


def _in_floats(golden: NDArray[np.float32], answers: NDArray[Any], allowed: float) -> str | None:
    worst = float(np.abs(answers - golden).max())
    ranked = np.sort(golden, axis=1)
    clear = ranked[:, -1] - ranked[:, -2] > allowed
    others = int((clear & (answers.argmax(axis=1) != golden.argmax(axis=1))).sum())
    if worst <= allowed and not others:  # NaN is not at most anything
        return None
    return f"it is {worst:.2g} away on its golden inputs, where {allowed:g} is allowed{_winners(others, golden)}"


def _winners(others: int, golden: NDArray[Any]) -> str:
    return f", and names another class for {others} of {len(golden)}" if others else ""
