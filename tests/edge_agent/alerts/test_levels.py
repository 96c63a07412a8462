"""Alerts: edges, held for a while, never from what is unknown."""

from edge_agent.alerts.levels import AlertState, alerts
from edge_agent.alerts.policy import Patience
from edge_agent.counting import Rules, count, start
from tests.edge_agent.conftest import looks


def kinds(shelf, *spans, hold_s=1.0):
    """The alerts of spans of (seconds, labels)."""
    state, warned, clock_s, raised = start(shelf), AlertState(), 0.0, []
    for seconds, labels in spans:
        for _ in range(round(seconds * 10)):
            clock_s = round(clock_s + 0.1, 6)
            rules = Rules(unknown_after_s=5)
            state, now = count(shelf, state, looks(labels, shelf), clock_s=clock_s, rules=rules)
            if now is not None:
                warned, edges = alerts(shelf, warned, now, clock_s=clock_s, patience=Patience(hold_s, hold_s, hold_s))
                raised += edges
    return [(alert.kind, alert.sku) for alert in raised]


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
