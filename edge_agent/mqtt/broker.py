"""Who the broker is, how to connect to it, and what its refusals mean."""

import hashlib
import os
import ssl
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from paho.mqtt import MQTTException
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, LogLevel
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.config import Settings
from edge_agent.mqtt.tls import Tls, UntrustedError, context, explained
from edge_agent.shelf import ConfigError, CredentialsError

IN_FLIGHT = 20
"""Messages that may wait for their PUBACK; mosquitto's own limit is the same."""
CONNECT_TIMEOUT_S, CONNACK_TIMEOUT_S = 10.0, 3.0
SESSION_EXPIRY_S = 3600
WILL_DELAY_S = 30
LARGEST_BYTES = 64 * 1024
"""The largest message that an MQTT 5 broker may send us."""
UNSUPPORTED_VERSION = 132
NOT_AUTHORIZED = 135
CREDENTIALS_REFUSED = (134, NOT_AUTHORIZED)
"""MQTT 5 reason codes, which paho also gives for 3.1.1: bad user name or password, not authorized."""
EXPIRY_MAX_S = 2**31 - 1
"""Well within the four bytes that MQTT has for an expiry."""
MALFORMED = (ValueError, LookupError, TypeError, AttributeError, AssertionError, struct.error, MQTTException)
"""What paho raises on bytes that are not MQTT."""

Protocol = Literal["auto", "5", "3.1.1"]
VERSIONS: Mapping[str, Any] = {"5": paho.MQTTv5, "3.1.1": paho.MQTTv311}
"""The versions of MQTT that we speak, by name, the better one first."""
Acknowledged = Literal["broker", "end-to-end"]
"""By whom an event must be acknowledged before it leaves the outbox: the broker, or a consumer behind it."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is, and who we are to it; `lasting` where it keeps our session while we are away.

    `birth_topic` is where Home Assistant says that it has started; None where nobody wants to know.
    """

    host: str
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    protocol: Protocol = "auto"
    client_id: str = "shelfwatch"
    state_expiry_s: int = 180
    keepalive_s: int = 30
    tls: Tls | None = None
    delivery: Acknowledged = "broker"
    lasting: bool = True
    birth_topic: str | None = None

    @property
    def where(self) -> str:
        """Host and port, as messages name them."""
        return f"{self.host}:{self.port}"

    @property
    def spoken(self) -> tuple[str, ...]:
        """The names of the versions to try, in order."""
        return tuple(VERSIONS) if self.protocol == "auto" else (self.protocol,)


def broker_of(settings: Settings) -> Broker:
    """The broker of a configuration, with the password read from its file.

    Raises:
        ConfigError: The password or a file of TLS cannot be read, or cannot be used.
    """
    section = settings.broker
    tls = Tls(section.ca_file, section.cert_file, section.key_file) if section.tls else None
    if tls is not None:
        context(tls)
    return Broker(
        host=section.host,
        port=section.port,
        username=section.username,
        password=_password(section.password_file) if section.password_file is not None else None,
        protocol=section.protocol,
        client_id=f"shelfwatch-{settings.site}-{settings.device}-{_machine_id()}",
        state_expiry_s=max(1, round(min(3 * settings.heartbeat_s, EXPIRY_MAX_S))),
        tls=tls,
        delivery=section.delivery,
        birth_topic=settings.home_assistant.birth if settings.home_assistant.enabled else None,
    )


def _password(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"broker: password_file {path} cannot be read ({error})."
            + (
                " systemd sets this variable for the service: use sudo shelf-agent, or name a file."
                if "$" in str(path)
                else " Write the password there, readable for the agent."
            )
        ) from error


