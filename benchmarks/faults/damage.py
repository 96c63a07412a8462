"""An outbox whose files are damaged in every way that a card, a cable or a person damages files."""

import random
import shutil
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults.progress import each
from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.rows import Row
from edge_agent.shelf import SpoolError

FILES = ("", "-wal", ".mark")
PUT, DELIVERED = 240, 60
Files = dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Damaged:
    """What became of one damaged outbox.

    Attributes:
        how: What was done to it.
        replaced: Whether a new one took its place.
        waited: How many events waited in it.
        saved: How many of these are there again.
        wrong: What must not be, in words.
    """

    how: str
    replaced: bool
    waited: int
    saved: int
    wrong: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Original:
    """A whole outbox as a kill leaves it, with a log: its files, its epoch, and all that was ever put by number."""

    files: Files
    epoch: str
    put: dict[int, Row]


def original(folder: Path) -> Original:
    """Make one: part of it is in the database already, part in the log only, and part was delivered."""
    path, rows = folder / "outbox.db", {}
    with closing(Outbox(path, ballast_bytes=0)) as outbox:
        for n in range(1, PUT + 1):
            outbox.put([("t", {"type": "counts", "n": n, "pad": "x" * (n * 37 % 400)})])
            if n == PUT // 2:
                outbox._spool._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # noqa: SLF001 # type: ignore[union-attr]
            if n == PUT - 20:
                rows |= {row.seq: row for row in outbox.peek(10**6)}
                outbox.ack(range(1, DELIVERED + 1))
        rows |= {row.seq: row for row in outbox.peek(10**6)}
        files = {suffix: Path(f"{path}{suffix}").read_bytes() for suffix in FILES}
        return Original(files, outbox.epoch, rows)


def damage_often(times: int, *, seed: int = 1) -> list[Damaged]:
    """Damage an outbox `times` times, each time from whole, open it, go on with it, and look at what it sends."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="shelfwatch-faults-") as folder:
        whole = original(Path(folder))
        return [damaged_once(Path(folder) / str(n), whole, rng) for n in each("damaged files", range(times))]


def damaged_once(folder: Path, whole: Original, rng: random.Random) -> Damaged:
    """Damage it once."""
    folder.mkdir()
    path, (how, files) = folder / "outbox.db", _damage(whole.files, rng)
    for suffix, data in files.items():
        Path(f"{path}{suffix}").write_bytes(data)
    try:
        with closing(Outbox(path, ballast_bytes=0)) as outbox:
            outbox.put([("t", {"type": "counts", "n": "new"})])
            epoch, rows = outbox.epoch, outbox.peek(10**6)
    except (SpoolError, OSError) as error:
        return Damaged(how, replaced=False, waited=0, saved=0, wrong=(f"{type(error).__name__}: {error}",))
    finally:
        left = list(folder.iterdir())
    waiting = {seq for seq in whole.put if seq > DELIVERED}
    wrong = list(_wrong_of_all(rows, whole))
    old = {row.seq for row in rows if row.epoch == whole.epoch and row.body.get("n") != "new"}
    if epoch == whole.epoch:
        wrong += [f"{len(waiting - old)} events are gone, and nothing says so"] if waiting - old else []
        wrong += [] if rows[-1].seq == PUT + 1 else [f"the next number is {rows[-1].seq}"]
    else:
        wrong += _wrong_of_a_new_one([row for row in rows if row.epoch == epoch], len(old), len(waiting))
        wrong += [] if any(".damaged-" in file.name for file in left) else ["nothing was put aside"]
    shutil.rmtree(folder)
    return Damaged(how, epoch != whole.epoch, len(waiting), len(old & waiting), tuple(wrong))


def _wrong_of_all(rows: list[Row], whole: Original) -> list[str]:
    """Nothing is sent that was not put, or twice, or out of order."""
    wrong = [] if [row.seq for row in rows] == sorted({row.seq for row in rows}) else ["numbers are not in order"]
    for row in rows:
        if row.epoch == whole.epoch and row.body.get("n") != "new":
            was = whole.put.get(row.seq)
            if was is None or (row.topic, row.body) != (was.topic, was.body):
                wrong.append(f"event {row.seq} says {row.body}")
    return wrong


def _wrong_of_a_new_one(rows: list[Row], saved: int, waited: int) -> list[str]:
    """A new epoch begins with what happened; its count of what is missing is right where it has one."""
    told = rows[0].body if rows else {}
    if told.get("type") != "outbox_replaced" or len(rows) != 2:
        return [f"the new epoch begins with {told}"]
    wrong = [] if told["saved"] == saved else [f"{told['saved']} are said to be saved, and {saved} are there"]
    missing = max(0, waited - saved)
    if told["missing"] is not None and told["missing"] != missing:
        wrong.append(f"{told['missing']} are said to be missing, and {missing} are")
    return wrong


def _damage(files: Files, rng: random.Random) -> tuple[str, Files]:
    suffix = rng.choices(FILES, (5, 4, 1))[0]
    ways = (
        ("bits flipped", lambda data: _flipped(data, rng)),
        ("cut short", lambda data: data[: rng.randrange(len(data))]),
        ("missing", lambda _: None),
        ("a block of zeros", lambda data: _zeroed(data, rng)),
    )
    name, way = rng.choices(ways, (5, 3, 2, 1))[0]
    data = way(files[suffix])
    rest = {other: whole for other, whole in files.items() if other != suffix}
    return f"{name}: outbox.db{suffix}", rest | ({suffix: data} if data is not None else {})


def _flipped(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _zeroed(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data)) // 512 * 512
    return data[:at] + bytes(min(4096, len(data) - at)) + data[at + 4096 :]
