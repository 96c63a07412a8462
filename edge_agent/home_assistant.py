"""Settings → what Home Assistant is told of this device: one retained message, of which it makes a device and sensors.

It is a device discovery (https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery). Its sensors read the
retained states that everybody reads; nothing is published for Home Assistant alone. What is unknown becomes `None`,
which it shows as "unknown": never 0, and never "all is well". Pure values.
"""

import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edge_agent.config import Settings
from edge_agent.messages import Topics
from edge_agent.shelf import Shelf

SLUG_LENGTH = 60
"""Home Assistant has 255 characters for an entity's id, the name of the platform included."""

Component = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Announcement:
    """A retained message. `platforms` says what is in it: `sensor` or `binary_sensor` of each component's id."""

    topic: str
    payload: Mapping[str, Any]
    platforms: Mapping[str, str]


def announcement(
    settings: Settings, *, version: str, page: str | None = None, gone: Mapping[str, str] | None = None
) -> Announcement:
    """What to publish so that Home Assistant has this device as it is configured.

    Args:
        settings: The configuration in force.
        version: Of the agent.
        page: Address of the device's page as others reach it; None where there is none for them.
        gone: Components of earlier configurations and their platforms. Those that are no longer there are named with
            nothing but their platform, from which Home Assistant knows that they are to be removed.
    """
    device = _Device(settings)
    components = dict(device.components())
    platforms = {name: component["platform"] for name, component in components.items()}
    for name, platform in (gone or {}).items():
        components.setdefault(name, {"platform": platform})
    about: dict[str, Any] = {
        "identifiers": [device.id],
        "name": f"Shelves {settings.device} ({settings.site})",
        "manufacturer": "shelfwatch",
        "model": "shelf-agent",
        "sw_version": version,
    }
    if page is not None:
        about["configuration_url"] = page
    payload = {
        "device": about,
        "origin": {"name": "shelfwatch", "sw_version": version},
        "availability_mode": "all",
        "availability": [{"topic": device.topics.status}],
        "components": components,
    }
    return Announcement(discovery_topic(settings), payload, platforms)


def discovery_topic(settings: Settings) -> str:
    """Where the device is announced."""
    return f"{settings.home_assistant.prefix}/{discovery_levels(settings)}"


def discovery_levels(settings: Settings) -> str:
    """The levels of that topic that are the same with every prefix."""
    return f"device/{device_id(settings.site, settings.device)}/config"


def device_id(site: str, device: str) -> str:
    """The device's id in Home Assistant: readable, and another one for every other site and device."""
    return f"shelfwatch-{site}-{device}-{_hash(site, device)}"


def _hash(*names: str) -> str:
    """Eight digits that differ where the names do: `a-b`, `c` and `a`, `b-c` would else be the same."""
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()[:8]


def _slug(*names: str, joint: str) -> str:
    """Names as Home Assistant takes them for ids, a-z and 0-9; empty where nothing is left of them."""
    plain = unicodedata.normalize("NFKD", " ".join(names)).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", joint, plain).strip(joint)[:SLUG_LENGTH].strip(joint)


