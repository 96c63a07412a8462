"""The retained topics that are ours: told while they are configured, and cleared on the broker when they are not.

A topic may lose its shelf while the broker, or the disk, is away: the outbox remembers it until the broker has
acknowledged that it is cleared.
"""

from contextlib import suppress

from edge_agent.announcing import Announcing
from edge_agent.config import Settings
from edge_agent.home_assistant import discovery_levels
from edge_agent.messages import Topics
from edge_agent.mqtt.publish import MqttPublisher
from edge_agent.outbox.outbox import Outbox
from edge_agent.shelf import SpoolError

RETAINED = "retained"
"""Under this name the outbox remembers the topics, one a line."""


class Claims:
    """The retained topics of shelves and cameras, and the one where Home Assistant is told of the device."""

    def __init__(self, topics: Topics, outbox: Outbox, mqtt: MqttPublisher) -> None:
        """For one device; nothing is claimed yet."""
        self._topics, self._outbox, self._mqtt = topics, outbox, mqtt
        self.announcing = Announcing(outbox, mqtt)
        self._unclaimed: Settings | None = None
        self._claimed: set[str] = set()  # topics of every configuration of this run

    def claim(self, settings: Settings) -> None:
        """Take the retained topics of a configuration as ours, and clear those of earlier ones that it hasn't.

        While the disk cannot be read nobody knows those of earlier ones: `tend` does it when it is back.
        """
        ours = {self._topics.state(shelf.id) for shelf in settings.shelves}
        ours |= {self._topics.camera(camera.id) for camera in settings.cameras}
        ours |= self.announcing.tell(settings)
        self._mqtt.cleared -= ours  # a shelf that has come back
        self._unclaimed = settings
        self._claimed |= ours
        try:
            known = self._remembered() | self._claimed
        except SpoolError:
            return
        self._unclaimed = None
        self._outbox.remember(RETAINED, "\n".join(sorted(known)))
        for topic in known - ours:
            if topic.startswith(f"{self._topics.root}/"):  # another device's are not ours to clear
                self._mqtt.retain(topic, "")
            elif topic.endswith(f"/{discovery_levels(settings)}"):
                self._mqtt.offer(topic, "")

    def tend(self) -> None:
        """Claim what could not be claimed while the disk was away."""
        if self._unclaimed is not None:
            self.claim(self._unclaimed)

    def leave(self) -> None:
        """Forget what the broker has cleared, and what Home Assistant has heard to be gone."""
        self.announcing.leave()
        if self._mqtt.cleared:
            with suppress(SpoolError):  # they are cleared again at the next start
                self._outbox.remember(RETAINED, "\n".join(sorted(self._remembered() - self._mqtt.cleared)))

    def _remembered(self) -> set[str]:
        """Topics of this configuration and earlier ones that are not cleared yet.

        Raises:
            SpoolError: The disk cannot be read.
        """
        known = self._outbox.recall(RETAINED)
        return set(known.split("\n")) if known else set()
