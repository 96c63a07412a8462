"""The judge of the simulated week: what is told in time, late, never or falsely must be called so."""

from math import inf

import pytest

from benchmarks.week.judging import Told, judged, told_by_agent
from benchmarks.week.truth import StockOut, Truth
from benchmarks.week.watching import Edge, Watched
from edge_agent.alerts.policy import Policy
from edge_agent.counting import Rules
from edge_agent.shelf import EMPTY, WHOLE_FRAME, Alert, Shelf, Slot

NOON_S = 12 * 3600.0
CLOSES_S = 21 * 3600.0


def alert(kind, sku="cola"):
    """An alert about the shelf."""
    return Alert(kind, "a", "cam", "words", sku=sku, thing=f"sku:{sku}")


@pytest.fixture
def week():
    """One facing of cola, gone from noon on for ten minutes and seen so after 30 s."""
    shelf = Shelf("a", "cam", (Slot("p4", WHOLE_FRAME, "cola"),))
    truth = Truth([shelf], {"a": (4,)})
    truth.put(0, 4, "cola")
    truth.put(NOON_S, 4, EMPTY)
    truth.put(NOON_S + 600, 4, "cola")
    return Watched("cam", truth, [StockOut("a", "cola", NOON_S, NOON_S + 600, seen_s=NOON_S + 30)])


def told(t_s, kind="out_of_stock", *, true=True):
    """What the agent told at a time."""
    return Told(t_s, kind, alert(kind), notify=True, true=true)


def test_a_delay_counts_from_the_first_clear_look(week):
    """Told 70 s after it was gone, which could be seen after 30 s: 40 s late."""
    verdict = judged([told(NOON_S + 70)], [], [week])
    assert (verdict.delays_s, verdict.p95_s, verdict.missed) == ([40.0], 40.0, [])


def test_what_is_told_before_or_after_a_stock_out_does_not_count(week):
    """An alert that was over before it began, or came after its end, has not told it: it is missed."""
    earlier, later = told(NOON_S - 500), told(NOON_S + 601)
    verdict = judged([earlier, later], [Edge(NOON_S - 100, alert("restocked"))], [week])
    assert verdict.delays_s == [inf]
    assert verdict.missed == week.stock_outs


def test_what_is_still_said_to_be_out_has_been_told(week):
    """A short restock that the agent rightly made nothing of: nobody has to be told again."""
    assert judged([told(NOON_S - 500)], [], [week]).delays_s == [0.0]


@pytest.mark.parametrize("seen_s", [None, CLOSES_S - 60])
def test_what_nobody_could_see_in_time_is_not_asked_for(week, seen_s):
    """No clear look with two minutes left before the shop closes: counted apart, not as missed."""
    week.stock_outs[0].seen_s = seen_s
    verdict = judged([], [], [week])
    assert (verdict.delays_s, verdict.hidden) == ([], 1)


def test_false_alerts_are_counted_by_camera_and_day(week):
    """Two on the second day, one of them the same that began again; a false reminder is no further alert."""
    day_s = 86400.0
    again = Told(day_s + 2, "low_stock", alert("low_stock"), notify=False, true=False, again=True)
    said = [told(day_s + 1, "low_stock", true=False), again, told(day_s + 3, "reminder", true=False)]
    verdict = judged(said, [], [week])
    assert verdict.false_by_day(["cam"], 2) == {("cam", 0): 0, ("cam", 1): 1}
    assert (verdict.reopened, verdict.reminders) == (1, 1)


def test_an_alert_is_true_when_its_cause_was(week):
    """Raised after its hold of 30 s: true where the product was gone as that began, though it may be back by now."""
    for t_s, true in ((NOON_S + 35, True), (NOON_S + 625, True), (NOON_S + 29, False), (NOON_S + 700, False)):
        week.edges = [Edge(t_s, alert("out_of_stock"))]
        said = told_by_agent([week], Rules(), Policy(), until_s=t_s + 60)
        assert [(one.type, one.true) for one in said] == [("out_of_stock", true)], t_s
