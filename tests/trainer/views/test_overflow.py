"""What memory has no room for lies on disk, and a full disk is no disaster."""

import resource
from contextlib import contextmanager

import numpy as np
import pytest

from edge_agent.shelf import ShelfwatchError
from trainer.views.overflow import Overflow, room


@contextmanager
def _files_of_at_most(size_bytes):
    """As on a disk that is full from there on."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _pictures():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (height, 30, 3)).astype(np.uint8) for height in (10, 20, 40)]


def test_pictures_come_back_as_they_were_and_outlive_the_context():
    """Of any size, also where they are no whole array but a part of one."""
    pictures = [*_pictures(), _pictures()[2][:, ::2]]
    with Overflow() as overflow:
        for key, picture in enumerate(pictures):
            overflow.put(10 * key, picture)
        found = overflow.pictures()
    assert list(found) == [0, 10, 20, 30]
    for picture, again in zip(pictures, found.values(), strict=True):
        assert np.array_equal(picture, again)


def test_nothing_put_is_nothing_found():
    """A training that fits into memory maps no file."""
    with Overflow() as overflow:
        assert overflow.pictures() == {}


def test_a_disk_that_fills_up_keeps_what_is_there_already():
    """The others are read again from where they came; the training goes on."""
    pictures = _pictures()
    with Overflow() as overflow, _files_of_at_most(pictures[0].nbytes + pictures[1].nbytes + 10):
        for key, picture in enumerate((*pictures, pictures[0])):
            overflow.put(key, picture)
        found = overflow.pictures()
    assert list(found) == [0, 1]
    assert np.array_equal(found[1], pictures[1])


def test_room_is_in_memory_where_it_fits_and_on_disk_beyond():
    """Both can be written and read alike."""
    inside, outside = room((3, 4, 4, 3), kept_bytes=144), room((3, 4, 4, 3), kept_bytes=143)
    assert not isinstance(inside, np.memmap)
    assert isinstance(outside, np.memmap)
    outside[1] = 7
    assert outside[1].sum() == 7 * 48


def test_no_room_is_an_error_that_says_what_to_do():
    """It comes before anything is read, and is no crash of the whole process later."""
    with _files_of_at_most(1000), pytest.raises(ShelfwatchError, match=r"the 30 photographs .* GB .*Set TMPDIR"):
        room((30, 16, 16, 3), kept_bytes=100)
