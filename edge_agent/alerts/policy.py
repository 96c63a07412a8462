"""When a person is told: how long a level must last, and how often is too often. Pure values."""

from dataclasses import dataclass, field
from datetime import datetime
from math import ceil

from edge_agent.alerts.hours import Hours
from edge_agent.shelf import AlertKind

VIEW_BACK_S = 10.0
"""A shelf that can be read again is said to be so after this long at most."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long, in seconds, a level must last before it is believed, and where stock is back.

    `stock_s` is for low, out and back again, `misplaced_s` for slots, `view_s` for a view that is lost.
    `restocked_fraction` (0..1) is the share of the planned facings from which a product is back, where its shelf says
    nothing. `dark_is_lost` says that a shelf too dark to read has lost its view; else darkness says nothing.
    """

    stock_s: float = 30.0
    misplaced_s: float = 60.0
    view_s: float = 300.0
    restocked_fraction: float = 0.5
    dark_is_lost: bool = False

    def hold_s(self, kind: AlertKind) -> float:
        """How long what leads to an alert of this kind must last."""
        match kind:
            case "low_stock" | "out_of_stock" | "restocked":
                return self.stock_s
            case "misplaced" | "put_right":
                return self.misplaced_s
            case "view_lost":
                return self.view_s
            case "view_restored":
                return min(self.view_s, VIEW_BACK_S)

    def restocked_at(self, planned: int, said: int | None = None) -> int:
        """The count from which a product of `planned` facings is back; `said` is what its shelf says, if anything."""
        return said if said is not None else max(1, ceil(self.restocked_fraction * planned - 1e-9))


@dataclass(frozen=True, slots=True)
class Policy:
    """What becomes of what was found. All durations are in seconds.

    `group_s` is how long an alert waits for others of its kind in its aisle. One that ended and begins again within
    `cool_down_s` is the same one, and told again only if it lasts. An alert that nobody acknowledges is told again
    every `remind_after_s`, at most `reminders` times; 0 is never. `hours` of None is always open. The book keeps
    `keep_closed` alerts that are over, for `keep_days`.
    """

    patience: Patience = field(default_factory=Patience)
    group_s: float = 15.0
    cool_down_s: float = 3600.0
    remind_after_s: float = 3600.0
    reminders: int = 1
    hours: Hours | None = None
    keep_closed: int = 200
    keep_days: float = 14.0

    def open_at(self, instant: datetime) -> bool:
        """Whether people are there to be told."""
        return self.hours is None or self.hours.open_at(instant)
