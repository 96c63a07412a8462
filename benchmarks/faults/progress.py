"""How far a fault has come, on a terminal; nothing elsewhere."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")


def each(what: str, items: Iterable[T], *, total: int | None = None) -> Iterator[T]:
    """Go through `items`, with a bar that names what is done."""
    console = Console(stderr=True)
    yield from track(items, what, total=total, console=console, transient=True, disable=not console.is_terminal)
