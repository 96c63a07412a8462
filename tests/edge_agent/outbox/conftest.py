"""What the outbox's tests share: a clock that is set, and an outbox whose database has no room."""

import pytest

from edge_agent.outbox.outbox import Outbox


@pytest.fixture
def clock():
    """A clock that stands still until it is set."""
    return [0.0]


@pytest.fixture
def make(tmp_path, clock):
    """A function that opens the outbox of a test, and closes it in the end."""
    opened = []

    def outbox(**options) -> Outbox:
        opened.append(Outbox(tmp_path / "o.db", clock=lambda: clock[0], **{"ballast_bytes": 0} | options))
        return opened[-1]

    yield outbox
    for each in opened:
        each.close()


def fill(outbox: Outbox) -> None:
    """Leave the database no room."""
    db = outbox._spool._db
    db.execute(f"PRAGMA max_page_count={db.execute('PRAGMA page_count').fetchone()[0]}")


def empty(outbox: Outbox) -> None:
    """Give it room again."""
    outbox._spool._db.execute("PRAGMA max_page_count=100000")


def put(outbox: Outbox, *numbers: int, pad: int = 0) -> int:
    """Put numbered events, one scan each."""
    for n in numbers:
        seq = outbox.put([("t", {"n": n, "pad": "x" * pad})])
    return seq


def numbers(outbox: Outbox) -> list:
    """What waits: the events' own numbers, and the types of the others."""
    return [row.body.get("n", row.body.get("type")) for row in outbox.peek(100_000)]
