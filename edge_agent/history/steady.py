"""A wall clock that jumps, seen from one that doesn't: what was dated before the jump can be put right.

A device without a battery for its clock boots in 1970, or where it was switched off, and is put right by the network
some time later. Within a run the monotonic clock says how far apart things were, and the newest wall clock says when.
"""

from dataclasses import dataclass

JUMP_S = 60.0
"""A wall clock that strays by more than this from the monotonic one was set; less is drift, or a slow correction."""
TRUSTED_S = 3600.0
"""Nothing is deleted for its age before the wall clock has stood for so long: it may be about to be set."""


@dataclass(slots=True)
class Steady:
    """Compares the two clocks. `stood_since_s` is the monotonic time since which the wall clock was not set."""

    offset_s: float | None = None
    stood_since_s: float = 0.0

    def jump_s(self, wall_s: float, mono_s: float) -> float:
        """By how many seconds the wall clock was set since the last call; 0.0 where it was not."""
        offset_s = wall_s - mono_s
        if self.offset_s is None:
            self.offset_s, self.stood_since_s = offset_s, mono_s
            return 0.0
        jump_s = offset_s - self.offset_s
        if abs(jump_s) <= JUMP_S:
            return 0.0
        self.offset_s, self.stood_since_s = offset_s, mono_s
        return jump_s

    def trusted(self, mono_s: float) -> bool:
        """Whether the wall clock has stood for long enough to delete what it calls old."""
        return self.offset_s is not None and mono_s - self.stood_since_s >= TRUSTED_S
