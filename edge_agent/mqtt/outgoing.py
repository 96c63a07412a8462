"""What waits to be sent beside the events, whatever thread it comes from."""

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edge_agent.mqtt.inbox import Command

ANSWERS = 32
"""How many answers to commands wait for a broker that went away meanwhile."""

Payload = Mapping[str, Any] | str


@dataclass(frozen=True, slots=True)
class Letters:
    """What goes out at once: topic and payload of each."""

    retained: list[tuple[str, Payload]] = field(default_factory=list)
    said: list[tuple[str, Payload]] = field(default_factory=list)
    answers: list[tuple[Command, dict[str, Any]]] = field(default_factory=list)


class Outgoing:
    """What waits to be sent beside the events: the newest of each retained topic, answers, and passing remarks."""

    def __init__(self) -> None:
        """Nothing waits yet. The methods may be called from any thread."""
        self._lock = threading.Lock()
        self._retained: dict[str, Payload] = {}
        self._dirty: dict[str, None] = {}  # an ordered set
        self._said: list[tuple[str, Payload]] = []
        self._answers: deque[tuple[Command, dict[str, Any]]] = deque(maxlen=ANSWERS)
        self.cleared: set[str] = set()

    def retain(self, topic: str, payload: Payload) -> None:
        """Make `payload` the newest of a topic."""
        with self._lock:
            self._retained[topic] = payload
            self._dirty[topic] = None

    def say(self, topic: str, payload: Payload) -> None:
        """Send it once."""
        with self._lock:
            self._said.append((topic, payload))

    def answer(self, command: Command, payload: dict[str, Any]) -> None:
        """Send it once; it waits for a broker that is away."""
        with self._lock:
            self._answers.append((command, payload))

    def all_anew(self) -> None:
        """A broker that may have forgotten everything is told all of it; what was said in passing is past."""
        with self._lock:
            self._dirty = dict.fromkeys(self._retained)
            self._said.clear()

    def take(self, limit: int) -> Letters:
        """What goes out now, in order: passing remarks, and of what is to be acknowledged `limit` at most."""
        with self._lock:
            letters = Letters(said=self._said)
            self._said = []
            while self._answers and limit > len(letters.answers):
                letters.answers.append(self._answers.popleft())
            for topic in list(self._dirty)[: max(0, limit - len(letters.answers))]:
                del self._dirty[topic]
                letters.retained.append((topic, self._retained[topic]))
        return letters

    def arrived(self, topic: str) -> None:
        """The broker has the retained message of a topic; an empty one has cleared it."""
        with self._lock:
            if self._retained.get(topic) == "" and topic not in self._dirty:
                del self._retained[topic]
                self.cleared.add(topic)

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return not (self._dirty or self._said or self._answers)
