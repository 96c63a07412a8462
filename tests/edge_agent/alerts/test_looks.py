"""Pictures before and after: of the slot that changed, small, and taken only when something does."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest

from edge_agent.alerts.alerting import Alerting
from edge_agent.alerts.looks import BYTES_MAX, RENEW_S, SIDE_PX, Looks
from edge_agent.alerts.policy import Patience, Policy
from edge_agent.alerts.writer import Keeper
from edge_agent.counting import Rules
from edge_agent.inference import ScriptedClassifier
from edge_agent.pipeline import CameraPlan
from edge_agent.shelf import Frame
from edge_agent.watch import Watch
from tests.edge_agent.conftest import COLOURS, by_colour, paint

AT = datetime(2026, 11, 23, 7, 15, tzinfo=UTC)


@pytest.fixture
def seen(shelf):
    """A function that shows a camera spans of (seconds, labels): what was told, and the alerting."""

    def show(*spans, mode="mqtt"):
        alerting = Alerting(Policy(group_s=0))
        alerting.use(alerting.policy, [shelf], mode=mode, at=AT)
        watch = Watch(CameraPlan("cam1", (shelf,), Rules(unknown_after_s=3), Patience(1, 1, 1)))
        classifier, clock_s, told = ScriptedClassifier(tuple(COLOURS), 32, by_colour), 0.0, []
        for seconds, labels in spans:
            for _ in range(round(seconds * 5)):
                frame = Frame("cam1", 0, AT + timedelta(seconds=clock_s), clock_s, paint(labels, wh=(1280, 720)))
                told += alerting.take((shelf,), watch.take(frame, classifier), at=AT)
                clock_s += 0.2
        return told, alerting

    return show


def colour(jpeg):
    """The mean colour of a JPEG, BGR."""
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert max(picture.shape[:2]) <= SIDE_PX
    return picture.reshape(-1, 3).mean(axis=0)


def test_an_alert_shows_its_slot_before_and_after(seen):
    """The product as it stood there last, and the gap; each with what was read and when."""
    told, alerting = seen((4, "cola cola cola milk"), (4, "cola cola cola empty"))
    [entry] = alerting.book.open
    assert entry.members[0].alert.sku == "milk"
    evidence = alerting._recent[entry.id]
    assert np.allclose(colour(evidence.before.jpeg), COLOURS["milk"], atol=12)
    assert np.allclose(colour(evidence.after.jpeg), COLOURS["empty"], atol=12)
    assert (evidence.before.slot, evidence.before.label, evidence.after.label) == ("s3", "milk", "empty")
    assert evidence.before.at < evidence.after.at
    sent = alerting.evidence(told[0])
    assert set(sent) == {"before", "after"}
    assert all(len(text) <= 8192 for text in sent.values())


def test_a_lost_view_shows_what_is_in_front(seen):
    """Before: the product that was read; after: what hides it, of which nothing is read."""
    _, alerting = seen((4, "cola cola cola milk"), (8, "cola cola cola occluded"))
    [entry] = alerting.book.open
    evidence = alerting._recent[entry.id]
    assert (evidence.before.label, evidence.after.label) == ("milk", None)
    assert np.allclose(colour(evidence.after.jpeg), COLOURS["occluded"], atol=12)


@pytest.mark.parametrize(("mode", "sent", "kept"), [("off", False, False), ("device", False, True)])
def test_pictures_go_no_further_than_they_may(seen, mode, sent, kept):
    """On the device they are kept, but not sent; switched off, none is taken."""
    told, alerting = seen((4, "cola cola cola milk"), (4, "cola cola cola empty"), mode=mode)
    assert bool(alerting.evidence(told[0])) is sent
    assert bool(alerting.shown) is kept
    assert bool(alerting._looks) is kept


def test_what_is_told_after_a_restart_has_its_pictures(seen, tmp_path):
    """What was found at night is told in the morning with what was seen then, though the agent started in between."""
    told, night = seen((4, "cola cola cola milk"), (4, "cola cola cola empty"))
    [entry] = night.book.open
    untold = replace(entry, told_at=None, members=tuple(replace(member, told=False) for member in entry.members))
    keeper = Keeper(tmp_path / "alerts", max_mb=1)
    keeper.show(entry.id, night._recent[entry.id])
    keeper.write(replace(night.book, open=(untold,)), night.shown)
    keeper.start()
    keeper.close()
    morning = Alerting(Policy(), mode="mqtt", keeper=Keeper(tmp_path / "alerts", max_mb=1))
    assert morning.evidence(told[0]) == night.evidence(told[0])
    assert set(morning.evidence(told[0])) == {"before", "after"}


def test_no_picture_is_of_a_place_where_the_slot_no_longer_is(seen, shelf):
    """A shelf that was drawn anew begins without pictures; one that stayed as it was keeps them."""
    _, alerting = seen((4, "cola cola cola milk"))
    alerting.use(alerting.policy, [shelf], mode="mqtt", at=AT)
    assert alerting._looks["cam1"].now
    slots = (replace(shelf.slots[0], quad=shelf.slots[1].quad), *shelf.slots[1:])
    alerting.use(alerting.policy, [replace(shelf, slots=slots)], mode="mqtt", at=AT)
    assert not alerting._looks


def test_crops_are_copied_only_when_something_changes(shelf):
    """A shelf at which nothing happens costs one crop every few seconds, and no more."""
    watch = Watch(CameraPlan("cam1", (shelf,), Rules(), Patience()))
    classifier, looks, copies, known = ScriptedClassifier(tuple(COLOURS), 32, by_colour), Looks(), 0, {}
    for step in range(5 * 60):
        frame = Frame("cam1", 0, AT + timedelta(seconds=step / 5), step / 5, paint("cola cola cola milk"))
        looks.note((shelf,), watch.take(frame, classifier))
        copies += sum(looks.now[place] is not known.get(place) for place in looks.now)
        known = dict(looks.now)
    assert len(looks.now) == 4
    assert 4 < copies <= 4 + 4 * (60 / RENEW_S + 1)


def test_a_picture_of_the_finest_grain_still_fits(shelf):
    """Noise is what JPEG is worst at; it is made coarser until it is small enough."""
    chance = np.random.default_rng(7)
    watch = Watch(CameraPlan("cam1", (shelf,), Rules(unknown_after_s=3), Patience(1, 1, 1)))
    alerting = Alerting(Policy(group_s=0))
    alerting.use(alerting.policy, [shelf], mode="device", at=AT)
    classifier = ScriptedClassifier(tuple(COLOURS), 32, lambda crops: ["cola"] * len(crops))
    grain = chance.integers(0, 256, (720, 1280, 3), dtype=np.uint8)
    for step in range(40):
        frame = Frame("cam1", 0, AT, step / 5, grain)
        alerting.take((shelf,), watch.take(frame, classifier), at=AT)
    for evidence in alerting._recent.values():
        assert evidence.after is not None
        assert len(evidence.after.jpeg) <= BYTES_MAX
    assert alerting._recent
