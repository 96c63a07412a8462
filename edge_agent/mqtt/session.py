"""One connection to the broker, from its welcome to its end: what goes out, and what is acknowledged."""

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge_agent.messages import Topics
from edge_agent.mqtt.broker import IN_FLIGHT, NOT_AUTHORIZED, Broker, Welcome, turn
from edge_agent.mqtt.favours import Favours
from edge_agent.mqtt.flow import Flow, Sent
from edge_agent.mqtt.inbox import Command, Inbox
from edge_agent.mqtt.outgoing import Outgoing, Payload
from edge_agent.shelf import BrokerError, CredentialsError, ShelfwatchError

log = logging.getLogger(__name__)

HEADER_BYTES = 16
"""More than a PUBLISH without properties has beside its topic and its payload."""


@dataclass(slots=True)
class Tally:
    """What the publisher has done so far, for the health message and the demo's summary."""

    connected: bool = False
    connects: int = 0
    acknowledged: int = 0
    protocol: str = ""


@dataclass(frozen=True, slots=True)
class Parts:
    """What all connections of a publisher have in common."""

    broker: Broker
    topics: Topics
    outgoing: Outgoing
    flow: Flow
    inbox: Inbox
    tally: Tally
    favours: Favours


class Session:
    """A connection that stands. `deliver` runs it; everything happens in the caller's thread."""

    def __init__(self, client: paho.Client, parts: Parts, *, version: str, welcome: Welcome) -> None:
        """Take over a client that the broker has let in."""
        self._client, self._parts = client, parts
        self._five = version == "5"
        self._in_flight, self._largest_bytes = min(IN_FLIGHT, welcome.receive_maximum), welcome.largest_bytes
        # message id → an event, a retained topic, an answer's command
        self._waiting: dict[int, Sent | str | Command] = {}
        self._unanswerable: set[int] = set()  # reason codes that were logged
        self._asked: dict[int, list[str]] = {}  # message id → topics that we want to read
        self._trusted = False  # the broker has taken something of ours
        self._failure: ShelfwatchError | None = None
        self._why = ""

    def deliver(self, finished: Callable[[Callable[[], bool]], bool]) -> None:
        """Serve until the connection ends, or `finished`, which may ask whether all is sent.

        Raises:
            CredentialsError: The broker does not let us publish.
            BrokerError: It takes no messages at present.
        """
        client, inbox = self._client, self._parts.inbox
        client.on_publish, client.on_subscribe = self._on_publish, self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = lambda _client, _userdata, message: inbox.take(message)
        birth, favours = self._parts.broker.birth_topic, self._parts.favours
        if birth is not None:
            client.message_callback_add(birth, lambda _client, _userdata, message: favours.born(bytes(message.payload)))
        try:
            self._deliver(finished)
        finally:  # what leads back here would keep the client, and its sockets, until the garbage is collected
            client.on_publish = client.on_subscribe = client.on_disconnect = client.on_message = None
            if birth is not None:
                client.message_callback_remove(birth)

    def _deliver(self, finished: Callable[[Callable[[], bool]], bool]) -> None:
        self._parts.favours.connected()
        self._parts.outgoing.all_anew(but=self._parts.favours.topics)
        try:
            self._parts.flow.connected()
            self._subscribe()
            while not finished(self._all_sent):
                self._send()
                stands = turn(self._client, 0.1)
                self._parts.flow.forget(now=not stands)
                if self._failure is not None:
                    raise self._failure
                if not stands:
                    log.warning("the connection to the broker is gone%s", self._why)
                    self._lost()
                    return
            self._parts.flow.forget(now=True)
        except ShelfwatchError:
            self.leave()
            raise
        self.leave()

    def _all_sent(self) -> bool:
        return not self._waiting and self._parts.outgoing.empty and self._parts.flow.all_sent()

    def _subscribe(self) -> None:
        topics = [self._parts.topics.commands]
        if self._parts.broker.delivery == "end-to-end":
            topics.append(self._parts.topics.ack)
        self._ask(topics)

    def _ask(self, topics: list[str]) -> None:
        """Ask the broker for what comes on these topics."""
        if self._five:  # our own answers need not come back, and a command that was published as retained shows it
            options = SubscribeOptions(qos=1, noLocal=True, retainAsPublished=True)
            _, mid = self._client.subscribe([(topic, options) for topic in topics])
        else:
            _, mid = self._client.subscribe([(topic, 1) for topic in topics])
        if mid is not None:
            self._asked[mid] = topics

    def _ask_favours(self) -> None:
        """The broker has taken something of ours: ask it for what it may refuse."""
        self._trusted = True
        favours, birth = self._parts.favours, self._parts.broker.birth_topic
        if birth is not None and favours.asked(birth):
            self._ask([birth])
        self._parts.outgoing.again(favours.topics)

    def _lost(self) -> None:
        """The connection ended: remember what the broker may have hung up on."""
        if not self._trusted:
            return
        favours = self._parts.favours
        for topic in self._waiting.values():
            if isinstance(topic, str) and topic in favours:
                favours.hung_up(topic)
        for topics in self._asked.values():
            if topics == [self._parts.broker.birth_topic]:
                favours.hung_up(topics[0])

    def _on_subscribe(self, _c: Any, _u: Any, mid: int, codes: list[ReasonCode], _properties: Any) -> None:
        """Go on without commands; without the consumer's word no event would ever leave the outbox: say so."""
        for topic, code in zip(self._asked.pop(mid, []), codes, strict=False):
            if topic == self._parts.broker.birth_topic:
                if code.is_failure:
                    self._parts.favours.refused(topic, str(code))
                else:
                    self._parts.favours.granted(topic)
            elif code.is_failure:
                lost = "commands" if topic == self._parts.topics.commands else "acknowledgements"
                log.warning("the broker does not let us read %s (%s): no %s. Allow it.", topic, code, lost)

    def _send(self) -> None:
        """Hand over new snapshots, and events while fewer than allowed wait for their PUBACK."""
        if self._parts.favours.repeat_now():
            self._parts.outgoing.again(self._parts.favours.topics)
        letters = self._parts.outgoing.take(self._room)
        for topic, once in letters.said:
            self._client.publish(topic, _text(once), qos=0)
        for command, answer in letters.answers:
            topic = command.response_topic or self._parts.topics.command_result
            properties = self._properties(answer, command=command)
            sent = self._client.publish(topic, _text(answer), qos=1, properties=properties)
            self._waiting[sent.mid] = command
        for topic, payload in letters.retained:
            text = _text(payload)
            if topic in self._parts.favours and not self._may_ask(topic, text):
                continue
            properties = self._properties(payload, expires=topic.endswith("/state"))
            sent = self._client.publish(topic, text, qos=1, retain=True, properties=properties)
            self._waiting[sent.mid] = topic
        for event in self._parts.flow.take(self._room):
            properties = self._properties(event.payload)
            sent = self._client.publish(event.topic, _text(event.payload), qos=1, properties=properties)
            self._waiting[sent.mid] = event

    def _may_ask(self, topic: str, text: str) -> bool:
        """Whether a message that the broker may refuse is sent at all."""
        size_bytes = len(text.encode()) + len(topic.encode()) + HEADER_BYTES
        if size_bytes > self._largest_bytes:
            self._parts.favours.refused(topic, f"the message has {size_bytes} bytes, it takes {self._largest_bytes}")
        return self._parts.favours.asked(topic)

    @property
    def _room(self) -> int:
        """How many messages may go out before one that is out is acknowledged."""
        return self._in_flight - len(self._waiting)

    def _properties(
        self, payload: Payload, *, expires: bool = False, command: Command | None = None
    ) -> Properties | None:
        """On MQTT 5: schema and model beside the payload, and a life for what would be wrong if it were old."""
        if not self._five:
            return None
        fields: Mapping[str, Any] = {} if isinstance(payload, str) else payload
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if "schema" in fields:
            properties.UserProperty = [("schema", fields["schema"])]
        if "model" in fields:
            properties.UserProperty = [("model", fields["model"]["id"])]  # paho appends
        if expires and fields:
            properties.MessageExpiryInterval = self._parts.broker.state_expiry_s
        if command is not None and command.correlation is not None:
            properties.CorrelationData = command.correlation
        return properties

    def _on_publish(self, _client: Any, _userdata: Any, mid: int, code: ReasonCode, _properties: Any) -> None:
        """A PUBACK: the row may go, unless the broker says that it did not take it."""
        if mid not in self._waiting:  # QoS 0, of which nobody knows whether it came
            return
        sent = self._waiting.pop(mid)
        if isinstance(sent, Command) and code.is_failure:
            self._not_answered(sent, code)
        elif code.is_failure and isinstance(sent, str) and sent in self._parts.favours:
            self._parts.favours.refused(sent, str(code))
        elif code.value == NOT_AUTHORIZED:
            self._failure = CredentialsError(
                f"the broker does not take our messages ({code})."
                f" Allow this user to publish below {self._parts.topics.root}/."
            )
        elif code.is_failure:
            self._failure = BrokerError(
                f"the broker does not take our messages at present ({code}); trying again later"
            )
        elif self._failure is None:
            self._parts.tally.acknowledged += 1
            if isinstance(sent, Sent):
                self._parts.flow.acknowledged(sent)
            elif isinstance(sent, str):
                self._parts.outgoing.arrived(sent)
                self._parts.favours.granted(sent)
            if not self._trusted:
                self._ask_favours()

    def _not_answered(self, command: Command, code: ReasonCode) -> None:
        """Give up an answer: whoever asks chooses where it goes, and must not end the connection by that."""
        if code.value not in self._unanswerable:
            self._unanswerable.add(code.value)
            log.warning(
                "the broker does not take the answer to a command on %r (%s). Allow this user to publish there, or"
                " have the command name another response topic.",
                command.response_topic or self._parts.topics.command_result,
                str(code),
            )

    def _on_disconnect(self, _client: Any, _u: Any, flags: Any, code: ReasonCode, _properties: Any) -> None:
        """On MQTT 5 a broker says why it hangs up: such as that somebody else has come with our client id."""
        if flags.is_disconnect_packet_from_server:
            self._why = f": {code}"

    def leave(self) -> None:
        """Say `offline`, as the last will would, and close."""
        self._client.on_publish = None
        info = self._client.publish(self._parts.topics.status, "offline", qos=1, retain=True)
        until = time.monotonic() + 1.0
        while not info.is_published() and time.monotonic() < until:
            if not turn(self._client, 0.1):
                return
        self._client.disconnect()
        turn(self._client, 0.1)


def _text(payload: Payload) -> str:
    """A payload as it goes over the wire: JSON without spaces, or a bare word."""
    return payload if isinstance(payload, str) else json.dumps(payload, separators=(",", ":"))
