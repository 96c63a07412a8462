"""Every training photograph is judged exactly once, by a network that has not seen it or its neighbours."""

from pathlib import Path

import pytest

from edge_agent.shelf import ConfigError
from trainer.photos.data import Photo, Splits
from trainer.photos.folds import deal


def _splits(photos):
    return Splits(("apple", "beer"), tuple(photos), (Photo(Path("v.jpg"), 0),), ())


def _photos(counts, name="{label}-{number}.jpg"):
    return [
        Photo(Path(name.format(label=label, number=number)), label)
        for label, count in enumerate(counts)
        for number in range(count)
    ]


def test_each_photograph_is_judged_once_and_never_trained_on_in_that_fold():
    """The folds cover everything, evenly by class, and the seed decides who goes where."""
    splits = _splits(_photos((10, 15)))
    dealt = deal(splits, 5, seed=1)
    judged = [photo for fold in dealt for photo in fold.validation]
    assert sorted(map(str, judged)) == sorted(map(str, splits.train))
    for fold in dealt:
        assert not set(fold.train) & set(fold.validation)
        assert len(fold.train) + len(fold.validation) == 25
        assert [sum(photo.label_index == label for photo in fold.validation) for label in (0, 1)] == [2, 3]
    assert deal(splits, 5, seed=1) == dealt
    assert deal(splits, 5, seed=2) != dealt


def test_pictures_of_one_minute_and_boxes_of_one_picture_stay_together():
    """A neighbour in training would flatter the figures."""
    named = "aisle-top-a1-20260314T09{number:02}02-250.png"
    minutes = [Photo(Path(f"{at}", named.format(number=at % 4)), 0) for at in range(12)]
    for fold in deal(_splits([*minutes, *_photos((0, 8))]), 4, seed=0):
        assert not {photo.path.name for photo in fold.train} & {photo.path.name for photo in fold.validation}
    boxes = [Photo(Path(f"{at % 6}.jpg"), at % 2, (at, 0, 20, 20)) for at in range(24)]
    for fold in deal(_splits(boxes), 3, seed=0):
        assert not {photo.path for photo in fold.train} & {photo.path for photo in fold.validation}


def test_a_lone_photograph_is_always_trained_on_and_too_many_folds_are_refused():
    """A class that is gone from training would be an error of ours."""
    splits = _splits(_photos((1, 6)))
    assert all(splits.train[0] in fold.train for fold in deal(splits, 3, seed=0))
    for count in (1, 7):
        with pytest.raises(ConfigError, match=rf"--folds is {count}; with at most 6 photographs"):
            deal(splits, count, seed=0)
