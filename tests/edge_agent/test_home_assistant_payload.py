"""What Home Assistant is told of a device, as a value: ids that stay, what is unknown, what goes."""

import json
import re

import pytest

from edge_agent.config import load
from edge_agent.demo.scene import planogram
from edge_agent.demo.store import CAMERA, SHELVES, write_config
from edge_agent.home_assistant import announcement, device_id
from edge_agent.mqtt.broker import LARGEST_BYTES
from edge_agent.page import page_address
from edge_agent.sections import DashboardSection


@pytest.fixture
def settings(tmp_path):
    """The demo's: 24 slots on three shelves."""
    return load(write_config(tmp_path, port=1883, heartbeat_s=20))


def test_each_product_shelf_and_camera_has_its_sensors(settings):
    """A count and a problem for each product, stock and view of each shelf, two for each camera."""
    found = announcement(settings, version="1")
    names = [component["name"] for component in found.payload["components"].values()]
    for shelf, products in zip(SHELVES, planogram(), strict=True):
        for sku in products:
            assert {f"{shelf}: {sku}", f"{shelf}: {sku} low or out"} <= set(names)
        assert {f"{shelf}: stock", f"{shelf}: cannot be read"} <= set(names)
    assert {f"Camera {CAMERA}", f"Camera {CAMERA}: picture", "Open alerts"} <= set(names)
    assert len(names) == len(set(names))


def test_ids_are_unique_stable_and_of_characters_that_home_assistant_takes(settings):
    """Home Assistant splits ids at spaces, and knows an entity for ever by its unique id."""
    first, again = (announcement(settings, version=version) for version in ("1", "2"))
    assert first.platforms == again.platforms
    assert re.fullmatch(r"homeassistant/device/[a-zA-Z0-9_-]+/config", first.topic)
    components = first.payload["components"]
    assert all(re.fullmatch(r"[a-z0-9_-]{1,120}", name) for name in components)
    assert len({component["unique_id"] for component in components.values()}) == len(components)
    assert len({component["default_entity_id"] for component in components.values()}) == len(components)
    for component in components.values():
        assert re.fullmatch(r"(sensor|binary_sensor)\.[a-z0-9_]{1,80}", component["default_entity_id"])


def test_devices_whose_names_run_together_are_two():
    """`a-b`, `c` and `a`, `b-c` are not the same device."""
    assert device_id("a-b", "c") != device_id("a", "b-c")


def test_a_product_may_have_any_name(settings):
    """Quotes, spaces and other scripts are passed on as they are, in templates that stay templates."""
    shelf = settings.shelves[0]
    odd = 'l\'eau "100 %" }} {# 牛乳 \\'
    grid = shelf.grid.model_copy(update={"products": odd})
    other = settings.model_copy(update={"shelves": [shelf.model_copy(update={"grid": grid})]})
    (count,) = (
        component
        for component in announcement(other, version="1").payload["components"].values()
        if component["name"] == f"{shelf.id}: {odd}"
    )
    assert "l\\'eau" in count["value_template"]
    assert re.fullmatch(r"sensor\.[a-z0-9_]+", count["default_entity_id"])


def test_a_sensor_is_there_only_while_the_device_and_its_camera_are(settings):
    """Two levels, both of which must hold; and a state that is not repeated for three heartbeats is too old."""
    payload = announcement(settings, version="1").payload
    assert payload["availability_mode"] == "all"
    for name, component in payload["components"].items():
        if name.startswith(("count", "restock", "stock", "unreadable")):
            topics = [level["topic"] for level in component["availability"]]
            assert topics == ["shelfwatch/demo/shelf-1/status", f"shelfwatch/demo/shelf-1/camera/{CAMERA}/status"]
            assert component["expire_after"] == 60
        elif name.startswith("camera"):
            assert "availability" not in component  # that it is gone is what it says
            assert "expire_after" not in component  # it is published on change only


def test_what_goes_is_named_with_its_platform_alone(settings):
    """So Home Assistant removes it; what has come back is there as before."""
    found = announcement(
        settings, version="1", gone={"count-x": "sensor", **announcement(settings, version="1").platforms}
    )
    assert found.payload["components"]["count-x"] == {"platform": "sensor"}
    assert sum(len(component) == 1 for component in found.payload["components"].values()) == 1
    assert "count-x" not in found.platforms


def test_sixty_slots_fit_into_what_brokers_take(settings):
    """60 products, each in one slot: the largest message of the cloud's brokers is 128 KiB."""
    shelf = settings.shelves[0]
    grid = shelf.grid.model_copy(
        update={"rows": 6, "columns": 10, "products": [f"product-{n}-500g" for n in range(60)]}
    )
    full = settings.model_copy(update={"shelves": [shelf.model_copy(update={"grid": grid})]})
    size_bytes = len(json.dumps(announcement(full, version="1").payload, separators=(",", ":")))
    assert size_bytes < 2 * LARGEST_BYTES, size_bytes


@pytest.mark.parametrize(
    ("keys", "address"),
    [
        ({}, None),
        ({"enabled": False, "host": "192.0.2.7"}, None),
        ({"host": "127.0.0.2"}, None),
        ({"host": "192.0.2.7"}, "http://192.0.2.7:8089/"),
        ({"host": "2001:db8::7", "port": 80}, "http://[2001:db8::7]:80/"),
        ({"host": "0.0.0.0"}, "http://aisle-3:8089/"),  # noqa: S104
    ],
)
def test_the_page_is_named_where_others_reach_it(keys, address):
    """Not while it is on the loopback."""
    section = DashboardSection(**{"enabled": True, "password_file": "x", **keys})
    assert page_address(section, "aisle-3") == address
