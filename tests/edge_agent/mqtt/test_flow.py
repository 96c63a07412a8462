"""Which event goes next: in order, once, and again when the consumer's watermark stands still."""

from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from edge_agent.messages import timestamp
from edge_agent.mqtt.flow import STALL_S, WINDOW, Flow
from edge_agent.outbox.spool import Spool


@dataclass
class Bench:
    """A flow over a real store, with a clock that is turned by hand."""

    rows: Spool
    now_s: float = 1000.0
    sent: list = field(default_factory=list)

    def flow(self, *, end_to_end=True):
        """A flow that has just been connected."""
        self.made = Flow(self.rows, end_to_end=end_to_end, clock=lambda: self.now_s)
        self.made.connected()
        return self.made

    def put(self, count):
        """Store events."""
        self.rows.put([("t", {"type": "counts"})] * count)

    def go(self, *, puback=True):
        """Send everything that may go, 20 at a time; the numbers that went."""
        went = []
        while batch := self.made.take(20):
            went += [sent.payload["seq"] for sent in batch]
            if puback:
                for sent in batch:
                    self.made.acknowledged(sent)
        return went


@pytest.fixture
def bench(tmp_path):
    """A bench with an empty store."""
    rows = Spool(tmp_path / "o.db")
    yield Bench(rows)
    rows.close()


def test_whether_an_event_is_old_is_asked_of_the_clock_that_is_given(tmp_path):
    """An event of an earlier run is news for half a minute of the wall clock."""
    ts, late = datetime(2026, 11, 23, 12, tzinfo=UTC), []
    with closing(Spool(tmp_path / "o.db")) as rows:
        rows.put([("t", {"type": "counts", "ts": timestamp(ts)})])
    for seconds in (10, 31):
        with closing(Spool(tmp_path / "o.db")) as rows:
            flow = Flow(rows, wall=lambda seconds=seconds: ts + timedelta(seconds=seconds))
            flow.connected()
            late += [sent.payload["historical"] for sent in flow.take(1)]
    assert late == [False, True]


def test_by_default_the_brokers_word_is_enough(bench):
    """What the broker has acknowledged leaves the outbox, many at once; what it has not goes again."""
    bench.put(250)
    flow = bench.flow(end_to_end=False)
    assert bench.go() == list(range(1, 251))
    flow.forget()
    assert bench.rows.depth() == 0
    bench.put(5)
    assert bench.go(puback=False) == [251, 252, 253, 254, 255]
    flow.connected()
    assert bench.go() == [251, 252, 253, 254, 255]


def test_end_to_end_only_the_consumer_empties_the_outbox(bench):
    """The broker's acknowledgement frees nothing; the consumer's does, up to its watermark, and nothing goes twice."""
    bench.put(30)
    flow = bench.flow()
    assert bench.go() == list(range(1, 31))
    flow.forget(now=True)
    assert bench.rows.depth() == 30
    assert flow.confirmed(bench.rows.epoch, 20)
    assert bench.rows.depth() == 10
    assert bench.go() == []


def test_a_watermark_of_another_outbox_or_of_the_future_moves_nothing(bench):
    """Who acknowledges what does not exist is told so, and nothing is deleted."""
    bench.put(3)
    flow = bench.flow()
    bench.go()
    assert flow.confirmed("another", 3)
    assert not flow.confirmed(bench.rows.epoch, 4)
    assert bench.rows.depth() == 3


def test_a_new_connection_repeats_what_is_not_confirmed_before_anything_new(bench):
    """A broker that was killed may have lost what it acknowledged."""
    bench.put(10)
    flow = bench.flow()
    bench.go()
    flow.confirmed(bench.rows.epoch, 4)
    bench.put(2)
    flow.connected()
    assert bench.go() == list(range(5, 13))


def test_a_backlog_goes_no_further_than_a_window_beyond_the_watermark(bench):
    """The queue that the broker keeps for the consumer is not flooded; as the watermark moves, so does the window."""
    bench.put(3 * WINDOW)
    flow = bench.flow()
    assert bench.go() == list(range(1, WINDOW + 1))
    assert flow.confirmed(bench.rows.epoch, 100)
    assert bench.go() == list(range(WINDOW + 1, WINDOW + 101))


def test_a_watermark_that_stands_still_has_a_window_sent_again_and_later_and_later(bench):
    """A consumer's queue that overflowed is filled again, at growing intervals, until it answers."""
    bench.put(3)
    flow = bench.flow()
    bench.go()
    for stall_s in (STALL_S[0], 2 * STALL_S[0], 4 * STALL_S[0]):
        bench.now_s += stall_s
        assert bench.go() == []
        bench.now_s += 0.1
        assert bench.go() == [1, 2, 3]
    flow.confirmed(bench.rows.epoch, 1)
    bench.now_s += STALL_S[0] + 0.1
    assert bench.go() == [2, 3]


def test_news_goes_on_while_the_consumer_is_away(bench):
    """A consumer that is away holds up nobody else: its backlog waits, what is new is sent."""
    bench.put(2 * WINDOW)
    bench.flow()
    bench.go()
    bench.now_s += STALL_S[0] + 0.1
    assert bench.go() == [*range(1, WINDOW + 1), *range(WINDOW + 1, 2 * WINDOW + 1)]
    bench.put(2)
    assert bench.go() == [2 * WINDOW + 1, 2 * WINDOW + 2]


def test_a_connection_that_breaks_while_repeating_repeats_no_more_than_before(bench):
    """With a consumer that is away for days, a bad line doesn't bring the whole backlog again each time."""
    bench.put(3 * WINDOW)
    flow = bench.flow()
    bench.go()
    bench.now_s += STALL_S[0] + 0.1
    bench.go()
    flow.connected()
    assert [sent.payload["seq"] for sent in flow.take(20)] == list(range(1, 21))
    bench.put(1)
    flow.connected()
    assert bench.go() == [*range(1, WINDOW + 1), 3 * WINDOW + 1]


def test_a_consumer_that_comes_back_gets_its_backlog_window_by_window(bench):
    """What the broker could not keep for it is repeated as fast as it confirms, and once."""
    bench.put(3 * WINDOW)
    flow = bench.flow()
    bench.go()
    bench.now_s += STALL_S[0] + 0.1
    bench.go()
    flow.connected()
    went = bench.go()
    assert went == list(range(1, WINDOW + 1))
    flow.confirmed(bench.rows.epoch, WINDOW)
    assert bench.go() == list(range(WINDOW + 1, 2 * WINDOW + 1))
    flow.confirmed(bench.rows.epoch, 3 * WINDOW)
    assert bench.go() == []
    assert flow.all_sent()


def test_end_to_end_an_event_says_what_the_oldest_is(bench):
    """A consumer that is new learns what it will never get; without end-to-end nobody asks."""
    bench.put(5)
    bench.rows.ack([1, 2])
    flow = bench.flow()
    assert [sent.payload["oldest_seq"] for sent in flow.take(2)] == [3, 3]
    assert "oldest_seq" not in bench.flow(end_to_end=False).take(1)[0].payload
