"""The agent put together: what it takes back from the broker, how it closes, and what it says of itself."""

import json
import logging
import threading
import time
from functools import partial

import pytest

from edge_agent import agent as agents
from edge_agent import outlet as outlets
from edge_agent.agent import Agent
from edge_agent.alerts import writer as books
from edge_agent.config import load
from edge_agent.demo.scene import Scene
from edge_agent.demo.store import CAMERA, SimulatedCamera, write_config
from edge_agent.history import tables
from edge_agent.messages import ModelInfo
from edge_agent.mqtt.broker import broker_of
from edge_agent.outbox import outbox as outboxes
from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.spool import Spool
from edge_agent.outlet import Outlet
from edge_agent.review.store import Store
from edge_agent.shelf import SpoolError
from tests.conftest import free_port, wait_for

MODEL = ModelInfo("m", "0")
PANTRY = "shelfwatch/demo/shelf-1/shelf/pantry/state"


def settings_of(folder, port, *, shelves=3, device="shelf-1"):
    """The demo's settings with its first shelves only, or under another device name."""
    path = write_config(folder, port=port, protocol="5")
    head, *tables = path.read_text().replace('"shelf-1"', f'"{device}"').split("[[shelves]]")
    path.write_text("[[shelves]]".join([head, *tables[:shelves]]))
    return load(path)


def cleared_by(settings):
    """Which topics an outlet would clear; it is closed without ever having been connected."""
    outlet = Outlet(settings, MODEL)
    outlet.spool.close()
    return {topic for topic, text in outlet.mqtt._parts.outgoing._retained.items() if text == ""}


def test_a_removal_waits_until_the_broker_is_there(tmp_path, mosquitto, subscribe):
    """A shelf that is removed while the broker is away is cleared whenever that comes back, and then only once."""
    with Outlet(settings_of(tmp_path, mosquitto.port), MODEL) as outlet:
        outlet.mqtt.retain(PANTRY, {"shelf": "pantry"})
        wait_for(lambda: outlet.mqtt.has(PANTRY))
    with Outlet(settings_of(tmp_path, free_port(), shelves=2), MODEL):
        pass  # nobody is there to hear it
    fewer = settings_of(tmp_path, mosquitto.port, shelves=2)
    consumer = subscribe(mosquitto.port)
    wait_for(lambda: consumer.of("pantry/state") == [{"shelf": "pantry"}])
    with Outlet(fewer, MODEL) as outlet:
        wait_for(lambda: outlet.mqtt.cleared == {PANTRY})
    wait_for(lambda: consumer.of("pantry/state") == [{"shelf": "pantry"}, ""])
    assert cleared_by(fewer) == set()


def test_a_shelf_that_comes_back_is_not_cleared(tmp_path):
    """A removal that was taken back before the broker heard of it clears nothing."""
    port = free_port()
    assert cleared_by(settings_of(tmp_path, port)) == set()
    assert cleared_by(settings_of(tmp_path, port, shelves=2)) == {PANTRY}
    assert cleared_by(settings_of(tmp_path, port)) == set()


def test_what_was_removed_is_cleared_when_the_disk_can_be_read_again(tmp_path, monkeypatch):
    """An agent that starts on a disk that is away learns later what earlier configurations had, and forgets nothing."""
    port, clock = free_port(), [0.0]

    def away(*_args, **_options):
        raise SpoolError("disk I/O error")

    def cleared(outlet):
        return {topic for topic, text in outlet.mqtt._parts.outgoing._retained.items() if text == ""}

    assert cleared_by(settings_of(tmp_path, port)) == set()
    with monkeypatch.context() as patched:
        patched.setattr(outboxes, "Spool", away)
        patched.setattr(outlets, "Outbox", partial(Outbox, clock=lambda: clock[0]))
        outlet = Outlet(settings_of(tmp_path, port, shelves=2), MODEL)
    outlet.change(settings_of(tmp_path, port, shelves=1), MODEL)
    outlet.tend()
    assert cleared(outlet) == set()
    outlet.spool._open_spool = lambda: Spool(outlet.spool._path)
    clock[0], outlet._tend_at_s = 100.0, 0.0
    outlet.tend()
    assert len(cleared(outlet)) == 2
    assert PANTRY in cleared(outlet)
    assert set(outlet.spool.recall("retained").split("\n")) >= cleared(outlet)
    outlet.spool.close()


def test_home_assistant_is_told_once_while_the_disk_cannot_be_read(tmp_path, monkeypatch):
    """The announcement is sent when it is another one, not whenever the outbox is tried again."""
    settings, told = settings_of(tmp_path, free_port()), []

    def gone(*_args):
        raise SpoolError("disk I/O error")

    monkeypatch.setattr(Outbox, "recall", gone)
    outlet = Outlet(settings, MODEL)
    monkeypatch.setattr(outlet.mqtt, "offer", lambda topic, _text: told.append(topic))
    for _ in range(3):
        outlet._tend_at_s = 0.0
        outlet.tend()
    assert told == []
    outlet.change(settings_of(tmp_path, free_port(), shelves=2), MODEL)
    assert told == [outlet.claims.announcing.card.topic]
    outlet.spool.close()


