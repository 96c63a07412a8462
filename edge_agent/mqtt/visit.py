"""A short visit to the broker, for `shelf-agent check` and `doctor`: it keeps nothing for us afterwards."""

from dataclasses import replace

from paho.mqtt import client as paho
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.mqtt.broker import CREDENTIALS_REFUSED, Broker, client_for, connected, refusal, silence, turn
from edge_agent.shelf import BrokerError


def probe(broker: Broker) -> str:
    """Connect once and leave.

    Returns:
        The protocol version that the broker speaks.

    Raises:
        BrokerError, CredentialsError: As `visit`.
    """
    client, version = visit(broker, "check")
    leave(client)
    return version


def visit(broker: Broker, purpose: str) -> tuple[paho.Client, str]:
    """Connect beside a running agent: `purpose` ends the client id, so that the agent keeps its own session.

    Returns:
        The client, which has to `leave`, and the version of MQTT that it speaks.

    Raises:
        BrokerError: It is not there, does not answer, or takes no connections at present; an `UntrustedError` where
            a certificate is not taken.
        CredentialsError: It refuses who we are.
    """
    us = replace(broker, client_id=f"{broker.client_id}-{purpose}", lasting=False)
    refused: ReasonCode | None = None
    for version in us.spoken:
        client = client_for(us, version)
        try:
            welcome = connected(client, us, version)
        except (OSError, ValueError) as error:
            mixed_up = "" if us.tls is None else ", that this port is one for TLS,"
            raise BrokerError(
                f"no MQTT broker at {us.where} ({error}). Check host and port under [broker]{mixed_up} and that the"
                " broker runs."
            ) from error
        if welcome is None:
            continue
        if not welcome.code.is_failure:
            return client, version
        if welcome.code.value in CREDENTIALS_REFUSED:
            raise refusal(us, str(welcome.code))
        refused = welcome.code
    raise _not_let_in(us, refused)


def leave(client: paho.Client) -> None:
    """End a visit."""
    client.disconnect()
    turn(client, 0.1)


def _not_let_in(broker: Broker, refused: ReasonCode | None) -> BrokerError:
    if refused is not None:
        return BrokerError(
            f"broker {broker.where} refuses the connection ({refused})."
            " Look into the broker's log, and try again later."
        )
    return BrokerError(
        f"{broker.where} does not answer as an MQTT broker. Check host and port under [broker]; {silence(broker)}."
    )
