"""Delivery end to end while its parts are killed: what `benchmarks/bench_faults.py broker` does at length."""

import pytest

from benchmarks.faults.broker import LEAST_PER_S, day_away, under_fire

pytestmark = pytest.mark.system


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_end_to_end_nothing_is_lost_and_nothing_counted_twice(protocol):
    """Device, broker and ingest are killed without a word; every committed event is in PostgreSQL, once."""
    outcome = under_fire((6, 3, 2), protocol=protocol, seed=2)
    assert outcome.kills == (6, 3, 2)
    assert outcome.committed > 500
    assert (outcome.lost, outcome.twice, outcome.rejected) == (0, 0, 0)


def test_the_brokers_word_is_enough_while_only_the_device_dies():
    """Without the consumer's acknowledgement a device that is killed loses nothing either."""
    outcome = under_fire((6, 0, 0), delivery="broker", seed=3)
    assert outcome.committed > 500
    assert (outcome.lost, outcome.twice, outcome.rejected) == (0, 0, 0)


def test_a_backlog_arrives_in_order_and_fast():
    """What gathered while the broker was away goes out as fast as was asked for."""
    day = day_away(20_000)
    assert day.arrived == day.events
    assert day.out_of_order == 0
    assert day.per_s >= LEAST_PER_S
