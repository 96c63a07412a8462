"""The age of a frame: what a stream had buffered is dated old, and no clock of a camera is trusted too far."""

import pytest

from edge_agent.capture.age import StreamClock


def dates(clock, pairs):
    """When each picture of (arrival, stream time) was taken."""
    return [clock.date(arrived_s, stream_s) for arrived_s, stream_s in pairs]


def steady(clock, count=10, *, start_s=100.0, stream_s=0.0):
    """Ten pictures per second that arrive at once."""
    return dates(clock, [(start_s + n / 10, stream_s + n / 10) for n in range(count)])


def test_a_steady_stream_is_dated_by_its_arrival_after_the_first_picture():
    """The first alone cannot tell how late it is."""
    assert steady(StreamClock()) == [None, *(pytest.approx(100 + n / 10) for n in range(1, 10))]


def test_what_was_buffered_while_a_stream_stalled_is_as_old_as_it_is():
    """Three seconds of pictures that come at once are each dated when they were taken; then all is as before."""
    clock = StreamClock()
    steady(clock)
    assert dates(clock, [(104.0, 1 + n / 10) for n in range(30)]) == pytest.approx([101 + n / 10 for n in range(30)])
    assert dates(clock, [(104.1, 4.1)]) == pytest.approx([104.1])


def test_a_stream_that_begins_with_old_pictures_is_not_believed_before_it_has_caught_up():
    """The burst at the opening is not dated, what follows is dated rightly."""
    clock = StreamClock()
    assert dates(clock, [(100 + n / 100, n / 10) for n in range(20)]) == [None] * 20
    assert dates(clock, [(100.3, 2.01), (100.4, 2.11)]) == pytest.approx([100.3, 100.4], abs=0.12)


@pytest.mark.parametrize("leap_s", [-3600.0, -1.0, 3600.0])
def test_a_leap_of_the_cameras_clock_costs_a_picture_at_most(leap_s):
    """Times that leap, back or on, are where a new count begins."""
    clock = StreamClock()
    steady(clock, stream_s=5000.0)
    after = steady(clock, start_s=101.0, stream_s=5001.0 + leap_s)
    assert after[1:] == pytest.approx([101 + n / 10 for n in range(1, 10)])


@pytest.mark.parametrize("rate", [0.97, 1.03])
def test_a_clock_that_runs_wrong_by_some_per_cent_makes_no_picture_old(rate):
    """Hours of it stay within a second."""
    clock = StreamClock()
    for n in range(20_000):
        taken_s = clock.date(100 + n / 10, n / 10 * rate)
        assert n == 0 or 0 <= 100 + n / 10 - taken_s < 1


def test_stream_time_that_stands_still_is_overlooked_after_a_while():
    """Not at once, as a burst may hold two pictures of the same time."""
    clock = StreamClock()
    assert dates(clock, [(100 + n, 0.0) for n in range(5)]) == [None, None, 102, 103, 104]


def test_without_stream_time_a_burst_after_a_gap_is_dated_before_the_gap():
    """Pictures that come in quick succession after silence were waiting; the usual pace ends that."""
    clock = StreamClock()
    assert dates(clock, [(100 + n / 10, None) for n in range(5)]) == pytest.approx([100 + n / 10 for n in range(5)])
    assert dates(clock, [(104 + n / 1000, None) for n in range(5)]) == pytest.approx([100.4] * 5)
    assert dates(clock, [(104.2, None), (104.3, None)]) == pytest.approx([104.2, 104.3])


def test_a_slow_stream_without_time_is_fresh():
    """A picture every three seconds is no gap."""
    assert dates(StreamClock(), [(100 + 3 * n, None) for n in range(5)]) == [100, 103, 106, 109, 112]
