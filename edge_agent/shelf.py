"""The vocabulary of the project: the values that travel between its parts, and the errors it raises.

Everything here is a plain value. Geometry is in fractions of the frame, 0..1, x to the right and y down. Instants are
aware UTC; durations are differences of `clock_s`, which never jumps.

    ShelfwatchError           exit status 1
    ├── ConfigError           78  the configuration; an operator must act
    ├── BundleError           78  a model bundle that is broken, altered or not for this agent
    ├── CredentialsError      78  the broker refuses who we are
    ├── DataError             65  photographs, labels or a model file that cannot be used as they are
    ├── InputError            66  a file that is not there or cannot be read
    ├── CameraError           69  a camera that gives no picture; carries a typed reason
    ├── BrokerError           69  a broker that cannot be reached
    ├── SpoolError            74  the outbox on the device's disk cannot be read or written
    ├── DelegateError         3   an accelerator was asked for and cannot be used
    ├── HaltedError           75  a training that ran out of memory or disk; the same command may go on later
    └── Refused               2   int8 loses more accuracy than it may (`converter.judging.gate`)
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Literal

import numpy as np
from numpy.typing import NDArray

EMPTY = "empty"
"""The label of a slot in which nothing stands."""
OCCLUDED = "occluded"
"""The label of a slot that something hides: an arm, a hand, a trolley. Never counted."""
SPECIAL_LABELS = frozenset({EMPTY, OCCLUDED})
"""Labels that are not products."""

Point = tuple[float, float]
Quad = tuple[Point, Point, Point, Point]
"""Corners as (x, y) in 0..1 of the frame: top left, top right, bottom right, bottom left."""

WHOLE_FRAME: Quad = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
"""The quadrilateral of a photograph that is one crop already."""

Unread = Literal["occluded", "moving", "unsure", "dark", "stale", "frozen", "blocked", "blurred", "moved"]
"""Why a slot could not be read in a frame."""
Quality = Literal["good", "occluded", "unsure", "dark", "stale", "frozen", "blocked", "blurred", "moved"]
"""How well a shelf can be read at present; anything but `good` means that some count is unknown."""
StockStatus = Literal["ok", "low", "out", "unknown"]
OutageReason = Literal["auth", "not_found", "timeout", "decode", "unplugged"]
"""Why a camera gives no picture."""
PictureReason = Literal["frozen", "dark", "blocked", "blurred", "moved"]
"""Why a picture that a camera gives is not one to count in."""
CameraReason = OutageReason | PictureReason


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of one camera.

    `image` is (height, width, 3) uint8 in BGR order. `captured_at` is aware UTC. `clock_s` counts seconds on a clock
    that never jumps (monotonic when live, the position in the clip when replayed); durations are measured on it.
    """

    camera: str
    seq: int
    captured_at: datetime
    clock_s: float
    image: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of one facing: a quadrilateral in the frame, and the product that the planogram puts there."""

    id: str
    quad: Quad
    product: str | None = None


@dataclass(frozen=True, slots=True)
class Shelf:
    """A row of slots that is counted, published and alerted as one.

    `low_at` maps a product to the count at which its stock is low, `restocked_at` to the one from which it is back.
    """

    id: str
    camera: str
    slots: tuple[Slot, ...]
    low_at: tuple[tuple[str, int], ...] = ()
    restocked_at: tuple[tuple[str, int], ...] = ()
    aisle: str | None = None

    @property
    def expected(self) -> dict[str, int]:
        """Facings of each product by the planogram, in the order of the slots."""
        planned: dict[str, int] = {}
        for slot in self.slots:
            if slot.product is not None:
                planned[slot.product] = planned.get(slot.product, 0) + 1
        return planned


@dataclass(frozen=True, slots=True)
class Observation:
    """What one look at one slot says: a label with its probability (0..1), or why the slot could not be read.

    `beside_hidden` says that a slot next to it could not be read: what hides that one may reach into this one.
    """

    slot: str
    label: str | None
    confidence: float
    unread: Unread | None = None
    beside_hidden: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """The stock of one product on one shelf.

    `count` is in facings and None while it is unknown; `at_least` is what can be vouched for even then. `confidence`
    is the mean probability (0..1) of the slots that were read as this product, None where there is none.
    """

    sku: str
    count: int | None
    at_least: int
    expected: int
    status: StockStatus
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Count:
    """The counts of one shelf, as they are published.

    `reading` is what stands in each slot, in the order of the shelf's slots; None is unknown, which is not empty.
    """

    shelf: str
    camera: str
    quality: Quality
    reason: str | None
    items: tuple[Item, ...]
    reading: tuple[str | None, ...]
    since_s: float

    @property
    def unknown_slots(self) -> int:
        """How many slots cannot be vouched for."""
        return self.reading.count(None)

    @property
    def counts(self) -> dict[str, int | None]:
        """Facings by product; None is unknown."""
        return {item.sku: item.count for item in self.items}


AlertKind = Literal["low_stock", "out_of_stock", "restocked", "misplaced", "put_right", "view_lost", "view_restored"]


@dataclass(frozen=True, slots=True)
class SlotChange:
    """What an alert is drawn from: what stood in a slot and what stands there now (None: unknown).

    `votes` of the last `looks` looks agreed on what stands there; None where nobody counted.
    """

    slot: str
    before: str | None
    after: str | None
    votes: int | None = None
    looks: int | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that a person should know now: an edge, published once.

    `sku` and `count` are set where the alert is about a product, `slot` where it is about one facing. `thing` names
    what is watched (`sku:…`, `slot:…`, `view:`), `changes` the slots that it is drawn from.
    """

    kind: AlertKind
    shelf: str
    camera: str
    message: str
    sku: str | None = None
    slot: str | None = None
    count: int | None = None
    thing: str = ""
    aisle: str | None = None
    changes: tuple[SlotChange, ...] = ()


