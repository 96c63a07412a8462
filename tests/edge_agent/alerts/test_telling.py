"""The rules of the book: told once, together, by day; the same again is no news; what nobody sees to is told again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count as counter
from zoneinfo import ZoneInfo

import pytest

from edge_agent.alerts.bodies import alerts_payload
from edge_agent.alerts.book import Acknowledged, Book, Moment, resume
from edge_agent.alerts.hours import Hours, spans
from edge_agent.alerts.policy import Patience, Policy
from edge_agent.alerts.records import book_of, book_record
from edge_agent.alerts.telling import OPEN_MAX, acknowledge, released, take, tidied
from edge_agent.shelf import Alert, Shelf, Slot
from tests.edge_agent.conftest import quad

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
QUIET = Policy(group_s=10, cool_down_s=600, remind_after_s=3600, reminders=2)


def edge(kind, sku="cola", *, shelf="a1", camera="cam1", aisle="4"):
    """Something that begins or ends."""
    thing = {"view_lost": "view:", "view_restored": "view:"}.get(kind, f"sku:{sku}")
    if kind in {"misplaced", "put_right"}:
        thing = "slot:s1"
    named = sku if thing.startswith("sku") else None
    return Alert(kind, shelf, camera, f"{shelf}: {sku} {kind}", named, None, 0, thing, aisle)


class Store:
    """A book from moment to moment."""

    def __init__(self, policy=QUIET, at=NOON):
        self.policy, self.book, self.begun = policy, Book(), at
        self.clock_s, self.told = 0.0, []

    @property
    def now(self):
        """The wall clock goes with the other one."""
        return Moment(self.begun + timedelta(seconds=self.clock_s), self.clock_s)

    def find(self, *alerts):
        """A step that found something."""
        self.book, told = take(self.book, alerts, self.now, self.policy)
        self.told += told
        return [(one.type, one.notify) for one in told]

    def wait(self, seconds):
        """Steps, one a second, that find nothing."""
        said = []
        for _ in range(round(seconds)):
            self.clock_s += 1
            said += self.find()
        return said

    def acknowledge(self, alert, by="Ana"):
        """Somebody sees to it."""
        done = acknowledge(self.book, alert, Acknowledged(self.now.at, by))
        assert not isinstance(done, str), done
        self.book, told = done
        return [(one.type, one.notify) for one in told]


def test_what_nobody_was_told_of_is_open_for_nobody():
    """Found and not told yet, an alert may pass unsaid: it is in no count and no list before it is told."""
    store = Store()
    store.find(edge("out_of_stock"))
    listed = alerts_payload(store.book, ts=NOON)
    assert (listed["open"], listed["unacknowledged"], listed["alerts"]) == (0, 0, [])
    store.wait(15)
    listed = alerts_payload(store.book, ts=NOON)
    assert (listed["open"], listed["unacknowledged"], len(listed["alerts"])) == (1, 1, 1)
    store.acknowledge(store.book.open[0].id)
    listed = alerts_payload(store.book, ts=NOON)
    assert (listed["open"], listed["unacknowledged"]) == (1, 0)
    assert listed["alerts"][0]["state"] == "acknowledged"


def test_an_alert_is_told_once_and_its_end_disturbs_nobody():
    """It waits a moment for others, is told, and ends with an event that asks for no attention."""
    store = Store()
    assert store.find(edge("out_of_stock")) == []
    assert store.book.open[0].state == "noted"
    assert store.wait(15) == [("out_of_stock", True)]
    assert store.find(edge("out_of_stock")) == []
    assert store.find(edge("restocked")) == [("restocked", False)]
    assert store.book.open == ()
    assert store.book.closed[0].state == "closed"


def test_alerts_of_one_kind_in_one_aisle_are_one():
    """A knocked camera is one message with three members, each with its own event under the same id."""
    store = Store()
    store.find(edge("view_lost", shelf="a1"), edge("view_lost", shelf="a2"))
    store.wait(5)
    store.find(edge("view_lost", shelf="a3", camera="cam2"))
    assert store.wait(10) == [("view_lost", True), ("view_lost", False), ("view_lost", False)]
    assert len({telling.entry.id for telling in store.told}) == 1
    assert store.told[0].message == "aisle 4: 3 shelves cannot be read: a1, a2, a3"
    store.find(edge("view_restored", shelf="a1"), edge("view_restored", shelf="a2"))
    assert [member.alert.shelf for member in store.book.open[0].standing] == ["a3"]
    store.find(edge("view_restored", shelf="a3"))
    assert store.book.open == ()


@pytest.mark.parametrize(
    "other",
    [edge("low_stock", "milk"), edge("out_of_stock", "milk", aisle="5"), edge("out_of_stock", "milk", aisle=None)],
    ids=["another kind", "another aisle", "no aisle"],
)
def test_what_has_another_kind_or_place_is_another_alert(other):
    """Only what one walk can see to is one message."""
    store = Store()
    store.find(edge("out_of_stock"), other)
    assert [notify for _, notify in store.wait(12)] == [True, True]


def test_without_aisles_a_camera_is_the_place():
    """Two shelves of one camera are one alert, those of another camera are not."""
    store = Store()
    lost = [edge("view_lost", shelf=shelf, camera=f"cam{shelf[0]}", aisle=None) for shelf in ("1a", "1b", "2a")]
    store.find(*lost)
    assert store.wait(12) == [("view_lost", True), ("view_lost", False), ("view_lost", True)]
    assert store.told[0].message == "camera cam1: 2 shelves cannot be read: 1a, 1b"


def test_what_comes_after_the_message_is_a_message_of_its_own():
    """A second product that is gone a minute later is not swallowed by the first."""
    store = Store()
    store.find(edge("out_of_stock"))
    store.wait(60)
    store.find(edge("out_of_stock", "milk"))
    assert store.wait(12) == [("out_of_stock", True)]
    assert len(store.book.open) == 2


def test_what_ends_before_it_was_told_was_never_told():
    """Neither its beginning nor its end is an event."""
    store = Store()
    store.find(edge("out_of_stock"))
    assert store.find(edge("restocked")) == []
    assert store.wait(60) == []
    assert store.book.closed[0].told_at is None


def test_the_same_again_within_the_cool_down_is_no_news():
    """It is the same alert, told without disturbing anybody; later it is another one."""
    store = Store()
    store.find(edge("out_of_stock"))
    store.wait(20)
    store.find(edge("restocked"))
    store.wait(300)
    assert store.find(edge("out_of_stock")) == [("out_of_stock", False)]
    [entry] = store.book.open
    assert (entry.id, entry.reopened) == (store.told[0].entry.id, 1)
    store.find(edge("restocked"))
    store.wait(601)
    store.find(edge("out_of_stock"))
    assert store.wait(12) == [("out_of_stock", True)]
    assert store.book.open[0].id != entry.id


def test_what_begins_again_and_lasts_is_reminded_of():
    """A shelf that was acknowledged, filled and is empty again is not forgotten: in a quarter of an hour it is told."""
    store = Store()
    store.find(edge("out_of_stock"))
    store.wait(20)
    store.acknowledge(store.book.open[0].id)
    store.find(edge("restocked"))
    store.wait(60)
    assert store.find(edge("out_of_stock")) == [("out_of_stock", False)]
    assert store.book.open[0].acknowledged is None
    assert store.wait(901) == [("reminder", True)]


def test_low_that_becomes_out_is_news_and_out_that_becomes_low_is_not():
    """Worse is a new alert; better is one as well, which keeps who sees to it and rings no bell."""
    store = Store()
    store.find(edge("low_stock"))
    store.wait(20)
    store.find(edge("out_of_stock"))
    assert store.wait(12) == [("out_of_stock", True)]
    [out] = store.book.open
    store.acknowledge(out.id, by="Ana")
    store.wait(700)
    assert store.find(edge("low_stock")) == [("low_stock", False)]
    [low] = store.book.open
    assert low.acknowledged.by == "Ana"
    assert {entry.kind for entry in store.book.closed} == {"low_stock", "out_of_stock"}
    assert store.find(edge("restocked")) == [("restocked", False)]


def test_what_nobody_acknowledges_is_told_again_a_few_times():
    """After an hour, after two, and then no more."""
    store = Store()
    store.find(edge("out_of_stock"))
    store.wait(20)
    assert store.wait(4 * 3600) == [("reminder", True), ("reminder", True)]
    assert [telling.entry.reminded for telling in store.told[1:]] == [1, 2]


def test_what_is_acknowledged_is_not_told_again():
    """Somebody sees to it: there is an event that says who, once, and no reminder."""
    store = Store()
    store.find(edge("out_of_stock"))
    store.wait(20)
    alert = store.book.open[0].id
    assert store.acknowledge(alert) == [("acknowledged", False)]
    assert store.acknowledge(alert, by="Ben") == []
    assert store.book.open[0].acknowledged.by == "Ana"
    assert store.wait(3 * 3600) == []


def test_an_alert_that_was_only_noted_can_be_acknowledged():
    """It is not told after that, but has its event, and its end."""
    store = Store()
    store.find(edge("out_of_stock"))
    assert store.acknowledge(store.book.open[0].id) == [("out_of_stock", False), ("acknowledged", False)]
    assert store.wait(60) == []
    assert store.find(edge("restocked")) == [("restocked", False)]


def test_what_is_unknown_or_over_cannot_be_acknowledged():
    """The sentence says which it is."""
    store = Store()
    store.find(edge("out_of_stock"))
    known = store.book.open[0].id
    assert known in acknowledge(store.book, known[:-1] + "9", Acknowledged(NOON, "Ana"))
    store.find(edge("restocked"))
    assert "over already" in acknowledge(store.book, known, Acknowledged(NOON, "Ana"))


def open_by_day(**others):
    """A store that is open from seven to ten in the evening, in Berlin."""
    return replace(QUIET, hours=Hours(ZoneInfo("Europe/Berlin"), (spans("07:00-22:00"),) * 7), **others)


def test_what_is_found_at_night_is_told_in_the_morning_as_one():
    """Nothing at three, at seven one message about what is still so, and nothing of what ended by itself."""
    store = Store(open_by_day(), at=datetime(2026, 11, 23, 2, 0, tzinfo=UTC))
    store.find(edge("out_of_stock"))
    store.wait(1800)
    store.find(edge("out_of_stock", "milk"))
    store.find(edge("out_of_stock", "tea"))
    store.find(edge("restocked", "tea"))
    assert store.wait(6 * 3600 - 5 * 3600 - 1860) == []
    said = []
    while not said and store.clock_s < 6 * 3600:
        said = store.wait(10)
    assert store.now.at.hour == 6
    assert store.now.at.minute == 0
    assert said == [("out_of_stock", True), ("out_of_stock", False)]
    assert store.told[0].message == "aisle 4: 2 products are out of stock: cola, milk"
    assert store.told[0].at.hour == 2


def test_the_lights_may_come_on_when_the_store_opens():
    """A view that was lost in the dark has its hold once more from opening, so that the morning begins in silence."""
    store = Store(open_by_day(patience=Patience(view_s=120)), at=datetime(2026, 11, 23, 5, 50, tzinfo=UTC))
    store.find(edge("view_lost"))
    assert store.wait(660) == []
    store.find(edge("view_restored"))
    assert store.wait(3600) == []


@pytest.mark.parametrize("seen_to", [False, True])
def test_what_ended_untold_and_begins_again_after_its_group_was_told_is_told(seen_to):
    """Filled before opening, gone again after it: those who were told of the other product know nothing of this one."""
    store = Store(open_by_day(), at=datetime(2026, 11, 23, 5, 0, tzinfo=UTC))
    store.find(edge("out_of_stock"), edge("out_of_stock", "milk"))
    store.wait(3400)
    assert store.find(edge("restocked", "milk")) == []
    assert store.wait(300) == [("out_of_stock", True)]
    if seen_to:
        store.acknowledge(store.book.open[0].id)
    assert store.find(edge("out_of_stock", "milk")) == []
    assert store.wait(12) == [("out_of_stock", True)]
    assert store.told[-1].alert.sku == "milk"
    assert store.find(edge("restocked", "milk")) == [("restocked", False)]


def test_what_ended_untold_and_begins_again_after_its_told_alert_is_over_is_told():
    """The alert that it was in was told of another product, and ended: it is a new one."""
    store = Store(replace(QUIET, cool_down_s=3600))
    store.find(edge("out_of_stock"), edge("out_of_stock", "milk"))
    store.find(edge("restocked", "milk"))
    assert store.wait(12) == [("out_of_stock", True)]
    store.find(edge("restocked"))
    store.find(edge("out_of_stock", "milk"))
    assert store.wait(12) == [("out_of_stock", True)]


@pytest.mark.parametrize("others", [{"reminders": 0}, {"remind_after_s": 0}, {"reminders": 1}])
def test_what_begins_again_and_lasts_is_told_whatever_was_said_before(others):
    """Once, after a quarter of an hour: also without reminders, and where it was reminded of before it was over."""
    store = Store(replace(QUIET, **others))
    store.find(edge("out_of_stock"))
    store.wait(3700)
    store.find(edge("restocked"))
    store.wait(60)
    assert store.find(edge("out_of_stock")) == [("out_of_stock", False)]
    assert store.wait(898) == []
    assert store.wait(4 * 3600) == [("reminder", True)]
    assert store.told[-1].entry.reminded == 1


def test_what_begins_again_and_ends_is_not_reminded_of_by_what_stands_beside_it():
    """Of two products the one that stays was said often enough; the other wavers for a minute: nobody is disturbed."""
    store = Store(replace(QUIET, reminders=0))
    store.find(edge("out_of_stock"), edge("out_of_stock", "milk"))
    store.wait(20)
    store.find(edge("restocked", "milk"))
    store.wait(60)
    assert store.find(edge("out_of_stock", "milk")) == [("out_of_stock", False)]
    store.wait(60)
    store.find(edge("restocked", "milk"))
    assert store.wait(3600) == []


def test_a_reminder_is_not_put_off_by_what_wavers_beside_it():
    """A product that comes and goes every ten minutes hides none that is gone for an hour."""
    store = Store()
    store.find(edge("out_of_stock"), edge("out_of_stock", "milk"))
    said = store.wait(20)
    for _ in range(6):
        store.find(edge("restocked", "milk"))
        said += store.wait(300)
        store.find(edge("out_of_stock", "milk"))
        said += store.wait(300)
    assert ("reminder", True) in said


@pytest.mark.parametrize("told", [False, True])
def test_what_was_filled_in_the_dark_is_not_told_at_opening(told):
    """The lights come on as the store opens: there is time for the looks to agree, and for the hold of the way back."""
    begun = datetime(2026, 11, 23, 5, 30, tzinfo=UTC) - timedelta(hours=8, minutes=40 if told else 0)
    store = Store(open_by_day(), at=begun)
    store.find(edge("out_of_stock"))
    store.wait(30)
    assert len(store.told) == told
    while not store.policy.open_at(store.now.at) or store.now.at.hour > 12:
        store.wait(1)
    assert store.wait(40) == []
    assert store.find(edge("restocked")) == ([("restocked", False)] if told else [])
    assert store.wait(3600) == []


def test_what_was_filled_while_the_power_was_off_is_not_told_after_a_start():
    """The first looks have to agree, and their way back has its hold, before an alert of the run before is told."""
    store = Store()
    store.find(edge("out_of_stock"))
    store.book = book_of(book_record(store.book))
    assert store.wait(40) == []
    store.find(edge("restocked"))
    assert store.wait(3600) == []


def test_what_is_still_so_after_a_start_is_told():
    """The hold and the vote later, not never."""
    store = Store()
    store.find(edge("out_of_stock"))
    store.book = book_of(book_record(store.book))
    assert store.wait(50) == [("out_of_stock", True)]


def test_an_easing_rings_no_bell_though_the_same_was_noted_on_the_way_down():
    """Low for a moment, out, and then low again: better than before, told at once, and who sees to it is kept."""
    store = Store()
    store.find(edge("low_stock"))
    store.wait(5)
    store.find(edge("out_of_stock"))
    store.wait(20)
    store.acknowledge(store.book.open[0].id)
    store.wait(60)
    assert store.find(edge("low_stock")) == [("low_stock", False)]
    assert store.book.open[0].acknowledged.by == "Ana"
    assert store.wait(3600) == []


def test_what_is_given_up_is_said_to_be():
    """Of too many open alerts the oldest end with an event where they were told, so that none stays open for ever."""
    store, numbers = Store(replace(QUIET, group_s=0)), counter()
    store.find(*(edge("out_of_stock", f"sku-{next(numbers)}", aisle=str(n)) for n in range(OPEN_MAX)))
    assert store.find(edge("out_of_stock", "milk", aisle="other")) == [("closed", False), ("out_of_stock", True)]
    assert (store.told[-2].alert.sku, store.told[-2].entry.state) == ("sku-0", "closed")
    assert "more than 500" in store.told[-2].message


def test_at_night_nobody_is_reminded():
    """Reminders wait for the store to open."""
    store = Store(open_by_day(), at=datetime(2026, 11, 23, 20, 30, tzinfo=UTC))
    store.find(edge("out_of_stock"))
    assert store.wait(20) == [("out_of_stock", True)]
    assert store.wait(9 * 3600) == []
    assert store.wait(1900) == [("reminder", True)]


def test_the_wall_clock_may_jump():
    """Waits are of the clock that never does: set forward or back by a year, an alert is told when it was to be."""
    for jump in (timedelta(days=365), timedelta(days=-365)):
        store = Store()
        store.find(edge("out_of_stock"))
        store.wait(5)
        store.begun += jump
        assert store.wait(6) == [("out_of_stock", True)]
        store.begun -= jump
        assert store.wait(3590) == []
        assert store.wait(20) == [("reminder", True)]


def test_a_step_that_finds_nothing_costs_nothing():
    """Until something is due the book is the very same."""
    store = Store()
    store.find(edge("out_of_stock"))
    book, told = take(store.book, (), store.now, QUIET)
    assert book is store.book
    assert told == ()


def test_levels_take_up_what_is_open(shelf):
    """A product that is out begins as out, so that it is not told anew; another shelf's alerts are not taken up."""
    store = Store()
    store.find(edge("out_of_stock"), edge("view_lost"), edge("low_stock", "milk", shelf="b2"))
    assert resume(store.book, shelf).levels == {"sku:cola": "out", "view:": "lost"}


