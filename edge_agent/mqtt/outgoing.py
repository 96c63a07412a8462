"""What waits to be sent beside the events, whatever thread it comes from."""

import threading
from collections import deque
from collections.abc import Collection, Iterable, Mapping
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
        self._has: set[str] = set()
        self.cleared: set[str] = set()

    def retain(self, topic: str, payload: Payload) -> None:
        """Make `payload` the newest of a topic."""
        with self._lock:
            self._retained[topic] = payload
            self._dirty[topic] = None
            self._has.discard(topic)

    def say(self, topic: str, payload: Payload) -> None:
        """Send it once."""
        with self._lock:
            self._said.append((topic, payload))

    def answer(self, command: Command, payload: dict[str, Any]) -> None:
        """Send it once; it waits for a broker that is away."""
        with self._lock:
            self._answers.append((command, payload))

    def all_anew(self, *, but: Collection[str] = ()) -> None:
        """A broker that may have forgotten everything is told all of it; what was said in passing is past.

        `but` are topics that wait for an `again`.
        """
        with self._lock:
            self._dirty = dict.fromkeys(topic for topic in self._retained if topic not in but)
            self._said.clear()

    def again(self, topics: Iterable[str]) -> None:
        """Send what is retained on these topics once more."""
        with self._lock:
            self._dirty.update(dict.fromkeys(topic for topic in topics if topic in self._retained))

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
            if topic in self._dirty:
                return
            self._has.add(topic)
            if self._retained.get(topic) == "":
                del self._retained[topic]
                self.cleared.add(topic)

    def has(self, topic: str) -> bool:
        """Whether the broker has had the newest of a topic."""
        return topic in self._has

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return not (self._dirty or self._said or self._answers)
