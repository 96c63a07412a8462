"""Delivery end to end while its parts are killed: what `benchmarks/bench_faults.py broker` does at length."""

import signal

import pytest

from benchmarks.faults import day
from benchmarks.faults.broker import under_fire
from benchmarks.faults.services import SITE, Postgres, careful_mosquitto, ingest, rows
from benchmarks.parts import wait_for
from edge_agent.messages import Topics
from edge_agent.mqtt.broker import Broker
from edge_agent.mqtt.publish import MqttPublisher
from edge_agent.outbox.outbox import Outbox

pytestmark = pytest.mark.system


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_end_to_end_nothing_is_lost_and_nothing_counted_twice(protocol):
    """Device, broker and ingest are killed without a word; every committed event is in PostgreSQL, once."""
    outcome = under_fire((6, 3, 2), protocol=protocol, seed=2)
    assert outcome.kills == (6, 3, 2)
    assert outcome.committed > 100
    assert (outcome.lost, outcome.twice, outcome.rejected) == (0, 0, 0)


def test_the_brokers_word_is_enough_while_only_the_device_dies():
    """Without the consumer's acknowledgement a device that is killed loses nothing either."""
    outcome = under_fire((6, 0, 0), delivery="broker", seed=3)
    assert outcome.committed > 100
    assert (outcome.lost, outcome.twice, outcome.rejected) == (0, 0, 0)


@pytest.mark.alone
def test_a_backlog_arrives_in_order_and_fast():
    """What gathered while the broker was away goes out as fast as was asked for."""
    away = day.away(20_000)
    assert away.arrived == away.events
    assert away.out_of_order == 0
    assert away.per_s >= day.LEAST_PER_S


def test_what_overflowed_in_the_brokers_queue_is_sent_again_unasked(tmp_path):
    """An ingest hangs, and mosquitto silently drops what it has no room for; all is stored when it goes on."""
    topics, count = Topics(SITE, "dev"), 3000
    with Postgres() as postgres:
        broker = careful_mosquitto(tmp_path, queued=300)
        consumer = ingest(broker, postgres.database("x"))
        broker.start()
        consumer.start()
        wait_for(lambda: "reading" in consumer.log.read_text(), 20)
        consumer.process.send_signal(signal.SIGSTOP)
        outbox = Outbox(tmp_path / "o.db", ballast_bytes=0)
        where = Broker("127.0.0.1", broker.port, client_id="dev", delivery="end-to-end")
        publisher = MqttPublisher(where, topics, outbox)
        publisher.start()
        for _ in range(0, count, 500):
            outbox.put([(topics.event("a"), {"type": "counts", "shelf": "a"})] * 500)
        wait_for(lambda: publisher.tally.acknowledged > count, 30)  # news is not held up by a consumer that is away
        assert outbox.depth() == count
        consumer.process.send_signal(signal.SIGCONT)
        wait_for(lambda: outbox.depth() == 0, 120)
        assert rows(postgres.conninfo("x"), "SELECT count(*), max(seq) FROM shelf_event") == [(count, count)]
        publisher.stop()
        outbox.close()
        consumer.stop()
        broker.stop()
