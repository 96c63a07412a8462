"""Commands and the consumer's acknowledgement over a real mosquitto, on both versions of MQTT."""

import json
from dataclasses import dataclass, field

import paho.mqtt.client as paho
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from benchmarks.parts import leave, listen
from edge_agent.messages import Topics
from edge_agent.mqtt.broker import Broker
from edge_agent.mqtt.publish import MqttPublisher
from edge_agent.outbox.spool import Spool
from tests.conftest import wait_for

TOPICS = Topics("store-1", "dev-1")
BOTH = pytest.mark.parametrize("protocol", ["5", "3.1.1"])


@pytest.fixture
def device(mosquitto, tmp_path):
    """A function that starts a publisher on the broker, and waits until it can be spoken to."""
    made = []

    def make(protocol, delivery="broker"):
        spool = Spool(tmp_path / f"{len(made)}.db")
        where = Broker("127.0.0.1", mosquitto.port, protocol=protocol, delivery=delivery, client_id="dev")
        publisher = MqttPublisher(where, TOPICS, spool)
        made.append((publisher, spool))
        publisher.start()
        wait_for(lambda: publisher.tally.acknowledged)  # CONNECT and SUBSCRIBE went before
        return publisher, spool

    yield make
    for publisher, spool in made:
        publisher.stop(flush_s=0.5)
        spool.close()


@dataclass
class Caller:
    """Somebody who sends commands and reads answers."""

    port: int
    got: list = field(default_factory=list)

    def __post_init__(self):
        topics = "replies/#", TOPICS.command_result
        self.client = listen(self.port, self.got.append, *topics, protocol=paho.MQTTv5)

    def call(self, verb, payload="", *, response=None, correlation=None, retain=False):
        """Publish a command."""
        properties = Properties(PacketTypes.PUBLISH)
        if response is not None:
            properties.ResponseTopic = response
        if correlation is not None:
            properties.CorrelationData = correlation
        self.client.publish(f"{TOPICS.root}/cmd/{verb}", payload, 1, retain, properties).wait_for_publish(10)

    def close(self):
        """Leave."""
        leave(self.client)
        del self.client


@pytest.fixture
def caller(mosquitto):
    """A caller on the broker."""
    made = Caller(mosquitto.port)
    yield made
    made.close()


def test_a_command_is_answered_where_and_as_it_asks(device, caller):
    """Response topic and correlation data of MQTT 5; the answer names the command and the command's id."""
    publisher, _ = device("5")
    caller.call("snapshot", '{"id": "7", "camera": "c1"}', response="replies/me", correlation=b"\x00\xff")
    command = publisher.commands.get(timeout=10)
    assert (command.verb, command.payload["camera"]) == ("snapshot", "c1")
    publisher.answer(command, {"ok": True})
    wait_for(lambda: caller.got)
    answer = caller.got[0]
    assert (answer.topic, answer.properties.CorrelationData, answer.retain) == ("replies/me", b"\x00\xff", False)
    said = json.loads(answer.payload)
    assert said.pop("ts").endswith("Z")
    assert said == {"schema": "shelfwatch.result/1", "command": "snapshot", "id": "7", "ok": True}


@BOTH
def test_without_a_response_topic_the_answer_is_on_the_result_topic(device, caller, protocol):
    """That is all there is on 3.1.1; our own answer does not come back as a command."""
    publisher, _ = device(protocol)
    caller.call("recount", '{"id": "1"}')
    publisher.answer(publisher.commands.get(timeout=10), {"ok": True})
    wait_for(lambda: caller.got)
    assert caller.got[0].topic == TOPICS.command_result
    caller.call("reload")
    assert publisher.commands.get(timeout=10).verb == "reload"
    assert publisher.commands.empty()


def test_a_retained_command_is_not_run_by_whoever_is_there_either(device, caller):
    """On MQTT 5 the flag is seen; nor does clearing it, which is an empty payload, run the command."""
    publisher, _ = device("5")
    caller.call("recount", retain=True)
    caller.call("recount", retain=True, payload="")
    caller.call("snapshot")
    assert publisher.commands.get(timeout=10).verb == "snapshot"
    assert publisher.commands.empty()


