"""What the ingest takes for an event, and what it puts aside."""

import importlib.util
import json
import sys

import pytest

from edge_agent.messages import Topics, event_payload
from tests.conftest import REPO

SPEC = importlib.util.spec_from_file_location("shelf_intake", REPO / "deploy/ingest/intake.py")
intake = sys.modules["shelf_intake"] = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(intake)
TOPIC = Topics("store-1", "dev-1").event("a")


def message(**changes):
    """What an agent publishes, but for the changes; None leaves a key out."""
    body = {"type": "counts", "ts": "2026-11-23T07:27:08.168Z", "shelf": "a"}
    found = event_payload(body, epoch="e1", seq=7, historical=False, oldest_seq=3) | changes
    return json.dumps({key: value for key, value in found.items() if value is not None}).encode()


def test_an_event_of_the_agent_is_read():
    """Its key, its time and where its outbox begins come from the agent's own envelope."""
    event = intake.read(TOPIC, message())
    assert (event.site, event.device, event.epoch, event.seq, event.oldest_seq) == ("store-1", "dev-1", "e1", 7, 3)
    assert event.ts.isoformat() == "2026-11-23T07:27:08.168000+00:00"
    assert json.loads(event.body)["shelf"] == "a"


@pytest.mark.parametrize("ts", [None, "yesterday", 7, "2026-11-23T07:27:08", {}])
def test_an_odd_time_does_not_cost_the_event(ts):
    """A device whose clock was never set counts all the same."""
    assert intake.read(TOPIC, message(ts=ts)).ts is None


def test_a_drop_names_what_will_not_come():
    """Of its own epoch, or of an earlier one."""
    report = {"type": "dropped", "from_seq": 2, "to_seq": 5, "shelf": None}
    assert intake.read(TOPIC, message(**report)).dropped == intake.Dropped("e1", 2, 5)
    assert intake.read(TOPIC, message(**report, of_epoch="e0")).dropped == intake.Dropped("e0", 2, 5)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"seq": 0}, "seq"),
        ({"seq": True}, "seq"),
        ({"seq": 2**63}, "seq"),
        ({"seq": "7"}, "seq"),
        ({"oldest_seq": 8}, "oldest_seq"),
        ({"epoch": None}, "epoch"),
        ({"epoch": "a b"}, "epoch"),
        ({"type": ""}, "type"),
        ({"type": None}, "type"),
        ({"schema": "shelfwatch.state/1"}, "schema"),
        ({"type": "dropped", "from_seq": 5, "to_seq": 4}, "ends before it begins"),
        ({"type": "dropped", "from_seq": 5, "to_seq": 7}, "come after it"),
    ],
)
def test_what_is_no_event_is_put_aside_with_the_reason(changes, why):
    """A wrong key could count twice, or acknowledge what is not there."""
    rejected = intake.read(TOPIC, message(**changes))
    assert isinstance(rejected, intake.Rejected)
    assert why in rejected.reason


def test_a_topic_of_somebody_else_is_put_aside():
    """Site and device are in the topic, and the topic is checked."""
    assert isinstance(intake.read("shelfwatch/S/d/shelf/a/event", message()), intake.Rejected)
    assert intake.device_of(TOPIC) == "store-1/dev-1"
    assert intake.device_of("shelfwatch/x") is None


def test_partitions_are_the_same_everywhere_and_take_everybody():
    """Every device belongs to exactly one, by a hash that no process changes."""
    assert intake.partition_of("store-1/dev-1", 4) == 3
    found = {intake.partition_of(f"s/d{nth}", 4) for nth in range(100)}
    assert found == {1, 2, 3, 4}
