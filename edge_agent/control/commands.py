"""Commands from the broker: what they may ask for, and what is answered. Values in, values out.

`recount` forgets what was seen, `snapshot` stores a picture on the device, `reload` reads the configuration again. No
command changes the configuration or the model, and none sends a picture.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from edge_agent.messages import timestamp
from edge_agent.shelf import nearest

VERBS = ("recount", "snapshot", "reload")
SHOWN = 40
"""Characters of a foreign word that are repeated to whoever sent it."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a command went: a sentence for a person, and what else there is to know."""

    ok: bool
    message: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def payload(self, *, ts: datetime) -> dict[str, Any]:
        """As it is answered, and as `info` holds it of the latest reload."""
        return {"ok": self.ok, "message": self.message, **self.facts, "ts": timestamp(ts)}


def refused_verb(verb: str) -> Result:
    """The answer to what is no command, or none that is obeyed."""
    if verb == "model":
        return Result(
            ok=False,
            message="the model is not changed over the network. Copy the bundle to the device, name it under [model]"
            " of the configuration there, and send reload.",
        )
    return Result(ok=False, message=f'there is no command "{verb[:SHOWN]}"; {nearest(verb[:SHOWN], VERBS)}.')


def cameras_of(payload: Mapping[str, Any], known: Sequence[str]) -> tuple[str, ...] | Result:
    """The cameras that a command is about: all, or the one that its payload names. A Result refuses it."""
    if unknown := payload.keys() - {"camera", "id"}:
        return Result(
            ok=False,
            message=f'the payload has a key "{min(unknown)[:SHOWN]}", which this command doesn\'t know. Send nothing'
            ' for all cameras, or {"camera": "<id>"} for one.',
        )
    camera = payload.get("camera")
    if camera is None:
        return tuple(known)
    if camera not in known:
        shown = str(camera)[:SHOWN]
        return Result(ok=False, message=f'there is no camera "{shown}"; {nearest(shown, known)}.')
    return (camera,)
