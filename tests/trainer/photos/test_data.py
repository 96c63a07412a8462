"""Data sets become splits, and a photograph becomes pixels."""

import subprocess
import sys
from collections import Counter

import cv2
import numpy as np
import pytest

from edge_agent.regions import whole
from edge_agent.shelf import DataError, InputError
from trainer.photos.data import Photo, decode, fingerprint, gather, load, read, split, unseen


def test_splits_are_stratified_disjoint_and_complete(draw_classes):
    """Each class is shared out 70/15/15, and no photograph is lost or used twice."""
    splits = load(draw_classes(["cola", "oat"], 20), seed=3)
    assert splits.labels == ("cola", "oat")
    for part, count in ((splits.train, 14), (splits.validation, 3), (splits.test, 3)):
        assert Counter(photo.label_index for photo in part) == {0: count, 1: count}
    assert len({photo.path for part in (splits.train, splits.validation, splits.test) for photo in part}) == 40


def test_the_same_seed_gives_the_same_split(draw_classes):
    """A seed is all it takes to find the held-out photographs again, and another seed gives others."""
    folder = draw_classes(["cola", "oat"], 10)
    assert load(folder, seed=1) == load(folder, seed=1)
    assert load(folder, seed=1) != load(folder, seed=2)


@pytest.mark.parametrize(("count", "shares"), [(1, (1, 0, 0)), (2, (1, 1, 0)), (3, (1, 1, 1)), (100, (70, 15, 15))])
def test_small_classes_keep_a_photograph_to_train(tmp_path, count, shares):
    """Training comes first, then validation, then the test."""
    photos = [Photo(tmp_path / str(number), 0) for number in range(count)]
    assert tuple(len(part) for part in split(photos, seed=0)) == shares


def test_folders_named_by_use_are_taken_as_they_are(draw_classes, tmp_path):
    """Somebody's own split is respected, whatever the seed."""
    for use, count in (("train", 4), ("validation", 2), ("test", 3)):
        draw_classes(["cola", "oat"], count, folder=f"set/{use}")
    splits = load(tmp_path / "set", seed=0)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [8, 4, 6]
    assert splits == load(tmp_path / "set", seed=9)


def test_a_list_with_held_out_photographs_trains_on_all_of_its_own(tmp_path):
    """With `--validation`, nothing of the training list is set aside."""
    (tmp_path / "train.txt").write_text("1.jpg, oat\n2.jpg, cola\n3.jpg, cola\n")
    (tmp_path / "val.txt").write_text("4.jpg, cola\n")
    splits = load(tmp_path / "train.txt", validation=tmp_path / "val.txt", seed=0)
    assert (len(splits.train), splits.test) == (3, ())
    assert splits.validation == (Photo(tmp_path / "4.jpg", 0),)


def test_a_held_out_label_that_training_lacks_is_named_with_the_nearest(tmp_path):
    """A misspelt label is found before training, not in the figures after it."""
    (tmp_path / "train.txt").write_text("1.jpg, oat-milk\n2.jpg, cola\n")
    (tmp_path / "val.txt").write_text("4.jpg, oatmilk\n")
    with pytest.raises(DataError, match=r'"oatmilk" \(nearest is "oat-milk"\)'):
        load(tmp_path / "train.txt", validation=tmp_path / "val.txt", seed=0)


def test_one_class_is_an_error(draw_classes):
    """There is nothing to tell apart."""
    with pytest.raises(DataError, match='only the class "cola"'):
        load(draw_classes(["cola"], 3), seed=0)


def test_a_missing_data_set_is_an_input_error(tmp_path):
    """The message names the path."""
    with pytest.raises(InputError, match="nowhere"):
        load(tmp_path / "nowhere", seed=0)


def test_no_photograph_to_validate_on_is_an_error(draw_classes):
    """Without validation no epoch is the best, so it is refused with a remedy."""
    with pytest.raises(DataError, match="--validation"):
        load(draw_classes(["cola", "oat"], 1), seed=0)


