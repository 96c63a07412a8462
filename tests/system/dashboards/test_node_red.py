"""The flow in a real Node-RED: what the real agent says becomes messages and a table, and an alert is acknowledged."""

import json
import shutil
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import requests

from benchmarks.parts import REPO, Mosquitto, Program, free_port, leave, listen
from tests.conftest import wait_for
from tests.system.dashboards.staged import Heard, StagedCamera, agent_at_work, hearing

pytestmark = pytest.mark.system

SETTINGS = """module.exports = {
  uiHost: "127.0.0.1", uiPort: %d, httpAdminRoot: false, credentialSecret: false, telemetry: { enabled: false },
  logging: { console: { level: "info" } },
};
"""


@dataclass
class Store:
    """A real agent, and Node-RED beside it."""

    url: str
    http: requests.Session
    heard: Heard
    camera: StagedCamera
    port: int
    closing: ExitStack

    def get(self, path):
        """What the flow answers."""
        return self.http.get(f"{self.url}{path}", timeout=10).json()

    def notices(self, **wanted):
        """The messages of this kind, the newest first."""
        return [one for one in self.get("/shelves/notices") if wanted.items() <= one.items()]

    def product(self, sku):
        """What the table says of a product; None while it says nothing."""
        return next((row for row in self.get("/shelves.json") if row["sku"] == sku), None)

    def publish(self, topic, body):
        """Publish as a device would."""
        client = listen(self.port, lambda _: None, "nothing")
        client.publish(topic, json.dumps(body), qos=1).wait_for_publish(10)
        leave(client)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """The flow as it is, but for the broker's port."""
    red = REPO / "build/web/web/node_modules/node-red/red.js"
    node = shutil.which("node")
    assert node, "node is missing: run deploy/setup-system.sh test"
    assert red.exists(), "Node-RED is missing: run make test, or deploy/setup-web.sh"
    folder, port = tmp_path_factory.mktemp("node-red"), free_port()
    broker = Mosquitto(folder)
    flows = json.loads((REPO / "deploy/node-red/flows.json").read_text())
    (settings,) = (node for node in flows if node["type"] == "mqtt-broker")
    settings["port"] = str(broker.port)
    (folder / "flows.json").write_text(json.dumps(flows))
    (folder / "settings.js").write_text(SETTINGS % port)
    program = Program(
        [node, str(red), "-u", str(folder), "-s", str(folder / "settings.js"), "flows.json"], folder / "log"
    )
    with ExitStack() as closing:
        broker.start()
        closing.callback(broker.stop)
        program.start()
        closing.callback(program.stop)
        http = closing.enter_context(requests.Session())
        heard = closing.enter_context(hearing(broker.port))
        agent = closing.enter_context(ExitStack())
        agent.enter_context(agent_at_work(folder, broker.port, camera := StagedCamera()))
        made = Store(f"http://127.0.0.1:{port}", http, heard, camera, broker.port, agent)
        wait_for(lambda: "Connected to broker" in program.log.read_text(), 60, "Node-RED")
        wait_for(lambda: made.product("coffee"), 30, "the first count")
        yield made


def test_the_flow_is_one_that_node_red_takes_and_holds_no_secret():
    """Unique ids, wires that lead somewhere, no credentials, and nothing that calls out before it is enabled."""
    flows = json.loads((REPO / "deploy/node-red/flows.json").read_text())
    ids = [node["id"] for node in flows]
    assert len(set(ids)) == len(ids)
    assert {wire for node in flows for out in node.get("wires", []) for wire in out} <= set(ids)
    assert not any("credentials" in node for node in flows)
    assert all(node.get("d") for node in flows if node["type"] == "http request")


def test_an_alert_becomes_a_message_once_and_what_is_late_does_not(store):
    """The real agent's stock-out is a message; sent again it is none, and a historical one is no news."""
    store.camera.put(2, None)
    wait_for(lambda: store.notices(kind="out_of_stock", sku="cola-zero-can"), 20, "the message")
    (notice,) = store.notices(kind="out_of_stock", sku="cola-zero-can")
    assert notice["text"] == "shelf drinks: cola-zero-can is out of stock"
    assert notice["title"] == "Out of stock"
    (event,) = (e for e in store.heard.of("/event") if e["type"] == "out_of_stock")
    topic = "shelfwatch/demo/shelf-1/shelf/drinks/event"
    store.publish(topic, event)
    store.publish(topic, event | {"seq": 100_000, "historical": True, "sku": "late"})
    store.publish(topic, event | {"seq": 100_001, "sku": "news"})
    wait_for(lambda: store.notices(sku="news"), 10, "the next message")
    assert len(store.notices(sku="cola-zero-can")) == 1
    assert not store.notices(sku="late")


def test_an_alert_is_acknowledged_with_a_name(store):
    """The command reaches the real agent; a name that would reach another topic is refused."""
    wait_for(lambda: store.heard.of("/alerts") and store.heard.of("/alerts")[-1]["alerts"], 20, "the alert")
    alert = store.heard.of("/alerts")[-1]["alerts"][0]["id"]
    body = {"site": "demo", "device": "shelf-1", "alert": alert, "by": "Ana"}
    refused = store.http.post(f"{store.url}/shelves/acknowledge", json=body | {"device": "x/cmd/reload#"}, timeout=10)
    assert refused.status_code == 400
    assert store.http.post(f"{store.url}/shelves/acknowledge", json=body, timeout=10).status_code == 202
    wait_for(lambda: store.heard.of("/alerts")[-1]["alerts"][0]["acknowledged_by"] == "Ana", 20, "Ana")
    wait_for(lambda: store.heard.of("/cmd/result"), 20, "the answer")
    assert store.heard.of("/cmd/result")[-1]["ok"] is True


def test_the_table_has_null_for_what_is_unknown_and_for_a_device_that_is_gone(store):
    """0 while it is out, null while it is dark, null of all when the agent has gone; the page says `unknown`."""
    wait_for(lambda: store.product("cola-zero-can")["count"] == 0, 20, "0")
    assert store.product("cola-can") == store.product("cola-can") | {"count": 2, "expected": 2, "status": "ok"}
    assert store.get("/shelves.json")[0]["sku"] == "cola-zero-can"
    store.camera.light(0.02)
    wait_for(lambda: store.product("cola-zero-can")["count"] is None, 20, "the dark")
    assert {row["count"] for row in store.get("/shelves.json")} == {None}
    store.camera.light(1)
    wait_for(lambda: store.product("cola-can")["count"] == 2, 20, "the light")
    store.closing.close()
    wait_for(lambda: store.product("cola-can")["count"] is None, 20, "offline")
    assert {(row["count"], row["why"]) for row in store.get("/shelves.json")} == {(None, "the device is offline")}
    page = store.http.get(f"{store.url}/shelves", timeout=10).text
    assert "<td>cola-can</td><td>unknown</td>" in page
