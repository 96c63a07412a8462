"""Photographs become batches, and broken ones are named and left out."""

import tracemalloc
from itertools import islice

import cv2
import numpy as np
import pytest

from edge_agent.shelf import DataError
from tests.trainer.conftest import picture
from trainer.photos.data import Photo, load, read
from trainer.report import Unwatched
from trainer.views.augment import Jitter
from trainer.views.feed import batches, look_at, open_album, shuffled, steps_per_epoch


@pytest.fixture
def photos(draw_classes):
    """Eight photographs of two classes."""
    return load(draw_classes(["cola", "oat"], 6), seed=0).train


@pytest.fixture
def phone_photos(tmp_path):
    """Four large JPEGs, as a telephone takes them."""
    rng = np.random.default_rng(2)
    found = []
    for number in range(4):
        path = tmp_path / f"phone-{number}.jpg"
        cv2.imwrite(str(path), picture(number % 2, rng, side_px=600))
        found.append(Photo(path, number % 2))
    return found


def test_an_album_leaves_out_what_is_broken_and_says_so(photos, tmp_path):
    """One bad file does not end a training of hours."""
    (tmp_path / "bad.png").write_bytes(b"no picture")
    album = open_album([*photos, Photo(tmp_path / "bad.png", 0)], size_px=16, watch=Unwatched())
    assert album.photos == photos
    assert len(album.problems) == 1
    assert "bad.png" in album.problems[0]


def test_photographs_beyond_memory_stream_from_disk_and_give_the_same_batches(photos, phone_photos, tmp_path):
    """The budget bounds memory, and nothing else: neither what can be trained on, nor what is learned."""
    compact = tmp_path / "compact.jpg"  # a file that is smaller than what is made of it
    cv2.imwrite(str(compact), np.full((56, 56, 3), 99, np.uint8))
    mixed = [*photos, *phone_photos, Photo(compact, 1)]
    rich, some, poor = (
        open_album(mixed, size_px=16, watch=Unwatched(), kept_bytes=kept) for kept in (2**24, 3 * 24 * 24 * 3, 0)
    )
    for album, in_memory in ((rich, len(mixed)), (some, 3), (poor, 0)):
        owned = [copy is not None and copy.base is None for copy in album.copies]
        assert sum(owned) == in_memory
    assert all(copy is not None for copy in poor.copies[:-1])
    assert poor.copies[-1] is None
    steps = 2 * steps_per_epoch(len(mixed), batch=4)
    streams = (islice(batches(album, batch=4, jitter=Jitter(), seed=0), steps) for album in (rich, some, poor))
    for one, two, three in zip(*streams, strict=True):
        assert np.array_equal(one[0], two[0])
        assert np.array_equal(one[0], three[0])
        assert one[1].tolist() == two[1].tolist() == three[1].tolist()


def test_memory_stays_bounded_however_many_photographs_there_are(phone_photos):
    """Twice as many streamed photographs take no more memory, in reading, training and judging."""

    def peak_bytes(photos):
        tracemalloc.start()
        album = open_album(photos, size_px=64, watch=Unwatched(), kept_bytes=0)
        for _ in islice(batches(album, batch=4, jitter=Jitter(), seed=0), len(photos) // 4):
            pass
        looks = look_at(photos, size_px=64, watch=Unwatched(), kept_bytes=0)
        assert len(looks.pixels) == len(photos)
        return (tracemalloc.get_traced_memory()[1], tracemalloc.stop())[0]

    peak_bytes(phone_photos * 2)  # what is loaded once
    few, many = peak_bytes(phone_photos * 10), peak_bytes(phone_photos * 40)
    pixels_bytes = 4 * 30 * 64 * 64 * 3  # what the additional photographs hold
    assert many - few < 0.3 * pixels_bytes


def test_looks_beyond_memory_are_the_same(photos):
    """Judging a hundred thousand photographs needs a disk, not a larger machine."""
    rich, poor = (look_at(photos, size_px=16, watch=Unwatched(), kept_bytes=kept) for kept in (2**20, 100))
    assert np.array_equal(rich.pixels, poor.pixels)
    assert isinstance(poor.pixels, np.memmap)
    assert not isinstance(rich.pixels, np.memmap)


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
