"""The outbox: ordered, bounded, durable, and honest about what it drops."""

import sqlite3

import pytest

from edge_agent.shelf import SpoolError
from edge_agent.spool import Spool


def bodies(spool):
    """What waits, by number."""
    return [(row.seq, row.body) for row in spool.peek(1000)]


def test_events_come_out_in_order_and_stay_until_acknowledged(tmp_path):
    """Rows are numbered from 1 without gaps, survive reopening, and leave by ack alone."""
    spool = Spool(tmp_path / "o.db")
    assert spool.put([("t", {"n": 1}), ("t", {"n": 2})]) == 2
    assert spool.put([("t", {"n": 3})]) == 3
    epoch = spool.epoch
    spool.close()
    again = Spool(tmp_path / "o.db")
    assert again.epoch == epoch
    assert bodies(again) == [(1, {"n": 1}), (2, {"n": 2}), (3, {"n": 3})]
    again.ack([1, 2])
    assert bodies(again) == [(3, {"n": 3})]
    assert again.put([("t", {"n": 4})]) == 4


def test_numbers_are_never_used_twice(tmp_path):
    """Even when everything has been delivered, the next event gets a new number."""
    spool = Spool(tmp_path / "o.db")
    spool.put([("t", {})])
    spool.ack([1])
    spool.close()
    assert Spool(tmp_path / "o.db").put([("t", {})]) == 2


def test_a_full_outbox_drops_the_oldest_and_says_which(tmp_path):
    """Beyond the bound the oldest rows go, and one event names the range that is gone."""
    spool = Spool(tmp_path / "o.db", max_bytes=2000)
    for n in range(60):
        spool.put([("t", {"n": n, "pad": "x" * 50})])
    rows = bodies(spool)
    gone = [body for _, body in rows if body.get("type") == "dropped"]
    kept = {body["n"] for _, body in rows if "n" in body}
    assert gone
    assert 59 in kept
    assert 0 not in kept
    seqs = [seq for seq, _ in rows]
    covered = {seq for body in gone for seq in range(body["from_seq"], body["to_seq"] + 1)}
    # reports that were themselves dropped are covered by a later report
    assert set(range(min(covered), max(seqs) + 1)) - covered <= set(seqs)


def test_a_file_that_is_no_outbox_is_an_error_with_a_remedy(tmp_path):
    """A damaged file is named with what to do, and is left as it is."""
    path = tmp_path / "o.db"
    path.write_bytes(b"not a database, but long enough to be looked at" * 50)
    with pytest.raises(SpoolError, match=r"o\.db cannot be opened.*move it away"):
        Spool(path)
    assert path.read_bytes().startswith(b"not a database")


def test_a_folder_that_does_not_exist_is_an_error(tmp_path):
    """The outbox names its path where the folder is missing."""
    with pytest.raises(SpoolError, match="its folder exists"):
        Spool(tmp_path / "none" / "o.db")


def test_every_commit_is_on_disk(tmp_path):
    """The database runs with a write-ahead log and full synchronization: a power cut loses no event."""
    spool = Spool(tmp_path / "o.db")
    assert spool._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert spool._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_failed_put_stores_nothing(tmp_path):
    """A transaction is whole or not at all."""
    spool = Spool(tmp_path / "o.db")
    refuse = "WHEN new.topic='bad' BEGIN SELECT RAISE(ABORT, 'no'); END"
    spool._db.execute(f"CREATE TRIGGER no BEFORE INSERT ON event {refuse}")
    with pytest.raises(SpoolError):
        spool.put([("good", {}), ("bad", {})])
    assert bodies(spool) == []
    assert isinstance(spool._db, sqlite3.Connection)
