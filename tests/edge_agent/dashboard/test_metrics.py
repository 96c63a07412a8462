"""What Prometheus reads: every figure with its unit, nothing for what is unknown, and all that the alert rules name."""

import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from edge_agent.demo.store import CAMERA, SHELVES
from edge_agent.shelf import CameraError
from tests.conftest import wait_for
from tests.edge_agent.dashboard.serving import served

RULES = Path(__file__).resolve().parents[3] / "deploy" / "prometheus" / "shelfwatch.rules.yml"
OF_PROMETHEUS = {"up"}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page of a running agent, which nobody harms."""
    with served(tmp_path_factory.mktemp("metrics")) as page:
        wait_for(lambda: len(page.agent.outlet.delivery.said()) == len(SHELVES))
        yield page


def scraped(page):
    """The samples of a scrape: name → [(labels, value), …]."""
    answer = page.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    found = {}
    for family in text_string_to_metric_families(answer.text):
        assert family.documentation, family.name
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def test_a_scrape_tells_what_is_on_the_shelves(page):
    """Facings, plan and status of each product and shelf, with labels that join."""
    found = scraped(page)
    counts = {(labels["shelf"], labels["sku"]): value for labels, value in found["shelfwatch_item_count_facings"]}
    unknown = [labels for labels, value in found["shelfwatch_item_unknown"] if value]
    assert len(counts) + len(unknown) == len(found["shelfwatch_item_expected_facings"])
    said = page.agent.outlet.delivery.said()
    assert counts == {
        (shelf, item.sku): item.count for shelf in said for item in said[shelf].items if item.count is not None
    }
    assert {labels["shelf"] for labels, _ in found["shelfwatch_shelf_unknown_slots"]} == set(SHELVES)
    for shelf in SHELVES:
        assert sum(value for labels, value in found["shelfwatch_shelf_status"] if labels["shelf"] == shelf) == 1


def test_a_scrape_tells_how_the_device_fares(page):
    """Pictures, camera, broker and outbox, and which build it is."""
    found = scraped(page)
    ((build, one),) = found["shelfwatch_build_info"]
    assert one == 1
    assert build["device"] == "shelf-1"
    assert found["shelfwatch_frames_total"][0][1] > 0
    assert found["shelfwatch_camera_up"] == [({"camera": CAMERA}, 1)]
    assert found["shelfwatch_broker_connected"] == [({}, 0)]  # there is none
    assert found["shelfwatch_outbox_events"][0][1] >= len(SHELVES)
    assert {labels["kind"] for labels, _ in found["shelfwatch_alerts_open"]} >= {"out_of_stock", "view_lost"}


def test_every_metric_that_a_rule_names_exists(page):
    """A rule on a name that nobody exports would never fire, and nobody would notice."""
    named = set()
    for expression in re.findall(r"^\s+expr: (.*)$", RULES.read_text(encoding="utf-8"), re.MULTILINE):
        named |= set(re.findall(r"\b(shelfwatch_\w+|up)\b", re.sub(r'"[^"]*"', "", expression)))
    assert len(named) > 8
    known = scraped(page).keys() | {"shelfwatch_temperature_celsius"}  # hardware that not every machine has
    assert named - OF_PROMETHEUS <= known


def test_a_shelf_that_cannot_be_read_has_no_count(tmp_path):
    """When the camera goes, its products become unknown: no sample, least of all 0."""
    with served(tmp_path, edit=lambda text: f"{text}\n[counting]\nunknown_after_s = 0.5\n") as page:
        wait_for(lambda: "shelfwatch_item_count_facings" in scraped(page))
        page.camera.problem = CameraError("the camera is gone", reason="timeout")
        wait_for(lambda: "shelfwatch_item_count_facings" not in scraped(page), 20, "unknown")
        found = scraped(page)
        assert all(value == 1 for _, value in found["shelfwatch_item_unknown"])
        assert found["shelfwatch_camera_up"] == [({"camera": CAMERA}, 0)]
        assert all(value == 0 for labels, value in found["shelfwatch_shelf_status"] if labels["status"] == "out")
