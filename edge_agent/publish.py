"""Messages → broker, in a thread of their own. Events leave the outbox when the broker acknowledges them.

Two kinds of message: an event is a row of the outbox, sent in order, at most `IN_FLIGHT` unacknowledged; a retained
message is a snapshot, of which only the newest of each topic is ever sent. While the broker is away both wait, and
counting goes on. MQTT 5 where the broker speaks it, 3.1.1 where it knows no better.
"""

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol

from paho.mqtt import client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.broker import (
    CONNECT_TIMEOUT_S,
    CREDENTIALS_REFUSED,
    NOT_AUTHORIZED,
    UNSUPPORTED_VERSION,
    Broker,
    awaited,
    client_for,
    connect_options,
    refusal,
)
from edge_agent.messages import Topics, event_payload
from edge_agent.shelf import BrokerError, CredentialsError, ShelfwatchError
from edge_agent.spool import Row, Spool

log = logging.getLogger(__name__)

IN_FLIGHT = 20
LATE_S = 30.0
"""An event that is sent later than this after it happened is marked `historical`."""
BACK_OFF_S = (1.0, 120.0)
_VERSIONS = {"auto": (paho.MQTTv5, paho.MQTTv311), "5": (paho.MQTTv5,), "3.1.1": (paho.MQTTv311,)}
_NAMES = {paho.MQTTv5: "5", paho.MQTTv311: "3.1.1"}


class Publisher(Protocol):
    """What the loop needs of the outside."""

    def retain(self, topic: str, payload: Mapping[str, Any] | str) -> None:
        """Make `payload` the newest of a retained topic."""

    def say(self, topic: str, payload: Mapping[str, Any]) -> None:
        """Send once if the broker is there, and forget."""


@dataclass(slots=True)
class RecordingPublisher:
    """A fake that keeps what it is given, for tests and for replays without a broker."""

    retained: list[tuple[str, Mapping[str, Any] | str]] = field(default_factory=list)

    def retain(self, topic: str, payload: Mapping[str, Any] | str) -> None:
        """Keep it."""
        self.retained.append((topic, payload))

    def say(self, topic: str, payload: Mapping[str, Any]) -> None:
        """Keep it too."""
        self.retained.append((topic, payload))


@dataclass(slots=True)
class Tally:
    """What the publisher has done so far, for the health message and the demo's summary."""

    connected: bool = False
    connects: int = 0
    acknowledged: int = 0
    protocol: str = ""


