"""A look at the outbox from outside: whether it is whole and how much waits in it. Nothing is written or repaired."""

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from edge_agent.outbox import tables
from edge_agent.outbox.errors import translated
from edge_agent.outbox.mark import Mark, hold_against


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in an outbox: events, the megabytes that they take, and when the oldest happened, if it says so."""

    events: int
    mb: float
    oldest_ts: str | None


def waiting(path: Path) -> Waiting:
    """Check an outbox that no agent has open, and count what waits in it.

    Raises:
        SpoolDamagedError: The file is not what was written.
        SpoolError: It cannot be read.
    """
    log = Path(f"{path}-wal")
    mode = "mode=ro" if log.exists() else "immutable=1"  # without a log nobody has to make one beside the file
    with (
        translated(path, "read", opening=True),
        closing(sqlite3.connect(f"file:{quote(str(path))}?{mode}", uri=True)) as db,
    ):
        if db.execute("PRAGMA user_version").fetchone()[0] != 0:  # 0: the agent brings it over when it starts
            hold_against(path, tables.check(db, path).head, Mark.read(path))
        events, size_bytes = db.execute("SELECT count(*), coalesce(sum(bytes), 0) FROM event").fetchone()
        row = db.execute("SELECT body FROM event ORDER BY seq LIMIT 1").fetchone()
    oldest = json.loads(row[0]).get("ts") if row else None
    return Waiting(events, size_bytes / 2**20, oldest if isinstance(oldest, str) else None)


def set_aside(path: Path) -> list[Path]:
    """The damaged outboxes that lie beside one, the oldest name first."""
    found = path.parent.glob(f"{path.name}.damaged-*")
    return sorted(file for file in found if not file.name.endswith(("-wal", "-shm", ".mark")))
