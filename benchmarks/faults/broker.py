"""Delivery under fire: device, broker and ingest are killed again and again, and a broker is away for a day.

The device is `writer.py`: the real outbox and publisher in a process of their own, without camera and model, at up to
300 events a second, which says over a pipe what it has committed. mosquitto stores what it has every second and is
killed without a word, so that it loses what it acknowledged. What counts is what PostgreSQL holds in the end.
"""

import random
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.asked import Figure, at_most, unmeasured
from benchmarks.faults import day
from benchmarks.faults.services import Postgres, careful_mosquitto, ingest, lacking, rows
from benchmarks.parts import REPO, Mosquitto, Program, wait_for

RATE = 300
KILLS, BROKER_KILLS, INGEST_KILLS = 200, 40, 40
PLAIN_KILLS = 50
"""Of the device, where the broker's word is enough."""
LIVES_S = (0.8, 3.6)
"""How long the device may live between two kills."""
DRAIN_S, STORE_S = 240.0, 60.0
"""How long the broker may take for what is in the outbox, and the ingest for what is with the broker."""


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
        self.end(hard=True)
        self.kills += 1

    def drain(self) -> None:
        """A last life, in which nothing new happens, until the outbox is empty."""
        self.start(rate=0)
        assert self.process is not None  # noqa: S101 (for the type checker)
        try:
            self.process.wait(DRAIN_S)
        finally:
            self.end(hard=False)

    def end(self, *, hard: bool) -> None:
        """End the process, as a power cut would or as it likes to be ended."""
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
        folder, conninfo = Path(name), postgres.database("fire")
        broker = careful_mosquitto(folder)
        consumer = ingest(broker, conninfo, protocol=protocol)
        device = Device(folder, broker.port, delivery)
        broker.start()
        consumer.start()
        wait_for(lambda: "reading" in consumer.log.read_text(), 20, "the ingest")
        device.start()
        try:
            _fire(device, [(broker, kills[1]), (consumer, kills[2])], kills[0], luck)
            device.kill()
            device.drain()
            with suppress(AssertionError):  # it is lost, and counted as such
                wait_for(lambda: device.names <= set(_stored(conninfo)), STORE_S)
        finally:
            device.end(hard=True)
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


def _stored(conninfo: str) -> list[str]:
    return [name for (name,) in rows(conninfo, "SELECT body->>'n' FROM shelf_event WHERE type = 'counts'")]


def _outcome(device: Device, broker: Mosquitto, consumer: Program, conninfo: str, took_s: float) -> Outcome:
    names, found = device.names, _stored(conninfo)
    return Outcome(
        kills=(device.kills, broker.kills, consumer.kills),
        committed=len(names),
        lost=len(names - set(found)),
        twice=len(found) - len(set(found)),
        rejected=rows(conninfo, "SELECT count(*) FROM shelf_rejected")[0][0],
        took_s=took_s,
    )


def run(scale: float) -> list[Figure]:
    """Everything, at a share `scale` of its size."""
    if (why := lacking()) is not None:
        return [unmeasured("delivery under fire, and a day without a broker", "0 lost", why)]
    fire = under_fire((_some(KILLS, scale), _some(BROKER_KILLS, scale), _some(INGEST_KILLS, scale)))
    plain = under_fire((_some(PLAIN_KILLS, scale), 0, 0), delivery="broker")
    away = day.away(_some(day.EVENTS, scale))
    return [*figures_of_fire(fire, "end-to-end"), *figures_of_fire(plain, "broker"), *day.figures(away)]


def _some(count: int, scale: float) -> int:
    return max(1, round(count * scale))


def figures_of_fire(fire: Outcome, delivery: str) -> list[Figure]:
    """What was asked of a run under fire, and what was seen."""
    writer, broker, consumer = fire.kills
    what = f'delivery = "{delivery}", SIGKILL {writer} × writer, {broker} × mosquitto, {consumer} × ingest'
    mean_per_s = fire.committed / fire.took_s
    note = (
        "the writer is a process with the agent's outbox and publisher, without camera and model; "
        f"{fire.committed} events committed in {fire.took_s:.0f} s, {mean_per_s:.0f}/s with all deaths and starts"
    )
    return [
        at_most(f"{what}: lost", fire.lost, 0, "{:.0f}", note=note),
        at_most(f"{what}: counted twice", fire.twice, 0, "{:.0f}"),
        at_most(f"{what}: rejected", fire.rejected, 0, "{:.0f}"),
    ]
