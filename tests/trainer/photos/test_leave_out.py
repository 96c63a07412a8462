"""Classes that are left out are gone from the training and come back as unknown products."""

from pathlib import Path

import pytest

from edge_agent.shelf import ConfigError
from trainer.photos.data import Coarse, Photo, Splits
from trainer.photos.leave_out import leave_out

LABELS = ("apple", "beer", "cola", "date")


def _splits():
    def photos(part, indices):
        return tuple(Photo(Path(f"{LABELS[index]}/{part}.jpg"), index) for index in indices)

    coarse = Coarse(("food", "drink"), (0, 1, 1, 0))
    return Splits(LABELS, photos("train", range(4)), photos("validation", (0, 1, 2)), photos("test", range(4)), coarse)


def test_what_is_left_is_a_data_set_of_its_own():
    """Labels, groups and photographs fit each other afterwards, and nothing of the others is trained or judged on."""
    left, unknown = leave_out(_splits(), 1, seed=3)
    assert len(left.labels) == 3
    (gone,) = set(LABELS) - set(left.labels)
    assert [photo.path.parent.name for photo in unknown] == [gone]
    for part in (left.train, left.validation, left.test):
        assert all(photo.path.parent.name == left.labels[photo.label_index] for photo in part)
    groups = dict(zip(LABELS, ("food", "drink", "drink", "food"), strict=True))
    assert [left.coarse.labels[of] for of in left.coarse.of] == [groups[label] for label in left.labels]
    assert leave_out(_splits(), 1, seed=3)[0] == left, "the seed decides"


def test_only_classes_that_can_be_judged_are_left_out_and_two_stay():
    """A class without a validation photograph proves nothing, and a network needs two classes."""
    assert all("date" in leave_out(_splits(), 2, seed=seed)[0].labels for seed in range(20))
    for count in (0, 3):
        with pytest.raises(ConfigError, match=rf"--leave-out is {count}; of 4 classes it can be 1\.\.2"):
            leave_out(_splits(), count, seed=0)
