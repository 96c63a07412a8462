"""A real Home Assistant finds the device by itself, and shows what is known as known and what isn't as unknown."""

import itertools
import json
import platform
import subprocess
import threading
from contextlib import contextmanager

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.home_assistant.python import house
from edge_agent.agent import Agent
from edge_agent.config import load
from edge_agent.demo.scene import Scene
from edge_agent.demo.store import CAMERA, SHELVES, SimulatedCamera, write_config
from edge_agent.home_assistant import announcement, discovery_topic
from edge_agent.model import labels_of
from tests.conftest import wait_for

pytestmark = pytest.mark.system

ROOT = "shelfwatch/demo/shelf-1"


class Home:
    """A Home Assistant that is asked over its pipes."""

    def __init__(self, folder, port):
        found = house()
        self.process = subprocess.Popen(
            found.command(folder, port),
            env=found.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._line() == "up"

    def ask(self, **question):
        """The answer to a question of `benchmarks/home_assistant/house.py`."""
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return self._line()

    def state(self, name):
        """The state of the entity with this name; None where there is none."""
        states = self.ask(do="states").values()
        found = [state["state"] for state in states if state["attributes"]["friendly_name"].endswith(f") {name}")]
        assert len(found) < 2, found
        return found[0] if found else None

    def _line(self):
        return json.loads(self.process.stdout.readline())

    def close(self):
        """End it."""
        with self.process:
            self.process.kill()


@pytest.fixture
def home(tmp_path):
    """A function that starts a Home Assistant."""
    if platform.machine() != "x86_64":
        pytest.skip("hardware: the wheels of Home Assistant that are pinned are for x86_64")
    opened = []

    def make(port):
        folder = tmp_path / f"home{len(opened)}"
        folder.mkdir()
        opened.append(Home(folder, port))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


@contextmanager
def counting(path):
    """The agent of a configuration, counting."""
    with Agent(load(path, labels=labels_of(path)), sources={CAMERA: SimulatedCamera(Scene(7))}, path=path) as agent:
        thread = threading.Thread(target=agent.run)
        thread.start()
        try:
            yield agent
        finally:
            agent.stop.set()
            thread.join()


def test_home_assistant_shows_the_shelves_of_a_device_that_it_never_heard_of(mosquitto, home, tmp_path):
    """Judged by its own schemas, then shown: counts as numbers, what is away as unavailable."""
    path = write_config(tmp_path, port=mosquitto.port, protocol="5", heartbeat_s=2)
    settings = load(path, labels=labels_of(path))
    payload = announcement(settings, version="1", page="http://192.0.2.7:8089/", gone={"gone-1": "sensor"}).payload
    there = home(mosquitto.port)
    assert there.ask(do="judge", payload=payload) == []
    _wrong_payloads_are_refused(there, payload)
    _unknown_stays_unknown(there, payload)
    with counting(path) as agent:
        wait_for(lambda: there.state("drinks: cola-can") in {"0", "1", "2"}, 20, "a count")
        wait_for(lambda: there.state(f"Camera {CAMERA}") == "on", 30, "the camera")
        wait_for(lambda: there.state("drinks: cola-can low or out") in {"on", "off"}, 30, "whether it is low")
        wait_for(lambda: there.state("drinks: stock") in {"ok", "low", "out"}, 30, "the shelf")
        wait_for(lambda: there.state("Events waiting") == "0", 10, "the device's health")
        mosquitto.kill()
        mosquitto.start()
        wait_for(lambda: there.state("drinks: cola-can") in {"0", "1", "2"}, 30, "a count after the broker's restart")
        path.write_text(path.read_text().replace('"cola-can"', '"still-water"'))
        agent.reloading.asked.set()
        wait_for(lambda: there.state("drinks: cola-can") is None, 20, "a product removed by a reload")
        wait_for(lambda: there.state("drinks: still-water") is not None, 30, "the other product")
    wait_for(lambda: there.state("drinks: still-water") == "unavailable", 30, "unavailable after the agent's end")
    path.write_text(path.read_text() + "\n[home_assistant]\nenabled = false\n")
    with counting(path):
        wait_for(lambda: there.state("drinks: still-water") is None, 30, "removed where it is switched off")
    wait_for(lambda: there.ask(do="states") == {}, 30, "the last entity gone")


def _wrong_payloads_are_refused(there, payload):
    """The judge can say no: to a device without an id, a state class that does not exist, a key that is not known."""
    assert there.ask(do="judge", payload={**payload, "device": {"name": "x"}})
    for fault in ({"state_class": "guess"}, {"object_id": "x"}, {"expire_after": -1}, {"value_template": "{{ x"}):
        name, component = next(iter(payload["components"].items()))
        wrong = {**payload, "components": {name: {**component, **fault}}}
        assert there.ask(do="judge", payload=wrong), fault


def _unknown_stays_unknown(there, payload):
    """What cannot be read is None for every sensor: never 0, OFF, or the last value."""
    components = {component["name"]: component for component in payload["components"].values() if "name" in component}
    state = {
        "status": "unknown",
        "unknown_slots": 2,
        "counts": {"cola-can": None},
        "items": [{"sku": "cola-can", "count": None, "status": "unknown"}],
    }

    def shown(name, said):
        template = components[name]["value_template"]
        return there.ask(do="render", template=template, payload=json.dumps(said))

    names = ("drinks: cola-can", "drinks: cola-can low or out", "drinks: stock")
    for said in (state, {**state, "counts": None}, {**state, "counts": {}, "items": []}):
        assert [shown(name, said) for name in names] == ["None"] * 3, said
        assert shown("drinks: cannot be read", said) == "ON"
    empty = {"status": "out", "counts": {"cola-can": 0}, "items": [{"sku": "cola-can", "count": 0, "status": "out"}]}
    assert [shown(name, empty) for name in names] == ["0", "ON", "out"]
    full = {"status": "ok", "counts": {"cola-can": 2}, "items": [{"sku": "cola-can", "count": 2, "status": "ok"}]}
    assert [shown(name, full) for name in names] == ["2", "OFF", "ok"]
    for status, expected in {"online": ["ON", "OFF"], "degraded": ["ON", "ON"], "offline": ["OFF", "None"]}.items():
        camera = [shown(name, {"status": status}) for name in (f"Camera {CAMERA}", f"Camera {CAMERA}: picture")]
        assert camera == expected
    assert shown("Temperature", {"temperature_c": None}) == "None"


class Listener:
    """As Home Assistant behaves on the wire: it subscribes and says `online` at each connection."""

    def __init__(self, port):
        self.heard, self.born = {}, 0
        self.client = paho.Client(CallbackAPIVersion.VERSION2)
        self.client.on_connect, self.client.on_message = self._connected, self._take
        self.client.will_set("homeassistant/status", "offline", retain=False)
        self.client.reconnect_delay_set(1, 1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def _connected(self, client, *_):
        self.heard.clear()
        client.subscribe([("homeassistant/device/+/config", 0), ("shelfwatch/#", 0)])
        client.publish("homeassistant/status", "online")

    def _take(self, _client, _userdata, message):
        self.heard.setdefault(message.topic, []).append((message.payload.decode(), message.retain))

    def close(self):
        """Leave."""
        self.client.disconnect()
        self.client.loop_stop()
        self.client.on_connect = self.client.on_message = None


ORDERS = list(itertools.permutations(("broker", "agent", "home")))


def test_after_any_order_of_restarts_everything_is_there(make_mosquitto, tmp_path):
    """States and `online` are retained, and the device is announced after the birth message, in each of six orders."""
    broker = make_mosquitto()
    path = write_config(tmp_path, port=broker.port, protocol="auto", heartbeat_s=60)
    topic = discovery_topic(load(path, labels=labels_of(path)))
    wanted = {f"{ROOT}/status", f"{ROOT}/camera/{CAMERA}/status", *(f"{ROOT}/shelf/{s}/state" for s in SHELVES), topic}
    listeners, agents = [Listener(broker.port)], [counting(path)]
    agents[0].__enter__()

    def complete():
        heard = {name: said[-1][0] for name, said in dict(listeners[-1].heard).items()}
        announced = any(not retained for _, retained in listeners[-1].heard.get(topic, ()))
        there = wanted <= heard.keys() and heard[f"{ROOT}/status"] == "online" and heard[topic].startswith("{")
        return there and announced

    def restart(part):
        if part == "broker":
            broker.kill()
            broker.start()
        elif part == "agent":
            agents.pop().__exit__(None, None, None)
            agents.append(counting(path))
            agents[0].__enter__()
        else:
            listeners.pop().close()
            listeners.append(Listener(broker.port))

    try:
        wait_for(complete, 20, "the first time")
        for order in ORDERS:
            for part in order:
                restart(part)
            wait_for(complete, 30, f"everything after a restart of {', '.join(order)}")
    finally:
        listeners.pop().close()
        agents.pop().__exit__(None, None, None)
