"""Levels: edges with thresholds of their own for entering and leaving, held for a while, never from what is unknown."""

import random
from dataclasses import replace

import pytest

from edge_agent.alerts.levels import AlertState, alerts, with_votes
from edge_agent.alerts.policy import Patience
from edge_agent.counting import Rules, count, start, votes
from edge_agent.shelf import Shelf, Slot, SlotChange
from tests.edge_agent.conftest import looks, quad


def found(shelf, *spans, patience):
    """The alerts of spans of (seconds, labels)."""
    state, warned, clock_s, raised = start(shelf), AlertState(), 0.0, []
    rules = Rules(unknown_after_s=5)
    for seconds, labels in spans:
        for _ in range(round(seconds * 10)):
            clock_s = round(clock_s + 0.1, 6)
            state, now = count(shelf, state, looks(labels, shelf), clock_s=clock_s, rules=rules)
            if now is not None and not state.held:
                warned, edges = alerts(shelf, warned, now, clock_s=clock_s, patience=patience)
                raised += with_votes(edges, votes(shelf, state))
    return raised


def kinds(shelf, *spans, hold_s=1.0):
    """Their kinds, and what they are about."""
    return [(alert.kind, alert.sku) for alert in found(shelf, *spans, patience=Patience(hold_s, hold_s, hold_s))]


def test_stock_alerts_are_edges(shelf):
    """Low, out and restocked come once each, in order, however long they last."""
    assert kinds(
        shelf,
        (5, "cola cola cola milk"),
        (5, "cola empty empty milk"),
        (5, "empty empty empty milk"),
        (5, "cola cola cola milk"),
    ) == [("low_stock", "cola"), ("out_of_stock", "cola"), ("restocked", "cola")]


def test_a_level_must_last(shelf):
    """An empty slot that is filled again within the hold time is no alert."""
    spans = [(5, "cola cola cola milk"), (2, "cola cola cola empty"), (9, "cola cola cola milk")]
    assert kinds(shelf, *spans, hold_s=3) == []


def test_an_unknown_count_never_raises_a_stock_alert(shelf):
    """A covered shelf loses its view; it isn't out of stock, and its return isn't a restocking."""
    covered = " ".join(["!occluded"] * 4)
    assert kinds(shelf, (5, "cola cola cola milk"), (20, covered), (5, "cola cola cola milk")) == [
        ("view_lost", None),
        ("view_restored", None),
    ]


def test_a_misplaced_product_is_told_once_with_its_slot(shelf):
    """A foreign product in a slot is one alert, and an empty slot is none."""
    found = kinds(shelf, (5, "cola cola cola milk"), (6, "cola cola milk milk"), (5, "cola cola cola milk"))
    assert found == [("misplaced", "milk"), ("put_right", "cola")]


def test_time_that_is_spent_unknown_does_not_count(shelf):
    """A gap that was seen for a moment and then hidden for long must last again when it is seen, before it is told."""
    spans = [(5, "cola cola cola milk"), (2, "cola cola cola empty"), (30, "cola cola cola !occluded")]
    assert ("out_of_stock", "milk") not in kinds(shelf, *spans, (4, "cola cola cola empty"), hold_s=8)
    assert ("out_of_stock", "milk") in kinds(shelf, *spans, (12, "cola cola cola empty"), hold_s=8)


@pytest.fixture
def wide():
    """Eight facings of one product."""
    return Shelf("w1", "cam1", tuple(Slot(f"s{n}", quad(n / 8, 0, (n + 1) / 8, 1), "cola") for n in range(8)))


def facings(number):
    """A reading of the wide shelf."""
    return " ".join(["cola"] * number + ["empty"] * (8 - number))


def test_low_stock_is_left_at_another_count_than_it_is_entered_at(wide):
    """Of eight facings two are low and three are neither low nor back: only four are."""
    spans = [(5, facings(8)), (5, facings(2)), (5, facings(3)), (5, facings(2)), (5, facings(3))]
    assert kinds(wide, *spans) == [("low_stock", "cola")]
    assert kinds(wide, *spans, (5, facings(4))) == [("low_stock", "cola"), ("restocked", "cola")]
    assert kinds(wide, (5, facings(8)), (5, facings(3))) == []


def test_out_of_stock_is_left_with_the_first_facing(wide):
    """One facing is low, and not out; it is not back either."""
    assert kinds(wide, (5, facings(8)), (5, facings(0)), (5, facings(1)), (5, facings(3)), (5, facings(8))) == [
        ("out_of_stock", "cola"),
        ("low_stock", "cola"),
        ("restocked", "cola"),
    ]


