"""A broker may refuse that Home Assistant is told of the device: nothing else suffers."""

import threading

import pytest

from edge_agent.messages import Topics
from edge_agent.mqtt.broker import Broker
from edge_agent.mqtt.favours import GIVEN_UP_S, HANG_UPS, Favours
from edge_agent.mqtt.publish import MqttPublisher
from edge_agent.outbox.spool import Spool
from tests.conftest import wait_for

TOPICS = Topics("store-1", "dev-1")
DISCOVERY, BIRTH = "homeassistant/device/x/config", "homeassistant/status"
FENCED = "user shelf\ntopic readwrite shelfwatch/#\n"
OPEN = f"{FENCED}topic readwrite homeassistant/#\n"


@pytest.fixture
def publisher(tmp_path):
    """A function that makes a publisher for a port."""
    made = []

    def make(port: int, **broker):
        spool = Spool(tmp_path / f"o{len(made)}.db")
        ended = threading.Event()
        where = Broker("127.0.0.1", port, client_id="t", birth_topic=BIRTH, **broker)
        publisher = MqttPublisher(where, TOPICS, spool, on_fatal=ended.set)
        made.append((publisher, spool))
        publisher.offer(DISCOVERY, {"device": 1})
        publisher.start()
        return publisher

    yield make
    for each, spool in made:
        each.stop(flush_s=0.5)
        spool.close()


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_an_access_list_that_knows_nothing_of_home_assistant_does_no_harm(
    make_mosquitto, publisher, subscribe, caplog, protocol
):
    """States go out, the connection stands, and with MQTT 5 the log says once what to allow."""
    broker = make_mosquitto("secret", FENCED)
    made = publisher(broker.port, protocol=protocol, username="shelf", password="secret")
    made.retain(TOPICS.state("a"), {"n": 1})
    heard = subscribe(broker.port, username="shelf", password="secret")
    wait_for(lambda: heard.of("/state"))
    if protocol == "5":
        wait_for(lambda: DISCOVERY in caplog.text)
        assert "enabled = false" in caplog.text
        assert not made.has(DISCOVERY)
    made.retain(TOPICS.state("a"), {"n": 2})
    wait_for(lambda: {"n": 2} in heard.of("/state"))
    wait_for(lambda: made._parts.outgoing.empty)
    assert made.tally.connects == 1
    assert made.fatal is None
    assert not heard.of("/config")


def test_at_the_birth_message_the_device_is_announced_again(make_mosquitto, publisher, subscribe):
    """Home Assistant starts, and hears of the device though the broker would have forgotten it."""
    broker = make_mosquitto("secret", OPEN)
    made = publisher(broker.port, username="shelf", password="secret")
    heard = subscribe(broker.port, username="shelf", password="secret")
    wait_for(lambda: made.has(DISCOVERY))  # it was sent after the wish to hear of births
    wait_for(lambda: heard.of("/config") == [{"device": 1}])
    heard.client.publish(BIRTH, "offline")
    heard.client.publish(BIRTH, "online")
    wait_for(lambda: len(heard.of("/config")) > 1)
    assert heard.of("/config") == [{"device": 1}] * 2


def test_what_a_broker_hangs_up_on_is_not_asked_for_ever(caplog):
    """RabbitMQ and cloud services end the connection instead of an answer: twice is enough."""
    favours = Favours()
    favours.add(DISCOVERY)
    for _ in range(HANG_UPS):
        favours.connected()
        assert favours.asked(DISCOVERY)
        favours.hung_up(DISCOVERY)
    favours.connected()
    assert not favours.asked(DISCOVERY)
    assert caplog.text.count(DISCOVERY) == 1


def test_two_failures_of_the_network_are_not_taken_for_a_refusal_for_ever(caplog):
    """After an hour it is asked once more: granted, all is well; hung up on, it is left for another hour."""
    now_s = [100.0]
    favours = Favours(clock=lambda: now_s[0])
    for _ in range(HANG_UPS):
        favours.hung_up(DISCOVERY)
    favours.connected()
    now_s[0] += GIVEN_UP_S - 1
    assert not favours.asked(DISCOVERY)
    assert not favours.repeat_now()
    now_s[0] += 1
    assert favours.repeat_now()
    assert favours.asked(DISCOVERY)
    favours.hung_up(DISCOVERY)
    assert not favours.asked(DISCOVERY)
    assert caplog.text.count(DISCOVERY) == 1
    now_s[0] += GIVEN_UP_S
    favours.granted(DISCOVERY)
    favours.hung_up(DISCOVERY)
    assert favours.asked(DISCOVERY)


def test_what_is_refused_with_a_reason_is_asked_again_in_the_next_connection(caplog):
    """Somebody may have allowed it meanwhile; it is told once."""
    favours = Favours()
    for _ in range(2):
        favours.connected()
        assert favours.asked(DISCOVERY)
        favours.refused(DISCOVERY, "Not authorized")
        assert not favours.asked(DISCOVERY)
    assert caplog.text.count(DISCOVERY) == 1


def test_what_was_given_up_does_not_keep_home_assistant_waiting():
    """A birth is answered within seconds, though something else is to be asked again in an hour."""
    now_s = [100.0]
    favours = Favours(clock=lambda: now_s[0], within_s=3)
    for _ in range(HANG_UPS):
        favours.hung_up(BIRTH)
    favours.connected()
    favours.born(b"online")
    now_s[0] += 3
    assert favours.repeat_now()


def test_not_all_devices_answer_a_birth_at_once():
    """Each waits a time of its own, and says it once, however often Home Assistant says that it is there."""
    now_s = [100.0]
    favours = Favours(clock=lambda: now_s[0], within_s=3)
    favours.born(b"offline")
    assert not favours.repeat_now()
    favours.born(b"online")
    favours.born(b"online")
    now_s[0] += 3
    assert favours.repeat_now()
    assert not favours.repeat_now()
