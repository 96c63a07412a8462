"""What Telegraf would make of a message by `telegraf.conf`: the part of its MQTT consumer and json_v2 that we use.

Telegraf itself is in neither Debian (12, 13) nor PyPI nor npm. This follows its parser: a path that is missing
is an error unless it is optional, a null becomes no field, a number without a type is a float, the keys of an object
within an object are joined with `_`, and an object that is empty and comes last takes the whole metric with it.
"""

import json
import tomllib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from benchmarks.parts import REPO

CONF = REPO / "deploy" / "telegraf" / "telegraf.conf"
UNDERSTOOD = {"measurement_name", "timestamp_path", "timestamp_format", "tag", "field", "object"}


@dataclass
class Point:
    """A metric on its way to InfluxDB; without `at`, its time is that of its arrival."""

    name: str
    tags: dict[str, str] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    at: datetime | None = None

    def line(self, now: datetime) -> str:
        """In InfluxDB's line protocol."""
        key = ",".join([self.name, *(f"{name}={_tag(value)}" for name, value in sorted(self.tags.items()))])
        values = ",".join(f"{_tag(name)}={_value(value)}" for name, value in sorted(self.fields.items()))
        return f"{key} {values} {round((self.at or now).timestamp() * 1000)}"


def _tag(text: str) -> str:
    return text.replace(" ", r"\ ").replace(",", r"\,").replace("=", r"\=")


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return f"{value}i"
        case float():
            return repr(value)
        case _:
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def inputs() -> list[dict[str, Any]]:
    """The inputs of the configuration."""
    return tomllib.loads(CONF.read_text())["inputs"]["mqtt_consumer"]


def points(topic: str, payload: bytes) -> list[Point]:
    """What all inputs together make of a message.

    Raises:
        LookupError: A path is missing that isn't optional.
        ValueError: It is no JSON, or a value is not of the type that the configuration gives it.
    """
    made = []
    for each in inputs():
        if any(fits(wanted, topic) for wanted in each["topics"]):
            made += _with_tags(each, topic, _parsed(each, payload))
    return [point for point in made if point.fields]  # Telegraf has no metric without a field


def fits(wanted: str, topic: str) -> bool:
    """Whether a topic is among those of a filter (`+` only)."""
    levels, found = wanted.split("/"), topic.split("/")
    return len(levels) == len(found) and all(level in {"+", there} for level, there in zip(levels, found, strict=True))


def _with_tags(each: dict[str, Any], topic: str, made: list[Point]) -> list[Point]:
    for parsing in each.get("topic_parsing", []):
        if fits(parsing["topic"], topic):
            names = zip(parsing["tags"].split("/"), topic.split("/"), strict=True)
            tags = {name: level for name, level in names if name != "_"}
            for point in made:
                point.tags.update(tags)
    return made


def _parsed(each: dict[str, Any], payload: bytes) -> list[Point]:
    if each["data_format"] == "value":
        assert each["data_type"] == "string"
        return [Point(each["name_override"], fields={"value": payload.decode()})]
    assert each["data_format"] == "json_v2"
    (table,) = each["json_v2"]  # several would be multiplied with each other
    assert set(table) <= UNDERSTOOD
    return _json_v2(table, json.loads(payload))


def _json_v2(table: dict[str, Any], body: dict[str, Any]) -> list[Point]:
    at = None
    if "timestamp_path" in table:
        assert table["timestamp_format"] == "2006-01-02T15:04:05Z07:00"
        at = datetime.fromisoformat(body[table["timestamp_path"]])
    name = table["measurement_name"]
    if "object" in table:
        assert "field" not in table
        assert "tag" not in table
        (wanted,) = table["object"]
        found = body if wanted["path"] == "@this" else body[wanted["path"]]
        made = [_object(wanted, item, Point(name, at=at)) for item in (found if isinstance(found, list) else [found])]
        return [point for point in made if point is not None]
    point = Point(name, at=at)
    for kind in ("tag", "field"):
        for wanted in table.get(kind, []):
            if wanted["path"] not in body:
                if wanted.get("optional"):
                    continue
                raise LookupError(f"the path {wanted['path']} doesn't exist")
            _put(point, wanted["path"], body[wanted["path"]], wanted.get("type"), tag=kind == "tag")
    return [point]


def _object(wanted: dict[str, Any], item: dict[str, Any], point: Point, before: str = "") -> Point | None:
    """An object's keys in one point; None where Telegraf would lose it."""
    kept: Point | None = None
    included = [*wanted.get("included_keys", []), *wanted.get("tags", [])]
    for key, value in item.items():
        name = before + key.replace(" ", "_")
        if name in wanted.get("excluded_keys", []):
            continue
        if "included_keys" in wanted and name not in included:
            continue
        assert not isinstance(value, list), f"{name} is a list, which would be multiplied with the rest"
        if isinstance(value, dict):
            kept = _object(wanted, value, point, f"{name}_")
        else:
            _put(point, name, value, wanted.get("fields", {}).get(name), tag=name in wanted.get("tags", []))
            kept = point
    return kept


def _put(point: Point, name: str, value: Any, kind: str | None, *, tag: bool) -> None:
    if value is None:
        return
    if tag:
        point.tags[name] = str(value)
    else:
        point.fields[name] = _as(kind, value)


def _as(kind: str | None, value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number:
        return {"int": int, "float": float, "string": str, None: float}[kind](value)
    if isinstance(value, str) and kind in {"int", "float"}:
        return {"int": int, "float": float}[kind](value)
    return value
