"""What the broker sends us: commands, and how far a consumer has stored the events. Whatever it is, it is checked."""

import json
import logging
import queue
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from paho.mqtt import client as paho

from edge_agent.messages import RESULT_SCHEMA, Topics

log = logging.getLogger(__name__)

LARGEST_PAYLOAD_BYTES = 16 * 1024
WAITING = 16
"""How many commands may wait; what comes beyond that is refused, and says so."""
REMEMBERED = 256
"""How many commands are remembered, so that one that comes twice isn't run twice."""
LONGEST_TOPIC = 512
FOREIGN_ROOTS = ("shelfwatch", "homeassistant")
"""An answer there would pass for a state of ours, of another device, or for a discovery of Home Assistant."""


@dataclass(frozen=True, slots=True)
class Command:
    """Something that this device is asked to do.

    Attributes:
        verb: The last level of its topic: `recount`, `snapshot`, `reload`, …
        payload: A JSON object, empty where there was none.
        response_topic: Where the answer goes (MQTT 5); None for `…/cmd/result`.
        correlation: What the answer must carry so that it is recognized (MQTT 5).
    """

    verb: str
    payload: Mapping[str, Any]
    response_topic: str | None = None
    correlation: bytes | None = None

    @property
    def id(self) -> str | int | None:
        """The `id` of its payload, a string or a whole number; None where it has none."""
        given = self.payload.get("id")
        return given if isinstance(given, str | int) and not isinstance(given, bool) else None

    @property
    def key(self) -> tuple[str, str | int | bytes] | None:
        """What tells it from others: its correlation data, or its `id`; None where it has neither."""
        if self.correlation is not None:
            return self.verb, self.correlation
        return None if self.id is None else (self.verb, self.id)

    def answered(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """An answer as it goes out: schema, verb and the command's own `id` beside what is answered."""
        given = {} if self.id is None else {"id": self.id}
        return {"schema": RESULT_SCHEMA, "command": self.verb, **given, **payload}


class Inbox:
    """Sorts what comes in. `refuse` is called with a command and the reason why it is not run."""

    def __init__(
        self,
        topics: Topics,
        *,
        answer: Callable[[Command, Mapping[str, Any]], None],
        confirmed: Callable[[str, int], None],
    ) -> None:
        """Sort for one device; `answer` sends an answer, `confirmed` gets the epoch and seq of a watermark."""
        self._topics, self._answer, self._confirmed = topics, answer, confirmed
        self._prefix = topics.commands.removesuffix("#")
        self._known: OrderedDict[tuple[str, str | int | bytes], Mapping[str, Any] | None] = OrderedDict()
        self.commands: queue.SimpleQueue[Command] = queue.SimpleQueue()

    def take(self, message: paho.MQTTMessage) -> None:
        """Put a message where it belongs. Whatever it holds, nothing is raised."""
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return
        if topic == self._topics.ack:
            self._watermark(bytes(message.payload))
        elif topic.startswith(self._prefix) and topic != self._topics.command_result:
            self._command(topic.removeprefix(self._prefix), message)

    def answered(self, command: Command, payload: Mapping[str, Any]) -> None:
        """Remember what a command was answered, for when it comes again."""
        if command.key is not None and command.key in self._known:
            self._known[command.key] = payload

    def _watermark(self, payload: bytes) -> None:
        found, why = parsed(payload)
        epoch, seq = found.get("epoch"), found.get("seq")
        if not isinstance(epoch, str) or not isinstance(seq, int) or isinstance(seq, bool) or not 0 <= seq < 2**63:
            if payload:  # empty: somebody has cleared the topic
                why = why or 'it must be {"epoch": "…", "seq": 0 or more}'
                log.warning("what is on %s is no acknowledgement: %s", self._topics.ack, why)
            return
        self._confirmed(epoch, seq)

    def _command(self, verb: str, message: paho.MQTTMessage) -> None:
        if message.retain:  # it would be run again at every start
            if message.payload:
                log.warning("a retained command %r is ignored; publish commands without the retain flag", verb[:40])
            return
        response = getattr(message.properties, "ResponseTopic", None)
        correlation = getattr(message.properties, "CorrelationData", None)
        allowed = response is None or self._may_answer(response)
        payload, why = parsed(bytes(message.payload))
        command = Command(verb, payload, response if allowed else None, correlation)
        if not allowed:
            why = "answers don't go to that response topic; name one that is outside of shelfwatch/ and homeassistant/"
        elif command.key is not None and command.key in self._known:
            earlier = self._known[command.key]
            if earlier is not None:
                self._answer(command, earlier)
            return
        elif self.commands.qsize() >= WAITING:
            why = f"{WAITING} commands are waiting already; try again later"
        if why:
            log.warning("the command %r is refused: %s", verb[:40], why)
            self._answer(command, {"ok": False, "message": why})
            return
        if command.key is not None:
            self._known[command.key] = None
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        self.commands.put(command)

    def _may_answer(self, topic: str) -> bool:
        """Whether a topic may be answered on: whoever may send commands must not publish in our name."""
        if topic == self._topics.command_result:
            return True
        well_formed = 0 < len(topic) <= LONGEST_TOPIC and topic.isprintable() and not set(topic) & {"#", "+"}
        root = topic.split("/", maxsplit=1)[0].lower()
        return well_formed and root not in FOREIGN_ROOTS and not root.startswith("$")


def parsed(payload: bytes) -> tuple[dict[str, Any], str]:
    """A payload as a JSON object, empty where there is none, and what is wrong with it, "" for nothing."""
    if len(payload) > LARGEST_PAYLOAD_BYTES:
        return {}, f"its payload has {len(payload)} bytes; {LARGEST_PAYLOAD_BYTES} is the most"
    if not payload.strip():
        return {}, ""
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError) as error:
        return {}, f"its payload is no JSON ({error})"
    return (found, "") if isinstance(found, dict) else ({}, "its payload must be a JSON object")
