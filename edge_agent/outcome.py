"""What a frame led to: the value that `pipeline.step` returns, and all that follows is made of."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from edge_agent.shelf import Alert, Count, Frame, Observation, PictureReason, Shelf


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a frame led to.

    `counts` holds the count in force of each shelf that has one; `changed` the ids of the shelves whose count is new in
    this frame, `held` of those whose count it could not confirm; `read` how many crops the network had to look at.
    `bad` is why the picture was not counted in, `declared` what is to be said of the camera: some time later, and for
    some time longer.
    """

    frame: Frame
    observations: tuple[Observation, ...]
    counts: tuple[Count, ...]
    changed: frozenset[str]
    held: frozenset[str]
    alerts: tuple[Alert, ...] = field(default=())
    read: int = 0
    bad: PictureReason | None = None
    declared: PictureReason | None = None

    def looks_at(self, shelf: Shelf, shelves: Sequence[Shelf]) -> tuple[Observation, ...]:
        """The observations of one of the camera's `shelves`, in the order of its slots."""
        first = sum(len(other.slots) for other in shelves[: shelves.index(shelf)])
        return self.observations[first : first + len(shelf.slots)]