@pytest.mark.parametrize("damaged", ['{"a": ', "[1]", "7"])
def test_what_home_assistant_was_told_may_be_unreadable(tmp_path, damaged):
    """A reload, in which nothing can fail, goes on without it."""
    settings = settings_of(tmp_path, free_port())
    outlet = Outlet(settings, MODEL)
    outlet.spool.remember("home_assistant", damaged)
    outlet.change(settings, MODEL)
    assert json.loads(outlet.spool.recall("home_assistant")) == dict(outlet.claims.announcing.card.platforms)
    outlet.spool.close()


def test_only_topics_of_our_own_name_are_cleared(tmp_path):
    """A replay under another device name clears nothing of the service, which still clears its own afterwards."""
    port = free_port()
    cleared_by(settings_of(tmp_path, port))
    assert cleared_by(settings_of(tmp_path, port, device="trial")) == set()
    assert cleared_by(settings_of(tmp_path, port, shelves=2)) == {PANTRY}


def test_a_heartbeat_beyond_what_mqtt_can_say_is_bounded(tmp_path):
    """An expiry always fits into its four bytes."""
    settings = settings_of(tmp_path, free_port())
    for heartbeat_s, expiry_s in ((60.0, 180), (0.1, 1), (1e30, 2**31 - 1), (float("inf"), 2**31 - 1)):
        assert broker_of(settings.model_copy(update={"heartbeat_s": heartbeat_s})).state_expiry_s == expiry_s


class Reluctant(SimulatedCamera):
    """A camera that closes only together with another."""

    both = threading.Barrier(2)

    def close(self):
        """Wait for the other."""
        self.both.wait(10)


class Stuck(SimulatedCamera):
    """A camera that does not close in time."""

    end = threading.Event()

    def close(self):
        """Wait for the test to end."""
        self.end.wait(30)


class Faulty(SimulatedCamera):
    """A camera that fails to close."""

    def close(self):
        """Fail."""
        raise OSError("it does not let go")


def test_cameras_close_together_and_a_failing_one_keeps_nobody(tmp_path, mosquitto, subscribe, caplog):
    """Cameras are asked at once; whatever one does, the agent says `offline`, and the log names the camera."""
    consumer = subscribe(mosquitto.port)
    settings = settings_of(tmp_path, mosquitto.port)
    kinds = {"a": Reluctant, "b": Reluctant, "c": Faulty, "d": Stuck}
    cameras = [settings.cameras[0].model_copy(update={"id": each}) for each in kinds]
    settings = settings.model_copy(update={"cameras": cameras})
    with caplog.at_level(logging.WARNING, "edge_agent.running"):
        try:
            with Agent(settings, sources={each: kind(Scene(7)) for each, kind in kinds.items()}):
                wait_for(lambda: "online" in consumer.of("shelf-1/status"))
        finally:
            Stuck.end.set()
    wait_for(lambda: consumer.of("shelf-1/status")[-1] == "offline")
    assert sorted(record.getMessage() for record in caplog.records) == [
        "camera c could not be closed (it does not let go)",
        "camera d could not be closed (it hangs)",
    ]


def test_a_fault_of_the_publishing_ends_the_agent(tmp_path, mosquitto):
    """The loop ends and raises what ended the publishing, as it was."""
    settings = settings_of(tmp_path, mosquitto.port)
    with Agent(settings, sources={CAMERA: SimulatedCamera(Scene(7))}) as agent:
        agent.outlet.mqtt.retain("shelfwatch/#", "no topic to publish to")
        with pytest.raises(ValueError, match="wildcards"):
            agent.run()


def test_a_disk_that_stalls_keeps_no_stop_waiting(tmp_path, mosquitto, subscribe, monkeypatch):
    """Book, history and crops hang in their writes together: the agent says `offline`, and goes after one deadline."""
    goes_on, stuck = threading.Event(), set()

    def stalls(name):
        def write(*_args, **_options):
            stuck.add(name)
            goes_on.wait(30)

        return write

    consumer = subscribe(mosquitto.port)
    monkeypatch.setattr(books, "write_whole", stalls("book"))
    monkeypatch.setattr(tables, "write", stalls("history"))
    monkeypatch.setattr(Store, "scan", stalls("review"))
    for module in (agents, outlets):
        monkeypatch.setattr(module, "GONE_S", 0.3)
    try:
        with Agent(settings_of(tmp_path, mosquitto.port), sources={CAMERA: SimulatedCamera(Scene(7))}) as agent:
            agent.outlet._keeper.write(agent.outlet.alerting.book, {})
            wait_for(lambda: stuck == {"book", "history", "review"})
            wait_for(lambda: "online" in consumer.of("shelf-1/status"))
            began_s = time.monotonic()
        assert time.monotonic() - began_s < 1.9
        wait_for(lambda: consumer.of("shelf-1/status")[-1] == "offline")
    finally:
        goes_on.set()
