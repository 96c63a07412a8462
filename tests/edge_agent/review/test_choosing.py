"""Which crops are kept: doubt that lasts, not twice the same, and never much work for the loop."""

from datetime import UTC, datetime

import numpy as np
import pytest

from edge_agent.alerts.policy import Patience
from edge_agent.counting import Rules
from edge_agent.inference import ScriptedClassifier
from edge_agent.pipeline import CameraPlan
from edge_agent.regions import rectified
from edge_agent.review.choosing import Chooser
from edge_agent.shelf import Frame
from edge_agent.watch import Watch
from tests.edge_agent.conftest import COLOURS, by_colour, paint

LABELS = tuple(COLOURS)


class Doubting(ScriptedClassifier):
    """A classifier that knows all slots but those of a colour, of which it is not sure."""

    def classify(self, crops):
        """As its parent, but for the doubt."""
        scores = ScriptedClassifier.classify(self, crops)
        doubtful = np.asarray([name == "milk" for name in self.script(crops)])
        scores[doubtful] = [0.42, 0.5, 0.05, 0.03]
        return scores


@pytest.fixture
def chosen(shelf):
    """A function that takes spans of (seconds, labels) through the pipeline; returns what is chosen, with its time."""

    def choose(*spans):
        watch = Watch(CameraPlan("cam1", (shelf,), Rules(), Patience()))
        chooser, classifier = Chooser(), Doubting(LABELS, 32, by_colour)
        clock_s, found = 0.0, []
        for seconds, labels in spans:
            for _ in range(round(seconds / 0.4)):
                frame = Frame("cam1", 0, datetime.now(UTC), clock_s, paint(labels))
                one = chooser.choose(watch, watch.take(frame, classifier), LABELS, "9f2c")
                if one is not None:
                    found.append((clock_s, one))
                clock_s += 0.4
        return found

    return choose


def test_a_doubt_that_lasts_is_kept_once(chosen):
    """A slot of which the model is not sure gives one crop, with its guesses and what is planned there."""
    [(clock_s, one)] = chosen((20, "cola cola cola milk"))
    assert clock_s <= 3
    assert (one.about.slot, one.about.planned, one.about.why) == ("s3", "milk", "tie")
    assert [guess.label for guess in one.about.guesses] == ["milk", "cola", "empty"]
    assert one.about.guesses[0].score == pytest.approx(0.5)
    crop = rectified(one.pixels, one.quad)
    assert np.abs(crop.mean(axis=(0, 1)) - COLOURS["milk"]).max() < 3


def test_a_doubt_that_passes_is_not(chosen):
    """Less than a second of doubt is an arm, or a flicker."""
    assert chosen((3, "cola cola cola cola"), (0.8, "cola cola cola milk"), (5, "cola cola cola cola")) == []


def test_a_slot_is_taken_again_after_a_pause_and_only_where_it_looks_different(chosen):
    """The same doubt for minutes is one crop; another slot has its own, and says if its count is unknown for it."""
    found = chosen((80, "cola cola cola milk"), (80, "cola milk cola milk"))
    assert [one.about.slot for _, one in found] == ["s3", "s1"]
    found = chosen((40, "cola cola cola cola"), (3, "occluded occluded occluded occluded"), (20, "cola cola cola milk"))
    assert [(one.about.slot, one.about.why) for _, one in found] == [("s3", "tie")]