def _quoted(text: str) -> str:
    """A text as a constant of a template."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


class _Device:
    """The components of a device."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.topics = Topics(settings.site, settings.device)
        self.id = device_id(settings.site, settings.device)
        self._expires_s = max(1, math.ceil(3 * settings.heartbeat_s))

    def components(self) -> Iterator[tuple[str, Component]]:
        """Every sensor of the device, each with its id, which stays the same as long as what it is about."""
        for camera in self._settings.cameras:
            yield from self._camera(camera.id)
            for shelf in self._settings.shelves_of(camera.id):
                yield from self._shelf(shelf)
        yield from self._itself()

    def _component(self, kind: str, *about: str, platform: str, name: str, **more: Any) -> tuple[str, Component]:
        """One sensor. `kind` and `about` tell it from the others."""
        component_id = "-".join(part for part in (kind, _slug(*about, joint="-"), _hash(kind, *about)) if part)
        names = (self._settings.site, self._settings.device, *about, kind)
        return component_id, {
            "platform": platform,
            "unique_id": f"{self.id}-{component_id}",
            "default_entity_id": f"{platform}.{_slug(*names, joint='_')}",
            "name": name,
            **more,
        }

    def _of_camera(self, camera: str) -> dict[str, Any]:
        """What is known only while the device is there, and the camera too."""
        seen = "{{ 'offline' if value_json.status == 'offline' else 'online' }}"
        return {
            "availability": [
                {"topic": self.topics.status},
                {"topic": self.topics.camera(camera), "value_template": seen},
            ]
        }

    def _shelf(self, shelf: Shelf) -> Iterator[tuple[str, Component]]:
        """Its products, the worst of them in a word, and whether it can be read."""
        common = {
            "state_topic": self.topics.state(shelf.id),
            "expire_after": self._expires_s,
            **self._of_camera(shelf.camera),
        }
        for sku in shelf.expected:
            yield from self._product(shelf.id, sku, common)
        yield self._component(
            "stock",
            shelf.id,
            platform="sensor",
            name=f"{shelf.id}: stock",
            device_class="enum",
            options=["ok", "low", "out"],
            icon="mdi:bookshelf",
            value_template="{{ value_json.status if value_json.status in ['ok', 'low', 'out'] else None }}",
            **common,
        )
        kept = ("quality", "reason", "unknown_slots")
        yield self._component(
            "unreadable",
            shelf.id,
            platform="binary_sensor",
            name=f"{shelf.id}: cannot be read",
            device_class="problem",
            icon="mdi:eye-off-outline",
            value_template="{{ 'ON' if value_json.unknown_slots > 0 else 'OFF' }}",
            json_attributes_topic=self.topics.state(shelf.id),
            json_attributes_template=_attributes(kept),
            **common,
        )

    def _product(self, shelf: str, sku: str, common: Mapping[str, Any]) -> Iterator[tuple[str, Component]]:
        """How many there are, and whether somebody should bring more."""
        known = _quoted(sku)
        yield self._component(
            "count",
            shelf,
            sku,
            platform="sensor",
            name=f"{shelf}: {sku}",
            state_class="measurement",
            unit_of_measurement="facings",
            icon="mdi:package-variant",
            value_template=f"{{{{ value_json.counts.get({known}) if value_json.counts else None }}}}",
            **common,
        )
        status = f"value_json['items'] | selectattr('sku', 'eq', {known}) | map(attribute='status') | first"
        yield self._component(
            "restock",
            shelf,
            sku,
            platform="binary_sensor",
            name=f"{shelf}: {sku} low or out",
            device_class="problem",
            value_template="{{ {'ok': 'OFF', 'low': 'ON', 'out': 'ON'}.get("
            + status
            + " | default('unknown', true)) }}",
            **common,
        )

    def _camera(self, camera: str) -> Iterator[tuple[str, Component]]:
        """Whether it gives pictures, and whether they are ones to count in."""
        topic = self.topics.camera(camera)
        common = {"platform": "binary_sensor", "state_topic": topic, "entity_category": "diagnostic"}
        yield self._component(
            "camera",
            camera,
            name=f"Camera {camera}",
            device_class="connectivity",
            value_template="{{ {'online': 'ON', 'degraded': 'ON', 'offline': 'OFF'}.get(value_json.status) }}",
            json_attributes_topic=topic,
            json_attributes_template=_attributes(("status", "reason", "since")),
            **common,
        )
        yield self._component(
            "picture",
            camera,
            name=f"Camera {camera}: picture",
            device_class="problem",
            value_template="{{ {'online': 'OFF', 'degraded': 'ON'}.get(value_json.status) }}",
            **common,
        )

    def _itself(self) -> Iterator[tuple[str, Component]]:
        """Open alerts, and how the device fares."""
        yield self._component(
            "alerts",
            platform="sensor",
            name="Open alerts",
            state_class="measurement",
            unit_of_measurement="alerts",
            icon="mdi:bell-alert-outline",
            state_topic=self.topics.alerts,
            value_template="{{ value_json.open }}",
            json_attributes_topic=self.topics.alerts,
            json_attributes_template="{{ {'unacknowledged': value_json.unacknowledged, 'messages':"
            " value_json.alerts | map(attribute='message') | list} | tojson }}",
        )
        health: dict[str, Any] = {
            "platform": "sensor",
            "state_topic": self.topics.health,
            "state_class": "measurement",
            "entity_category": "diagnostic",
            "expire_after": self._expires_s,
        }
        for kind, key, name, more in _VITALS:
            yield self._component(kind, name=name, value_template=f"{{{{ value_json.{key} }}}}", **more, **health)


_VITALS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("waiting", "outbox_depth", "Events waiting", {"unit_of_measurement": "events", "icon": "mdi:tray-full"}),
    ("temperature", "temperature_c", "Temperature", {"device_class": "temperature", "unit_of_measurement": "°C"}),
    ("disk", "disk_free_mb", "Free disk", {"device_class": "data_size", "unit_of_measurement": "MiB"}),
)
"""Of the health message: kind, key, name, and what else there is to say."""


def _attributes(keys: tuple[str, ...]) -> str:
    """A template that passes on some keys of a payload."""
    return "{{ {" + ", ".join(f"'{key}': value_json.{key}" for key in keys) + "} | tojson }}"
