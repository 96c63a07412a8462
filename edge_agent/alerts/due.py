"""When an alert is to be looked at next, on the clock of this run. Pure."""

from math import inf

from edge_agent.alerts.book import Entry, Moment
from edge_agent.alerts.policy import Policy

LASTS_S = 900.0
"""What begins again within the cool-down and lasts for so long is told again."""
VOTE_S = 15.0
"""After a start, or with the lights that come on, the looks at a slot agree within so many seconds."""


def remind_s(now: Moment, policy: Policy) -> float:
    """When what is told now is to be told again."""
    return now.clock_s + policy.remind_after_s if policy.remind_after_s else inf


def reopened_s(entry: Entry, now: Moment, policy: Policy, *, lasts: bool) -> float | None:
    """When an alert that began again is due: what stands in it beside this does not wait longer for that."""
    due_s = min(remind_s(now, policy), now.clock_s + LASTS_S if lasts else inf)
    if entry.closed_at is not None:
        return due_s
    return min(due_s, entry.due_s) if entry.due_s is not None else None


def resumed_s(entry: Entry, now: Moment, policy: Policy) -> float:
    """When an alert of an earlier run is due: the wall clock says how long it has waited, within reason.

    It may have ended while nobody looked, which takes a while to be seen.
    """
    if entry.told_at is None:
        left_s = policy.group_s
    elif lasting(entry):
        left_s = LASTS_S
    else:
        waited_s = (now.at - entry.told_at).total_seconds() - entry.reminded * policy.remind_after_s
        left_s = min(policy.remind_after_s - waited_s, policy.remind_after_s)
    return now.clock_s + max(left_s, settled_s(entry, policy))


def settled_s(entry: Entry, policy: Policy) -> float:
    """For how long one must look to see that an alert is over."""
    return policy.patience.hold_s(entry.kind) + VOTE_S


def lasting(entry: Entry) -> bool:
    """Whether something in it began again, and nobody was disturbed for that."""
    return any(member.again for member in entry.standing)
