"""An encrypted connection to a real mosquitto: who is trusted, who is not, and what is said about it."""

import logging
from datetime import UTC, datetime

import pytest

from edge_agent.config import load
from edge_agent.demo.store import write_config
from edge_agent.messages import Topics
from edge_agent.mqtt.broker import Broker, broker_of
from edge_agent.mqtt.publish import MqttPublisher
from edge_agent.mqtt.tls import Tls, UntrustedError, context
from edge_agent.mqtt.visit import probe
from edge_agent.outbox.spool import Spool
from edge_agent.shelf import BrokerError, ConfigError
from tests.certificates import Authority
from tests.conftest import wait_for

TOPICS = Topics("store-1", "dev-1")


@pytest.fixture
def authority(tmp_path):
    """An authority that the tests' devices trust."""
    return Authority(tmp_path)


def encrypted(files, authority=None):
    """Options of a mosquitto that shows a certificate, and with `authority` asks for one."""
    options = (f"certfile {files.cert}", f"keyfile {files.key}")
    return options if authority is None else (*options, f"cafile {authority.path}", "require_certificate true")


@pytest.fixture
def delivered(tmp_path):
    """A function that connects a publisher, delivers an event, and returns the protocol that was spoken."""

    def deliver(broker):
        spool = Spool(tmp_path / "o.db")
        publisher = MqttPublisher(broker, TOPICS, spool)
        spool.put([(TOPICS.event("a"), {"type": "counts"})])
        publisher.start()
        wait_for(lambda: spool.depth() == 0)
        publisher.stop()
        spool.close()
        return publisher.tally.protocol

    return deliver


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_events_go_out_encrypted(make_mosquitto, authority, delivered, protocol):
    """With the authority's certificate, user and password, on both versions."""
    broker = make_mosquitto("secret", options=encrypted(authority.sign("localhost")))
    tls = Tls(ca_file=authority.path)
    where = Broker("localhost", broker.port, "shelf", "secret", protocol, tls=tls)
    assert delivered(where) == protocol
    assert probe(where) == protocol


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_device_can_show_a_certificate_of_its_own(make_mosquitto, authority, delivered, protocol):
    """Mutual TLS, on both versions."""
    broker = make_mosquitto(options=encrypted(authority.sign("localhost"), authority))
    mine = authority.sign("dev-1")
    tls = Tls(authority.path, mine.cert, mine.key)
    assert delivered(Broker("127.0.0.1", broker.port, protocol=protocol, tls=tls)) == protocol


@pytest.mark.parametrize(
    ("host", "days", "why"),
    [
        ("localhost", (-9, -1), "has expired.*clock"),
        ("localhost", (1, 9), "is not valid yet.*clock is wrong"),
        ("127.0.0.1", (-1, 9), 'is not for "127.0.0.1"'),
    ],
)
def test_a_certificate_that_does_not_hold_is_told_with_its_remedy(make_mosquitto, authority, host, days, why):
    """Expired, not yet valid, another's name: each is named, with what to do and what this device's clock says."""
    files = authority.sign("localhost", from_days=days[0], to_days=days[1], address=None)
    broker = make_mosquitto(options=encrypted(files))
    before = datetime.now(UTC)
    with pytest.raises(UntrustedError, match=why) as told:
        probe(Broker(host, broker.port, tls=Tls(authority.path)))
    if "clock" in why:
        assert any(f"{moment:%Y-%m-%d}" in str(told.value) for moment in (before, datetime.now(UTC)))  # at midnight too


def test_an_authority_that_nobody_named_is_not_trusted(make_mosquitto, authority, tmp_path):
    """Neither another one, nor the system's trust store vouches for it."""
    broker = make_mosquitto(options=encrypted(authority.sign("localhost")))
    other = Authority(tmp_path, "other")
    for tls in (Tls(other.path), Tls()):
        with pytest.raises(UntrustedError, match=r"authority that this device does not know.*ca_file"):
            probe(Broker("localhost", broker.port, tls=tls))


