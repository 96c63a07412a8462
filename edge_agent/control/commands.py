"""Commands from the broker: what they may ask for, and what is answered. Values in, values out.

`recount` forgets what was seen, `snapshot` stores a picture on the device, `reload` reads the configuration again,
`acknowledge` says that somebody sees to an alert. No command changes the configuration or the model, and none sends a
picture.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from edge_agent.messages import timestamp
from edge_agent.shelf import nearest

VERBS = ("recount", "snapshot", "reload", "acknowledge")
BY_MAX, NOTE_MAX = 60, 200
"""Characters of who acknowledges an alert, and of what they say."""
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


def acknowledgement_of(payload: Mapping[str, Any]) -> tuple[str, str, str | None] | Result:
    """The alert that is to be acknowledged, by whom, and their note. A Result refuses the command."""
    alert, by, note = payload.get("alert"), payload.get("by"), payload.get("note")
    if unknown := payload.keys() - {"alert", "by", "note", "id"}:
        words = f'the payload has a key "{min(unknown)[:SHOWN]}", which this command doesn\'t know'
    elif not isinstance(alert, str) or not alert:
        words = "the payload names no alert"
    elif not is_name(by):
        words = f"the payload doesn't say by whom, in 1 to {BY_MAX} printable characters"
    elif note is not None and not (note == "" or is_name(note, longest=NOTE_MAX)):
        words = f"the note is not a text of at most {NOTE_MAX} printable characters"
    else:
        return alert, str(by).strip(), str(note).strip() if note else None
    return Result(ok=False, message=words + '. Send {"alert": "<id>", "by": "<who>", "note": "<what>"}.')


def is_name(text: object, *, longest: int = BY_MAX) -> bool:
    """Whether a text from outside is one line that can be shown and stored."""
    return isinstance(text, str) and bool(text.strip()) and len(text) <= longest and text.isprintable()
