"""What the running agent says of its cameras: for those that it holds, and that nobody else can open meanwhile."""

import contextlib
import json
import time
from collections.abc import Collection
from typing import Any

from paho.mqtt import client as paho

from edge_agent.doctor.finding import Finding, Level
from edge_agent.messages import Topics
from edge_agent.mqtt.broker import Broker, turn
from edge_agent.mqtt.visit import leave, visit
from edge_agent.shelf import CameraError, ShelfwatchError

WAIT_S = 2.0
"""A broker sends what it has retained at once; one that has nothing says nothing."""
_LEVELS: dict[str, Level] = {"online": "ok", "degraded": "warn"}


def heard(broker: Broker, topics: Topics, cameras: Collection[str]) -> dict[str, dict[str, Any]]:
    """The retained states of cameras, by id: those that the broker has, and lets us read."""
    wanted = {topics.camera(camera): camera for camera in cameras}
    found: dict[str, dict[str, Any]] = {}
    with contextlib.suppress(OSError, ValueError, ShelfwatchError):  # the line of the broker says it
        client, _ = visit(broker, "hear")
        client.on_message = lambda _client, _userdata, message: _note(found, wanted, message)
        client.subscribe([(topic, 0) for topic in wanted])
        until_s = time.monotonic() + WAIT_S
        while len(found) < len(wanted) and time.monotonic() < until_s and turn(client, 0.1):
            pass
        client.on_message = None
        leave(client)
    return found


def _note(found: dict[str, dict[str, Any]], wanted: dict[str, str], message: paho.MQTTMessage) -> None:
    try:
        said = json.loads(message.payload)
    except ValueError:
        return
    if message.topic in wanted and isinstance(said, dict):
        found[wanted[message.topic]] = said


def finding_of(what: str, source: str, said: dict[str, Any] | None) -> Finding:
    """A camera that the running agent holds, by what that has said of it."""
    held = f"{source} is held by the running agent"
    if said is None:
        return Finding(what, "warn", f"{held}, and the broker does not tell how it fares. Stop it to look.")
    status, reason = str(said.get("status")), said.get("reason")
    level = _LEVELS.get(status, "wrong")
    words = f"{held}, which says: {status}{f' ({reason})' if reason else ''}, since {said.get('since')}"
    remedy = "" if level == "ok" else ". See docs/operations.md, No picture."
    return Finding(what, level, words + remedy, CameraError.exit_status if level == "wrong" else 0)
