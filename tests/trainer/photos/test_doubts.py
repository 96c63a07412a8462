"""What a training says about its data set before it begins."""

from pathlib import Path

import pytest

from trainer.photos.data import Photo, Splits, load, minute, split
from trainer.photos.doubts import of_labels, of_training


def _collected(minutes, *, each, label_index=0):
    """Photographs as `shelf-agent collect` names them, a second apart."""
    return [
        Photo(Path(f"cola/aisle-top-a1-20260314T09{at:02}{second:02}-250.png"), label_index)
        for at in range(minutes)
        for second in range(each)
    ]


def _leaks(photos):
    """The warnings of pictures of one minute on both sides of the split."""
    said = of_training(Splits(("empty", "occluded"), *split(photos, seed=0)), Path("crops"))
    return [message for message in said if "one minute" in message]


def test_labels_that_are_nearly_special_are_named_with_their_folder(tmp_path):
    """Another case or a slip of the hand does not silently make a product of a gap; products are left alone."""
    for wrong, meant in (("Empty", "empty"), ("emtpy", "empty"), ("ocluded", "occluded"), ("OCCLUDED ", "occluded")):
        (said, *_) = of_labels(["cola", wrong], tmp_path)
        assert f'Rename the folder "{wrong}" in {tmp_path} to "{meant}"' in said
    assert not list(of_labels(["empty", "occluded", "empty-bottle", "included"], tmp_path))


def test_a_shelf_without_gaps_is_remarked_on_and_a_catalogue_is_not(tmp_path):
    """Folders without the special classes get one line; lists and catalogues of products, which need none, get none."""
    (said,) = of_labels(["cola", "oat"], tmp_path)
    assert 'cannot see a gap: there is no class "empty"' in said
    assert 'cannot tell an arm from a product: there is no class "occluded"' in said
    assert not list(of_labels([str(number) for number in range(41)], tmp_path))
    assert not list(of_labels(["cola", "oat"], tmp_path / "list.txt"))


def test_pictures_of_one_minute_stay_together():
    """What a camera took a second apart is never trained on and judged on at once, and no picture is lost."""
    photos = _collected(20, each=5)
    parts = split(photos, seed=0)
    assert [len(part) for part in parts] == [70, 15, 15]
    minutes = [{minute(photo.path) for photo in part} for part in parts]
    assert sum(map(len, minutes)) == len(set.union(*minutes)) == 20
    assert not _leaks(photos)


def test_pictures_of_too_few_minutes_are_split_with_a_warning():
    """Two minutes do not fill three parts, so pictures are split one by one and the figures are said to flatter."""
    photos = _collected(2, each=10)
    assert [len(part) for part in split(photos, seed=0)] == [14, 3, 3]
    (said,) = _leaks(photos)
    assert 'for "empty": the figures will be better' in said
    assert "--validation" in said


def test_classes_with_little_to_judge_by_are_named():
    """Nine photographs to validate a class on are too few to say much, and ten are enough."""
    photos = [Photo(Path(f"{label}/{number}.png"), label) for label in (0, 1) for number in range(10 - label)]
    said = list(of_training(Splits(("empty", "occluded"), (), tuple(photos), ()), Path("crops")))
    assert len(said) == 1
    assert '"occluded" 9.' in said[0]
    assert '"empty"' not in said[0]


def _overlaps(splits):
    """The warnings of photographs that are trained on and held out."""
    return [message for message in of_training(splits, Path("lists")) if "trained on as well" in message]


def test_a_photograph_in_both_lists_is_warned_of_by_name(tmp_path):
    """Figures that flatter are not refused but said to flatter, with a few names, how many, and what to do."""
    (tmp_path / "train.txt").write_text("".join(f"{number}.jpg, {number % 2}\n" for number in range(9)))
    (tmp_path / "val.txt").write_text("".join(f"{number}.jpg, {number % 2}\n" for number in range(1, 20)))
    (said,) = _overlaps(load(tmp_path / "train.txt", validation=tmp_path / "val.txt", seed=0))
    assert said.startswith(f"8 held-out photographs are trained on as well: {tmp_path}/1.jpg, ")
    assert "5.jpg and 3 more. The figures will be better than the shelf's; take them out" in said


@pytest.mark.parametrize(("copy", "warned"), [(b"the same", 1), (b"the ones", 0), (b"shorter", 0)])
def test_a_copy_under_another_name_is_warned_of(tmp_path, copy, warned):
    """It is the bytes that count, not the name nor the size; files that are gone are passed over."""
    for name, content in (("a.jpg", b"the same"), ("b.jpg", b"else"), ("c.jpg", copy)):
        (tmp_path / name).write_bytes(content)
    a, b, c, gone = (Photo(tmp_path / f"{name}.jpg", 0) for name in ("a", "b", "c", "gone"))
    said = _overlaps(Splits(("empty", "occluded"), (a, b, gone), (), (c,)))
    assert len(said) == warned
    assert all(f"{c.path} (the bytes of {a.path})" in line for line in said)
