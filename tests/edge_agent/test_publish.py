"""Delivery over a real mosquitto: acknowledged before forgotten, only the newest state, and a clear no."""

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.broker import Broker, probe
from edge_agent.demo.broker import EmbeddedBroker
from edge_agent.messages import Topics
from edge_agent.publish import MqttPublisher
from edge_agent.shelf import BrokerError, CredentialsError
from edge_agent.spool import Spool
from tests.conftest import free_port, wait_for

TOPICS = Topics("store-1", "dev-1")
EVENT, STATE = TOPICS.event("a"), TOPICS.state("a")


@pytest.fixture
def publisher(tmp_path):
    """A function that makes a publisher and its outbox for a port."""
    made = []

    def make(port: int, **broker):
        spool = Spool(tmp_path / f"o{len(made)}.db")
        publisher = MqttPublisher(Broker("127.0.0.1", port, client_id=f"t{len(made)}", **broker), TOPICS, spool)
        made.append((publisher, spool))
        return publisher, spool

    yield make
    for each, spool in made:
        if each._thread.is_alive():
            each.stop(flush_s=0.5)
        spool.close()


def test_events_arrive_in_order_with_their_key_and_leave_the_outbox(mosquitto, subscribe, publisher):
    """A subscriber sees every event once, in order, with epoch and seq; the outbox is empty after PUBACK."""
    consumer = subscribe(mosquitto.port)
    agent, spool = publisher(mosquitto.port)
    agent.start()
    spool.put([(EVENT, {"type": "counts", "n": n}) for n in range(100)])
    wait_for(lambda: spool.depth() == 0)
    events = consumer.of("/event")
    assert [event["n"] for event in events] == list(range(100))
    assert [event["seq"] for event in events] == list(range(1, 101))
    assert {event["epoch"] for event in events} == {spool.epoch}
    assert agent.tally.protocol == "5"


def test_status_is_online_and_then_offline_on_a_clean_stop(mosquitto, subscribe, publisher):
    """The retained status follows the agent."""
    consumer = subscribe(mosquitto.port)
    agent, _ = publisher(mosquitto.port)
    agent.start()
    wait_for(lambda: consumer.of("/status") == ["online"])
    agent.stop()
    wait_for(lambda: consumer.of("/status") == ["online", "offline"])


def test_an_absent_broker_loses_nothing(make_mosquitto, subscribe, publisher):
    """What is counted while there is no broker arrives when it comes back: all events, and the newest state only."""
    broker = make_mosquitto()
    broker.stop()
    agent, spool = publisher(broker.port)
    agent.start()
    spool.put([(EVENT, {"type": "counts", "n": n}) for n in range(5)])
    for n in range(5):
        agent.retain(STATE, {"n": n})
    broker.start()
    consumer = subscribe(broker.port)
    wait_for(lambda: spool.depth() == 0)
    wait_for(lambda: consumer.of("/state"))
    assert [event["n"] for event in consumer.of("/event")] == list(range(5))
    assert {state["n"] for state in consumer.of("/state")} == {4}


def test_a_restarted_broker_gets_the_states_again(make_mosquitto, subscribe, publisher):
    """A broker that forgot its retained states is told them anew."""
    broker = make_mosquitto()
    agent, spool = publisher(broker.port)
    agent.start()
    agent.retain(STATE, {"n": 1})
    wait_for(lambda: agent.tally.acknowledged >= 2)
    broker.stop()
    spool.put([(EVENT, {"type": "counts"})])
    broker.start()
    consumer = subscribe(broker.port)
    wait_for(lambda: consumer.of("/state") and consumer.of("/event") and spool.depth() == 0)
    assert agent.tally.connects == 2


def test_a_late_event_is_marked_historical(mosquitto, subscribe, publisher):
    """An event that happened long before it is sent never passes for news."""
    consumer = subscribe(mosquitto.port)
    agent, spool = publisher(mosquitto.port)
    spool.put([(EVENT, {"type": "counts", "ts": "2026-01-01T00:00:00.000Z"})])
    agent.start()
    wait_for(lambda: consumer.of("/event"))
    assert consumer.of("/event")[0]["historical"] is True


def test_a_wrong_password_stops_the_retries(make_mosquitto, publisher):
    """A broker that refuses us is an error for an operator, with the remedy, and the outbox keeps its rows."""
    broker = make_mosquitto(password="right")
    agent, spool = publisher(broker.port, username="shelf", password="wrong")
    spool.put([(EVENT, {"type": "counts"})])
    agent.start()
    wait_for(lambda: agent.fatal is not None)
    assert isinstance(agent.fatal, CredentialsError)
    assert agent.fatal.exit_status == 78
    assert 'user "shelf"' in str(agent.fatal)
    assert "password_file" in str(agent.fatal)
    assert "wrong" not in str(agent.fatal)
    assert spool.depth() == 1


def test_the_right_password_is_let_in(make_mosquitto, subscribe, publisher):
    """With user and password the states arrive."""
    broker = make_mosquitto(password="right")
    agent, _ = publisher(broker.port, username="shelf", password="right")
    agent.start()
    consumer = subscribe(broker.port, username="shelf", password="right")
    wait_for(lambda: "online" in consumer.of("/status"))


def test_a_broker_of_3_1_1_is_spoken_to_in_3_1_1(publisher):
    """A broker that does not know MQTT 5 gets 3.1.1, by itself."""
    with EmbeddedBroker(0) as broker:
        agent, spool = publisher(broker.port)
        agent.start()
        spool.put([(EVENT, {"type": "counts"})])
        wait_for(lambda: spool.depth() == 0)
        assert agent.tally.protocol == "3.1.1"
        agent.stop(flush_s=0.5)


def test_probe_tells_absent_from_refusing(make_mosquitto):
    """`check` says whether nobody listens, or who we are is wrong, or that all is well."""
    broker = make_mosquitto(password="right")
    with pytest.raises(CredentialsError, match="a client without a user name"):
        probe(Broker("127.0.0.1", broker.port))
    assert probe(Broker("127.0.0.1", broker.port, username="shelf", password="right")) == "5"
    with pytest.raises(BrokerError, match="Check host and port"):
        probe(Broker("127.0.0.1", free_port()))


def test_a_password_is_never_shown():
    """A broker's description leaves the password out."""
    assert "secret" not in repr(Broker("h", password="secret"))


def test_on_mqtt_5_a_state_carries_its_schema_and_expires(mosquitto, publisher):
    """A state says which schema and model it is of beside the payload, and dies with an agent that is gone."""
    got = []
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.on_connect = lambda client, *_: client.subscribe(STATE, qos=1)
    client.on_message = lambda _client, _userdata, message: got.append(message.properties)
    client.connect("127.0.0.1", mosquitto.port)
    client.loop_start()
    agent, _ = publisher(mosquitto.port, state_expiry_s=90)
    agent.start()
    agent.retain(STATE, {"schema": "shelfwatch.state/1", "model": {"id": "m"}})
    wait_for(lambda: got)
    assert got[0].UserProperty == [("schema", "shelfwatch.state/1"), ("model", "m")]
    assert 80 <= got[0].MessageExpiryInterval <= 90
    client.disconnect()
    client.loop_stop()