class ShelfwatchError(Exception):
    """Anything that the project reports to a person. The message says what happened, the value and what to do."""

    exit_status = 1


class ConfigError(ShelfwatchError):
    """The configuration cannot be used; `problems` holds every reason, not just the first, and `headline` the rest."""

    exit_status = 78

    def __init__(self, headline: str, problems: Iterable[str] = ()) -> None:
        self.headline, self.problems = headline, tuple(problems)
        super().__init__("\n".join([headline, *(f"  - {problem}" for problem in self.problems)]))


class BundleError(ShelfwatchError):
    """A model bundle is broken, altered, or not for this agent."""

    exit_status = 78


class DelegateError(ShelfwatchError):
    """An accelerator (Edge TPU, GPU) was asked for and cannot be used; the message names the cause.

    Unlike a broken configuration this may pass by itself: a stick is plugged in, a driver comes up.
    """

    exit_status = 3


class CredentialsError(ShelfwatchError):
    """The broker knows us and refuses: trying again changes nothing until an operator acts."""

    exit_status = 78


class DataError(ShelfwatchError):
    """Photographs, labels or a model file are there, but cannot be used as they are."""

    exit_status = 65


class InputError(ShelfwatchError):
    """A file or folder is not there, or cannot be read at all."""

    exit_status = 66


class CameraError(ShelfwatchError):
    """A camera gives no picture, or none to count in. `reason` is what is published as the camera's state."""

    exit_status = 69

    def __init__(self, message: str, *, reason: CameraReason) -> None:
        self.reason: CameraReason = reason
        super().__init__(message)


class BrokerError(ShelfwatchError):
    """The MQTT broker cannot be reached; nothing is lost, the outbox keeps it."""

    exit_status = 69


class SpoolError(ShelfwatchError):
    """The outbox on the device's disk cannot be read or written."""

    exit_status = 74


class HaltedError(ShelfwatchError):
    """A training ran out of memory, of room on the disk, or of workers; what it has learned is kept, and it can go on.

    Its exit status is EX_TEMPFAIL of sysexits.h: the same command may well succeed later.
    """

    exit_status = 75


def nearest(name: str, known: Iterable[str]) -> str:
    """A clause that points at the known name closest to `name`, or lists the known ones.

    >>> nearest("cola-33", ["cola-330", "oat-milk"])
    'nearest is "cola-330"'
    """
    known = sorted(known)
    if close := get_close_matches(name, known, n=1):
        return f'nearest is "{close[0]}"'
    if not known:
        return "there are none to choose from"
    shown = ", ".join(f'"{candidate}"' for candidate in known[:12])
    return f"known are {shown}" + (f" and {len(known) - 12} more" if len(known) > 12 else "")
