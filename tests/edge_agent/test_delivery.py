"""Delivery: one event per change, states on change and as a heartbeat, and never an unconfirmed one."""

import json
from datetime import UTC, datetime

import pytest

from edge_agent.alerts.alerting import Alerting
from edge_agent.alerts.policy import Patience, Policy
from edge_agent.alerts.writer import BOOK, Keeper
from edge_agent.counting import Rules
from edge_agent.delivery import Delivery, Ways
from edge_agent.inference import ScriptedClassifier
from edge_agent.messages import ModelInfo, Topics
from edge_agent.mqtt.publish import RecordingPublisher
from edge_agent.outbox.outbox import Outbox
from edge_agent.outcome import Outcome
from edge_agent.pipeline import CameraPlan
from edge_agent.shelf import Alert, CameraError, Frame
from edge_agent.watch import Watch
from tests.conftest import wait_for
from tests.edge_agent.conftest import COLOURS, by_colour, paint

TOPICS = Topics("store-1", "dev-1")


@pytest.fixture
def delivered(shelf, tmp_path):
    """A function that takes spans of (seconds, labels) through pipeline and delivery: events, states, the publisher."""

    def deliver(*spans, heartbeat_s=60.0, unknown_after_s=5.0):
        publisher, spool = RecordingPublisher(), Outbox(tmp_path / "o.db")
        model, alerting = ModelInfo("m", "0" * 64), Alerting(Policy(group_s=0))
        delivery = Delivery(TOPICS, Ways(spool, publisher), model, alerting, heartbeat_s=heartbeat_s)
        classifier = ScriptedClassifier(tuple(COLOURS), 32, by_colour)
        watch, clock_s = (
            Watch(CameraPlan("cam1", (shelf,), Rules(unknown_after_s=unknown_after_s), Patience(1.0, 1.0, 1.0))),
            0.0,
        )
        for seconds, labels in spans:
            for _ in range(round(seconds * 5)):
                frame = Frame("cam1", 0, datetime.now(UTC), clock_s, paint(labels))
                delivery.deliver((shelf,), watch.take(frame, classifier))
                clock_s += 0.2
        events = [row.body for row in spool.peek(1000)]
        spool.close()
        return events, [payload for topic, payload in publisher.retained if topic.endswith("/state")], delivery

    return deliver


def test_a_change_is_an_event_with_what_was_and_what_is(delivered):
    """The event of a change carries both counts and the slots that changed; the state is as of that event."""
    events, states, delivery = delivered((2, "cola cola cola milk"), (2, "cola empty cola milk"))
    counts = [event for event in events if event["type"] == "counts"]
    assert [event["counts"] for event in counts] == [{"cola": 3, "milk": 1}, {"cola": 2, "milk": 1}]
    assert counts[1]["previous"] == {"cola": 3, "milk": 1}
    assert counts[1]["changes"] == [{"slot": "s1", "from": "cola", "to": "empty"}]
    assert [state["as_of_seq"] for state in states] == [1, 2]
    assert delivery.changes == 2


def test_a_state_that_says_the_same_is_a_heartbeat(delivered):
    """Without change a state is sent at the heartbeat only, and no event at all."""
    events, states, _ = delivered((23, "cola cola cola milk"), heartbeat_s=10)
    assert len(events) == 1
    assert len(states) == 3
    assert states[-1]["stable_for_s"] == pytest.approx(20, abs=1)


def test_no_heartbeat_claims_what_its_frame_does_not_show(delivered):
    """While a slot is hidden the heartbeat waits; when the slot is unknown the state says so, with null."""
    hidden = "cola cola cola occluded"
    _, states, _ = delivered((3, "cola cola cola milk"), (9, hidden), heartbeat_s=1)
    quality = [state["quality"] for state in states]
    assert quality == sorted(quality, key=["good", "occluded"].index)
    first = quality.index("occluded")
    assert states[first]["counts"] == {"cola": 3, "milk": None}
    gap_s = (
        datetime.fromisoformat(states[first]["frame_ts"]) - datetime.fromisoformat(states[first - 1]["frame_ts"])
    ).total_seconds()
    assert gap_s >= 0
    assert len(states[:first]) <= 4