def test_a_broker_that_wants_our_certificate_says_so(make_mosquitto, authority, tmp_path):
    """Without one, and with one of a stranger, the cause is named."""
    broker = make_mosquitto(options=encrypted(authority.sign("localhost"), authority))
    with pytest.raises(BrokerError, match=r"asks for a certificate.*cert_file and key_file"):
        probe(Broker("localhost", broker.port, tls=Tls(authority.path)))
    stranger = Authority(tmp_path, "stranger").sign("dev-1")
    with pytest.raises(BrokerError, match="does not take this device's certificate"):
        probe(Broker("localhost", broker.port, tls=Tls(authority.path, stranger.cert, stranger.key)))


def test_tls_where_there_is_none_and_none_where_there_is(make_mosquitto, authority):
    """Each mistake points at the setting."""
    plain = make_mosquitto()
    with pytest.raises(BrokerError, match=r"Check host and port"):
        probe(Broker("localhost", plain.port, tls=Tls(authority.path)))
    encrypted_one = make_mosquitto(options=encrypted(authority.sign("localhost")))
    with pytest.raises(BrokerError, match="tls = true"):
        probe(Broker("localhost", encrypted_one.port))


def test_a_bad_certificate_is_waited_out(make_mosquitto, authority, tmp_path, caplog):
    """An expired certificate ends nothing: when the broker has a new one, the events arrive."""
    caplog.set_level(logging.WARNING)
    broker = make_mosquitto(options=encrypted(authority.sign("localhost", from_days=-9, to_days=-1)))
    spool = Spool(tmp_path / "o.db")
    publisher = MqttPublisher(Broker("localhost", broker.port, tls=Tls(authority.path)), TOPICS, spool)
    spool.put([(TOPICS.event("a"), {"type": "counts"})])
    publisher.start()
    wait_for(lambda: "has expired" in (publisher.problem or ""))
    broker.stop()
    broker.options = encrypted(authority.sign("localhost"))
    broker.start()
    wait_for(lambda: spool.depth() == 0)
    assert publisher.fatal is None
    assert publisher.problem is None
    publisher.stop()
    spool.close()


def test_files_that_cannot_be_used_are_an_operators_business(authority, tmp_path):
    """Missing, not PEM, not belonging together, encrypted: exit status 78, naming the file."""
    mine, other = authority.sign("a"), authority.sign("b")
    nonsense = tmp_path / "nonsense"
    nonsense.write_text("nothing")
    for tls, named in (
        (Tls(tmp_path / "none"), "ca_file"),
        (Tls(nonsense), "ca_file"),
        (Tls(None, mine.cert, tmp_path / "none"), "key_file"),
        (Tls(None, mine.cert, other.key), "belong together"),
        (Tls(None, nonsense, mine.key), "PEM"),
    ):
        with pytest.raises(ConfigError, match=named) as told:
            context(tls)
        assert told.value.exit_status == 78


def test_the_configuration_names_the_files_and_they_are_tried_at_once(tmp_path, authority):
    """A configuration becomes a broker with its files, and one that cannot be used is refused before anything runs."""
    mine = authority.sign("dev-1")
    settings = load(write_config(tmp_path, port=8883, protocol="5"))
    named = {"tls": True, "ca_file": authority.path, "cert_file": mine.cert, "key_file": mine.key}
    section = settings.broker.model_copy(update={**named, "delivery": "end-to-end"})
    found = broker_of(settings.model_copy(update={"broker": section}))
    assert (found.tls, found.delivery) == (Tls(authority.path, mine.cert, mine.key), "end-to-end")
    assert broker_of(settings).tls is None
    broken = section.model_copy(update={"key_file": tmp_path / "none"})
    with pytest.raises(ConfigError, match="key_file"):
        broker_of(settings.model_copy(update={"broker": broken}))
