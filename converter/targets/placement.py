"""Where one operator runs on a target, and why."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from converter.tflite.view import Operation


@dataclass(frozen=True, slots=True)
class Placement:
    """One operator of a file and what becomes of it.

    `index` is its place in the order of the file, `mapped` whether the target takes it, `status` what the target's own
    tool says of such an operator, and `reason` the same in plain words; empty where it is mapped.
    """

    index: int
    code: str
    version: int
    layer: str
    mapped: bool
    status: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Operators of one name that share a fate."""

    code: str
    count: int
    mapped: bool
    status: str
    reason: str


def place(operation: Operation, *, mapped: bool, status: str, reason: str = "") -> Placement:
    """The placement of an operator."""
    return Placement(operation.index, operation.name, operation.version, operation.layer, mapped, status, reason)


def grouped(placements: Iterable[Placement]) -> tuple[Group, ...]:
    """The operators by name and fate, in the order of their first; what a person wants to see of a long list."""
    counts = Counter((one.code, one.mapped, one.status, one.reason) for one in placements)
    return tuple(Group(code, count, mapped, status, reason) for (code, mapped, status, reason), count in counts.items())


def rows(placements: Iterable[Placement]) -> list[dict[str, Any]]:
    """The placements as JSON takes them."""
    return [asdict(one) for one in placements]
