"""The text of a TOML file → its tables, each with the comments that are its own; and back, byte for byte.

A comment belongs to the table whose header it stands directly above, or whose keys it stands among or directly below.
One between blank lines belongs to nobody, and stays where it is whatever becomes of the tables around it.
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

_TOKEN = re.compile(
    r"""\"{3}(?:\\.|[^\\])*?\"{3,5}|'{3}.*?'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|\#[^\n]*|[\[{]|[\]}]|\n""", re.DOTALL
)
"""All in which a bracket or the end of a line may stand without being one."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A table as it is written: the comments above it, its header, its keys, and what stands between it and the next.

    `path` is its name, empty for what comes before the first header; `array` says that it is one of several.
    """

    path: tuple[str, ...]
    body: str
    header: str = ""
    lead: str = ""
    gap: str = ""
    array: bool = False

    @property
    def text(self) -> str:
        """The whole."""
        return self.lead + self.header + self.body + self.gap


def split(text: str) -> list[Segment]:
    """The tables of a TOML file that can be parsed, in their order. Their texts, joined, are `text`."""
    lines = list(_statements(text))
    heads = [place for place, line in enumerate(lines) if line.lstrip().startswith("[")]
    leads = [_lead(lines, place) for place in heads]
    found = [_segment((), lines[: leads[0] if leads else len(lines)])]
    for number, head in enumerate(heads):
        end = leads[number + 1] if number + 1 < len(heads) else len(lines)
        path, array = _named(lines[head])
        table, lead = _segment(path, lines[head + 1 : end]), "".join(lines[leads[number] : head])
        found.append(replace(table, header=lines[head], lead=lead, array=array))
    return found


def join(segments: Sequence[Segment]) -> str:
    """The text again."""
    return "".join(segment.text for segment in segments)


def _statements(text: str) -> Iterator[str]:
    """Lines, but that a value which goes over several of them stays in one piece."""
    begin = depth = 0
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign in "[{":
            depth += 1
        elif sign in "]}":
            depth -= 1
        elif sign == "\n" and depth == 0:
            yield text[begin : token.end()]
            begin = token.end()
    if begin < len(text):
        yield text[begin:]


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


def _lead(lines: Sequence[str], head: int) -> int:
    """Where the comments directly above a header begin."""
    while head > 0 and _is_comment(lines[head - 1]):
        head -= 1
    return head


def _segment(path: tuple[str, ...], lines: Sequence[str]) -> Segment:
    """A table's keys, and what follows them."""
    keys = [place for place, line in enumerate(lines) if line.strip() and not _is_comment(line)]
    end = keys[-1] + 1 if keys else 0
    while end < len(lines) and _is_comment(lines[end]):
        end += 1
    return Segment(path, "".join(lines[:end]), gap="".join(lines[end:]))


def _named(header: str) -> tuple[tuple[str, ...], bool]:
    """`[[shelves.slots]]` → `("shelves", "slots")`, and that it is one of several."""
    path: list[str] = []
    node: Any = tomllib.loads(header)
    array = False
    while node:
        (name, node), array = next(iter(node.items())), False
        path.append(name)
        if isinstance(node, list):
            node, array = node[0], True
    return tuple(path), array
