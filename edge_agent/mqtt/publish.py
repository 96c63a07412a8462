"""Messages → broker, in a thread of their own, for as long as it takes.

Two kinds of message: an event is a row of the outbox, sent in order (`flow`); a retained message is a snapshot, of
which only the newest of each topic is ever sent. While the broker is away both wait, and counting goes on. MQTT 5 where
the broker speaks it, 3.1.1 where it knows no better. `session` is one connection, `inbox` what comes back.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.messages import Topics, timestamp
from edge_agent.mqtt.broker import (
    CREDENTIALS_REFUSED,
    UNSUPPORTED_VERSION,
    Broker,
    client_for,
    connected,
    refusal,
    silence,
)
from edge_agent.mqtt.favours import Favours
from edge_agent.mqtt.flow import Flow, Rows
from edge_agent.mqtt.inbox import Command, Inbox
from edge_agent.mqtt.outgoing import Outgoing
from edge_agent.mqtt.session import Parts, Session, Tally
from edge_agent.mqtt.tls import UntrustedError
from edge_agent.shelf import BrokerError, ConfigError, ShelfwatchError

if TYPE_CHECKING:
    import queue

log = logging.getLogger(__name__)

BACK_OFF_S = (1.0, 120.0)
LEAVE_S = 1.5
"""How long the goodbye may take. Who is still trying to connect has nobody to say it to, and is not waited for."""


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


class MqttPublisher:
    """The real publisher. `start`, then `retain`, `say` and `answer` from any thread, then `stop`."""

    def __init__(
        self, broker: Broker, topics: Topics, outbox: Rows, *, on_fatal: Callable[[], None] = lambda: None
    ) -> None:
        """Prepare; nothing is connected before `start`. `on_fatal` is called when `fatal` ended the publishing."""
        self._broker, self._topics, self._on_fatal = broker, topics, on_fatal
        self.tally = Tally()
        self.fatal: Exception | None = None
        self.problem: str | None = None
        """Why there is no connection at present, in words; None while there is one."""
        flow = Flow(outbox, end_to_end=broker.delivery == "end-to-end")
        inbox = Inbox(topics, answer=self.answer, confirmed=self._confirmed)
        self._parts = Parts(broker, topics, Outgoing(), flow, inbox, self.tally, Favours())
        self.commands: queue.SimpleQueue[Command] = inbox.commands
        """What this device is asked to do, in order; each is to be answered."""
        self._doubted = False
        self._stopping = threading.Event()
        self._flush_until = 0.0
        self._thread = threading.Thread(target=self._run, name="publish", daemon=True)

    @property
    def cleared(self) -> set[str]:
        """Retained topics that the broker has forgotten for us: their empty payload was acknowledged."""
        return self._parts.outgoing.cleared

    @cleared.setter
    def cleared(self, topics: set[str]) -> None:
        self._parts.outgoing.cleared = topics

    def start(self) -> None:
        """Connect, and go on trying, in the background."""
        self.retain(self._topics.status, "online")
        self._thread.start()

    def retain(self, topic: str, payload: Mapping[str, Any] | str) -> None:
        """Make `payload` the newest of a retained topic, "" to clear it; it is sent as soon as the broker is there."""
        self._parts.outgoing.retain(topic, payload)

    def offer(self, topic: str, payload: Mapping[str, Any] | str) -> None:
        """Retain on a topic that is not ours; a broker that refuses it does no harm."""
        self._parts.favours.add(topic)
        self.retain(topic, payload)

    def has(self, topic: str) -> bool:
        """Whether the broker has the newest of a retained topic, as far as it has said so."""
        return self._parts.outgoing.has(topic)

    def say(self, topic: str, payload: Mapping[str, Any]) -> None:
        """Send once at QoS 0 if the broker is there, and forget."""
        if self.tally.connected:
            self._parts.outgoing.say(topic, payload)

    def answer(self, command: Command, payload: Mapping[str, Any]) -> None:
        """Answer a command, with its verb and `id` beside `payload`, where it asks for the answer."""
        dated = {"ts": timestamp(datetime.now(UTC)), **payload}
        self._parts.inbox.answered(command, dated)
        self._parts.outgoing.answer(command, command.answered(dated))

    def stop(self, *, flush_s: float = 3.0) -> None:
        """Send what waits for at most `flush_s` seconds, publish `offline` and leave. Rows that remain stay stored."""
        self._flush_until = time.monotonic() + flush_s
        self._stopping.set()
        self._thread.join(timeout=flush_s + LEAVE_S)  # a broker that hangs keeps nobody here

    def _run(self) -> None:
        """The thread: whatever ends it but `stop` is told, or the device would go on counting for nobody."""
        try:
            self._serve()
        except Exception as error:  # noqa: BLE001 — handed to the main thread, which raises it
            log.error("publishing has ended: %s", error)  # noqa: TRY400
            known = isinstance(error, ShelfwatchError)
            self.fatal = error.with_traceback(None) if known else error  # it would keep paho's client, and its sockets
            self._on_fatal()

    def _serve(self) -> None:
        """Connect, deliver until the connection ends, wait, and again.

        Raises:
            CredentialsError: The broker refuses who we are, or what we publish.
        """
        spoken = choices = self._broker.spoken
        pause_s = BACK_OFF_S[0]
        while not self._stopping.is_set():
            outcome = self._connection(choices[0])
            if outcome in ("served", "unserved"):  # it speaks this version, and may speak a better one next time
                choices = spoken
                pause_s = BACK_OFF_S[0] if outcome == "served" else pause_s
            elif outcome == "version" and len(spoken) > 1:
                refused = choices[0]
                spoken = choices = tuple(version for version in spoken if version != refused)
                log.info("the broker does not speak MQTT %s; going on with %s", refused, choices[0])
                continue
            elif outcome == "mute":  # some brokers hang up, or fall silent, on a version that they don't know
                choices = (*choices[1:], choices[0])
            self._stopping.wait(random.uniform(0, pause_s))
            pause_s = min(BACK_OFF_S[1], pause_s * 2)

    def _connection(self, version: str) -> Literal["served", "unserved", "version", "mute", "failed"]:
        """One connection from CONNECT to its end; it was `served` where the broker acknowledged something."""
        try:
            client = client_for(self._broker, version, will=self._topics.status)
            welcome = connected(client, self._broker, version)
        except (UntrustedError, ConfigError) as error:  # a certificate may be renewed at this moment
            self._complain(f"{str(error).removesuffix('.')}; trying again")
            return "failed"
        except (OSError, ValueError) as error:
            self._complain(f"broker {self._broker.where} is not there ({error}); trying again")
            return "failed"
        if welcome is None:
            self._complain(f"broker {self._broker.where} does not answer ({silence(self._broker)}); trying again")
            return "mute"
        if welcome.code.is_failure:
            return self._refused(welcome.code)
        session = Session(client, self._parts, version=version, welcome=welcome)
        return self._session(session, version)

    def _session(self, session: Session, version: str) -> Literal["served", "unserved"]:
        """Deliver in a connection that stands, until it ends."""
        if self._stopping.is_set() and time.monotonic() > self._flush_until:
            return "unserved"  # nobody waits for us any more, and the outbox is closed
        acknowledged = self.tally.acknowledged
        self.tally.connected, self.tally.protocol = True, version
        self.tally.connects += 1
        self.problem = None
        log.info(
            "connected to %s, MQTT %s%s", self._broker.where, self.tally.protocol, ", TLS" * bool(self._broker.tls)
        )
        try:
            session.deliver(self._finished)
        except BrokerError as error:
            log.warning("%s", error)
            return "unserved"
        finally:
            self.tally.connected = False
        return "served" if self.tally.acknowledged > acknowledged else "unserved"

    def _finished(self, all_sent: Callable[[], bool]) -> bool:
        return self._stopping.is_set() and (all_sent() or time.monotonic() > self._flush_until)

    def _confirmed(self, epoch: str, seq: int) -> None:
        if not self._parts.flow.confirmed(epoch, seq) and not self._doubted:
            self._doubted = True  # said once
            log.warning("somebody acknowledges event %d on %s, which does not exist yet", seq, self._topics.ack)

    def _refused(self, code: ReasonCode) -> Literal["version", "failed"]:
        """Tell apart what an operator must mend from what time may mend."""
        if code.value == UNSUPPORTED_VERSION:
            return "version"
        if code.value in CREDENTIALS_REFUSED:
            raise refusal(self._broker, str(code))
        self._complain(f"broker {self._broker.where} refuses: {code}; trying again")
        return "failed"

    def _complain(self, words: str) -> None:
        """Log why there is no connection, once until it changes."""
        if words != self.problem:
            log.warning("%s", words)
        self.problem = words
