"""How long work says how far it is; `converter.report.Bars` shows it to people."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Track(Protocol):
    """Something that passes items through and shows how far it is."""

    def __call__(self, items: Sequence[Item], what: str) -> Iterable[Item]:
        """The same items, one by one; `what` is done to them."""


def untracked(items: Sequence[Item], what: str) -> Iterable[Item]:  # noqa: ARG001  (that is its whole point)
    """Show nothing."""
    return items


def during(track: Track, what: str, work: Callable[[], Result]) -> Result:
    """Do one piece of work that cannot say how far it is, while `track` says that it goes on."""
    (result,) = [work() for _ in track((what,), what)]
    return result
