"""What we ask of a broker beyond our own topics, and what it may refuse: then all the rest goes on as it is.

A device is announced to Home Assistant below a prefix that is not ours, and hears there when Home Assistant starts. An
access list that knows nothing of it says no in one of three ways: with a reason code (MQTT 5), without a word (3.1.1 on
mosquitto), or by hanging up (RabbitMQ, cloud services). So favours are asked only after the broker has taken something
of ours in the same connection, and one on which it hangs up twice is left for an hour: it may have been the network.
"""

import logging
import random
import time
from collections import Counter
from collections.abc import Callable

log = logging.getLogger(__name__)

HANG_UPS = 2
"""After so many in a row a favour is given up for a while."""
GIVEN_UP_S = 3600.0
"""For how long; then it is asked once more, in the same connection if that lasts."""
REPEAT_WITHIN_S = 3.0
"""When Home Assistant starts, each device waits a random time up to this, so that not all answer it at once."""


class Favours:
    """Which favours are asked, and what became of them. For the publisher's thread, but for `add`."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, within_s: float = REPEAT_WITHIN_S) -> None:
        """None yet. `clock` measures in seconds."""
        self._clock, self._within_s = clock, within_s
        self._topics: dict[str, None] = {}  # an ordered set
        self._hung_up: Counter[str] = Counter()
        self._hung_up_at_s: dict[str, float] = {}
        self._refused: set[str] = set()
        self._told: set[str] = set()
        self._repeat_at_s: float | None = None

    def add(self, topic: str) -> None:
        """The retained message of this topic is one that the broker may refuse."""
        self._topics[topic] = None

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics of retained messages that the broker may refuse."""
        return tuple(self._topics)

    def __contains__(self, topic: object) -> bool:
        return topic in self._topics

    def connected(self) -> None:
        """A new connection: what was refused with a reason may be allowed by now."""
        self._refused.clear()
        now_s = self._clock()
        over_s = [at_s + GIVEN_UP_S for topic, at_s in self._hung_up_at_s.items() if self._hung_up[topic] >= HANG_UPS]
        self._repeat_at_s = max((at_s for at_s in over_s if at_s > now_s), default=None)

    def asked(self, topic: str) -> bool:
        """Whether it is asked for at all."""
        if topic in self._refused:
            return False
        return self._hung_up[topic] < HANG_UPS or self._clock() - self._hung_up_at_s[topic] >= GIVEN_UP_S

    def granted(self, topic: str) -> None:
        """The broker has taken the message, or the subscription."""
        self._hung_up[topic] = 0
        self._told.discard(topic)

    def refused(self, topic: str, why: str) -> None:
        """It is refused for this connection."""
        self._refused.add(topic)
        self._tell(topic, why)

    def hung_up(self, topic: str) -> None:
        """The connection ended while the broker had this to answer."""
        self._hung_up[topic] += 1
        self._hung_up_at_s[topic] = self._clock()
        if self._hung_up[topic] >= HANG_UPS:
            self._tell(topic, f"it hangs up, {HANG_UPS} times in a row")

    def _tell(self, topic: str, why: str) -> None:
        if topic not in self._told:
            self._told.add(topic)
            log.warning(
                "the broker does not let us use %s (%s), so Home Assistant does not learn of this device by itself;"
                " all else goes on. Allow it, or set enabled = false under [home_assistant].",
                topic,
                why,
            )

    def born(self, payload: bytes) -> None:
        """Home Assistant said something of itself; where it has started, everything is told again in a moment."""
        now_s = self._clock()
        if payload.strip() == b"online" and (self._repeat_at_s is None or self._repeat_at_s > now_s + self._within_s):
            self._repeat_at_s = now_s + random.uniform(0, self._within_s)

    def repeat_now(self) -> bool:
        """Whether it is time to tell everything again; it is once."""
        if self._repeat_at_s is None or self._clock() < self._repeat_at_s:
            return False
        self._repeat_at_s = None
        return True