def test_a_command_that_was_retained_is_not_run_by_whoever_comes_later(device, caller):
    """The next start must not run what somebody left behind."""
    caller.call("reload", retain=True)
    publisher, _ = device("5")
    caller.call("recount")
    assert publisher.commands.get(timeout=10).verb == "recount"
    caller.call("reload", retain=True, payload="")


@BOTH
def test_end_to_end_events_stay_until_the_consumer_has_them(device, caller, subscribe, mosquitto, protocol):
    """The broker's acknowledgement leaves the outbox as it is; the consumer's empties it up to its mark."""
    consumer = subscribe(mosquitto.port)
    _, spool = device(protocol, "end-to-end")
    spool.put([(TOPICS.event("a"), {"type": "counts"})] * 5)
    wait_for(lambda: len(consumer.of("/event")) == 5)
    assert spool.depth() == 5
    assert [event["oldest_seq"] for event in consumer.of("/event")] == [1] * 5
    caller.client.publish(TOPICS.ack, json.dumps({"epoch": "another", "seq": 5}), qos=1, retain=True)
    caller.client.publish(TOPICS.ack, json.dumps({"epoch": spool.epoch, "seq": 3}), qos=1, retain=True)
    wait_for(lambda: spool.depth() == 2)


@BOTH
def test_a_device_that_was_away_learns_the_mark_from_the_broker(device, caller, subscribe, mosquitto, protocol):
    """The acknowledgement is retained: what was stored meanwhile is not sent again for ever."""
    consumer = subscribe(mosquitto.port)
    publisher, spool = device(protocol, "end-to-end")
    spool.put([(TOPICS.event("a"), {"type": "counts"})] * 3)
    wait_for(lambda: len(consumer.of("/event")) == 3)
    mosquitto.stop()
    wait_for(lambda: not publisher.tally.connected)
    mosquitto.start()
    caller.client.publish(TOPICS.ack, json.dumps({"epoch": spool.epoch, "seq": 3}), qos=1, retain=True)
    wait_for(lambda: spool.depth() == 0)
    assert publisher.fatal is None


def test_an_acknowledgement_of_what_does_not_exist_is_said_once_and_deletes_nothing(device, caller, caplog):
    """A database of another device, or a stranger, must not empty the outbox."""
    _, spool = device("5", "end-to-end")
    spool.put([(TOPICS.event("a"), {"type": "counts"})] * 3)
    for seq in (4, 5, 2):
        caller.client.publish(TOPICS.ack, json.dumps({"epoch": spool.epoch, "seq": seq}), qos=1)
    wait_for(lambda: spool.depth() == 1)
    assert caplog.text.count("somebody acknowledges event 4") == 1
    assert "event 5" not in caplog.text


def test_a_broker_that_talks_nonsense_is_left_and_tried_again(tmp_path):
    """Bytes that are not MQTT end the connection, not the publishing, and show no traceback."""
    from tests.edge_agent.mqtt.test_publish import ScriptedBroker, welcome

    nonsense = [
        b"\x30\x03\x00\x09a",
        b"\x40\x00",
        b"\x90\x01\x00",
        b"\x20\x00",
        b"\xff\xff\xff\xff\xff",
        b"\x32\x04\x00\x01\xff\x00",
    ]
    broker = ScriptedBroker(
        lambda number, kind, body: welcome(body) if kind == 1 else nonsense[(number - 1) % len(nonsense)]
    )
    spool = Spool(tmp_path / "o.db")
    publisher = MqttPublisher(Broker("127.0.0.1", broker.port, protocol="5"), TOPICS, spool)
    publisher._stopping.wait = lambda _: None
    publisher.start()
    wait_for(lambda: broker.connects > len(nonsense))
    assert publisher.fatal is None
    del publisher._stopping.wait
    publisher.stop(flush_s=0.1)
    spool.close()
    broker.close()
