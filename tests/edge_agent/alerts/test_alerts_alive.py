"""Alerts of a real agent over a real broker: over restarts and reloads, and acknowledged by a command."""

import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_agent.agent import Agent
from edge_agent.config import load
from edge_agent.control.commands import Result, acknowledgement_of
from edge_agent.demo.scene import Scene
from edge_agent.demo.store import CAMERA, SimulatedCamera, write_config
from tests.conftest import wait_for

ROOT = "shelfwatch/demo/shelf-1"
SCENE = Scene(7)


class Still:
    """A scene in which nothing happens, but for the noise of a camera."""

    pictures = tuple(SCENE.frame(n / 15) for n in range(4))

    def frame(self, at_s):
        """The first pictures, over and over."""
        return self.pictures[int(at_s * 15) % len(self.pictures)]


def swapped(text):
    """A configuration in which two different products of the first shelf have changed places: both are misplaced."""
    products = json.loads(re.search(r"products = (\[.*?\])", text)[1])
    changed, place = list(products), next(place for place, sku in enumerate(products) if sku != products[0])
    changed[0], changed[place] = products[place], products[0]
    return text.replace(json.dumps(products), json.dumps(changed), 1)


@dataclass
class Store:
    """A running agent and its consumer."""

    agent: Agent
    consumer: object
    path: Path
    right: str

    def ask(self, verb, **payload):
        """Send a command and wait for its answer."""
        before = len(self.consumer.of("/cmd/result"))
        self.consumer.client.publish(f"{ROOT}/cmd/{verb}", json.dumps(payload), qos=1)
        wait_for(lambda: len(self.consumer.of("/cmd/result")) > before)
        return self.consumer.of("/cmd/result")[-1]

    def events(self, *types):
        """What happened, of these types."""
        return [event for event in self.consumer.of("/event") if event["type"] in types]

    def listed(self):
        """The newest retained list."""
        return self.consumer.of("/alerts")[-1]

    def counts_on(self, seconds=1.0):
        """Wait until so much more has been seen."""
        frames = self.agent.health.frames
        wait_for(lambda: self.agent.health.frames > frames + 15 * seconds)


@pytest.fixture
def running(tmp_path, mosquitto, subscribe):
    """A function that runs an agent in the same folder as the one before it."""
    path = write_config(tmp_path, port=mosquitto.port, protocol="5")
    quick = "hold_s = 0.2\nmisplaced_hold_s = 0.2\nview_lost_hold_s = 0.2\ngroup_s = 0.2\n"
    text = re.sub(r"misplaced_hold_s = 5\n.*?\nhold_s = 3\n", quick, path.read_text(), flags=re.DOTALL)
    right = text.replace("fps = 5.0", "fps = 15") + "[counting]\nwindow_s = 0.2\n"
    path.write_text(swapped(right))

    @contextmanager
    def run():
        consumer = subscribe(mosquitto.port)
        with Agent(load(path), sources={CAMERA: SimulatedCamera(Still())}, path=path) as agent:
            thread = threading.Thread(target=agent.run)
            thread.start()
            try:
                wait_for(lambda: len({state["shelf"] for state in consumer.of("/state")}) == 3)
                yield Store(agent, consumer, path, right)
            finally:
                agent.stop.set()
                thread.join(60)
        assert not thread.is_alive()

    return run


def test_an_alert_lasts_over_restart_and_reload_until_it_is_put_right(running):
    """Told once as one of two slots, acknowledged over MQTT, not told again by the next run, over when it is right."""
    with running() as store:
        wait_for(lambda: len(store.events("misplaced")) == 2)
        first, second = store.events("misplaced")
        assert first["alert"] == second["alert"]
        assert (first["notify"], second["notify"]) == (True, False)
        wait_for(lambda: store.listed()["alerts"][0]["state"] == "open")
        answer = store.ask("acknowledge", alert=first["alert"], by="Ana", note="on my way")
        assert (answer["ok"], answer["alert"], answer["command"]) == (True, first["alert"], "acknowledge")
        wait_for(lambda: store.events("acknowledged"))
        assert (store.events("acknowledged")[0]["by"], store.events("acknowledged")[0]["kind"]) == ("Ana", "misplaced")
        wait_for(lambda: store.listed()["alerts"][0]["acknowledged_by"] == "Ana")
        assert not store.ask("acknowledge", alert="nothing", by="Ana")["ok"]
    with running() as store:
        wait_for(lambda: store.consumer.of("/alerts"))
        store.counts_on()
        assert store.events("misplaced") == []
        assert [alert["acknowledged_by"] for alert in store.listed()["alerts"]] == ["Ana"]
        store.path.write_text(store.path.read_text().replace("window_s = 0.2", "window_s = 0.3"))
        assert store.ask("reload")["ok"]
        store.counts_on()
        assert store.events("misplaced", "put_right", "closed") == []
        store.path.write_text(store.right)
        assert store.ask("reload")["ok"]
        wait_for(lambda: len(store.events("put_right")) == 2)
        assert {event["alert"] for event in store.events("put_right")} == {first["alert"]}
        wait_for(lambda: store.listed()["open"] == 0)
    assert store.events("misplaced") == []


def test_what_was_put_right_while_the_agent_was_off_is_over(running):
    """The next run closes it, and a shelf that has left the configuration takes its alerts along."""
    with running() as store:
        wait_for(lambda: len(store.events("misplaced")) == 2)
        [open_one] = store.listed()["alerts"]
    text = store.path.read_text()
    store.path.write_text(store.right)
    with running() as store:
        wait_for(lambda: len(store.events("put_right")) == 2)
        assert {event["alert"] for event in store.events("put_right")} == {open_one["id"]}
        wait_for(lambda: store.listed()["open"] == 0)
        store.path.write_text(text)
        assert store.ask("reload")["ok"]
        wait_for(lambda: len(store.events("misplaced")) == 2)
        store.path.write_text(text.replace('id = "drinks"', 'id = "beverages"'))
        assert store.ask("reload")["ok"]
        wait_for(lambda: len(store.events("closed")) == 2)
        assert store.events("closed")[0]["kind"] == "misplaced"


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({}, "names no alert"),
        ({"alert": 7, "by": "Ana"}, "names no alert"),
        ({"alert": "a-1"}, "by whom"),
        ({"alert": "a-1", "by": "x" * 61}, "by whom"),
        ({"alert": "a-1", "by": "A\nB"}, "by whom"),
        ({"alert": "a-1", "by": "Ana", "note": ["x"]}, "the note"),
        ({"alert": "a-1", "by": "Ana", "who": "Ben"}, 'a key "who"'),
    ],
)
def test_an_acknowledgement_that_means_nothing_is_refused(payload, said):
    """The answer says what is missing, and how it is written."""
    refused = acknowledgement_of(payload)
    assert isinstance(refused, Result)
    assert said in refused.message
    assert '"by"' in refused.message


def test_an_acknowledgement_says_who_and_what():
    """The note may be left out, and is without the spaces around it."""
    assert acknowledgement_of({"alert": "a-1", "by": " Ana ", "id": 7}) == ("a-1", "Ana", None)
    assert acknowledgement_of({"alert": "a-1", "by": "Ana", "note": " soon "}) == ("a-1", "Ana", "soon")