def test_what_is_no_longer_watched_is_closed():
    """A product that left the planogram, and a shelf that left the configuration; what was told ends with an event."""
    store = Store()
    slot = Slot("s1", quad(0, 0, 1, 1), "cola")
    store.find(edge("out_of_stock"), edge("out_of_stock", "milk"), edge("view_lost", shelf="b2"))
    store.wait(12)
    book, told = released(store.book, {"a1": Shelf("a1", "cam1", (slot,))}, store.now)
    assert [(one.type, one.alert.shelf, one.alert.sku) for one in told] == [
        ("closed", "a1", "milk"),
        ("closed", "b2", None),
    ]
    assert [member.alert.sku for entry in book.open for member in entry.standing] == ["cola"]


def test_the_book_is_bounded():
    """Of too many open ones the oldest are given up; those that are over go after days, or when they are many."""
    store, numbers = Store(replace(QUIET, group_s=0)), counter()
    store.find(*(edge("out_of_stock", f"sku-{next(numbers)}", aisle=str(n)) for n in range(OPEN_MAX + 5)))
    assert len(store.book.open) == OPEN_MAX
    assert store.book.open[0].members[0].alert.sku == "sku-5"
    kept = tidied(store.book, store.now, replace(QUIET, keep_closed=3))
    assert len(kept.closed) == 3
    assert tidied(store.book, Moment(NOON + timedelta(days=15), 0.0), QUIET).closed == ()
