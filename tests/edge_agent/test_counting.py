"""Counts: voted, held while somebody is in the way, unknown rather than empty."""

from typing import get_args

import numpy as np
import pytest

from edge_agent.counting import Rules, beside_hidden, count, nothing_seen, observe, start
from edge_agent.shelf import Shelf, Unread
from tests.edge_agent.conftest import looks, quad

RULES = Rules(window_s=0.5, unknown_after_s=10)


def watch(shelf, *spans, period_s=0.1, rules=RULES):
    """Feed spans of (seconds, labels) and return the counts in force after each frame, as (clock, count)."""
    state, clock_s, seen = start(shelf), 0.0, []
    for seconds, labels in spans:
        for _ in range(round(seconds / period_s)):
            clock_s = round(clock_s + period_s, 6)
            state, now = count(shelf, state, looks(labels, shelf), clock_s=clock_s, rules=rules)
            seen.append((clock_s, now))
    return seen


def test_a_steady_shelf_is_counted_after_the_vote_window(shelf):
    """A shelf has no count until the looks of a whole window agree, and the right one then."""
    seen = watch(shelf, (1.0, "cola cola empty milk"))
    first = next(clock_s for clock_s, now in seen if now is not None)
    assert 0.5 <= first <= 0.7
    assert seen[-1][1].counts == {"cola": 2, "milk": 1}
    assert seen[-1][1].quality == "good"


def test_a_change_is_held_while_any_slot_is_occluded(shelf):
    """While an arm hides one slot nothing new is said of the others either; then the whole change comes at once."""
    seen = watch(
        shelf,
        (1.0, "cola cola cola milk"),
        (3.0, "empty cola !occluded milk"),
        (1.0, "empty cola empty milk"),
    )
    said = [now.counts for _, now in seen if now is not None]
    assert [c for n, c in enumerate(said) if n == 0 or c != said[n - 1]] == [
        {"cola": 3, "milk": 1},
        {"cola": 1, "milk": 1},
    ]


@pytest.mark.parametrize("reason", get_args(Unread))
def test_an_unread_slot_becomes_unknown_and_never_empty(shelf, reason):
    """Whatever hides a slot, its product's count turns to null after the time allowed, with a floor, and never to 0."""
    seen = watch(shelf, (1.0, "cola cola cola milk"), (11.0, f"cola cola cola !{reason}"))
    assert all(now.counts["milk"] in (1, None) for _, now in seen if now is not None)
    last = seen[-1][1]
    assert last.counts == {"cola": 3, "milk": None}
    assert last.unknown_slots == 1
    assert last.quality != "good"
    assert "1 of 4" in last.reason
    milk = last.items[1]
    assert (milk.status, milk.at_least) == ("unknown", 0)


def test_an_unknown_slot_does_not_hold_up_the_others(shelf):
    """Once a slot is unknown, changes of the others are counted again."""
    covered = (11.0, "cola cola cola !occluded")
    seen = watch(shelf, (1.0, "cola cola cola milk"), covered, (2.0, "cola empty cola !dark"))
    assert seen[-1][1].counts == {"cola": 2, "milk": None}


def test_a_slot_without_a_plan_puts_every_product_in_doubt():
    """A slot that could hold anything makes no product certain while it is unknown."""
    from edge_agent.shelf import Slot

    shelf = Shelf("b", "cam", (Slot("x", quad(0, 0, 0.5, 1), "cola"), Slot("y", quad(0.5, 0, 1, 1))))
    seen = watch(shelf, (11.0, "cola !occluded"))
    assert seen[-1][1].counts == {"cola": None}
    assert seen[-1][1].items[0].at_least == 1


def test_a_product_that_stood_in_a_foreign_slot_may_still_be_behind_what_hides_it(shelf):
    """The last facing, in another product's slot, is hidden: that is no stock-out. Nor is it gone from the list."""
    seen = watch(shelf, (1.0, "empty empty empty cola"), (11.0, "empty empty empty !occluded"))
    assert seen[-1][1].counts == {"cola": None, "milk": None}
    seen = watch(shelf, (1.0, "cola cola tea milk"), (11.0, "cola cola !occluded milk"), (1.0, "cola cola cola milk"))
    assert seen[-11][1].counts == {"cola": None, "milk": 1, "tea": None}
    assert seen[-1][1].counts == {"cola": 3, "milk": 1}


def test_a_flicker_is_not_a_change(shelf):
    """A single wrong look in a window leaves the count as it is."""
    spans = [(1.0, "cola cola cola milk"), (0.1, "cola cola empty milk"), (1.0, "cola cola cola milk")]
    assert {str(now.counts) for _, now in watch(shelf, *spans) if now} == {"{'cola': 3, 'milk': 1}"}


def test_a_slow_camera_needs_three_looks(shelf):
    """At one look in two seconds the window alone would be one look; three are asked for."""
    seen = watch(shelf, (8.0, "cola cola cola milk"), period_s=2.0)
    assert [now is not None for _, now in seen] == [False, False, True, True]


def test_a_camera_that_is_gone_leaves_counts_unknown(shelf):
    """Looks at nothing are stale, and after the time allowed all counts are null."""
    state = start(shelf)
    for n in range(1, 20):
        state, _ = count(shelf, state, looks("cola cola cola milk", shelf), clock_s=n * 0.1, rules=RULES)
    for n in range(20, 140):
        state, now = count(shelf, state, nothing_seen(shelf.slots), clock_s=n * 0.1, rules=RULES)
    assert now.counts == {"cola": None, "milk": None}
    assert now.quality == "stale"


