"""The simulated camera: a shelf of twenty-four slots, its shoppers and its light, as frames with their truth."""

from bisect import bisect_right

from edge_agent.demo.brush import Pixels
from edge_agent.demo.camera import COLUMNS, DEFAULT_POSE, ROWS, SLOTS
from edge_agent.demo.light import Noise, levels
from edge_agent.demo.shoppers import Script
from edge_agent.demo.view import Contents, Still, View
from edge_agent.demo.visits import Visit
from edge_agent.shelf import EMPTY, Quad

PLANOGRAM = (
    ("cola-can", "cola-can", "cola-zero-can", "orange-soda-can",
     "still-water", "still-water", "sparkling-water", "lemon-tea"),
    ("milk-whole", "milk-whole", "milk-skim", "orange-juice",
     "corn-flakes", "corn-flakes", "choco-flakes", "coffee"),
    ("tomato-soup", "tomato-soup", "bean-soup", "strawberry-jam",
     "apricot-jam", "penne", "penne", "fusilli"),
)  # fmt: skip
"""What stands where when the shelf is full: three rows of eight product ids, look-alikes side by side."""

HIDDEN_FROM = 0.10
"""A slot of which more than this share (0..1) is covered counts as hidden."""


def planogram() -> tuple[tuple[str, ...], ...]:
    """The product ids of each row, from the upper left."""
    return PLANOGRAM


def slot_quads() -> tuple[Quad, ...]:
    """The corners of the 24 slots in the demo's frame, in 0..1, row by row."""
    return DEFAULT_POSE.slot_quads()


def row_corners(row: int) -> Quad:
    """The corners of a row (0..2) in the demo's frame, in 0..1: one row of eight columns there gives its slots."""
    return DEFAULT_POSE.row_corners(row)


class Scene:
    """A shop to look at: pictures and truth at any time, in any order, the same for the same seed."""

    def __init__(self, seed: int, frame_wh: tuple[int, int] = (960, 540), *, duration_s: float | None = None) -> None:
        """Open the shop.

        Args:
            seed: Decides everything; any whole number from 0.
            frame_wh: Size of the frames in pixels, at least 64 × 36.
            duration_s: Nobody is in the frame from then on (seconds); None is a day without end.

        Raises:
            ValueError: The frame is too small, the seed negative, or the duration not positive.
        """
        if min(frame_wh) < 36 or seed < 0 or (duration_s is not None and duration_s <= 0):
            raise ValueError(
                f"no scene of {frame_wh} px, seed {seed}, {duration_s} s; "
                "use at least 64 × 36 px, a seed from 0 and a positive duration"
            )
        self.seed = seed
        self.frame_wh = frame_wh
        planned = [product for row in PLANOGRAM for product in row]
        centres = [DEFAULT_POSE.centre(slot) for slot in range(SLOTS)]
        self._script = Script(seed, planned, centres, aspect=frame_wh[0] / frame_wh[1], duration_s=duration_s)
        self._duration_s = duration_s
        self._view = View(frame_wh, planned, seed=seed)
        self._noise = Noise(frame_wh, 2.4, seed)
        self._still: tuple[Contents, Still] | None = None

    @property
    def visits(self) -> tuple[Visit, ...]:
        """All visits of a scene with a duration; of one without, those of the time asked for so far."""
        return tuple(self._script.until(self._duration_s or 0.0))

    def frame(self, t_s: float) -> Pixels:
        """The picture at `t_s` (seconds from 0): (height, width, 3) uint8 BGR, the caller's own."""
        light = levels(self.seed, t_s)
        image = self._view.lit(self._clean(self._contents(t_s)), light)
        if visit := self._visit(t_s):
            self._view.reach(image, light, visit.arm, visit.placement(t_s))
        self._noise.add(image, round(t_s * 1000) + 1)
        return image

    def truth(self, t_s: float) -> tuple[str, ...]:
        """What stands in each of the 24 slots at `t_s` (seconds): a product id or `empty`, row by row.

        A piece that a hand holds has left its slot.
        """
        return tuple(EMPTY if piece is None else piece[0] for piece in self._contents(t_s))

    def arm_present(self, t_s: float) -> bool:
        """Whether anything of an arm, of what it holds or of its shadow can be in the frame at `t_s` (seconds)."""
        return self._visit(t_s) is not None

    def coverage(self, t_s: float) -> tuple[float, ...]:
        """Which share (0..1) of each of the 24 slots an arm and what it holds cover at `t_s` (seconds)."""
        visit = self._visit(t_s)
        if visit is None:
            return (0.0,) * SLOTS
        return tuple(float(share) for share in self._view.hidden(visit.arm, visit.placement(t_s)))

    def hidden(self, t_s: float) -> tuple[bool, ...]:
        """Which of the 24 slots are covered by more than a tenth at `t_s` (seconds)."""
        return tuple(share > HIDDEN_FROM for share in self.coverage(t_s))

    def _latest(self, t_s: float) -> Visit | None:
        """The visit that goes on at a time, or the last before it."""
        visits = self._script.until(t_s)
        at = bisect_right(visits, t_s, key=lambda visit: visit.start_s) - 1
        return visits[at] if at >= 0 else None

    def _visit(self, t_s: float) -> Visit | None:
        latest = self._latest(t_s)
        return latest if latest is not None and t_s <= latest.end_s else None

    def _contents(self, t_s: float) -> Contents:
        latest = self._latest(t_s)
        return self._script.start if latest is None else latest.contents(t_s)

    def _clean(self, contents: Contents) -> Still:
        """The shelf with these contents, drawn again only when they have changed."""
        if self._still is None or self._still[0] != contents:
            self._still = contents, self._view.still(contents)
        return self._still[1]


__all__ = [
    "COLUMNS", "HIDDEN_FROM", "PLANOGRAM", "ROWS", "SLOTS", "Scene", "planogram", "row_corners", "slot_quads",
]  # fmt: skip