def _machine_id() -> str:
    """A short, stable name of this machine that tells nothing else about it (machine-id(5) asks for a hash)."""
    for path in (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id")):
        if path.is_file() and (text := path.read_text().strip()):
            return hashlib.sha256(b"shelfwatch" + text.encode()).hexdigest()[:12]
    return hashlib.sha256(os.uname().nodename.encode()).hexdigest()[:12]


def client_for(broker: Broker, version: str, *, will: str | None = None) -> paho.Client:
    """A paho client for a broker; with `will`, one whose death publishes `offline` there.

    Raises:
        ConfigError: A file of TLS cannot be used.
    """
    clean_session = None if version == "5" else not broker.lasting
    client = paho.Client(CallbackAPIVersion.VERSION2, broker.client_id, clean_session, protocol=VERSIONS[version])
    client.max_inflight_messages_set(IN_FLIGHT)
    client.connect_timeout = CONNECT_TIMEOUT_S
    if broker.tls is not None:
        client.tls_set_context(context(broker.tls))
    if broker.username is not None:
        client.username_pw_set(broker.username, broker.password)
    if will is not None:
        properties = None
        if version == "5":
            properties = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]
            properties.WillDelayInterval = WILL_DELAY_S
        client.will_set(will, "offline", qos=1, retain=True, properties=properties)
    return client


@dataclass(frozen=True, slots=True)
class Welcome:
    """What the broker answered to CONNECT, how many messages it takes unacknowledged, and how large they may be."""

    code: ReasonCode
    receive_maximum: int
    largest_bytes: int


def connected(client: paho.Client, broker: Broker, version: str) -> Welcome | None:
    """Connect, and wait for the broker's answer; None where it hangs up or stays silent.

    Raises:
        UntrustedError: Its certificate, or ours, is not taken.
        OSError: Nobody is there.
        ValueError: The address cannot be one.
    """
    answer: list[Welcome] = []
    said: list[str] = []
    client.on_connect = lambda _c, _u, _f, code, properties: answer.append(
        Welcome(code, getattr(properties, "ReceiveMaximum", 65535), getattr(properties, "MaximumPacketSize", 2**28))
    )
    client.on_log = lambda _c, _u, level, text: said.append(text) if level == LogLevel.MQTT_LOG_ERR else None
    try:
        client.connect(broker.host, broker.port, broker.keepalive_s, **connect_options(broker, version))
        until = time.monotonic() + CONNACK_TIMEOUT_S
        while not answer and time.monotonic() < until and turn(client, 0.2):
            pass
    except ssl.SSLError as error:
        raise UntrustedError(f"broker {broker.where} {explained(error, broker.host, datetime.now(UTC))}.") from error
    finally:
        client.on_log = None
    alert = next(
        (text for text in said if "ALERT" in text.upper()), None
    )  # TLS 1.3 refuses a client after the handshake
    if not answer and alert is not None and broker.tls is not None:
        found = explained(ssl.SSLError(alert), broker.host, datetime.now(UTC))
        raise UntrustedError(f"broker {broker.where} {found}.")
    return answer[0] if answer else None


def turn(client: paho.Client, timeout_s: float) -> bool:
    """One turn of the network; whether the connection still stands. What is not MQTT ends it, like a lost one."""
    try:
        return client.loop(timeout=timeout_s) == paho.MQTT_ERR_SUCCESS
    except MALFORMED:
        return False


def connect_options(broker: Broker, version: str) -> dict[str, Any]:
    """What CONNECT carries beyond the basics: on MQTT 5 a session that outlives a short absence."""
    if version != "5":
        return {}
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.MaximumPacketSize = LARGEST_BYTES
    if broker.lasting:
        properties.SessionExpiryInterval = SESSION_EXPIRY_S
    return {"clean_start": not broker.lasting, "properties": properties}


def silence(broker: Broker) -> str:
    """What it may mean that a broker hangs up, or stays silent, instead of answering."""
    if broker.tls is None:
        return "if that port is one for TLS, set tls = true"
    if broker.tls.cert_file is None:
        return "if it asks for a certificate of this device, name cert_file and key_file"
    return "if it does not take this device's certificate, have it signed by an authority that the broker trusts"


def refusal(broker: Broker, words: str) -> CredentialsError:
    """The error of a broker that knows us and says no."""
    who = f'user "{broker.username}"' if broker.username else "a client without a user name"
    return CredentialsError(
        f"broker {broker.where} refuses {who} ({words})."
        " Put the right username and password_file under [broker], or let the broker accept this device."
    )
