"""The outbox on disks that fail, damaged, under clocks that jump, and at length. See `bench_faults.py`."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from benchmarks.asked import Figure, at_least, at_most, unmeasured
from benchmarks.faults.damage import Damaged, damage_often
from benchmarks.faults.disks import (
    Outage,
    drained_disk,
    full_disk,
    power_cuts,
    read_only,
    read_only_from_the_start,
    scratch,
)
from benchmarks.faults.loop_disk import why_not
from benchmarks.faults.progress import each
from edge_agent.outbox import held
from edge_agent.outbox.outbox import Outbox

JUMPS = {"−1 year": timedelta(days=-365), "+1 year": timedelta(days=365), "−1 hour": timedelta(hours=-1)}
BOOT = datetime(1970, 1, 1, tzinfo=UTC)


def clock_jumps() -> dict[str, list[str]]:
    """Put events around a jump of the wall clock, restart, and go on until they are too old: what was wrong."""
    now = datetime(2026, 11, 23, tzinfo=UTC)
    after = {name: now + jump for name, jump in JUMPS.items()} | {"boot in 1970": BOOT}
    with scratch() as folder:
        return {name: _jump(folder / f"{n}.db", now, to) for n, (name, to) in enumerate(after.items())}


def _jump(path: Path, now: datetime, to: datetime) -> list[str]:
    """One jump from `now` to `to`. An event may wait 1,000 s here; the clock is ours."""
    clock, wall, wrong = [0.0], [now], []

    def opened() -> Outbox:
        return Outbox(path, max_age_s=1000, ballast_bytes=0, clock=lambda: clock[0], wall=lambda: wall[0])

    def put(first: int) -> None:
        outbox.put([("t", {"type": "counts", "n": first + k, "ts": wall[0].isoformat()}) for k in range(3)])
        outbox.tend()

    outbox = opened()
    put(0)
    clock[0], wall[0] = 100.0, to
    put(3)
    rows = outbox.peek(100)
    if [row.late(wall[0]) for row in rows] != [True] * 3 + [False] * 3:
        wrong.append("an event passes for news, or news for history")
    outbox.close()
    clock[0] = 5.0  # another boot: the clock that never jumps begins anew
    outbox = opened()
    put(6)
    rows = outbox.peek(100)
    if [row.body["n"] for row in rows] != list(range(9)):
        wrong.append(f"order {[row.body.get('n') for row in rows]}")
    for clock_s, gone in ((840.0, 0), (910.0, 3), (1000.0, 3), (1070.0, 9)):  # 100 s of them passed before the restart
        clock[0] = clock_s
        outbox.tend()
        there = [row.body["n"] for row in outbox.peek(100) if "n" in row.body]
        if there != list(range(gone, 9)):
            wrong.append(f"after {clock_s:.0f} s there are {there}")
    outbox.close()
    return wrong


@dataclass(frozen=True, slots=True)
class Pace:
    """Events per second: one a transaction, many a transaction, and read and deleted in batches; seconds to open."""

    put_per_s: float
    stored_per_s: float
    delivered_per_s: float
    open_s: float


def at_length(events: int, *, batch: int = 200) -> Pace:
    """A backlog of a day: put, opened, delivered in order."""
    with scratch() as folder:
        path = folder / "outbox.db"
        body = {"type": "counts", "ts": "2026-11-23T03:12:09.412Z", "changes": [{"slot": "r1c2"}] * 8, "pad": "x" * 250}
        with closing(Outbox(path, max_bytes=2**31)) as outbox:
            single = min(events, 300)
            began_s = time.perf_counter()
            for n in range(single):
                outbox.put([("t", {"n": n, **body})])
            put_s, began_s = time.perf_counter() - began_s, time.perf_counter()
            for first in each("a day's events", range(single, events, 1000)):
                outbox.put([("t", {"n": n, **body}) for n in range(first, min(first + 1000, events))])
            stored_s = time.perf_counter() - began_s
        began_s = time.perf_counter()
        with closing(Outbox(path, max_bytes=2**31)) as outbox:
            open_s, began_s, after, count = time.perf_counter() - began_s, time.perf_counter(), 0, 0
            while rows := outbox.peek(batch, after_seq=after):
                if [row.body["n"] for row in rows] != list(range(count, count + len(rows))):
                    raise AssertionError(f"out of order after {count}")
                after, count = rows[-1].seq, count + len(rows)
                outbox.ack([row.seq for row in rows])
            delivered_s = time.perf_counter() - began_s
    return Pace(single / put_s, max(1, events - single) / stored_s, count / delivered_s, open_s)


def run(scale: float = 1.0) -> list[Figure]:
    """Do to an outbox what was asked for, times `scale`, and say what was seen."""
    times = max(1, round(100 * scale))
    figures = [*_on_disks(scale), *_of_damage(damage_often(times), times)]
    wrong = clock_jumps()
    note = "; ".join(f"{name}: {what}" for name, problems in wrong.items() for what in problems)
    jumps = len(wrong)
    figures.append(
        at_most(f"{jumps} clock jumps: what was wrong", sum(map(len, wrong.values())), 0, "{:.0f}", note=note)
    )
    events = max(1000, round(500_000 * scale))
    pace = at_length(events)
    note = f"opening it takes {pace.open_s:.1f} s; every event is read, and its checksum compared"
    figures += [
        at_least(f"{events:,} events delivered, read and deleted", pace.delivered_per_s, 1000, "{:,.0f}/s", note=note),
        at_least("stored, 1,000 a transaction", pace.stored_per_s, 1000, "{:,.0f}/s"),
        at_least(
            "stored, each synced to the disk", pace.put_per_s, 10, "{:,.0f}/s", note="a store has 1 to 10 a second"
        ),
    ]
    return figures


def _on_disks(scale: float) -> list[Figure]:
    times = max(1, round(50 * scale))
    if (lacks := why_not()) is not None:
        return [unmeasured(f"{times} power cuts, a full disk, a read-only one", "nothing lost unsaid", lacks)]
    cuts = power_cuts(times)
    beyond = round(1000 + held.HELD_MAX * min(1.0, scale))
    drain = drained_disk()
    return [
        at_most(f"{times} power cuts: commits lost of {cuts.committed:,}", cuts.lost, 0, "{:.0f}"),
        at_most(f"{times} power cuts: outboxes damaged", cuts.damaged, 0, "{:.0f}"),
        *_of_outage("full disk", full_disk(beyond)),
        Figure(
            "on a disk that stays full: delivered, and deleted there",
            f"all of {drain.put:,}, 0 left",
            f"{drain.delivered:,}, {drain.left:,} left",
            (drain.delivered, drain.left) == (drain.put, 0) and drain.stored > 0,
            f"{drain.stored:,} were stored, {drain.put - drain.stored:,} in memory",
        ),
        *_of_outage("disk turned read-only", read_only(beyond)),
        *_of_outage("disk read-only from the start", read_only_from_the_start(100)),
    ]


def _of_outage(what: str, outage: Outage) -> Iterator[Figure]:
    seen = f"{outage.missing:,} missing, {outage.reported:,} reported"
    note = (
        f"{outage.put:,} put, {outage.held:,} in memory at the end; all stored {outage.back_s:.1f} s after its return"
    )
    yield Figure(f"{what}: what is missing is reported, the rest in order", "all of it", seen, outage.as_told, note)
    yield at_most(f"{what}: the longest that counting was held up", outage.slowest_put_s, 2.0, "{:.2f} s")


def _of_damage(trials: list[Damaged], times: int) -> Iterator[Figure]:
    wrong = [f"{trial.how}: {what}" for trial in trials for what in trial.wrong]
    replaced = [trial for trial in trials if trial.replaced]
    shares = [trial.saved / trial.waited for trial in replaced]
    note = f"{times - len(replaced)} lost nothing, {len(replaced)} were replaced"
    if shares:
        every = sum(share == 1 for share in shares)
        note += f"; of these, {every} kept every event, and the median {median(shares):.0%} of them"
    yield at_most(
        f"{times} damaged outboxes: neither whole nor told", len(wrong), 0, "{:.0f}", note="; ".join([note, *wrong])
    )