def test_a_shelf_says_for_itself_when_a_product_is_back(wide):
    """`restocked_at` overrules the share of the facings, and stays above `low_at`."""
    spans = [(5, facings(8)), (5, facings(1)), (5, facings(4)), (5, facings(6))]
    said = replace(wide, low_at=(("cola", 1),), restocked_at=(("cola", 6),))
    [_, back] = found(said, *spans, patience=Patience(1, 1, 1))
    assert (back.kind, back.count) == ("restocked", 6)
    [_, back] = found(wide, *spans, patience=Patience(1, 1, 1))
    assert (back.kind, back.count) == ("restocked", 4)


def test_each_kind_has_a_hold_of_its_own(shelf):
    """A stock-out is told after its hold; the same slot with another product waits longer, a lost view longest."""
    patience = Patience(stock_s=1, misplaced_s=4, view_s=9)
    gone, wrong, covered = "cola cola cola empty", "cola cola cola cola", "cola cola cola !occluded"
    full = (5, "cola cola cola milk")
    assert [alert.kind for alert in found(shelf, full, (3, gone), patience=patience)] == ["out_of_stock"]
    assert "misplaced" not in [alert.kind for alert in found(shelf, full, (3, wrong), patience=patience)]
    assert "misplaced" in [alert.kind for alert in found(shelf, full, (6, wrong), patience=patience)]
    assert found(shelf, full, (13, covered), patience=patience) == []
    assert [alert.kind for alert in found(shelf, full, (16, covered), patience=patience)] == ["view_lost"]


def test_darkness_is_a_lost_view_only_where_there_should_be_light(shelf):
    """At night the light is off; unless somebody says when it is on, that is no fault."""
    night = [(5, "cola cola cola milk"), (30, "!dark !dark !dark !dark"), (5, "cola cola cola milk")]
    assert found(shelf, *night, patience=Patience(1, 1, 1)) == []
    lit = Patience(1, 1, 1, dark_is_lost=True)
    assert [alert.kind for alert in found(shelf, *night, patience=lit)] == ["view_lost", "view_restored"]


def test_an_alert_says_what_it_is_drawn_from(shelf):
    """The slots that changed come first, with what stood there, what stands there now, and the vote."""
    [low] = found(
        shelf,
        (5, "cola cola cola milk"),
        (5, "cola cola empty milk"),
        (5, "cola empty empty milk"),
        patience=Patience(1, 1, 1),
    )
    assert low.changes[0] == SlotChange("s1", "cola", "empty", votes=low.changes[0].looks, looks=low.changes[0].looks)
    assert {change.slot for change in low.changes} == {"s0", "s1", "s2"}
    assert low.changes[0].looks >= 3
    assert (low.thing, low.count) == ("sku:cola", 1)


def test_what_waits_remembers_the_reading_before_it_began(shelf):
    """A product that goes facing by facing within the hold time is told with the reading before the first went."""
    spans = [(5, "cola cola cola milk"), (2, "cola empty empty milk"), (6, "empty empty empty milk")]
    [out] = found(shelf, *spans, patience=Patience(4, 4, 4))
    assert [(change.before, change.after) for change in out.changes] == [("cola", "empty")] * 3


def test_nothing_is_worked_out_while_nothing_changes(shelf):
    """The same count again, with nothing waiting, leaves the very same state."""
    state, now, clock_s = start(shelf), None, 0.0
    while now is None:
        clock_s += 0.1
        state, now = count(shelf, state, looks("cola cola cola milk", shelf), clock_s=clock_s, rules=Rules())
    settled, _ = alerts(shelf, AlertState(), now, clock_s=clock_s, patience=Patience())
    assert alerts(shelf, settled, now, clock_s=clock_s + 9, patience=Patience()) == (settled, ())
    assert alerts(shelf, settled, now, clock_s=clock_s + 9, patience=Patience())[0] is settled


@pytest.mark.parametrize("seed", range(20))
def test_no_unknown_slot_ever_opens_or_ends_a_stock_alert(shelf, seed):
    """Whatever is hidden, for however long: without a clear look at what is missing, stock is never said to be so."""
    chance = random.Random(seed)
    hidden = ["!occluded", "!moving", "!unsure", "!dark", "!stale", "!frozen", "!blocked", "!blurred", "!moved"]
    truth = ["cola", "cola", "cola", "milk"]
    spans = [(3, " ".join(truth))] + [
        (chance.uniform(0.3, 12), " ".join(chance.choice([chance.choice(hidden), label]) for label in truth))
        for _ in range(25)
    ]
    raised = found(shelf, *spans, patience=Patience(0.5, 0.5, 0.5))
    assert {alert.kind for alert in raised} <= {"view_lost", "view_restored"}
    empty = [(3, "empty empty empty empty")] + [
        (seconds, " ".join(label if label[0] == "!" else "empty" for label in labels.split()))
        for seconds, labels in spans
    ]
    ends = [alert.kind for alert in found(shelf, (3, " ".join(truth)), *empty, patience=Patience(0.5, 0.5, 0.5))]
    assert ends.count("out_of_stock") == 2
    assert "restocked" not in ends
    assert "low_stock" not in ends
