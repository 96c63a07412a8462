"""Who the broker is, how to connect to it, and what its refusals mean."""

import time
from dataclasses import dataclass, field
from typing import Any, Literal

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.shelf import BrokerError, CredentialsError

CONNECT_TIMEOUT_S, CONNACK_TIMEOUT_S = 10.0, 3.0
SESSION_EXPIRY_S = 3600
WILL_DELAY_S = 30
UNSUPPORTED_VERSION = 132
NOT_AUTHORIZED = 135
CREDENTIALS_REFUSED = (134, NOT_AUTHORIZED)
"""MQTT 5 reason codes, which paho also gives for 3.1.1: bad user name or password, not authorized."""

Protocol = Literal["auto", "5", "3.1.1"]


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is, and who we are to it."""

    host: str
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    protocol: Protocol = "auto"
    client_id: str = "shelfwatch"
    state_expiry_s: int = 180
    keepalive_s: int = 30


def client_for(broker: Broker, version: Any, *, will: str | None = None) -> paho.Client:
    """A paho client for a broker; with `will`, one whose death publishes `offline` there."""
    clean_session = None if version == paho.MQTTv5 else False
    client = paho.Client(CallbackAPIVersion.VERSION2, broker.client_id, clean_session, protocol=version)
    client.connect_timeout = CONNECT_TIMEOUT_S
    if broker.username is not None:
        client.username_pw_set(broker.username, broker.password)
    if will is not None:
        properties = None
        if version == paho.MQTTv5:
            properties = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]
            properties.WillDelayInterval = WILL_DELAY_S
        client.will_set(will, "offline", qos=1, retain=True, properties=properties)
    return client


def awaited(client: paho.Client, answer: list[ReasonCode]) -> bool:
    """Run the network until CONNACK has put its code into `answer`; whether it came in time."""
    until = time.monotonic() + CONNACK_TIMEOUT_S
    while not answer and time.monotonic() < until and client.loop(timeout=0.2) == paho.MQTT_ERR_SUCCESS:
        pass
    return bool(answer)


def connect_options(version: Any) -> dict[str, Any]:
    """What CONNECT carries beyond the basics: on MQTT 5 a session that outlives a short absence."""
    if version != paho.MQTTv5:
        return {}
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = SESSION_EXPIRY_S
    return {"clean_start": False, "properties": properties}


def refusal(broker: Broker, words: str) -> CredentialsError:
    """The error of a broker that knows us and says no."""
    who = f'user "{broker.username}"' if broker.username else "a client without a user name"
    return CredentialsError(
        f"broker {broker.host}:{broker.port} refuses {who} ({words})."
        " Put the right username and password_file under [broker], or let the broker accept this device."
    )


def probe(broker: Broker) -> str:
    """Connect once and leave, for `shelf-agent check`.

    Returns:
        The protocol version that the broker speaks.

    Raises:
        BrokerError: It is not there, does not answer, or takes no connections at present.
        CredentialsError: It refuses who we are.
    """
    where = f"{broker.host}:{broker.port}"
    refused: ReasonCode | None = None
    for version, name in ((paho.MQTTv5, "5"), (paho.MQTTv311, "3.1.1")):
        if broker.protocol not in ("auto", name):
            continue
        client = client_for(broker, version)
        answer: list[ReasonCode] = []
        client.on_connect = lambda _c, _u, _f, code, _p, answer=answer: answer.append(code)
        try:
            client.connect(broker.host, broker.port, **connect_options(version))
            awaited(client, answer)
        except (OSError, ValueError) as error:
            raise BrokerError(
                f"no MQTT broker at {where} ({error}). Check host and port under [broker], and that the broker runs."
            ) from error
        if answer and not answer[0].is_failure:
            client.disconnect()
            client.loop(timeout=0.1)
            return name
        if answer and answer[0].value in CREDENTIALS_REFUSED:
            raise refusal(broker, str(answer[0]))
        refused = answer[0] if answer else refused
    if refused is not None:
        raise BrokerError(
            f"broker {where} refuses the connection ({refused}). Look into the broker's log, and try again later."
        )
    raise BrokerError(f"{where} does not answer as an MQTT broker. Check host and port under [broker].")
