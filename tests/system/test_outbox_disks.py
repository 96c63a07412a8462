"""The outbox on a real ext4 file system in a file: plug pulled, full, read-only. Counting goes on, nothing unsaid."""

import pytest

from benchmarks.faults.disks import drained_disk, full_disk, power_cuts, read_only, read_only_from_the_start
from benchmarks.faults.loop_disk import LoopDisk, why_not

pytestmark = [
    pytest.mark.system,
    pytest.mark.alone,
    pytest.mark.skipif(why_not() is not None, reason=f"no disk of our own to harm: {why_not()}"),
]
BACK_S = 20.0
HELD_UP_S = 2.0


def test_a_power_cut_loses_nothing_that_was_committed():
    """What was said to be committed is there after each cut, and no outbox is damaged."""
    cuts = power_cuts(5)
    assert cuts.committed > 5
    assert (cuts.lost, cuts.damaged) == (0, 0)


def test_counting_goes_on_while_the_disk_is_full():
    """What memory cannot hold is reported exactly, and the rest comes in order."""
    outage = full_disk(21_000)
    assert outage.as_told
    assert outage.missing >= 1000
    assert outage.slowest_put_s < HELD_UP_S
    assert outage.back_s < BACK_S


def test_a_disk_that_stays_full_is_drained():
    """What is delivered is deleted there, each event once, and makes way for what waits in memory."""
    drain = drained_disk()
    assert drain.stored > 50
    assert (drain.delivered, drain.left) == (drain.put, 0)


def test_a_disk_that_turned_read_only_is_used_again_when_it_is_mended():
    """The agent lets go of it, so that it can be unmounted, and comes back unaided; nothing is lost."""
    outage = read_only(300)
    assert outage.as_told
    assert (outage.held, outage.missing) == (300, 0)
    assert outage.back_s < BACK_S


def test_an_agent_that_starts_on_a_read_only_disk_waits_for_it():
    """It counts, and stores what it has when the disk is writable."""
    outage = read_only_from_the_start(100)
    assert outage.as_told
    assert (outage.held, outage.missing) == (100, 0)
    assert outage.back_s < BACK_S


def test_only_a_folder_for_nothing_else_is_used(tmp_path):
    """A disk to be harmed is made in an empty folder, and nowhere else."""
    (tmp_path / "precious").touch()
    with pytest.raises(ValueError, match="is not empty"):
        LoopDisk(tmp_path, size_mb=16)
