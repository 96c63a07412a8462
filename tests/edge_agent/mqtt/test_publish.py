"""Delivery over a real mosquitto: acknowledged before forgotten, only the newest state, and a clear no."""

import socket
import threading
from contextlib import suppress
from functools import partial

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.demo.broker import EmbeddedBroker
from edge_agent.messages import Topics
from edge_agent.mqtt import publish
from edge_agent.mqtt.broker import Broker
from edge_agent.mqtt.publish import MqttPublisher
from edge_agent.mqtt.visit import probe
from edge_agent.outbox.spool import Spool
from edge_agent.shelf import BrokerError, CredentialsError, SpoolError
from tests.conftest import free_port, wait_for

TOPICS = Topics("store-1", "dev-1")
EVENT, STATE = TOPICS.event("a"), TOPICS.state("a")
SUBSCRIBE = 8


@pytest.fixture
def publisher(tmp_path):
    """A function that makes a publisher and its outbox for a port."""
    made = []

    def make(port: int, *, spool_type=Spool, **broker):
        spool, where = spool_type(tmp_path / f"o{len(made)}.db"), Broker("127.0.0.1", port, client_id="t", **broker)
        ended = threading.Event()
        publisher = MqttPublisher(where, TOPICS, spool, on_fatal=ended.set)
        publisher.ended = ended
        made.append((publisher, spool))
        return publisher, spool

    yield make
    for each, spool in made:
        if each._thread.is_alive():
            each.stop(flush_s=0.5)
        spool.close()


class ScriptedBroker:
    """Just enough of a broker to misbehave: it reads packets, and a script says what to answer to each.

    `answer(number, kind, body)` gets the number of the connection, the packet's kind (1 CONNECT, 3 PUBLISH) and its
    body; it returns bytes to send, or None to hang up.
    """

    def __init__(self, answer):
        self.answer, self.connects, self.seen = answer, 0, []
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.sock.accept()
            except OSError:
                return
            self.connects += 1
            with connection, connection.makefile("rb") as stream, suppress(ConnectionError):
                self._serve(connection, stream)

    def _serve(self, connection, stream):
        while head := stream.read(1):
            length = shift = 0
            while True:
                byte = (stream.read(1) or b"\0")[0]  # it may have hung up
                length, shift = length | (byte & 127) << shift, shift + 7
                if byte < 128:
                    break
            body = stream.read(length)
            self.seen.append((head[0] >> 4, body))
            reply = self.answer(self.connects, head[0] >> 4, body)
            if reply is None:
                return
            connection.sendall(reply)

    def close(self):
        """Stop listening."""
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        self.thread.join(60)


@pytest.fixture
def scripted():
    """A function that starts a broker of a script."""
    made = []

    def make(answer):
        made.append(ScriptedBroker(answer))
        return made[-1]

    yield make
    for broker in made:
        broker.close()


def welcome(connect: bytes, code: int = 0) -> bytes:
    """A CONNACK in the version of a CONNECT."""
    return bytes([0x20, 3, 0, code, 0]) if connect[6] == 5 else bytes([0x20, 2, 0, code])


def puback(publish: bytes, code: int | None = None) -> bytes:
    """A PUBACK for a PUBLISH at QoS 1, with a reason code on MQTT 5."""
    at = 2 + int.from_bytes(publish[:2])
    tail = b"" if code is None else bytes([code])
    return bytes([0x40, 2 + len(tail)]) + publish[at : at + 2] + tail


@pytest.fixture
def pauses(monkeypatch):
    """The longest pause that each back-off could have taken; none takes any time."""
    found = []

    def uniform(_, longest_s):
        found.append(longest_s)
        return 0.01

    monkeypatch.setattr(publish.random, "uniform", uniform)
    return found


def test_events_arrive_in_order_with_their_key_and_leave_the_outbox(mosquitto, subscribe, publisher):
    """A subscriber sees every event once, in order, with epoch and seq; the outbox is empty after PUBACK."""
    consumer = subscribe(mosquitto.port)
    agent, spool = publisher(mosquitto.port)
    agent.start()
    spool.put([(EVENT, {"type": "counts", "n": n}) for n in range(100)])
    wait_for(lambda: spool.depth() == 0 and len(consumer.of("/event")) == 100)
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


def test_an_absent_broker_loses_nothing(make_mosquitto, subscribe, publisher, monkeypatch):
    """What is counted while there is no broker arrives when it comes back: all events, and the newest state only."""
    broker, listening = make_mosquitto(), threading.Event()
    broker.stop()
    agent, spool = publisher(broker.port)
    # the agent's pause lasts until somebody listens: a broker keeps no event for who comes later
    monkeypatch.setattr(publish.random, "uniform", lambda *_: 0.01 if listening.wait(60) else 1.0)
    agent.start()
    wait_for(lambda: agent.problem is not None)
    spool.put([(EVENT, {"type": "counts", "n": n}) for n in range(5)])
    for n in range(5):
        agent.retain(STATE, {"n": n})
    broker.start()
    consumer = subscribe(broker.port)
    listening.set()
    wait_for(lambda: spool.depth() == 0)
    wait_for(lambda: consumer.of("/state") and len(consumer.of("/event")) == 5)
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
    wait_for(lambda: consumer.of("/state") and spool.depth() == 0)  # the event may be faster than the subscription
    assert agent.tally.connects == 2


def test_a_late_event_is_marked_historical(mosquitto, subscribe, publisher):
    """An event that waited for long before it is sent never passes for news."""
    consumer, now_s = subscribe(mosquitto.port), [100.0]
    agent, spool = publisher(mosquitto.port, spool_type=partial(Spool, clock=lambda: now_s[0]))
    spool.put([(EVENT, {"type": "counts"})])
    now_s[0] += 31
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


