"""What Home Assistant is told of this device, and what it was told before: what is gone is taken back by name."""

import json
import os
from importlib.metadata import version

from edge_agent.config import Settings
from edge_agent.home_assistant import Announcement, announcement
from edge_agent.mqtt.publish import MqttPublisher
from edge_agent.outbox.outbox import Outbox
from edge_agent.page import page_address
from edge_agent.shelf import SpoolError

ANNOUNCED = "home_assistant"
"""Under this name the outbox remembers what Home Assistant was told of, so that it can be told what is gone."""


class Announcing:
    """Tells Home Assistant of the device, each time that there is something else to tell."""

    def __init__(self, outbox: Outbox, mqtt: MqttPublisher) -> None:
        """Remember it in the outbox, and tell it by the publisher."""
        self._outbox, self._mqtt = outbox, mqtt
        self._announced: dict[str, str] = {}  # components that Home Assistant has heard of, and their platforms
        self.card: Announcement | None = None
        """What it was told last; None where it is not to know."""

    def tell(self, settings: Settings) -> set[str]:
        """Tell of the device as it is configured, if Home Assistant is to know; the topics where it is told."""
        if not settings.home_assistant.enabled:
            self.card = None
            return set()
        try:
            gone = _platforms(self._outbox.recall(ANNOUNCED)) | self._announced
            known = True
        except SpoolError:
            gone, known = self._announced, False
        page = page_address(settings.dashboard, os.uname().nodename)
        card = announcement(settings, version=version("shelfwatch"), page=page, gone=gone)
        self._announced = gone | dict(card.platforms)
        if known:
            self._outbox.remember(ANNOUNCED, json.dumps(self._announced))
        if card != self.card:  # while the disk cannot be read this is called every second
            self._mqtt.offer(card.topic, card.payload)
            self.card = card
        return {card.topic}

    def leave(self) -> None:
        """Remember only what there is, once the broker has it that the rest is gone: that need not be said again."""
        if self.card is not None and self._mqtt.has(self.card.topic):
            self._outbox.remember(ANNOUNCED, json.dumps(dict(self.card.platforms)))


def _platforms(remembered: str | None) -> dict[str, str]:
    """What Home Assistant was told of; nothing where that is damaged: what is gone is not taken back then."""
    try:
        found = json.loads(remembered or "{}")
    except ValueError:
        return {}
    return {str(name): str(platform) for name, platform in found.items()} if isinstance(found, dict) else {}