class MqttPublisher:
    """The real publisher. `start`, then `retain` and `say` from any thread, then `stop`."""

    def __init__(
        self, broker: Broker, topics: Topics, spool: Spool, *, on_fatal: Callable[[], None] = lambda: None
    ) -> None:
        """Prepare; nothing is connected before `start`. `on_fatal` is called when `fatal` ended the publishing."""
        self._broker, self._topics, self._spool, self._on_fatal = broker, topics, spool, on_fatal
        self.tally = Tally()
        self.fatal: Exception | None = None
        self.cleared: set[str] = set()
        """Retained topics that the broker has forgotten for us: their empty payload was acknowledged."""
        self._lock = threading.Lock()
        self._retained: dict[str, Mapping[str, Any] | str] = {}
        self._dirty: dict[str, None] = {}  # an ordered set
        self._said: list[tuple[str, Mapping[str, Any]]] = []
        self._waiting: dict[int, int | str] = {}  # message id → seq of the event, or topic of the retained message
        self._sent_seq = 0
        self._complaint = ""
        self._stopping = threading.Event()
        self._flush_until = 0.0
        self._thread = threading.Thread(target=self._run, name="publish", daemon=True)

    def start(self) -> None:
        """Connect, and go on trying, in the background."""
        self.retain(self._topics.status, "online")
        self._thread.start()

    def retain(self, topic: str, payload: Mapping[str, Any] | str) -> None:
        """Make `payload` the newest of a retained topic, "" to clear it; it is sent as soon as the broker is there."""
        with self._lock:
            self._retained[topic] = payload
            self._dirty[topic] = None

    def say(self, topic: str, payload: Mapping[str, Any]) -> None:
        """Send once at QoS 0 if the broker is there, and forget."""
        if self.tally.connected:
            with self._lock:
                self._said.append((topic, payload))

    def stop(self, *, flush_s: float = 3.0) -> None:
        """Send what waits for at most `flush_s` seconds, publish `offline` and leave. Rows that remain stay stored."""
        self._flush_until = time.monotonic() + flush_s
        self._stopping.set()
        self._thread.join(timeout=flush_s + CONNECT_TIMEOUT_S)

    def _run(self) -> None:
        """The thread: whatever ends it but `stop` is told, or the device would go on counting for nobody."""
        try:
            self._serve()
        except Exception as error:  # noqa: BLE001 — handed to the main thread, which raises it
            log.error("publishing has ended: %s", error)  # noqa: TRY400
            self.fatal = error
            self._on_fatal()

    def _serve(self) -> None:
        """Connect, deliver until the connection ends, wait, and again.

        Raises:
            CredentialsError: The broker refuses who we are, or what we publish.
            SpoolError: The outbox cannot be read or written.
        """
        spoken = choices = _VERSIONS[self._broker.protocol]
        pause_s = BACK_OFF_S[0]
        while not self._stopping.is_set():
            outcome = self._session(choices[0])
            if outcome in ("served", "unserved"):  # it speaks this version, and may speak a better one next time
                choices = spoken
                pause_s = BACK_OFF_S[0] if outcome == "served" else pause_s
            elif outcome == "version" and len(spoken) > 1:
                refused = choices[0]
                spoken = choices = tuple(version for version in spoken if version != refused)
                log.info("the broker does not speak MQTT %s; going on with %s", _NAMES[refused], _NAMES[choices[0]])
                continue
            elif outcome == "mute":  # some brokers hang up, or fall silent, on a version that they don't know
                choices = (*choices[1:], choices[0])
            self._stopping.wait(random.uniform(0, pause_s))
            pause_s = min(BACK_OFF_S[1], pause_s * 2)

    def _session(self, version: Any) -> Literal["served", "unserved", "version", "mute", "failed"]:
        """One connection from CONNECT to its end; it was `served` where the broker acknowledged something."""
        client = client_for(self._broker, version, will=self._topics.status)
        answer: list[ReasonCode] = []
        client.on_connect = lambda _c, _u, _f, code, _p: answer.append(code)
        client.on_publish = self._on_publish
        with self._lock:
            self._dirty = dict.fromkeys(self._retained)
            self._waiting, self._sent_seq = {}, 0
        try:
            client.connect(self._broker.host, self._broker.port, self._broker.keepalive_s, **connect_options(version))
        except (OSError, ValueError) as error:
            self._complain(f"is not there ({error})")
            return "failed"
        if not awaited(client, answer):
            self._complain("does not answer")
            return "mute"
        if answer[0].is_failure:
            return self._refused(answer[0])
        acknowledged = self.tally.acknowledged
        self.tally.connected, self.tally.protocol = True, _NAMES[version]
        self.tally.connects += 1
        self._complaint = ""
        log.info("connected to %s:%d, MQTT %s", self._broker.host, self._broker.port, self.tally.protocol)
        try:
            self._deliver_until_end(client)
        except ShelfwatchError as error:
            client.on_publish = None  # what it raised must not be raised again
            self._leave(client)
            if not isinstance(error, BrokerError):
                raise
            log.warning("%s", error)
            return "unserved"
        finally:
            self.tally.connected = False
        return "served" if self.tally.acknowledged > acknowledged else "unserved"

    def _refused(self, code: ReasonCode) -> Literal["version", "failed"]:
        """Tell apart what an operator must mend from what time may mend."""
        if code.value == UNSUPPORTED_VERSION:
            return "version"
        if code.value in CREDENTIALS_REFUSED:
            raise refusal(self._broker, str(code))
        self._complain(f"refuses: {code}")
        return "failed"

    def _complain(self, words: str) -> None:
        """Log why there is no connection, once until it changes."""
        if words != self._complaint:
            log.warning("broker %s:%d %s; trying again", self._broker.host, self._broker.port, words)
        self._complaint = words

    def _deliver_until_end(self, client: paho.Client) -> None:
        while True:
            self._send(client)
            if self._stopping.is_set() and (
                time.monotonic() > self._flush_until or not (self._dirty or self._waiting or self._spool.depth())
            ):
                self._leave(client)
                return
            if client.loop(timeout=0.1) != paho.MQTT_ERR_SUCCESS:
                log.warning("the connection to the broker is gone")
                return

    def _send(self, client: paho.Client) -> None:
        """Hand over new snapshots, and rows of the outbox while fewer than `IN_FLIGHT` wait for their PUBACK."""
        with self._lock:
            fresh = [(topic, self._retained[topic]) for topic in self._dirty]
            self._dirty = {}
            said, self._said = self._said, []
        for topic, once in said:
            client.publish(topic, _text(once), qos=0)
        for topic, payload in fresh:
            properties = self._properties(payload, expires=topic.endswith("/state"))
            sent = client.publish(topic, _text(payload), qos=1, retain=True, properties=properties)
            self._waiting[sent.mid] = topic
        in_flight = sum(1 for sent in self._waiting.values() if isinstance(sent, int))
        for row in self._spool.peek(IN_FLIGHT - in_flight, after_seq=self._sent_seq) if in_flight < IN_FLIGHT else []:
            event = self._enveloped(row)
            sent = client.publish(row.topic, _text(event), qos=1, properties=self._properties(event))
            self._waiting[sent.mid] = row.seq
            self._sent_seq = row.seq

    def _properties(self, payload: Mapping[str, Any] | str, *, expires: bool = False) -> Properties | None:
        """On MQTT 5: schema and model beside the payload, and a life for what would be wrong if it were old."""
        if self.tally.protocol != "5":
            return None
        if isinstance(payload, str):
            payload = {}
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if "schema" in payload:
            properties.UserProperty = [("schema", payload["schema"])]
        if "model" in payload:
            properties.UserProperty = [("model", payload["model"]["id"])]  # paho appends
        if expires and payload:
            properties.MessageExpiryInterval = self._broker.state_expiry_s
        return properties

    def _enveloped(self, row: Row) -> dict[str, Any]:
        happened = row.body.get("ts")
        late = happened is not None and datetime.now(UTC) - datetime.fromisoformat(happened) > timedelta(seconds=LATE_S)
        return event_payload(row.body, epoch=self._spool.epoch, seq=row.seq, historical=late)

    def _on_publish(self, _client: Any, _userdata: Any, mid: int, code: ReasonCode, _properties: Any) -> None:
        """A PUBACK: the row may go, unless the broker says that it did not take it. What is raised ends the session."""
        if mid not in self._waiting:  # QoS 0, of which nobody knows whether it came
            return
        sent = self._waiting.pop(mid)
        if code.value == NOT_AUTHORIZED:
            raise CredentialsError(
                f"the broker does not take our messages ({code})."
                f" Allow this user to publish below {self._topics.root}/."
            )
        if code.is_failure:
            raise BrokerError(f"the broker does not take our messages at present ({code}); trying again later")
        self.tally.acknowledged += 1
        if isinstance(sent, int):
            self._spool.ack([sent])
            return
        with self._lock:
            if self._retained.get(sent) == "" and sent not in self._dirty:
                del self._retained[sent]
                self.cleared.add(sent)

    def _leave(self, client: paho.Client) -> None:
        """Say `offline`, as the last will would, and close."""
        info = client.publish(self._topics.status, "offline", qos=1, retain=True)
        until = time.monotonic() + 1.0
        while not info.is_published() and time.monotonic() < until:
            if client.loop(timeout=0.1) != paho.MQTT_ERR_SUCCESS:
                return
        client.disconnect()
        client.loop(timeout=0.1)


def _text(payload: Mapping[str, Any] | str) -> str:
    """A payload as it goes over the wire: JSON without spaces, or a bare word."""
    return payload if isinstance(payload, str) else json.dumps(payload, separators=(",", ":"))
