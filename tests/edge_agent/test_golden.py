"""Golden answers: what is allowed on each way of running a network, and how it is said that one does not hold."""

import numpy as np
import pytest

from edge_agent import bundle
from edge_agent.bundle import EDGETPU_FILE, FLOAT_FILE, GPU_FILE, MODEL_FILE
from edge_agent.engines import Plan
from edge_agent.golden import check
from edge_agent.inference import TfliteClassifier
from edge_agent.shelf import BundleError, DelegateError
from tests.edge_agent.tiny_networks import GAIN, byte_network, float_network, write_bundle


@pytest.fixture(scope="module")
def colours(tmp_path_factory):
    """A bundle with golden answers in uint8 and float32."""
    return bundle.read(write_bundle(tmp_path_factory.mktemp("golden")))


def refused(read, plan, answers):
    """Whether answers are refused."""
    try:
        check(read, plan, answers)
    except (BundleError, DelegateError):
        return True
    return False


@pytest.mark.parametrize(
    ("plan", "allowed"),
    [
        (Plan(MODEL_FILE, "litert", 1), 2),
        (Plan(MODEL_FILE, "tflite-runtime", 1), 64),
        (Plan(EDGETPU_FILE, "litert", 1, "edgetpu"), 32),
    ],
)
def test_bytes_may_be_some_steps_away(colours, plan, allowed):
    """LiteRT is held to its own answers, older kernels and an Edge TPU to the same winner and wider bounds."""
    away = colours.golden_outputs.copy()
    away[0, 0] -= allowed
    assert not refused(colours, plan, away)
    away[0, 0] -= 1
    assert refused(colours, plan, away)


@pytest.mark.parametrize(
    ("plan", "allowed"),
    [
        (Plan(FLOAT_FILE, "litert", 1), 1e-3),
        (Plan(GPU_FILE, "litert", 1), 2e-2),
        (Plan(GPU_FILE, "litert", 1, "gpu"), 2e-2),
    ],
)
def test_floats_may_be_a_little_away(colours, plan, allowed):
    """float32 is held to a thousandth, what calculates in float16 to two hundredths."""
    assert colours.golden_float is not None
    assert not refused(colours, plan, colours.golden_float + np.float32(0.9 * allowed))
    assert refused(colours, plan, colours.golden_float + np.float32(1.1 * allowed))


def test_another_winner_is_refused_within_the_bounds(colours):
    """Close figures are no excuse for another class."""
    golden = colours.golden_outputs.copy()
    golden[0] = 90, 80, 80
    close = bundle.Bundle(colours.manifest, b"", "", colours.golden_inputs, golden)
    answers = golden.copy()
    answers[0] = 85, 86, 80
    with pytest.raises(DelegateError, match=r"6 steps of 255 away .* and names another class for 1 of 6"):
        check(close, Plan(EDGETPU_FILE, "litert", 1, "edgetpu"), answers)


def test_a_tie_of_floats_may_go_either_way(colours):
    """Where two classes are equally likely, the nearest bit decides, and neither answer is wrong."""
    floats = np.array([[0.4, 0.4, 0.2], [0.40015, 0.39985, 0.2], [0.4, 0.3, 0.3]], np.float32)
    tied = bundle.Bundle(
        colours.manifest, b"", "", colours.golden_inputs[:3], colours.golden_outputs[:3], golden_float=floats
    )
    plan = Plan(FLOAT_FILE, "litert", 1)
    other = floats[:, [1, 0, 2]]
    assert not refused(tied, plan, np.vstack([other[:2], floats[2:]]))
    assert refused(tied, plan, other)


def test_answers_that_are_no_numbers_are_refused(colours):
    """A network that divides by zero on some accelerator does not count."""
    assert colours.golden_float is not None
    answers = colours.golden_float.copy()
    answers[0, 2] = np.nan
    assert refused(colours, Plan(GPU_FILE, "litert", 1, "gpu"), answers)


@pytest.mark.parametrize(
    ("more", "variant"),
    [({"model": byte_network(gain=GAIN / 2)}, MODEL_FILE), ({"model_float": float_network(gain=GAIN / 2)}, FLOAT_FILE)],
)
def test_another_network_under_the_name_never_counts(tmp_path, more, variant):
    """A file that hashes right but is of another training is found by its answers when it is loaded."""
    read = bundle.read(write_bundle(tmp_path, **more))
    with pytest.raises(BundleError, match=rf'{variant} of "colours" does not answer in litert as it did'):
        TfliteClassifier(read, variant=variant)
