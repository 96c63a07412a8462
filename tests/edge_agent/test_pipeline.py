"""A frame's journey with a scripted classifier: what is read, what is held, and what is not read twice."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from edge_agent.alerts.policy import Patience
from edge_agent.counting import Rules
from edge_agent.inference import ScriptedClassifier
from edge_agent.pictures.picture import Judging
from edge_agent.pipeline import CameraPlan
from edge_agent.shelf import Frame
from edge_agent.watch import Watch
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
    watch, counts, outcomes = Watch(CameraPlan("cam1", (shelf,), Rules(), Patience(1.0, 1.0, 1.0))), [], []
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
    watch = Watch(CameraPlan("cam1", (shelf,), Rules(), Patience(1.0, 1.0, 1.0)))
    for frame in frames((2, "cola cola cola milk")):
        outcome = watch.take(frame, classifier)
    before = outcome.counts[0]
    for n in range(10):
        image = paint("cola cola cola milk", wh=(640, 360))
        outcome = watch.take(Frame("cam1", n, datetime.now(UTC), 2 + n / 10, image), classifier)
    assert outcome.counts[0] is before


def test_no_picture_is_no_zero(shelf, classifier):
    """A camera that goes away leaves its counts standing, and then unknown."""
    watch = Watch(CameraPlan("cam1", (shelf,), Rules(unknown_after_s=5), Patience(1.0, 1.0, 1.0)))
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
    watch, outcome = Watch(CameraPlan("cam1", (shelf,), Rules(unknown_after_s=5), Patience(1.0, 1.0, 1.0))), None
    for frame in frames(*spans):
        outcome = watch.take(frame, classifier)
    assert outcome.counts[0].counts == {"cola": None, "milk": 1}
    assert outcome.counts[0].items[0].at_least == 1
    assert outcome.counts[0].unknown_slots == 1


def test_a_camera_that_is_dead_from_the_start_leaves_its_shelves_unknown(shelf):
    """Without a first frame there is a state all the same, after the time allowed, and it says unknown."""
    watch = Watch(CameraPlan("cam1", (shelf,), Rules(unknown_after_s=5), Patience(1.0, 1.0, 1.0)))
    assert watch.miss(at=datetime.now(UTC), clock_s=100.0).counts == ()
    lost = watch.miss(at=datetime.now(UTC), clock_s=106.0)
    assert lost.counts[0].counts == {"cola": None, "milk": None}
    assert lost.changed == {"a1"}


def judged(shelf, classifier, at, seconds, *, judging, viewpoint=None, fps=5):
    """A watch that judges its pictures, and what each picture of `at` (a function of seconds) led to."""
    plan = CameraPlan("cam1", (shelf,), Rules(unknown_after_s=10), Patience(1.0, 1.0, 1.0), judging)
    watch, outcomes = Watch(plan, viewpoint), []
    for n in range(round(seconds * fps)):
        outcomes.append(watch.take(Frame("cam1", n, datetime.now(UTC), n / fps, at(n / fps)), classifier))
    return watch, outcomes


@pytest.mark.parametrize("reason", ["dark", "blocked", "frozen"])
def test_a_bad_picture_is_never_counted(shelf, classifier, reason):
    """Counts stand while a camera is bad, and are unknown after the time allowed, with the reason; never 0."""
    rng = np.random.default_rng(0)
    bad = {"dark": "0", "blocked": "90", "frozen": "cola cola cola milk"}[reason]

    def at(t_s):
        if reason == "frozen" and t_s >= 4:
            return paint(bad)
        image = np.full((180, 320, 3), int(bad), np.uint8) if t_s >= 4 else paint("cola cola cola milk")
        return np.clip(image + rng.normal(0, 1.5, image.shape), 0, 255).astype(np.uint8)

    _, outcomes = judged(shelf, classifier, at, 25, judging=Judging(frozen_after_s=3))
    said = [outcome.counts[0].counts for outcome in outcomes if outcome.counts]
    assert [counts for n, counts in enumerate(said) if n == 0 or counts != said[n - 1]] == [
        {"cola": 3, "milk": 1},
        {"cola": None, "milk": None},
    ]
    assert outcomes[-1].counts[0].quality == outcomes[-1].declared == outcomes[-1].bad == reason
    assert not [alert for outcome in outcomes for alert in outcome.alerts if alert.kind != "view_lost"]


def test_a_recount_begins_anew_with_the_view(shelf, classifier):
    """When an operator says that the view is right as it is, it is learned again and the shelf counted again."""
    watch, _ = judged(shelf, classifier, lambda _: paint("cola cola cola milk"), 6, judging=Judging())
    assert watch.viewpoint is not None
    watch.recount()
    assert watch.viewpoint is None
    counts = []
    for n in range(10):
        frame = Frame("cam1", n, datetime.now(UTC), 6 + n / 5, paint("cola cola cola milk"))
        counts += watch.take(frame, classifier).counts
    assert counts[-1].counts == {"cola": 3, "milk": 1}


CLOCKS = {
    "a year back": lambda n: (
        datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=n / 10) - timedelta(days=365 * (n > 15))
    ),
    "a year on": lambda n: (
        datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=n / 10) + timedelta(days=365 * (n > 15))
    ),
    "an hour back": lambda n: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=n / 10) - timedelta(hours=n > 15),
    "a boot in 1970": lambda n: datetime(1970 if n < 15 else 2026, 1, 1, tzinfo=UTC) + timedelta(seconds=n / 10),
}


@pytest.mark.parametrize("clock", CLOCKS)
def test_a_clock_that_jumps_changes_nothing(shelf, classifier, clock):
    """However the wall clock is set in between, looks, counts, alerts and hold times come out the same."""

    def journey(captured_at):
        watch = Watch(CameraPlan("cam1", (shelf,), Rules(unknown_after_s=3), Patience(1.0, 1.0, 1.0), Judging()))
        found = []
        spans = [(2, "cola cola cola milk"), (3, "cola empty empty milk"), (5, "cola occluded empty milk")]
        for n, frame in enumerate(frames(*spans)):
            outcome = watch.take(replace(frame, captured_at=captured_at(n)), classifier)
            found.append((outcome.observations, outcome.counts, outcome.alerts, outcome.bad, outcome.read))
        missed = watch.miss(at=captured_at(100), clock_s=14.0)
        return [*found, (missed.observations, missed.counts, missed.alerts)]

    steady = journey(lambda n: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=n / 10))
    assert any(alerts for _, _, alerts, *_ in steady)
    assert journey(CLOCKS[clock]) == steady


def test_a_camera_without_slots_is_judged_and_nothing_is_counted(classifier):
    """Before its shelves are drawn: no crop is read, and a dark picture is said to be dark."""
    watch = Watch(CameraPlan("cam1", (), Rules(), Patience(1.0, 1.0, 1.0), Judging()))
    outcomes = [watch.take(frame, classifier) for frame in frames((1, "cola cola cola milk"))]
    assert all((outcome.counts, outcome.observations, outcome.read) == ((), (), 0) for outcome in outcomes)
    for at, frame in enumerate(frames((4, "cola cola cola milk"))):
        outcome = watch.take(replace(frame, clock_s=2 + at / 10, image=np.zeros_like(frame.image)), classifier)
    assert (outcome.bad, outcome.declared) == ("dark", "dark")
    assert watch.miss(at=frame.captured_at, clock_s=99.0).counts == ()
