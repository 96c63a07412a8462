"""Photographs become batches, and broken ones are named and left out."""

from itertools import islice

import numpy as np
import pytest

from edge_agent.shelf import DataError
from trainer.augment import Jitter
from trainer.data import Photo, load, read
from trainer.feed import batches, look_at, open_album, shuffled, steps_per_epoch
from trainer.report import Unwatched


@pytest.fixture
def photos(draw_classes):
    """Eight photographs of two classes."""
    return load(draw_classes(["cola", "oat"], 6), seed=0).train


def test_an_album_leaves_out_what_is_broken_and_says_so(photos, tmp_path):
    """One bad file does not end a training of hours."""
    (tmp_path / "bad.png").write_bytes(b"no picture")
    album = open_album([*photos, Photo(tmp_path / "bad.png", 0)], size_px=16, watch=Unwatched())
    assert album.photos == photos
    assert len(album.problems) == 1
    assert "bad.png" in album.problems[0]


def test_an_album_beyond_its_memory_reads_again(photos):
    """The budget bounds memory, not what can be trained on."""
    rich, poor = (open_album(photos, size_px=16, watch=Unwatched(), kept_bytes=kept) for kept in (2**20, 0))
    assert all(copy is None for copy in poor.copies)
    one, other = (next(batches(album, batch=4, jitter=Jitter(), seed=0)) for album in (rich, poor))
    assert np.array_equal(one[1], other[1])
    assert one[0].shape == other[0].shape == (4, 16, 16, 3)


def test_batches_repeat_with_their_seed_and_change_with_the_epoch(photos):
    """A run can be had again, and no epoch shows the same views as the one before."""
    album = open_album(photos, size_px=16, watch=Unwatched())
    steps = steps_per_epoch(len(photos), batch=4)
    one, two = (list(islice(batches(album, batch=4, jitter=Jitter(), seed=7), 2 * steps)) for _ in range(2))
    assert all(np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1]) for a, b in zip(one, two, strict=True))
    assert not np.array_equal(one[0][0], one[steps][0])


def test_an_epoch_passes_everything_in_equal_batches():
    """Every photograph is seen in each epoch, and every batch is full."""
    jobs = list(islice(shuffled(10, batch=4, seed=0), 6))
    assert [epoch for epoch, _ in jobs] == [0, 0, 0, 1, 1, 1]
    for epoch in (0, 1):
        chosen = np.concatenate([part for number, part in jobs if number == epoch])
        assert len(chosen) == 12
        assert set(chosen.tolist()) == set(range(10))


def test_looks_are_what_read_gives(photos, tmp_path):
    """Judging uses the device's preprocessing and keeps pixels and truth in step."""
    (tmp_path / "bad.png").write_bytes(b"")
    looks = look_at([photos[0], Photo(tmp_path / "bad.png", 1), photos[-1]], size_px=16, watch=Unwatched())
    assert np.array_equal(looks.pixels, np.stack([read(photos[0], 16), read(photos[-1], 16)]))
    assert looks.truth.tolist() == [photos[0].label_index, photos[-1].label_index]
    assert len(looks.problems) == 1


def test_nothing_to_look_at_is_an_error(tmp_path):
    """The first reason stands for all."""
    with pytest.raises(DataError, match=r"gone\.png"):
        look_at([Photo(tmp_path / "gone.png", 0)], size_px=16, watch=Unwatched())
