"""The outbox on disks that fail: the plug pulled, full, read-only. See `bench_faults.py`."""

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults.loop_disk import LoopDisk
from benchmarks.faults.progress import each
from edge_agent.outbox import tables
from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.rows import Row

REPO = Path(__file__).resolve().parents[2]
DISK_MB = 24
PATIENCE_S = 60.0


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for nothing else."""
    with tempfile.TemporaryDirectory(prefix="shelfwatch-faults-") as folder:
        yield Path(folder)


@dataclass(frozen=True, slots=True)
class Cuts:
    """What power cuts did: events that were said to be committed, those of them that are gone, and outboxes damaged."""

    committed: int
    lost: int
    damaged: int


def power_cuts(cuts: int, *, seed: int = 1) -> Cuts:
    """Pull the plug of a disk while a process commits, and look for what it said it had committed."""
    rng, committed, lost, damaged = random.Random(seed), 0, 0, 0
    with scratch() as folder, LoopDisk(folder, size_mb=DISK_MB) as disk:
        path = disk.folder / "outbox.db"
        with closing(Outbox(path, ballast_bytes=2**20)) as outbox:
            epoch, last = outbox.epoch, 0
        for _ in each("power cuts", range(cuts)):
            told = _commit_until_cut(disk, path, rng.uniform(0.05, 0.6))
            disk.unmount()
            disk.mount()
            with closing(Outbox(path, ballast_bytes=2**20)) as outbox:
                damaged += outbox.epoch != epoch
                rows = outbox.peek(10**6)
                there = {row.seq for row in rows if row.body.get("n") == row.seq and row.epoch == epoch}
                lost += sum(1 for seq in range(last + 1, told + 1) if seq not in there)
                damaged += len(rows) != len(there)
                committed, epoch, last = committed + max(0, told - last), outbox.epoch, outbox.last_seq()
                outbox.ack([row.seq for row in rows])
    return Cuts(committed, lost, damaged)


def _commit_until_cut(disk: LoopDisk, path: Path, after_s: float) -> int:
    """Have a process commit for a while, and cut; the last number that it had told until then.

    What it tells while the cut is made (the kernel takes 100 ms for it) does not count: nobody hears it from a machine
    without power, and a sync that the shutdown overtakes may return as if it had been done.
    """
    command = [sys.executable, "-m", "benchmarks.faults.committer", str(path)]
    with subprocess.Popen(command, cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:  # noqa: S603 (ours)
        assert child.stdout is not None  # noqa: S101 (it has a pipe)
        told, until_s = int(child.stdout.readline()), time.monotonic() + after_s
        while time.monotonic() < until_s:
            told = int(child.stdout.readline())  # nothing to read: it has ended before the cut
        disk.pull_the_plug()
        child.kill()
    return told


@dataclass(frozen=True, slots=True)
class Outage:
    """What became of events while a disk took none.

    Attributes:
        put: How many were put, over the whole time.
        slowest_put_s: The longest that counting was held up.
        held: How many were in memory at most.
        back_s: From the disk's return until all was stored.
        reported: Numbers that reports say are gone.
        missing: Numbers that are not there.
        in_order: Whether all that is there came in order, and each once.
        epochs: How many epochs there are.
    """

    put: int
    slowest_put_s: float
    held: int
    back_s: float
    reported: int
    missing: int
    in_order: bool
    epochs: int

    @property
    def as_told(self) -> bool:
        """Whether exactly what is missing was reported, and the rest is whole."""
        return self.reported == self.missing and self.in_order and self.epochs == 1


class Putter:
    """Puts numbered events, and measures how long that holds up whoever counts."""

    def __init__(self, outbox: Outbox) -> None:
        """Begin with event 0."""
        self.outbox, self.count, self.slowest_s = outbox, 0, 0.0

    def put(self, events: int, *, pad: int = 200) -> None:
        """Put some, one a scan."""
        for _ in range(events):
            began_s = time.perf_counter()
            self.outbox.put([("t", {"type": "counts", "n": self.count, "pad": "x" * pad})])
            self.slowest_s = max(self.slowest_s, time.perf_counter() - began_s)
            self.count += 1

    def put_until(self, holds: Callable[[], bool], *, pad: int = 200) -> None:
        """Put until it holds."""
        until_s = time.monotonic() + PATIENCE_S
        while not holds():
            if time.monotonic() > until_s:
                raise AssertionError(f"it did not happen within {PATIENCE_S:.0f} s and {self.count} events")
            self.put(1, pad=pad)

    def outage(self, came_back_s: float, held: int) -> Outage:
        """What is to be seen when the disk is back: wait until all is stored, and read it."""
        until_s = time.monotonic() + PATIENCE_S
        while self.outbox.trouble is not None:
            if time.monotonic() > until_s:
                raise AssertionError(f"it did not recover within {PATIENCE_S:.0f} s: {self.outbox.trouble}")
            time.sleep(0.02)
            self.outbox.tend()
        back_s, rows = time.monotonic() - came_back_s, self.outbox.peek(10**6)
        there = [row.body["n"] for row in rows if "n" in row.body]
        return Outage(
            self.count,
            self.slowest_s,
            held,
            back_s,
            len(reported(rows)),
            self.count - len(there),
            there == sorted(set(there)) and [row.seq for row in rows] == sorted({row.seq for row in rows}),
            len({row.epoch for row in rows}),
        )


def reported(rows: list[Row]) -> set[int]:
    """The numbers that reports say are gone."""
    spans = [(row.body["from_seq"], row.body["to_seq"]) for row in rows if row.body.get("type") == "dropped"]
    return {seq for first, last in spans for seq in range(first, last + 1)}


def full_disk(events: int) -> Outage:
    """Fill a disk, go on counting beyond what memory may hold, and give it room again."""
    with ExitStack() as stack:
        disk = stack.enter_context(LoopDisk(stack.enter_context(scratch()), size_mb=DISK_MB))
        outbox = stack.enter_context(closing(Outbox(disk.folder / "outbox.db", ballast_bytes=2**20)))
        putter = Putter(outbox)
        putter.put(50)
        filler = disk.fill()
        putter.put_until(lambda: outbox.trouble is not None)
        putter.put(events)
        held = len(outbox._held)  # noqa: SLF001 (a look at what is in memory)
        filler.unlink()
        return putter.outage(time.monotonic(), held)


@dataclass(frozen=True, slots=True)
class Drain:
    """What became of a full disk's events when they were delivered.

    Attributes:
        stored: How many were on the disk when it was full.
        put: How many there were with those in memory.
        delivered: How many were delivered, each once.
        left: How many rows the database still has.
    """

    stored: int
    put: int
    delivered: int
    left: int


def drained_disk() -> Drain:
    """Fill a disk until it takes no event, and deliver all: what was stored must go from a disk that stays full."""
    with scratch() as folder, LoopDisk(folder, size_mb=DISK_MB) as disk:
        path = disk.folder / "outbox.db"
        with closing(Outbox(path, ballast_bytes=2**20)) as outbox:
            putter = Putter(outbox)
            putter.put(50)
            disk.fill()
            putter.put_until(lambda: outbox.trouble is not None)
            putter.put(100)
            stored = putter.count - len(outbox._held)  # noqa: SLF001 (a look at what is in memory)
            delivered = drained(outbox, putter.count)
        return Drain(stored, putter.count, delivered, _rows(path))


def drained(outbox: Outbox, count: int) -> int:
    """Deliver so many events; how many went, none of which may come again."""
    gone: set[int] = set()
    until_s = time.monotonic() + PATIENCE_S / 2
    while len(gone) < count and time.monotonic() < until_s:
        rows = outbox.peek(100)
        if gone & {row.seq for row in rows}:
            raise AssertionError("what was delivered came again")
        outbox.ack([row.seq for row in rows])
        gone |= {row.seq for row in rows}
        if not rows:
            time.sleep(0.02)  # what is in memory is stored when it is tried again
    return len(gone)


def _rows(path: Path) -> int:
    """What is in the database, whatever an outbox believes."""
    with closing(tables.connect(path)) as db:  # which needs no room beside it
        return int(db.execute("SELECT count(*) FROM event").fetchone()[0])


def read_only(events: int) -> Outage:
    """Have the kernel mount a disk read-only under an agent, and let an operator mend it."""
    with ExitStack() as stack:
        disk = stack.enter_context(LoopDisk(stack.enter_context(scratch()), size_mb=DISK_MB))
        outbox = stack.enter_context(closing(Outbox(disk.folder / "outbox.db", ballast_bytes=2**20)))
        putter = Putter(outbox)
        putter.put(50)
        disk.fail()
        putter.put(events)
        held = len(outbox._held)  # noqa: SLF001 (a look at what is in memory)
        disk.mend()
        return putter.outage(time.monotonic(), held)


def read_only_from_the_start(events: int) -> Outage:
    """Start an agent on a disk that is read-only, and make it writable."""
    with scratch() as folder, LoopDisk(folder, size_mb=DISK_MB) as disk:
        path = disk.folder / "outbox.db"
        Outbox(path, ballast_bytes=2**20).close()
        disk.remount("ro")
        with closing(Outbox(path, ballast_bytes=2**20)) as outbox:
            putter = Putter(outbox)
            putter.put(events)
            held = len(outbox._held)  # noqa: SLF001 (a look at what is in memory)
            disk.remount("rw")
            return putter.outage(time.monotonic(), held)