def test_a_shelf_that_cannot_be_read_has_no_counts(delivered):
    """When every slot is unknown, `counts` is null and the status unknown; no stock alert is raised."""
    covered = "occluded occluded occluded occluded"
    events, states, _ = delivered((2, "cola cola cola milk"), (9, covered))
    assert states[-1]["counts"] is None
    assert states[-1]["status"] == "unknown"
    assert states[-1]["unknown_slots"] == 4
    assert {event["type"] for event in events} == {"counts", "view_lost"}


def test_a_camera_that_goes_is_told_with_its_reason(tmp_path):
    """The camera's retained state says offline or degraded and why, then online without a reason."""
    publisher = RecordingPublisher()
    delivery = Delivery(TOPICS, Ways(Outbox(tmp_path / "o.db"), publisher), ModelInfo("m", "0"), Alerting())
    delivery.camera("cam1", CameraError("gone", reason="timeout"))
    delivery.camera("cam1", CameraError("knocked", reason="moved"))
    delivery.camera("cam1", None)
    said = [(payload["status"], payload["reason"]) for _, payload in publisher.retained]
    assert said == [("offline", "timeout"), ("degraded", "moved"), ("online", None)]


class Unhurried(Outbox):
    """An outbox before which the keeper of the book has all the time it wants: what it has written by then is noted."""

    def __init__(self, path, keeper):
        """At a path, beside a book."""
        super().__init__(path)
        self.keeper, self.told_before = keeper, []

    def put(self, events):
        """Store events, once the book is on the disk as far as it was handed over."""
        wait_for(lambda: self.keeper._book is None)
        path = self.keeper._folder / BOOK
        record = json.loads(path.read_bytes()) if path.exists() else {"alerts": []}
        alerts = [alert for alert in record["alerts"] if alert["told_at"] is not None]
        self.told_before += [(alert["closed_at"] is not None, alert["acknowledged_at"] is not None) for alert in alerts]
        return super().put(events)


@pytest.fixture
def kept(tmp_path):
    """A function that delivers edges at a time on a clock of its own; with the delivery, and what is stored when."""
    keeper = Keeper(tmp_path / "alerts", max_mb=1)
    outbox = Unhurried(tmp_path / "o.db", keeper)
    alerting = Alerting(Policy(group_s=1), keeper=keeper)
    delivery = Delivery(TOPICS, Ways(outbox, RecordingPublisher()), ModelInfo("m", "0"), alerting)
    keeper.start()

    def deliver(clock_s, *alerts):
        frame = Frame("cam1", 1, datetime.now(UTC), clock_s, paint("cola cola cola milk"))
        delivery.deliver((), Outcome(frame, (), (), frozenset(), frozenset(), alerts))

    yield deliver, delivery, outbox
    keeper.close()
    outbox.close()


def gone(sku):
    """A product is out."""
    return Alert("out_of_stock", "a1", "cam1", f"{sku} is out", sku, None, 0, f"sku:{sku}")


def test_the_book_says_told_only_when_the_event_is_stored(kept):
    """Should the power fail between both, an alert is told twice, but never not at all."""
    deliver, delivery, outbox = kept
    deliver(0.0, gone("milk"))
    deliver(5.0)
    [entry] = delivery.alerting.book.open
    delivery.acknowledge(entry.id, by="Ana", note=None)
    assert [row.body["type"] for row in outbox.peek(9)] == ["out_of_stock", "acknowledged"]
    assert outbox.told_before == [(False, False)]  # as it was before the acknowledgement


def test_what_another_configuration_closes_is_kept_as_closed_only_when_that_is_told(kept):
    """An agent that ends right after a reload closes it again at the next start, and tells it."""
    deliver, delivery, outbox = kept
    deliver(0.0, gone("milk"))
    deliver(5.0)
    deliver(6.0, Alert("view_lost", "a1", "cam1", "gone", thing="view:"))
    deliver(11.0)
    outbox.told_before.clear()
    delivery.alerting.use(Policy(group_s=1), (), mode="off", at=datetime.now(UTC))
    assert delivery.alerting.book.open == ()
    deliver(12.0)
    assert [row.body["type"] for row in outbox.peek(9)] == ["out_of_stock", "view_lost", "closed", "closed"]
    assert outbox.told_before == [(False, False)] * 2
    wait_for(lambda: outbox.keeper._book is None)
    record = json.loads((outbox.keeper._folder / BOOK).read_bytes())
    assert [alert["state"] for alert in record["alerts"]] == ["closed", "closed"]
