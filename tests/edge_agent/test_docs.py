"""The pages in docs/ name what the code does: no key is missing, and no link leads nowhere."""

import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from edge_agent.alerts.bodies import alert_body, alerts_payload
from edge_agent.alerts.book import Acknowledged, Book, Moment
from edge_agent.alerts.policy import Policy
from edge_agent.alerts.telling import acknowledge, take
from edge_agent.bundle import Manifest
from edge_agent.health import Health
from edge_agent.messages import ModelInfo, camera_payload, counts_body, event_payload, state_payload
from edge_agent.shelf import Alert, Count, Frame, Item, ShelfwatchError, SlotChange

REPO = Path(__file__).resolve().parents[2]
PAGES = sorted(str(path.relative_to(REPO)) for path in [*REPO.glob("*.md"), *(REPO / "docs").rglob("*.md")])
NOW = datetime(2026, 11, 23, 3, 12, tzinfo=UTC)
MODEL = ModelInfo("grocery-r7", "9f2c")


def keys_of(payload: object) -> set[str]:
    """Every key of a payload but the names of products."""
    if isinstance(payload, list):
        return set().union(*(keys_of(value) for value in payload))
    if not isinstance(payload, dict):
        return set()
    return set(payload).union(*(keys_of(payload[key]) for key in payload.keys() - {"counts", "previous"}))


def alert_payloads() -> list[dict[str, object]]:
    """Events about two alerts that are one: told, told again, acknowledged; and the retained list of what is open."""
    changes = (SlotChange("s1", "cola", "empty", 5, 5),)
    found = [Alert("low_stock", "a1", "cam1", sku, sku, None, 1, f"sku:{sku}", "4", changes) for sku in ("cola", "tea")]
    policy = Policy(group_s=0, remind_after_s=1)
    book, told = take(Book(), found, Moment(NOW, 1.0), policy)
    book, again = take(book, (), Moment(NOW, 2.0), policy)
    done = acknowledge(book, book.open[0].id, Acknowledged(NOW, "Ana"))
    assert not isinstance(done, str)
    sent = {"before": "…", "after": "…"}
    bodies = [alert_body(one, ts=NOW, model=MODEL, evidence=sent) for one in (*told, *again, *done[1])]
    events = [event_payload(body, epoch="b7e1", seq=2, historical=False) for body in bodies]
    return [*events, alerts_payload(done[0], ts=NOW)]


def payloads() -> list[dict[str, object]]:
    """One of each kind of message."""
    frame = Frame("cam1", 0, NOW, 1.0, np.zeros((1, 1, 3), np.uint8))
    item = Item("cola", 1, 1, 2, "ok", 0.9)
    count = Count("a1", "cam1", "good", None, (item,), ("cola", "empty"), 0.5)
    changed = counts_body(count, None, ("s1", "s2"), frame, ts=NOW, model=MODEL)
    return [
        state_payload(count, frame, ts=NOW, epoch="b7e1", as_of_seq=1, model=MODEL),
        event_payload(changed, epoch="b7e1", seq=1, historical=False),
        *alert_payloads(),
        camera_payload(reason=None, since=NOW),
        Health(lambda _: None).counters(),
    ]


@pytest.mark.parametrize("payload", payloads(), ids=lambda payload: payload.get("type", payload["schema"]))
def test_every_key_of_a_message_is_in_the_contract(payload):
    """An integrator finds each key that may come in docs/mqtt.md."""
    text = (REPO / "docs" / "mqtt.md").read_text(encoding="utf-8")
    assert not {key for key in keys_of(payload) if f'"{key}"' not in text}


def test_every_key_of_a_manifest_is_on_its_page():
    """docs/bundle.md explains every key that a bundle must have, and no other."""
    text = (REPO / "docs" / "bundle.md").read_text(encoding="utf-8")
    table = text.split("## manifest.json", 1)[1].split("\n## ", 1)[0]
    fields = {field.alias or name for name, field in Manifest.model_fields.items()}
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == fields


def test_every_exit_status_is_in_operations():
    """Whatever status a command of ours ends with, an operator finds what it means."""
    text = (REPO / "docs" / "operations.md").read_text(encoding="utf-8")
    errors = [error for error in ShelfwatchError.__subclasses__() if error.__module__ == ShelfwatchError.__module__]
    statuses = {error.exit_status for error in errors}
    assert statuses >= {65, 66, 69, 74, 78}
    assert not {status for status in statuses | {0, 2, 70} if f"\n| {status} |" not in text}


@pytest.mark.parametrize("name", PAGES)
def test_links_between_pages_lead_somewhere(name):
    """A reader who follows a link to a file of the repository arrives."""
    path = REPO / name
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    assert not [link for link in links if not (path.parent / link).exists()]
