"""Settings → `docs/configuration.md`, so that what the documentation says of a key is what the agent does with it.

`python -m edge_agent.reference docs/configuration.md` writes it; a test fails while the committed file is another.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from edge_agent.config import Settings
from edge_agent.sections import NAMED_TOPIC
from edge_agent.validation import table_of

EXAMPLE = """\
site = "store-12"
device = "aisle-3"

[model]
bundle = "/var/lib/shelfwatch/bundle"

[broker]
host = "broker.example"

[[cameras]]
id = "cam1"
source = "rtsp://viewer:secret@camera.example/stream1"

[[shelves]]
id = "drinks"
camera = "cam1"
low_at = { cola-can = 1 }

[shelves.grid]
corners = [[0.08, 0.12], [0.93, 0.10], [0.95, 0.44], [0.06, 0.47]]
columns = 4
products = ["cola-can", "cola-can", "cola-can", "still-water"]
"""

_INTRODUCTION = f"""\
# Configuration

<!-- Made by `make docs` from edge_agent/config.py. Change it there. -->

The agent reads one TOML file. On a device it is `/etc/shelfwatch/agent.toml`. Everything that the agent may do is in
it. `shelf-agent check -c FILE` reports everything that is wrong with it at once.
A key that is not listed here is refused.

The agent reads the file when it starts, and again on `systemctl reload shelf-agent` or the
[command](mqtt.md#commands) `reload`. A reload takes over cameras, shelves, rules and the model, each camera for itself:
one that the change does not concern is counted on as if nothing had happened. `site`, `device`, `heartbeat_s`,
`[broker]`, `[outbox]`, `[dashboard]`, `[history]`, `[review]` and `[home_assistant]` take a restart. A file that has a
fault, or that changes one of these, is refused as a whole. The device's [page](page.md) saves shelves into the same
file.

This is a complete file. `deploy/agent.example.toml` is a longer one with comments.

```toml
{EXAMPLE}```

## Corners

A slot, and a grid, is given by four corners **in this order: top left, top right, bottom right, bottom left**, as they
are seen in the picture. Each corner is `[x, y]`. Both go from 0 to 1: `[0, 0]` is the top left corner of the picture
and `[1, 1]` the bottom right one. So the corners stay right when the camera is set to another resolution.

```
   [x1, y1] ┌──────────┐ [x2, y2]
            │   slot   │
   [x4, y4] └──────────┘ [x3, y3]
```

The sides may slant, as a shelf does that is seen from the side: place the corners on the shelf, not on a rectangle.
A slot holds one facing. Corners that cross, or that run the other way round, are refused. Corners that run the right
way but begin at another one are not: such a slot is read as a turned picture, and read wrongly.
`shelf-agent snapshot -c FILE` writes a picture with all slots drawn in.

A grid divides its corners into rows and columns of equal size on the shelf, so that the far ones come out smaller in
the picture. Its slots are named `r1c1`, `r1c2`, … from the top left.

## Paths

A relative path (of a bundle, a key, a certificate, an outbox, a password file, a clip or a folder of pictures) begins
at the folder of the configuration file. So does that of `delegate_library` where it has a `/`; a name without one is
looked for where the system's libraries are.

## Products

`product`, `products` and the keys of `low_at` are labels of the model, except `empty` and `occluded`, which are not
products. `low_at` holds products of the shelf itself. A slot without a product is counted as whatever stands in it, and
is never misplaced, low or out of stock.

An id is made of `a-z`, `0-9`, `_` and `-`. It stands in topics and events.
"""


def markdown() -> str:
    """The whole of `docs/configuration.md`."""
    return _INTRODUCTION + "".join(_section(title, model, about) for title, model, about in _tables(Settings, ()))


def _tables(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[tuple[str, type[BaseModel], str]]:
    """Each table of the file: its heading, its model and what it is, in the order in which they are written."""
    title, _, about = (model.__doc__ or "").rstrip().partition(": ") if path else ("Top of the file", "", "")
    yield title, model, about
    for name, field in model.model_fields.items():
        if (inner := table_of(field.annotation)) is not None:
            yield from _tables(inner, (*path, name))


def _section(title: str, model: type[BaseModel], about: str) -> str:
    schema = model.model_json_schema()["properties"]
    rows = [
        f"| `{name}` | {_in_words(schema[name])} | {_default(field)} | {field.description} |"
        for name, field in model.model_fields.items()
        if table_of(field.annotation) is None
    ]
    lines = [f"\n## {title}\n", f"{about[:1].upper()}{about[1:]}\n" if about else ""]
    return "\n".join([*filter(None, lines), "| key | value | default | meaning |", "|---|---|---|---|", *rows]) + "\n"


def _default(field: FieldInfo) -> str:
    """The default as it would be written in the file."""
    if field.is_required():
        return "*required*"
    value = field.get_default(call_default_factory=True)
    if value is None or value in ({}, []):
        return "none"
    return f"`{json.dumps(value if isinstance(value, int | float) else str(value))}`"


def _in_words(schema: dict[str, Any]) -> str:
    """What JSON Schema says of a value, for a person."""
    if "anyOf" in schema:
        return ", or ".join(_in_words(choice) for choice in schema["anyOf"] if choice.get("type") != "null")
    if "enum" in schema:
        *others, last = [f'`"{choice}"`' for choice in schema["enum"]]
        return ", ".join(others) + f" or {last}"
    if "prefixItems" in schema:
        return "four corners, each `[x, y]`"
    return {
        "array": "list of texts",
        "boolean": "`true` or `false`",
        "object": f"table of whole numbers{_range(schema.get('additionalProperties', {}))}, by product",
        "string": "topic"
        if schema.get("pattern") == NAMED_TOPIC
        else "id"
        if "pattern" in schema
        else schema.get("format", "text"),
        "integer": "whole number" + _range(schema),
        "number": "number" + _range(schema),
    }[str(schema["type"])]


def _range(schema: dict[str, Any]) -> str:
    bounds = (("minimum", "from"), ("exclusiveMinimum", "above"), ("maximum", "to"))
    words = [f"{word} {schema[key]:g}" for key, word in bounds if key in schema]
    return ", " + " ".join(words) if words else ""


def main() -> None:
    """Write the file that the command line names."""
    Path(sys.argv[1]).write_text(markdown(), encoding="utf-8")


if __name__ == "__main__":
    main()
