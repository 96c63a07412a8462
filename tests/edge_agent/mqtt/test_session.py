"""What a broker with an access list does to a connection, and what a short visit leaves behind at it."""

import re
import threading
from contextlib import closing

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge_agent.messages import Topics
from edge_agent.mqtt.broker import Broker
from edge_agent.mqtt.publish import MqttPublisher
from edge_agent.mqtt.visit import probe
from edge_agent.outbox.spool import Spool
from tests.conftest import REPO, wait_for

TOPICS = Topics("store-1", "device-1")


@pytest.fixture
def fenced(make_mosquitto):
    """A broker with the access list of the manual, and a user who may send commands."""
    manual = (REPO / "docs" / "operations.md").read_text()
    (acl,) = re.findall(r"```\n(user device-1\n.*?)```", manual, re.DOTALL)
    return make_mosquitto(acl=acl + "user office\ntopic write shelfwatch/+/+/cmd/#\ntopic read shelfwatch/#\n")


@pytest.fixture
def agent(fenced, tmp_path):
    """A device on it, as the manual's list names it."""
    with closing(Spool(tmp_path / "o.db")) as spool:
        publisher = MqttPublisher(Broker("127.0.0.1", fenced.port, username="device-1"), TOPICS, spool)
        publisher.start()
        wait_for(lambda: publisher.tally.acknowledged)
        yield publisher, spool
        publisher.stop(flush_s=0.5)


@pytest.fixture
def ask(fenced):
    """A function with which the office sends a command that is no JSON, and names a response topic."""
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.username_pw_set("office")
    client.connect("127.0.0.1", fenced.port)
    client.loop_start()

    def publish(response, client=client):
        properties = Properties(PacketTypes.PUBLISH)
        properties.ResponseTopic = response
        client.publish(f"{TOPICS.root}/cmd/recount", "nonsense", qos=1, properties=properties).wait_for_publish(10)

    yield publish
    client.disconnect()
    client.loop_stop()
    del client


def test_an_answer_that_the_broker_does_not_take_is_given_up(agent, ask, caplog):
    """Whoever may command names the response topic, and cannot end the agent by that: it is logged, once."""
    publisher, spool = agent
    for number in range(3):
        ask(f"replies/{number}")
    wait_for(lambda: "replies/0" in caplog.text)
    acknowledged = publisher.tally.acknowledged
    spool.put([(TOPICS.event("a"), {"type": "counts"})])
    wait_for(lambda: spool.depth() == 0)
    assert publisher.fatal is None
    assert publisher.tally.connects == 1
    assert publisher.tally.acknowledged == acknowledged + 1
    assert caplog.text.count("does not take the answer") == 1
    assert "Allow this user to publish there" in caplog.text


def test_an_answer_goes_where_the_access_list_lets_it(agent, fenced, ask, subscribe):
    """Without more rights there is the device's own topic for answers."""
    publisher, _ = agent
    office = subscribe(fenced.port, username="office")
    ask(TOPICS.command_result)
    wait_for(lambda: office.of("/cmd/result"))
    assert office.of("/cmd/result")[0]["ok"] is False
    assert publisher.fatal is None


@pytest.mark.parametrize(("protocol", "version"), [("5", paho.MQTTv5), ("3.1.1", paho.MQTTv311)])
def test_a_short_visit_leaves_no_session_behind(mosquitto, protocol, version):
    """`check` may be run by anybody, as often as they like: the broker keeps nothing for it."""
    assert probe(Broker("127.0.0.1", mosquitto.port, client_id="dev", protocol=protocol)) == protocol
    flags, came = [], threading.Event()
    five = version == paho.MQTTv5
    client = paho.Client(CallbackAPIVersion.VERSION2, "dev-check", None if five else False, protocol=version)
    client.on_connect = lambda _c, _u, given, *_: (flags.append(given), came.set())
    client.connect("127.0.0.1", mosquitto.port, **({"clean_start": False} if five else {}))
    client.loop_start()
    assert came.wait(10)
    client.disconnect()
    client.loop_stop()
    client.on_connect = None
    assert not flags[0].session_present