def test_gather_finds_the_part_to_judge_on(draw_classes, tmp_path):
    """The test part where there is one, else validation; a plain folder as a whole, or the part of a seed."""
    for use in ("train", "val"):
        draw_classes(["cola", "oat"], 4, folder=f"set/{use}")
    labels = ("cola", "oat")
    assert {photo.path.parts[-3] for photo in gather(tmp_path / "set", labels=labels, seed=0)} == {"val"}
    with pytest.raises(DataError, match="has no test folder"):
        gather(tmp_path / "set", labels=labels, part="test", seed=0)
    plain = draw_classes(["cola", "oat"], 10)
    assert len(gather(plain, labels=labels, seed=5)) == 20
    assert gather(plain, labels=labels, part="validation", seed=5) == load(plain, seed=5).validation


def test_gather_counts_in_the_labels_of_the_network(draw_classes):
    """Indices follow the network, whatever the order or number of its labels."""
    photos = gather(draw_classes(["cola", "oat"], 1), labels=("oat", "empty", "cola"), seed=0)
    assert [photo.label_index for photo in photos] == [2, 0]


def test_read_is_what_the_device_does(draw_classes):
    """Training, calibration and the device see the same pixels."""
    photo = load(draw_classes(["cola", "oat"], 3), seed=0).train[0]
    pixels = read(photo, 32)
    assert (pixels.shape, pixels.dtype) == ((32, 32, 3), np.uint8)
    assert np.array_equal(pixels, whole(cv2.imread(str(photo.path)), size_px=32))


def test_corrupt_photographs_are_data_errors_that_name_the_file(tmp_path):
    """Empty, foreign and cut-off files are all told; grey filling is not taken for a picture."""
    good = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8))[1].tobytes()
    for name, content in (("empty", b""), ("text", b"no picture"), ("cut", good[: len(good) // 2])):
        path = tmp_path / f"{name}.jpg"
        path.write_bytes(content)
        with pytest.raises(DataError, match=f"{name}.jpg"):
            read(Photo(path, 0), 32)


def test_a_photograph_that_is_gone_is_an_input_error(tmp_path):
    """A list may be older than its folder."""
    with pytest.raises(InputError, match=r"gone\.jpg"):
        decode(tmp_path / "gone.jpg")


def test_a_fingerprint_is_of_content_not_of_places(draw_classes):
    """The same photographs elsewhere have the same fingerprint; another label gives another."""
    one, two = (load(draw_classes(["cola", "oat"], 3, folder=name), seed=0) for name in ("here", "there"))
    assert fingerprint(one.train, one.labels) == fingerprint(two.train[::-1], two.labels)
    assert fingerprint(one.train, one.labels) != fingerprint(one.train, ("cola", "milk"))


def test_photographs_that_were_trained_on_are_known_again(draw_classes):
    """Nobody is flattered by figures on training photographs; others are judged as a whole."""
    folder = draw_classes(["cola", "oat"], 10)
    splits = load(folder, seed=3)
    photos = gather(folder, labels=splits.labels, seed=3)
    trained = fingerprint((*splits.train, *splits.validation), splits.labels)
    assert unseen(photos, splits.labels, seed=3, trained_sha256=trained) == splits.test
    assert unseen(photos, splits.labels, seed=4, trained_sha256=trained) == ()
    assert unseen(photos[1:], splits.labels, seed=3, trained_sha256=trained) == ()
    splits.train[0].path.unlink()
    assert unseen(photos, splits.labels, seed=3, trained_sha256=trained) == ()


def test_listing_and_reading_need_no_tensorflow():
    """The converter and the tests may list photographs in a blink."""
    modules = "trainer.photos.data, trainer.views.feed, trainer.judging.evaluate, trainer.cli"
    code = f"import sys, {modules}; print('tensorflow' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


@pytest.mark.data
def test_the_grocery_lists_are_understood(shared_data):
    """A published data set with ids and a table of names loads as it is."""
    folder = shared_data / "data" / "grocery"
    splits = load(folder / "train.txt", validation=folder / "val.txt", seed=0)
    assert (len(splits.labels), len(splits.train), len(splits.validation)) == (81, 2640, 296)
    assert splits.labels[:2] == ("Golden-Delicious", "Granny-Smith")
    assert read(splits.train[0], 96).shape == (96, 96, 3)
