"""A damaged outbox → moved aside, and a new one in its place, with what could be saved and an event that says so.

What is saved keeps its key, `(epoch, seq)`, and comes first: a consumer that has it drops it as a repeat, as it would
have anyway. The new epoch begins after it, with the next number. So no event is counted twice, and no number is given
twice, even where the damaged file has forgotten what it had given.
"""

import json
import sqlite3
import uuid
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from edge_agent.messages import timestamp
from edge_agent.outbox import tables
from edge_agent.outbox.errors import translated
from edge_agent.outbox.files import aside_of, forget_oldest, locked, move_aside, sync_folder
from edge_agent.outbox.mark import Mark, Witness
from edge_agent.outbox.tables import Head
from edge_agent.shelf import SpoolError
from edge_agent.sqlite import transaction


@dataclass(frozen=True, slots=True)
class _Saved:
    """What was read of a damaged file: how many events, the last `seq` of these, and its head and report, if whole."""

    count: int = 0
    last: int = 0
    head: Head | None = None
    earlier: str | None = None


def replace(path: Path, why: str, *, now: datetime, beyond: int = 0) -> Path:
    """Move a damaged outbox aside and put a new one in its place.

    The new file is complete before the old one is touched: where the disk does not take it, all stays as it was.

    Args:
        path: The database, which nobody has open.
        why: What is wrong with it.
        now: For the report and the file's name.
        beyond: A `seq` that is known to have been used; new events come after it.

    Returns:
        Where the damaged file is now.

    Raises:
        SpoolInUseError: Another process has it open.
        SpoolError: The disk does not take it.
    """
    new = path.with_name(f"{path.name}.new")
    with locked(path), translated(path, "replaced"):
        for suffix in ("", "-wal"):
            Path(f"{new}{suffix}").unlink(missing_ok=True)
        witness, aside = _witness(path), aside_of(path, now)
        told: dict[str, object] = {"type": "outbox_replaced", "ts": timestamp(now), "why": why, "moved_to": aside.name}
        with closing(tables.connect(new)) as db, transaction(db):
            head = _fill(db, path, told, witness.head if witness else Head("", 0, beyond, 0))
        move_aside(path, aside)
        new.replace(path)
        sync_folder(path.parent)
        Mark.begin(path, Witness(head, witness.held if witness else 0)).close()
        forget_oldest(path)
    return aside


def _witness(path: Path) -> Witness | None:
    """What the mark says, if it can be believed."""
    try:
        return Mark.read(path)
    except SpoolError:
        return None


def _fill(db: sqlite3.Connection, path: Path, told: dict[str, object], known: Head) -> Head:
    """Write the new outbox, within a transaction. Returns its head.

    `known` is what is known of the damaged one without looking into it; its epoch is "" where that is nothing.
    """
    tables.create(db, known)
    saved = _save(db, path)
    old = saved.head if saved.head is not None and saved.head.last >= known.last else known
    last = max(old.last, saved.last)
    head = Head(uuid.uuid4().hex[:16], last, last, saved.count)
    told |= {"old_epoch": old.epoch or None, "old_last_seq": old.last if old.epoch else None, "saved": saved.count}
    told["missing"] = max(0, old.depth - saved.count) if old.epoch else None
    if saved.earlier is not None:  # it had replaced another one, and came to no event that could say so
        told["earlier"] = json.loads(saved.earlier)
    tables.remember(db, "head", head.text)
    tables.remember(db, "replaced", json.dumps(told, separators=(",", ":")))
    return head


def _save(db: sqlite3.Connection, path: Path) -> _Saved:
    """Copy what is whole in a damaged file. SQLite may take what it can read of the log into that file."""
    if not path.exists() or not path.stat().st_size:  # it would be made, and its log thrown away
        return _Saved()
    try:
        damaged = tables.connect(path)
    except sqlite3.Error:
        return _Saved()
    with closing(damaged):
        kept = tables.kept(damaged)
        for key in kept.keys() - {"head", "replaced"}:
            tables.remember(db, key, kept[key])
        for row in tables.rescued(damaged):
            db.execute(tables.INSERT.replace("INSERT", "INSERT OR IGNORE", 1), row)
    count, last = db.execute("SELECT count(*), coalesce(max(seq), 0) FROM event").fetchone()
    head = tables.head_of(kept["head"]) if "head" in kept else None
    return _Saved(count, last, head, kept.get("replaced"))