def test_a_user_who_may_not_publish_ends_the_agent(make_mosquitto, publisher):
    """A broker that lets us in but takes no message is an error for an operator, told at once; the rows stay."""
    broker = make_mosquitto(acl="topic read #\n")
    agent, spool = publisher(broker.port)
    spool.put([(EVENT, {"type": "counts"})])
    agent.start()
    assert agent.ended.wait(60)
    assert isinstance(agent.fatal, CredentialsError)
    assert agent.fatal.exit_status == 78
    assert "Allow this user to publish below shelfwatch/store-1/dev-1/" in str(agent.fatal)
    assert spool.depth() == 1
    assert not agent.tally.connected


def test_a_broker_that_takes_nothing_at_present_is_tried_again(scripted, publisher, pauses):
    """A quota that is used up is no fault of ours: the session ends, the pauses grow, and the row stays."""
    quota = 151
    broker = scripted(lambda _n, kind, body: welcome(body) if kind == 1 else puback(body, quota) if kind == 3 else b"")
    agent, spool = publisher(broker.port)
    spool.put([(EVENT, {"type": "counts"})])
    agent.start()
    wait_for(lambda: len(pauses) >= 4)
    assert agent.fatal is None
    assert pauses[:4] == [1, 2, 4, 8]
    assert spool.depth() == 1
    assert agent.tally.acknowledged == 0


def test_a_broker_that_hangs_up_after_its_welcome_is_backed_off(scripted, publisher, pauses):
    """Being let in is not being served: without an acknowledgement the pauses grow, and with one they begin anew."""

    def answer(number, kind, body):
        if kind == 1:
            return welcome(body)
        if kind == SUBSCRIBE:
            return b""
        return puback(body) if number == 5 and EVENT.encode() not in body else None

    broker = scripted(answer)
    agent, spool = publisher(broker.port)
    spool.put([(EVENT, {"type": "counts"})])
    agent.start()
    wait_for(lambda: len(pauses) >= 6)
    assert pauses[:6] == [1, 2, 4, 8, 1, 2]
    assert spool.depth() == 1


@pytest.mark.parametrize(
    ("refused", "serves", "versions"), [(None, True, [5, 4, 5]), (None, False, [5, 4, 5]), (132, True, [5, 4, 4])]
)
def test_only_an_explicit_no_to_mqtt_5_is_remembered(scripted, publisher, pauses, refused, serves, versions):
    """A broker that fell silent once is offered MQTT 5 again; one that said that it has none is not."""

    def answer(number, kind, body):
        if kind == 1:
            return welcome(body) if number > 1 else None if refused is None else welcome(body, refused)
        if kind == SUBSCRIBE:
            return b""
        return puback(body) if serves and kind == 3 and TOPICS.status.encode() in body else None

    broker = scripted(answer)
    agent, spool = publisher(broker.port)
    spool.put([(EVENT, {"type": "counts"})])  # not taken: the session ends here
    agent.start()
    wait_for(lambda: broker.connects >= 3)
    wait_for(lambda: len([body for kind, body in broker.seen if kind == 1]) >= 3)
    assert [body[6] for kind, body in broker.seen if kind == 1][:3] == versions
    assert pauses


class Failing(Spool):
    """An outbox whose disk fails when something is delivered."""

    def ack(self, seqs):
        """Fail."""
        raise SpoolError(f"the disk does not take {seqs}")


class Broken(Spool):
    """An outbox with a bug."""

    def peek(self, limit, *, after_seq=0):
        """Fail."""
        raise ZeroDivisionError(f"a bug at {limit}, {after_seq}")


@pytest.mark.parametrize(("spool_type", "error"), [(Failing, SpoolError), (Broken, ZeroDivisionError)])
def test_nothing_ends_the_publishing_unnoticed(mosquitto, publisher, caplog, spool_type, error):
    """Whatever fails in the thread that publishes stops the agent, which says what it was."""
    agent, spool = publisher(mosquitto.port, spool_type=spool_type)
    spool.put([(EVENT, {"type": "counts"})])
    agent.start()
    assert agent.ended.wait(60)
    assert isinstance(agent.fatal, error)
    assert str(agent.fatal) in caplog.text
    assert spool.depth() == 1


def test_only_what_was_acknowledged_counts_as_acknowledged(mosquitto, publisher):
    """What is sent and forgotten is not counted: nobody knows whether it came."""
    agent, _ = publisher(mosquitto.port)
    agent.start()
    wait_for(lambda: agent.tally.acknowledged == 1)
    for n in range(5):
        agent.say(TOPICS.health, {"n": n})
    agent.retain(STATE, {"n": 1})
    wait_for(lambda: agent.tally.acknowledged >= 2 and agent._parts.outgoing.empty)
    assert agent.tally.acknowledged == 2


def test_a_topic_is_cleared_when_the_broker_has_said_so(make_mosquitto, subscribe, publisher):
    """An empty payload takes a retained message back; it counts as cleared on its PUBACK, not before."""
    broker = make_mosquitto()
    broker.stop()
    agent, _ = publisher(broker.port)
    agent.retain(STATE, "")
    agent.start()
    assert agent.cleared == set()
    broker.start()
    wait_for(lambda: agent.cleared == {STATE})
    consumer = subscribe(broker.port)
    consumer.settle()
    assert consumer.of("/status")
    assert consumer.of("/state") == []


def test_probe_names_the_reason_of_a_refusal(scripted):
    """A broker that is there but takes no connections at present is not called something else."""
    broker = scripted(lambda _n, _kind, body: welcome(body, 136 if body[6] == 5 else 3))
    with pytest.raises(BrokerError, match=r"refuses the connection \(Server unavailable\)"):
        probe(Broker("127.0.0.1", broker.port))
