"""Markdown out of values that may hold anything: labels, file names and what others wrote. Pure."""

import re
from collections.abc import Iterable, Sequence
from typing import Any


def plain(value: Any) -> str:
    """A value of somebody else's file in one line of Markdown, with nothing in it that formats."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(str(value).split()))


def code(value: Any) -> str:
    """A value in one line as code."""
    text = " ".join(str(value).split())
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def bullets(lines: Iterable[str]) -> list[str]:
    """A list."""
    return [f"* {line}" for line in lines]


def table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table; a bar in a cell stays a bar."""
    every = [heading, ["---"] * len(heading), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in every]