def test_a_shelf_that_stays_unknown_for_another_reason_says_that_one(shelf):
    """After an outage in the night a shelf that is still unread is so for what hides it now, and no more often told."""
    away = [(n * 0.1, nothing_seen(shelf.slots)) for n in range(1, 200)]
    hidden = [(n * 0.1, looks("!occluded !occluded !occluded !unsure", shelf)) for n in range(200, 400)]
    state, said = start(shelf), []
    for clock_s, seen in away + hidden:
        state, now = count(shelf, state, seen, clock_s=clock_s, rules=RULES)
        if now is not None and (not said or now is not said[-1]):
            said.append(now)
    assert [now.quality for now in said] == ["stale", "occluded"]
    assert said[1].reason == "something stands in front: 3 of 4 slots"
    assert said[1].since_s == said[0].since_s
    assert said[1].counts == {"cola": None, "milk": None}


def test_a_flickering_cause_is_not_said_at_every_look(shelf):
    """Where two causes take turns, one is said for ten seconds at least."""
    state, said = start(shelf), []
    for n in range(1, 600):
        seen = looks("!occluded cola cola milk" if n % 2 else "!unsure cola cola milk", shelf)
        state, now = count(shelf, state, seen, clock_s=n * 0.1, rules=RULES)
        if now is not None and (not said or now is not said[-1]):
            said.append(now)
    assert 1 <= len(said) <= 7


def test_observe_tells_why_a_slot_is_unread(shelf):
    """Dark, moving, occluded and unsure are told apart, in this order, and a clear look carries its label."""
    labels = ("cola", "empty", "occluded")
    scores = np.array([[0.9, 0.05, 0.05], [0.1, 0.1, 0.8], [0.5, 0.4, 0.1], [0.9, 0.1, 0]], np.float32)
    found = observe(
        shelf.slots,
        labels,
        scores,
        moved=np.array([False, False, False, True]),
        brightness=np.array([100, 100, 100, 3], np.float32),
        rules=Rules(),
    )
    assert [(look.label, look.unread) for look in found] == [
        ("cola", None),
        ("occluded", "occluded"),
        ("cola", "unsure"),
        ("cola", "dark"),
    ]


def test_stock_status_follows_the_thresholds(shelf):
    """A product is low at its threshold, out at 0; without one the share of the planned facings decides."""
    explicit = Shelf(shelf.id, shelf.camera, shelf.slots, low_at=(("cola", 2),))
    for labels, where, status in [
        ("cola cola empty milk", shelf, "ok"),
        ("cola empty empty milk", shelf, "low"),
        ("cola cola empty milk", explicit, "low"),
        ("empty empty empty milk", shelf, "out"),
    ]:
        assert watch(where, (1.0, labels))[-1][1].items[0].status == status, labels


def test_a_misplaced_product_is_counted_under_its_own_name(shelf):
    """What stands in a foreign slot is counted as what it is."""
    assert watch(shelf, (1.0, "cola cola tea milk"))[-1][1].counts == {"cola": 2, "milk": 1, "tea": 1}


def test_a_change_next_to_a_hidden_slot_is_not_believed_yet(shelf):
    """An arm is connected: what seems to have changed beside a hidden slot is counted when that slot is clear again."""
    upper = Shelf("upper", shelf.camera, shelf.slots)  # its slots are hidden; they lie above those of the shelf
    near = ((4,), (5,), (6,), (7,), (0,), (1,), (2,), (3,))
    state, clock_s, said = start(shelf), 0.0, []
    for seconds, above, labels in [
        (1, "cola cola cola milk", "cola cola cola milk"),
        (2, "cola !occluded cola milk", "cola empty cola milk"),  # a sleeve that passes for the shelf's back wall
        (1, "cola cola cola milk", "cola cola cola milk"),
        (2, "!occluded cola cola milk", "cola empty cola milk"),  # not beside the hidden one: a real gap
    ]:
        for _ in range(round(seconds * 10)):
            clock_s = round(clock_s + 0.1, 6)
            seen = beside_hidden(looks(above, upper) + looks(labels, shelf), near=near, unknown=[False] * 8)
            state, now = count(shelf, state, seen[4:], clock_s=clock_s, rules=RULES)
            if now is not None and (not said or said[-1] is not now):
                said.append(now)
    assert [now.counts for now in said] == [{"cola": 3, "milk": 1}, {"cola": 2, "milk": 1}]


def test_a_slot_that_is_unknown_casts_no_doubt_on_its_neighbours(shelf):
    """What has hidden a slot for so long that it is unknown, such as a box, is no arm."""
    seen = beside_hidden(
        looks("!occluded cola cola milk", shelf), near=((1,), (0,), (), ()), unknown=[True, False, False, False]
    )
    assert not any(look.beside_hidden for look in seen)


@pytest.mark.parametrize("fps", [0.1, 0.5, 1, 2, 5, 30])
def test_a_camera_of_any_rate_is_counted(shelf, fps):
    """However few looks a second there are, three of them that agree over the window are a vote."""
    seen = watch(
        shelf, (60 if fps < 1 else 10, "cola cola cola milk"), period_s=1 / fps, rules=Rules(unknown_after_s=90)
    )
    assert seen[-1][1].counts == {"cola": 3, "milk": 1}


def test_traffic_that_hides_slots_in_turn_cannot_hold_a_count_for_ever(shelf):
    """Where some slot is hidden at every moment, a gap is told within the time allowed all the same."""
    spans = [(1.0, "cola cola cola milk")]
    spans += [(2.0, "cola !occluded empty milk"), (2.0, "!occluded cola empty milk")] * 5
    seen = watch(shelf, *spans)
    told_s = next(clock_s for clock_s, now in seen if now is not None and now.counts == {"cola": 2, "milk": 1})
    assert told_s <= 1.0 + 10 + 4
    assert seen[-1][1].counts == {"cola": 2, "milk": 1}
