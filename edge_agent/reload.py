"""Old settings and new ones → what a reload does: which cameras stay as they are, begin anew, come or go. Pure values.

A reload is for what can change while the others go on counting. What the connection to the broker and the outbox are
made of takes a restart; a configuration that changes it is refused as a whole, so that the file and what runs agree.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from edge_agent.config import Settings
from edge_agent.engines import NAMES, Place

FIXED = ("site", "device", "heartbeat_s", "broker", "outbox", "dashboard", "history", "review", "home_assistant")
"""What is the same from the start of the agent to its end: its name, its connection and its outbox."""
RESTART = "sudo systemctl restart shelf-agent"


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of each camera, by id, in the order of the new configuration.

    `kept` is counted on as if nothing had happened; `anew` stays open, but is counted from the beginning (other
    shelves, rules or model); `reopened` and `added` are opened, `removed` and the old ones of `reopened` closed.
    """

    kept: tuple[str, ...] = ()
    anew: tuple[str, ...] = ()
    reopened: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether anything is other than before."""
        return bool(self.anew or self.reopened or self.added or self.removed)

    def words(self) -> str:
        """What is done, for a person: `cam1 counts anew; cam2 is new; 3 cameras go on as they were`."""
        if not self.changes:
            return "nothing has changed; all cameras go on as they were"
        said = [
            f"{', '.join(cameras)} {one if len(cameras) == 1 else several}"
            for cameras, one, several in (
                (self.anew, "counts anew", "count anew"),
                (self.reopened, "is opened anew", "are opened anew"),
                (self.added, "is new", "are new"),
                (self.removed, "is gone", "are gone"),
            )
            if cameras
        ]
        if self.kept:
            said.append(
                f"{', '.join(self.kept)} {'goes on as it was' if len(self.kept) == 1 else 'go on as they were'}"
            )
        return "; ".join(said)


def plan(old: Settings, new: Settings, *, other_model: bool) -> Plan:
    """What to do so that what runs with `old` runs with `new`.

    Args:
        old: What is in force.
        new: What is to be; validated.
        other_model: Whether the model is another, or is to run otherwise: then every camera is counted anew.
    """
    before = {camera.id: camera for camera in old.cameras}
    done: dict[str, list[str]] = {"kept": [], "anew": [], "reopened": [], "added": []}
    for camera in new.cameras:
        if camera.id not in before:
            kind = "added"
        elif camera != before[camera.id]:
            kind = "reopened"
        elif other_model or _counting(old, camera.id) != _counting(new, camera.id):
            kind = "anew"
        else:
            kind = "kept"
        done[kind].append(camera.id)
    stay = {camera.id for camera in new.cameras}
    removed = tuple(camera for camera in before if camera not in stay)
    return Plan(**{kind: tuple(cameras) for kind, cameras in done.items()}, removed=removed)


def _counting(settings: Settings, camera: str) -> tuple[Any, ...]:
    """All that decides how the pictures of a camera are counted, but the model."""
    return settings.shelves_of(camera), settings.rules, settings.policy.patience, settings.pictures


def refusals(old: Settings, new: Settings, *, other_model: bool, place: Place) -> tuple[str, ...]:
    """A sentence for everything in `new` that takes a restart of the agent; none where a reload will do.

    Args:
        old: What is in force.
        new: What is to be.
        other_model: Whether the model is another, or is to run otherwise.
        place: Where the model in force runs.
    """
    said = [
        f"{', '.join(path)}: {_shown(was)} became {_shown(now)}, which takes a restart ({RESTART})"
        for path, was, now in _differences(old, new)
    ]
    if other_model and place == "edgetpu":
        said.append(
            f"model: the {NAMES[place]} serves one program and one model at a time, so that another model, or another"
            f" place for it, takes a restart ({RESTART})"
        )
    return tuple(said)


def _differences(
    old: BaseModel, new: BaseModel, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Each key of the fixed tables that is another: its path, what it was and what it is."""
    for name in _fixed(old, path):
        was, now = getattr(old, name), getattr(new, name)
        if isinstance(was, BaseModel):
            yield from _differences(was, now, (*path, name))
        elif was != now:
            yield (*path, name), was, now


def _fixed(section: BaseModel, path: tuple[str, ...]) -> Iterable[str]:
    return type(section).model_fields if path else FIXED


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "nothing" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
