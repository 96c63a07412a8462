"""A frame's journey with a scripted classifier: what is read, what is held, and what is not read twice."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from edge_agent.counting import Rules
from edge_agent.inference import ScriptedClassifier
from edge_agent.pipeline import CameraPlan, Watch
from edge_agent.shelf import Frame
from tests.edge_agent.conftest import COLOURS, by_colour, paint


@pytest.fixture
def classifier():
    """A classifier that knows products by their colour, and counts what it is asked."""

    class Counting(ScriptedClassifier):
        asked = 0

    found = Counting(tuple(COLOURS), 32, by_colour)

    def script(crops):
        Counting.asked += len(crops)
        return by_colour(crops)

    return replace(found, script=script)


def frames(*spans, fps=10, noise=0.0):
    """Painted frames of spans of (seconds, labels)."""
    rng, seq = np.random.default_rng(0), 0
    for seconds, labels in spans:
        for _ in range(round(seconds * fps)):
            image = paint(labels)
            if noise:
                image = np.clip(image + rng.normal(0, noise, image.shape), 0, 255).astype(np.uint8)
            yield Frame("cam1", seq, datetime.now(UTC), seq / fps, image)
            seq += 1


def said(shelf, classifier, stream):
    """The counts that a stream leads to, each once, and all outcomes."""
    watch, counts, outcomes = Watch(CameraPlan("cam1", (shelf,), Rules(), 1.0)), [], []
    for frame in stream:
        outcome = watch.take(frame, classifier)
        outcomes.append(outcome)
        if outcome.changed:
            counts.append(outcome.counts[0].counts)
    return counts, outcomes


def test_a_product_that_is_taken_is_one_change(shelf, classifier):
    """From a full shelf to one with a gap: two counts, in order, and nothing between."""
    counts, _ = said(shelf, classifier, frames((2, "cola cola cola milk"), (2, "cola empty cola milk")))
    assert counts == [{"cola": 3, "milk": 1}, {"cola": 2, "milk": 1}]


def test_an_arm_that_only_looks_changes_nothing(shelf, classifier):
    """A slot that is hidden and shown again as it was leads to no new count."""
    stream = frames((2, "cola cola cola milk"), (3, "cola occluded cola milk"), (2, "cola cola cola milk"))
    assert said(shelf, classifier, stream)[0] == [{"cola": 3, "milk": 1}]


def test_a_still_shelf_is_hardly_ever_read_again(shelf, classifier):
    """Noise alone does not wake the network: after the first frame crops are read every two seconds."""
    _, outcomes = said(shelf, classifier, frames((6, "cola cola cola milk"), noise=6))
    assert outcomes[0].read == 4
    assert sum(outcome.read for outcome in outcomes) <= 4 * 4


def test_what_was_just_changed_is_moving(shelf, classifier):
    """In the frame in which a slot changes it is unread, as moving; soon after it is clear."""
    _, outcomes = said(shelf, classifier, frames((2, "cola cola cola milk"), (1, "cola empty cola milk")))
    assert outcomes[20].observations[1].unread == "moving"
    assert outcomes[29].observations[1].unread is None


def test_a_new_frame_size_keeps_the_counts(shelf, classifier):
    """A camera that comes back with another resolution is counted on, and nothing is published anew."""
    watch = Watch(CameraPlan("cam1", (shelf,), Rules(), 1.0))
    for frame in frames((2, "cola cola cola milk")):
        outcome = watch.take(frame, classifier)
    before = outcome.counts[0]
    for n in range(10):
        image = paint("cola cola cola milk", wh=(640, 360))
        outcome = watch.take(Frame("cam1", n, datetime.now(UTC), 2 + n / 10, image), classifier)
    assert outcome.counts[0] is before


def test_no_picture_is_no_zero(shelf, classifier):
    """A camera that goes away leaves its counts standing, and then unknown."""
    watch = Watch(CameraPlan("cam1", (shelf,), Rules(unknown_after_s=5), 1.0))
    for frame in frames((2, "cola cola cola milk")):
        watch.take(frame, classifier)
    held = watch.miss(at=datetime.now(UTC), clock_s=4.0)
    assert held.counts[0].counts == {"cola": 3, "milk": 1}
    lost = watch.miss(at=datetime.now(UTC), clock_s=9.0)
    assert lost.counts[0].counts == {"cola": None, "milk": None}
    assert lost.counts[0].quality == "stale"


@pytest.mark.parametrize("before", [[], [(2, "cola cola cola milk")]])
def test_a_box_before_one_slot_does_not_silence_its_neighbours(shelf, classifier, before):
    """A slot that stays hidden, even from the start, is soon unknown; what changes beside it is counted then."""
    spans = [*before, (12, "cola occluded empty milk")]
    watch, outcome = Watch(CameraPlan("cam1", (shelf,), Rules(unknown_after_s=5), 1.0)), None
    for frame in frames(*spans):
        outcome = watch.take(frame, classifier)
    assert outcome.counts[0].counts == {"cola": None, "milk": 1}
    assert outcome.counts[0].items[0].at_least == 1
    assert outcome.counts[0].unknown_slots == 1


def test_a_camera_that_is_dead_from_the_start_leaves_its_shelves_unknown(shelf):
    """Without a first frame there is a state all the same, after the time allowed, and it says unknown."""
    watch = Watch(CameraPlan("cam1", (shelf,), Rules(unknown_after_s=5), 1.0))
    assert watch.miss(at=datetime.now(UTC), clock_s=100.0).counts == ()
    lost = watch.miss(at=datetime.now(UTC), clock_s=106.0)
    assert lost.counts[0].counts == {"cola": None, "milk": None}
    assert lost.changed == {"a1"}
