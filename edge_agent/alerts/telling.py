"""What was found → what is told, when, and to be heeded how: the rules of the book of alerts. Pure.

An alert that is found waits a moment for others of its kind in its place, and for the store to open; then it is told.
What ends before it was told was never told. What ends and begins again soon is the same alert, and no news. What nobody
acknowledges is told again, a few times.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import inf

from edge_agent.alerts.book import Acknowledged, Book, Entry, Member, Moment, is_watched
from edge_agent.alerts.due import lasting, remind_s, reopened_s, resumed_s, settled_s
from edge_agent.alerts.policy import Policy
from edge_agent.shelf import Alert, AlertKind, Shelf, nearest

ENDS: dict[AlertKind, frozenset[AlertKind]] = {
    "restocked": frozenset({"low_stock", "out_of_stock"}),
    "put_right": frozenset({"misplaced"}),
    "view_restored": frozenset({"view_lost"}),
}
"""Which kinds of alert an edge ends; any other edge begins one."""
Again = tuple[Entry, Member, Entry | None]
"""An alert that begins again, its member that does, and the worse alert that it comes from, if it eased."""
OPEN_MAX = 500
"""How many alerts may be open; beyond it the oldest are given up."""
CLOSED_HOURS_S = 10.0
"""Out of hours what waits is looked at this often."""


@dataclass(frozen=True, slots=True)
class Telling:
    """Something to be published: an event of `type` about an alert, dated `at`.

    `notify` says that a person is to be disturbed: once for each alert and each reminder. `message` is for people.
    """

    type: str
    entry: Entry
    alert: Alert
    at: datetime
    message: str
    notify: bool = False


def take(book: Book, found: Sequence[Alert], now: Moment, policy: Policy) -> tuple[Book, tuple[Telling, ...]]:
    """Enter what a step found, and see what is due. To be called after every step, whether or not it found anything.

    Args:
        book: From the step before.
        found: The edges of `edge_agent.alerts.levels.alerts`, of any shelf.
        now: When they were found.
        policy: What becomes of them.

    Returns:
        The new book, and what is to be published now. Where nothing was found and nothing is published, all that is
        worth keeping of the book is as it was.
    """
    if not found and now.clock_s < book.next_s:
        return book, ()
    told: list[Telling] = []
    for alert in found:
        book, said = _end(book, alert, now) if alert.kind in ENDS else _begin(book, alert, now, policy)
        told += said
    book, said = _bounded(book, now)
    told += said
    attended = [_attend(entry, now, policy) for entry in book.open]
    book = replace(book, open=tuple(entry for entry, _ in attended))
    told += [one for _, said in attended for one in said]
    next_s = min((entry.due_s if entry.due_s is not None else -inf for entry in book.open), default=inf)
    return replace(book, next_s=next_s), tuple(told)


def _begin(book: Book, alert: Alert, now: Moment, policy: Policy) -> tuple[Book, list[Telling]]:
    """Something is not as it should be: it joins an alert, takes up one that was over, or is a new one."""
    member = Member(alert, now.at)
    standing = book.standing(member.key)
    eased: Entry | None = None
    if standing is not None:
        if standing[0].kind == alert.kind:
            return book, []
        book = _left(book, *standing, now)
        if standing[1].told and (standing[0].kind, alert.kind) == ("out_of_stock", "low_stock"):
            eased = standing[0]
    if (again := _again(book, member, now, policy, eased=eased)) is not None:
        return _reopened(book, again, alert, now, policy)
    if eased is None:
        for entry in book.open:
            if entry.told_at is None and entry.kind == alert.kind and _place(entry.members[0].alert) == _place(alert):
                return book.with_entry(replace(entry, members=(*entry.members, member))), []
    number = book.number + 1
    entry = Entry(
        id=f"{now.at.astimezone(UTC):%Y%m%dt%H%M%S}-{number}",
        kind=alert.kind,
        aisle=alert.aisle,
        members=(member,),
        opened_at=now.at,
        acknowledged=eased.acknowledged if eased is not None else None,
        quiet=eased is not None,
        due_s=now.clock_s + (policy.group_s if eased is None else 0),
    )
    return replace(book, number=number).with_entry(entry), []


def _again(book: Book, member: Member, now: Moment, policy: Policy, *, eased: Entry | None) -> Again | None:
    """The alert about the same that was over so recently that this is the same one.

    What nobody was told of can only be taken up by an alert that is still to be told to everybody.
    """
    for entry in (*reversed(book.open), *reversed(book.closed)):
        if entry.kind == member.alert.kind:
            for old in reversed(entry.members):
                tellable = old.told or (entry.told_at is None and eased is None)
                over = old.key == member.key and old.closed_at is not None
                if over and tellable and _since_s(old, now) < policy.cool_down_s:
                    return entry, old, eased
    return None


def _since_s(member: Member, now: Moment) -> float:
    """For how long a member has been over, by the wall clock only where that was in an earlier run."""
    if member.closed_s is not None:
        return now.clock_s - member.closed_s
    return max(0.0, (now.at - member.closed_at).total_seconds()) if member.closed_at is not None else inf


def _reopened(book: Book, again: Again, alert: Alert, now: Moment, policy: Policy) -> tuple[Book, list[Telling]]:
    """The same alert once more: whoever was told is not told again, unless it lasts: then by a reminder.

    What is better than before does not count as having begun again.
    """
    entry, old, eased = again
    member = replace(old, alert=alert, closed_at=None, closed_s=None, again=old.told and eased is None)
    members = tuple(member if other is old else other for other in entry.members)
    fresh = replace(entry, members=members, closed_at=None)
    if not old.told:
        due_s = entry.due_s if entry.closed_at is None else now.clock_s + policy.group_s
        return book.with_entry(replace(fresh, due_s=due_s)), []
    fresh = replace(
        fresh,
        acknowledged=eased.acknowledged if eased is not None else None,
        reminded=entry.reminded if entry.closed_at is None else 0,
        reopened=entry.reopened + 1,
        due_s=reopened_s(entry, now, policy, lasts=member.again),
    )
    return book.with_entry(fresh), [Telling(entry.kind, fresh, alert, now.at, alert.message)]


def _end(book: Book, alert: Alert, now: Moment) -> tuple[Book, list[Telling]]:
    """Something is right again. Nothing is said of what was never told."""
    standing = book.standing((alert.shelf, alert.thing))
    if standing is None or standing[0].kind not in ENDS[alert.kind]:
        return book, []
    book = _left(book, *standing, now)
    entry = book.find(standing[0].id)
    if entry is None or not standing[1].told:
        return book, []
    return book, [Telling(alert.kind, entry, alert, now.at, alert.message)]


def _left(book: Book, entry: Entry, member: Member, now: Moment) -> Book:
    """The book after something is no longer so; an alert without anything that is so is over."""
    over = replace(member, closed_at=now.at, closed_s=now.clock_s, again=False)
    fresh = replace(entry, members=tuple(over if other is member else other for other in entry.members))
    if not fresh.standing:
        fresh = replace(fresh, closed_at=now.at)
    return book.with_entry(fresh)


def _attend(entry: Entry, now: Moment, policy: Policy) -> tuple[Entry, list[Telling]]:
    """See to one open alert: tell it, or tell it again, if it is due."""
    if entry.due_s is None:
        return replace(entry, due_s=resumed_s(entry, now, policy)), []
    if now.clock_s < entry.due_s:
        return entry, []
    if not policy.open_at(now.at):
        return replace(entry, due_s=now.clock_s + CLOSED_HOURS_S, shut=True), []
    if entry.shut:  # the lights may come on only now, and show that it is over
        return replace(entry, due_s=now.clock_s + settled_s(entry, policy), shut=False), []
    return _tell(entry, now, policy) if entry.told_at is None else _remind(entry, now, policy)


def _remind(entry: Entry, now: Moment, policy: Policy) -> tuple[Entry, list[Telling]]:
    """Once more, unless somebody sees to it or it was said often enough; what began again and lasted is always said."""
    wanted = lasting(entry) or (policy.remind_after_s and entry.reminded < policy.reminders)
    if entry.acknowledged is not None or not wanted:
        return (entry if entry.due_s == inf else replace(entry, due_s=inf)), []
    members = tuple(replace(member, again=False) if member.again else member for member in entry.members)
    fresh = replace(entry, members=members, reminded=entry.reminded + 1, due_s=remind_s(now, policy))
    return fresh, [Telling("reminder", fresh, entry.standing[0].alert, now.at, entry.message, notify=True)]


def _tell(entry: Entry, now: Moment, policy: Policy) -> tuple[Entry, list[Telling]]:
    """One message for all members, and an event for each."""
    members = tuple(replace(member, told=True) if member.closed_at is None else member for member in entry.members)
    fresh = replace(entry, members=members, told_at=now.at, due_s=remind_s(now, policy))
    return fresh, [
        Telling(
            entry.kind,
            fresh,
            member.alert,
            member.opened_at,
            fresh.message if place == 0 else member.alert.message,
            notify=place == 0 and not entry.quiet,
        )
        for place, member in enumerate(fresh.standing)
    ]


def _place(alert: Alert) -> tuple[str, str]:
    """Where alerts of one kind are one: an aisle, or what one camera sees."""
    return ("aisle", alert.aisle) if alert.aisle is not None else ("camera", alert.camera)


def _bounded(book: Book, now: Moment) -> tuple[Book, list[Telling]]:
    """Give up the oldest open alerts beyond `OPEN_MAX`; who was told of one is told that too."""
    told = []
    for entry in book.open[:-OPEN_MAX]:
        fresh = replace(entry, closed_at=now.at)
        book = book.with_entry(fresh)
        for member in entry.standing:
            if member.told:
                message = f"given up, as more than {OPEN_MAX} alerts are open ({member.alert.message})"
                told.append(Telling("closed", fresh, member.alert, now.at, message))
    return book, told


def tidied(book: Book, now: Moment, policy: Policy) -> Book:
    """The book without what is over for too long, or is too much."""
    since = now.at - timedelta(days=policy.keep_days)
    kept = [entry for entry in book.closed if entry.closed_at is not None and entry.closed_at >= since]
    kept = kept[-policy.keep_closed :] if policy.keep_closed else []
    return book if len(kept) == len(book.closed) else replace(book, closed=tuple(kept))


def released(book: Book, shelves: Mapping[str, Shelf], now: Moment) -> tuple[Book, tuple[Telling, ...]]:
    """Close what another configuration no longer watches."""
    told = []
    for entry in book.open:
        for member in entry.standing:
            if not is_watched(member.alert, shelves):
                current = book.find(entry.id) or entry
                book = _left(book, current, member, now)
                if member.told:
                    message = f"shelf {member.alert.shelf}: no longer watched ({member.alert.message})"
                    told.append(Telling("closed", book.find(entry.id) or entry, member.alert, now.at, message))
    return book, tuple(told)


def acknowledge(book: Book, alert: str, who: Acknowledged) -> tuple[Book, tuple[Telling, ...]] | str:
    """Note that somebody sees to an alert: it is not told again. Once more changes nothing.

    Args:
        book: The book.
        alert: Its id.
        who: Who, when, and what they say.

    Returns:
        The new book and what is to be published; or a sentence that says why not.
    """
    entry = book.find(alert)
    if entry is None:
        return f'there is no alert "{alert[:40]}"; {nearest(alert[:40], (entry.id for entry in book.open))}.'
    if entry.closed_at is not None:
        return f"alert {entry.id} is over already. There is nothing to acknowledge."
    if entry.acknowledged is not None:
        return book, ()
    # what was only noted has been seen now: there is an event for each member, and nobody is disturbed
    members = tuple(
        replace(member, told=True, again=False) if member.closed_at is None else member for member in entry.members
    )
    told_at = entry.told_at if entry.told_at is not None else who.at
    fresh = replace(entry, members=members, told_at=told_at, acknowledged=who, due_s=inf)
    news = [
        Telling(entry.kind, fresh, member.alert, member.opened_at, member.alert.message)
        for member in (entry.standing if entry.told_at is None else ())
    ]
    said = f"{who.by} sees to it: {entry.message}"
    return book.with_entry(fresh), (*news, Telling("acknowledged", fresh, entry.standing[0].alert, who.at, said))
