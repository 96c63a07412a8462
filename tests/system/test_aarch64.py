"""64-bit ARM, emulated: the agent's own classifier with LiteRT's wheel for it, against this machine."""

import pytest

from benchmarks import aarch64
from edge_agent.bundle import read
from tests.conftest import REPO

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        not aarch64.is_there(),
        reason=f"hardware: no aarch64 device, and none emulated at {aarch64.FOLDER}: benchmarks/aarch64.sh makes one",
    ),
]


@pytest.mark.parametrize("processor", aarch64.PROCESSORS)
def test_the_demo_network_answers_on_arm_as_it_does_here(processor):
    """Every crop has the same winner, and no output byte is more than one step away."""
    bundle = REPO / "edge_agent" / "demo" / "bundle"
    crops = aarch64.varied(read(bundle).golden_inputs, 100)
    found = aarch64.distance(bundle, crops, processor=processor)
    assert found.count == found.same_top1 == 100
    assert found.most_steps <= 1
    assert found.ties < 10, "hardly any of these crops may be a tie, or the winner says nothing"
