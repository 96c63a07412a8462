"""Golden answers: what is allowed on each way of running a network, and how it is said that one does not hold."""

from dataclasses import replace

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
    """LiteRT is held to its own answers, older kernels and an Edge TPU to wider bounds."""
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


@pytest.mark.parametrize(
    "plan",
    [
        Plan(MODEL_FILE, "litert", 1),
        Plan(MODEL_FILE, "tflite-runtime", 1),
        Plan(EDGETPU_FILE, "litert", 1, "edgetpu"),
    ],
)
@pytest.mark.parametrize("lead", [0, 1, 2, 3, 5, 40, 64, 65, 128, 129])
def test_a_winner_counts_where_it_leads_clearly(colours, plan, lead):
    """With a lead that LiteRT itself may turn, either class may win; with more, the winner is the same everywhere."""
    allowed = {"litert": 2, "tflite-runtime": 64}[plan.runtime] if plan.delegate == "cpu" else 32
    golden = colours.golden_outputs.copy()
    golden[0] = 50 + lead, 50, 0
    close = bundle.Bundle(colours.manifest, b"", "", colours.golden_inputs, golden)
    answers = golden.copy()
    moved = lead // 2 + 1  # the least by which both must move for the other to win
    answers[0, :2] = golden[0, 0] - moved, golden[0, 1] + moved
    assert answers[0].argmax() == 1
    assert refused(close, plan, answers) == (lead > 4 or moved > allowed)


def test_a_tie_that_falls_the_other_way_does_not_stop_a_device(tmp_path):
    """A network that is one step off, on a golden row that leads by one step, loads though the winner is another."""
    read = bundle.read(write_bundle(tmp_path))
    inputs, outputs = read.golden_inputs.copy(), read.golden_outputs.copy()
    inputs[0] = 100, 100, 0  # as red as green: the network says 128, 128, 1
    outputs[0] = 128, 129, 1
    classifier = TfliteClassifier(replace(read, golden_inputs=inputs, golden_outputs=outputs))
    assert classifier.classify(inputs[:1]).argmax() != outputs[0].argmax()
    outputs[0] = 126, 131, 1
    with pytest.raises(BundleError, match=r"up to 3 steps of 255 away .* the limit is 2, and names another class"):
        TfliteClassifier(replace(read, golden_inputs=inputs, golden_outputs=outputs))


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
