"""Delivery under fire: device, broker and ingest are killed again and again, and a broker is away for a day.

The device is `writer.py`: the real outbox and publisher in a process of their own, at up to 300 events a second, which
says over a pipe what it has committed. mosquitto stores what it has every second and is killed without a word, so that
it loses what it acknowledged. What counts is what PostgreSQL holds in the end.
"""

import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.asked import Figure, at_least, at_most, unmeasured
from benchmarks.faults.services import REPO, SITE, Mosquitto, Postgres, Program, ingest, lacking, rows, until
from edge_agent.messages import Topics, timestamp
from edge_agent.mqtt.broker import Broker
from edge_agent.mqtt.publish import MqttPublisher
from edge_agent.outbox.outbox import Outbox

RATE = 300
KILLS, BROKER_KILLS, INGEST_KILLS = 200, 40, 40
LIVES_S = (0.8, 3.6)
"""How long the device may live between two kills."""
DAY = 500_000
"""Events of a simulated day."""
LEAST_PER_S = 1000
DRAIN_S = 240.0


@dataclass
class Device:
    """A writer that is killed and started again; `committed` holds how many events of each of its lives are."""

    folder: Path
    port: int
    delivery: str
    name: str = "dev"
    kills: int = 0
    committed: dict[str, int] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self, *, rate: int = RATE) -> None:
        """A new life."""
        run = f"r{self.kills}"
        command = [sys.executable, "-m", "benchmarks.faults.writer", self.folder, self.port, self.name, run, rate]
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 (ours)
                [*map(str, command), self.delivery], cwd=REPO, stdout=subprocess.PIPE, stderr=log
            )
        self._reader = threading.Thread(target=self._listen, args=(self.process,), daemon=True)
        self._reader.start()

    def kill(self) -> None:
        """The end of a life."""
        self._end(hard=True)
        self.kills += 1

    def drain(self) -> None:
        """A last life, in which nothing new happens, until the outbox is empty."""
        self.start(rate=0)
        assert self.process is not None  # noqa: S101 (for the type checker)
        try:
            self.process.wait(DRAIN_S)
        finally:
            self._end(hard=False)

    def _end(self, *, hard: bool) -> None:
        if self.process is not None:
            self.process.kill() if hard else self.process.terminate()
            self.process.wait(20)
            self._reader.join()
            assert self.process.stdout is not None  # noqa: S101 (for the type checker)
            self.process.stdout.close()
            self.process = None

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # noqa: S101 (for the type checker)
        for line in process.stdout:
            run, count = line.split()
            self.committed[run.decode()] = int(count)

    @property
    def names(self) -> set[str]:
        """The names of all events that are known to be committed."""
        return {f"{run}-{n}" for run, count in self.committed.items() for n in range(count)}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was committed on the device, and what became of it in PostgreSQL."""

    kills: tuple[int, int, int]
    committed: int
    lost: int
    twice: int
    rejected: int
    took_s: float


def under_fire(
    kills: tuple[int, int, int], *, delivery: str = "end-to-end", protocol: str = "5", seed: int = 1
) -> Outcome:
    """Kill device, broker and ingest so many times each, and compare what was committed with what arrived."""
    luck, began_s = random.Random(seed), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="shelf-fire-") as name, Postgres() as postgres:
        folder = Path(name)
        conninfo = postgres.database("fire")
        broker = Mosquitto.at(folder)
        consumer = ingest(folder, broker.port, conninfo, protocol=protocol)
        device = Device(folder, broker.port, delivery)
        broker.start()
        consumer.start()
        until(lambda: "reading" in consumer.log.read_text(), 20, "the ingest")
        device.start()
        try:
            _fire(device, [(broker, kills[1]), (consumer, kills[2])], kills[0], luck)
            device.kill()
            device.drain()
        finally:
            device._end(hard=True)  # noqa: SLF001 (whatever has happened)
            consumer.stop()
            broker.stop()
        return _outcome(device, broker, consumer, conninfo, time.monotonic() - began_s)


def _fire(device: Device, others: list[tuple[Program, int]], kills: int, luck: random.Random) -> None:
    """Kill the device so many times less one, and the others spread evenly between."""
    plan = [[round((nth + 1) * kills / (count + 1)) for nth in range(count)] for _, count in others]
    for nth in range(kills):
        time.sleep(luck.uniform(*LIVES_S))
        for (program, _), when in zip(others, plan, strict=True):
            for _ in range(when.count(nth)):
                program.kill()
                time.sleep(luck.uniform(0, 0.5))
                program.start()
        if nth < kills - 1:
            device.kill()
            device.start()


def _outcome(device: Device, broker: Program, consumer: Program, conninfo: str, took_s: float) -> Outcome:
    found = [name for (name,) in rows(conninfo, "SELECT body->>'n' FROM shelf_event WHERE type = 'counts'")]
    names = device.names
    return Outcome(
        kills=(device.kills, broker.kills, consumer.kills),
        committed=len(names),
        lost=len(names - set(found)),
        twice=len(found) - len(set(found)),
        rejected=rows(conninfo, "SELECT count(*) FROM shelf_rejected")[0][0],
        took_s=took_s,
    )


@dataclass(slots=True)
class Listener:
    """Somebody who reads all events of a site, and whether they come in order."""

    port: int
    seen: int = 0
    last: int = 0
    out_of_order: int = 0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Read while the body runs."""
        ready = threading.Event()
        client = paho.Client(CallbackAPIVersion.VERSION2, "listener", protocol=paho.MQTTv5)
        client.on_connect = lambda client, *_: client.subscribe(f"shelfwatch/{SITE}/+/shelf/+/event", qos=1)
        client.on_subscribe = lambda *_: ready.set()
        client.on_message = self._take
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        try:
            ready.wait(10)
            yield
        finally:
            client.disconnect()
            client.loop_stop()

    def _take(self, _client: Any, _userdata: Any, message: paho.MQTTMessage) -> None:
        head = message.payload[:160]
        seq = int(head.partition(b'"seq":')[2].partition(b",")[0])
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


