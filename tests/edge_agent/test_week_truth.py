"""The truth of the simulated week, which the alerts are held against: it must be right by itself."""

import pytest

from benchmarks.week.truth import History, StockOut, Truth, open_for_s
from edge_agent.shelf import EMPTY, WHOLE_FRAME, Shelf, Slot

HOUR_S = 3600.0


@pytest.fixture
def truth():
    """A shelf of two facings of cola (places 4 and 5) and one of tea (6), full from the start."""
    slots = tuple(Slot(f"p{place}", WHOLE_FRAME, sku) for place, sku in ((4, "cola"), (5, "cola"), (6, "tea")))
    truth = Truth([Shelf("a", "cam", slots)], {"a": (4, 5, 6)})
    for place, sku in ((4, "cola"), (5, "cola"), (6, "tea")):
        truth.put(0.0, place, sku)
    return truth


def test_a_product_is_out_only_while_all_its_facings_are_gone(truth):
    """Two facings, taken at 10 and at 20 s, one put back at 50 s: out from 20 to 50 s."""
    truth.put(10, 4, EMPTY)
    truth.put(20, 5, EMPTY)
    truth.put(50, 4, "cola")
    assert truth.stock_outs(100) == [StockOut("a", "cola", 20, 50)]


def test_what_is_out_at_the_end_is_out_until_then(truth):
    """A stock-out that nobody ends lasts to the end that is asked for."""
    truth.put(30, 6, EMPTY)
    assert truth.stock_outs(100) == [StockOut("a", "tea", 30, 100)]


def test_a_product_in_a_foreign_slot_of_the_shelf_is_there(truth):
    """Tea that stands where cola belongs is counted, so it isn't out; the cola is, when both its places lack it."""
    truth.put(10, 4, EMPTY)
    truth.put(20, 4, "tea")
    truth.put(30, 6, EMPTY)
    truth.put(40, 5, EMPTY)
    assert truth.stock_outs(60) == [StockOut("a", "cola", 40, 60)]
    assert truth.count("a", "tea", 35) == 1


def test_the_least_and_the_most_within_a_time_see_what_was_short(truth):
    """A facing that was gone for a second is among what a time held."""
    truth.put(10, 4, EMPTY)
    truth.put(11, 4, "cola")
    assert truth.fewest_and_most("a", "cola", 5, 15) == (1, 2)
    assert truth.fewest_and_most("a", "cola", 12, 15) == (2, 2)


def test_places_that_are_not_watched_are_no_concern(truth):
    """What is put elsewhere changes nothing."""
    truth.put(10, 23, "cola")
    assert truth.stock_outs(100) == []


def test_time_only_goes_forward():
    """A history that is told backwards is refused, with both times."""
    history = History()
    history.put(10, "cola")
    with pytest.raises(ValueError, match=r"5 s is before 10"):
        history.put(5, EMPTY)
    assert history.between(0, 20) == {EMPTY, "cola"}
    assert history.between(12, 20) == {"cola"}


@pytest.mark.parametrize(
    ("start_h", "end_h", "open_h"),
    [(8, 9, 1), (20.9, 35, 0.1), (5, 8, 1), (22, 30, 0), (24 + 8, 24 + 30, 13)],
)
def test_only_opening_hours_of_the_first_day_count(start_h, end_h, open_h):
    """From 7 to 21 o'clock: what lasts into the night counts until the shop closes."""
    assert open_for_s(start_h * HOUR_S, end_h * HOUR_S, (7, 21)) == pytest.approx(open_h * HOUR_S)
