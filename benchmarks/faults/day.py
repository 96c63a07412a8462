"""A broker that is away for a day: a backlog that goes out in order, and fast. See `bench_faults.py`."""

import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import paho.mqtt.client as paho

from benchmarks.asked import Figure, at_least, at_most
from benchmarks.faults.services import SITE, careful_mosquitto
from benchmarks.parts import leave, listen, wait_for
from edge_agent.messages import Topics, timestamp
from edge_agent.mqtt.broker import Broker
from edge_agent.mqtt.publish import MqttPublisher
from edge_agent.outbox.outbox import Outbox

EVENTS = 500_000
"""Of a simulated day."""
LEAST_PER_S = 1000


@dataclass(slots=True)
class Reader:
    """Reads the numbers of events, which are in their first bytes, and whether they come in order."""

    seen: int = 0
    last: int = 0
    out_of_order: int = 0

    def take(self, message: paho.MQTTMessage) -> None:
        """Take an event; what came before doesn't count again."""
        seq = int(message.payload[:160].partition(b'"seq":')[2].partition(b",")[0])
        if seq > self.last:
            self.out_of_order += seq != self.last + 1
            self.seen, self.last = self.seen + 1, seq


@dataclass(frozen=True, slots=True)
class DayAway:
    """How a backlog went to the broker."""

    events: int
    arrived: int
    out_of_order: int
    per_s: float


def away(events: int) -> DayAway:
    """Fill an outbox while there is no broker; then start one, and see what comes."""
    with tempfile.TemporaryDirectory(prefix="shelf-day-") as name:
        folder = Path(name)
        broker, topics = careful_mosquitto(folder, queued=0), Topics(SITE, "dev")
        outbox = Outbox(folder / "outbox.db", max_bytes=512 * 2**20, ballast_bytes=0)
        ts = timestamp(datetime.now(UTC))
        body = {"type": "counts", "shelf": "s1", "ts": ts, "counts": {"cola-can": 2, "still-water": None}}
        for first in range(0, events, 500):
            outbox.put([(topics.event("s1"), body)] * min(500, events - first))
        broker.start()
        reader = Reader()
        client = listen(broker.port, reader.take, f"shelfwatch/{SITE}/+/shelf/+/event", protocol=paho.MQTTv5)
        publisher = MqttPublisher(Broker("127.0.0.1", broker.port, client_id="dev"), topics, outbox)
        try:
            publisher.start()
            took_s = wait_for(
                lambda: reader.seen == events and outbox.depth() == 0, 60 + events / 200, "the last of the backlog"
            )
        finally:
            publisher.stop()
            outbox.close()
            leave(client)
            broker.stop()
    return DayAway(events, reader.seen, reader.out_of_order, events / took_s)


def figures(day: DayAway) -> list[Figure]:
    """What was asked of a broker that was away for a day, and what was seen."""
    return [
        at_least(f"broker away, {day.events} events: arrived", day.arrived, day.events, "{:.0f}"),
        at_most("broker away: out of order", day.out_of_order, 0, "{:.0f}"),
        at_least("broker away: delivered", day.per_s, LEAST_PER_S, "{:.0f}/s", note=f"{os.cpu_count()} cores, QoS 1"),
    ]