def day_away(events: int) -> DayAway:
    """Fill an outbox while there is no broker; then start one, and see what comes."""
    with tempfile.TemporaryDirectory(prefix="shelf-day-") as name:
        folder = Path(name)
        broker, topics = Mosquitto.at(folder, queued=0), Topics(SITE, "dev")
        outbox = Outbox(folder / "outbox.db", max_bytes=512 * 2**20, ballast_bytes=0)
        ts = timestamp(datetime.now(UTC))
        body = {"type": "counts", "shelf": "s1", "ts": ts, "counts": {"cola-can": 2, "still-water": None}}
        for first in range(0, events, 500):
            outbox.put([(topics.event("s1"), body)] * min(500, events - first))
        broker.start()
        listener = Listener(broker.port)
        publisher = MqttPublisher(Broker("127.0.0.1", broker.port, client_id="dev"), topics, outbox)
        with listener.listening():
            began_s = time.monotonic()
            publisher.start()
            until(lambda: listener.seen == events and outbox.depth() == 0, 60 + events / 200, "the backlog")
            took_s = time.monotonic() - began_s
        publisher.stop()
        outbox.close()
        broker.stop()
    return DayAway(events, listener.seen, listener.out_of_order, events / took_s)


def run(scale: float) -> list[Figure]:
    """Everything, at a share `scale` of its size."""
    if (why := lacking()) is not None:
        return [unmeasured("delivery under fire, and a day without a broker", "0 lost", why)]
    fire = under_fire((_some(KILLS, scale), _some(BROKER_KILLS, scale), _some(INGEST_KILLS, scale)))
    plain = under_fire((_some(KILLS, scale / 4), 0, 0), delivery="broker")
    day = day_away(_some(DAY, scale))
    return [*figures_of_fire(fire, "end-to-end"), *figures_of_fire(plain, "broker"), *figures_of_day(day)]


def _some(count: int, scale: float) -> int:
    return max(1, round(count * scale))


def figures_of_fire(fire: Outcome, delivery: str) -> list[Figure]:
    """What was asked of a run under fire, and what was seen."""
    agent, broker, consumer = fire.kills
    what = f'delivery = "{delivery}", SIGKILL {agent} × device, {broker} × mosquitto, {consumer} × ingest'
    mean_per_s = fire.committed / fire.took_s
    note = f"{fire.committed} events committed in {fire.took_s:.0f} s, {mean_per_s:.0f}/s with all deaths and starts"
    return [
        at_most(f"{what}: lost", fire.lost, 0, "{:.0f}", note=note),
        at_most(f"{what}: counted twice", fire.twice, 0, "{:.0f}"),
        at_most(f"{what}: rejected", fire.rejected, 0, "{:.0f}"),
    ]


def figures_of_day(day: DayAway) -> list[Figure]:
    """What was asked of a broker that was away for a day, and what was seen."""
    return [
        at_least(f"broker away, {day.events} events: arrived", day.arrived, day.events, "{:.0f}"),
        at_most("broker away: out of order", day.out_of_order, 0, "{:.0f}"),
        at_least("broker away: delivered", day.per_s, LEAST_PER_S, "{:.0f}/s", note=f"{os.cpu_count()} cores, QoS 1"),
    ]
