"""What pydantic finds wrong with a configuration, in words for the person who wrote it."""

from collections.abc import Iterable
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from edge_agent.capture.address import redacted
from edge_agent.shelf import nearest

Model = TypeVar("Model", bound=BaseModel)


def validate(model: type[Model], raw: dict[str, Any]) -> tuple[Model | None, list[str]]:
    """Validate a parsed configuration against a pydantic model whose tables are models too.

    Args:
        model: The model of the whole file.
        raw: What the file holds.

    Returns:
        The validated settings (None where there is any problem), and all problems.
    """
    try:
        return model.model_validate(raw), []
    except ValidationError as error:
        return None, [_in_words(model, raw, issue) for issue in error.errors()]


def _in_words(model: type[BaseModel], raw: dict[str, Any], issue: Any) -> str:
    """A problem as pydantic sees it → a sentence with the place, the value and the remedy."""
    loc: tuple[str | int, ...] = tuple(part for part in issue["loc"] if part not in _UNION_TAGS)
    if "corners" in loc:  # which number of which corner says less than the whole
        loc = loc[: loc.index("corners") + 1]
    where = _place(raw, loc[:-1])
    name, kind = loc[-1] if loc else "", issue["type"]
    if kind == "extra_forbidden":
        return f'{where}unknown key "{name}"; {nearest(str(name), _keys_at(model, loc[:-1]))}. Rename or remove it.'
    if kind == "missing":
        return f'{where}"{name}" is missing. Add it.'
    value = issue["input"]
    whole = isinstance(value, dict) or (isinstance(value, list) and len(repr(value)) >= 60)
    shown = "" if whole else f" (here {redacted(repr(value))})"  # of a table, the sentence names the key that is wrong
    message = issue["msg"].removeprefix("Value error, ")
    if kind == "string_pattern_mismatch":
        message = "an id is made of a-z, 0-9, _ and -"
    if loc[-1:] == ("corners",) and kind in ("less_than_equal", "greater_than_equal"):
        message = "a corner lies outside the frame, whose coordinates go from 0 to 1"
    return f"{_place(raw, loc)}{message[0].lower()}{message[1:]}{shown}."


_UNION_TAGS = ("str", "list[str]")


def _place(raw: Any, loc: Iterable[str | int]) -> str:
    """`("shelves", 0, "grid", "rows")` → `shelves "a3", grid, rows: `, with ids in place of positions."""
    parts: list[str] = []
    node = raw
    for step in loc:
        try:
            node = node[step]
        except (KeyError, IndexError, TypeError):
            node = None
        if isinstance(step, int):
            parts[-1] += f' "{node["id"]}"' if isinstance(node, dict) and "id" in node else f" number {step + 1}"
        else:
            parts.append(step)
    return ", ".join(parts) + ": " if parts else ""


def _keys_at(model: type[BaseModel], loc: Iterable[str | int]) -> list[str]:
    """The keys that may stand in a table."""
    section: type[BaseModel] | None = model
    for step in loc:
        if isinstance(step, str) and section is not None:
            section = table_of(section.model_fields[step].annotation) if step in section.model_fields else None
    return list(section.model_fields) if section is not None else []


def table_of(annotation: Any) -> type[BaseModel] | None:
    """The model inside `Section`, `Section | None` or `list[Section]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := table_of(part)) is not None), None)
