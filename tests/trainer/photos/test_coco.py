"""Boxes in COCO's format become photographs of their own."""

import json
from collections import Counter
from dataclasses import replace
from itertools import chain, combinations

import cv2
import numpy as np
import pytest

from edge_agent.shelf import DataError, InputError
from trainer.photos.coco import list_boxes
from trainer.photos.data import Photo, fingerprint, load, open_photo, read, split
from trainer.photos.doubts import of_training
from trainer.report import Unwatched
from trainer.views.feed import open_album

CATEGORIES = [{"id": 7, "name": "oat"}, {"id": 3, "name": "cola"}, {"id": 9, "name": "unused"}]


def _box(image_id, category_id, *bbox, **more):
    return {"image_id": image_id, "category_id": category_id, "bbox": list(bbox), **more}


def _write(folder, annotations, **changes):
    """A file of annotations with three pictures, 100 px wide and 80 px high, in `images/` beside it."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    images = []
    for number in range(3):
        image = np.zeros((80, 100, 3), np.uint8)
        image[20:60, 10:50] = (0, 0, 200)  # 40×40 px of red
        cv2.imwrite(str(folder / "images" / f"{number}.png"), image)
        images.append({"id": number, "file_name": f"{number}.png", "width": 100, "height": 80})
    document = {"images": images, "annotations": annotations, "categories": CATEGORIES} | changes
    path = folder / "boxes.json"
    path.write_text(json.dumps(document))
    return path


def test_a_box_is_a_photograph_with_a_margin(tmp_path):
    """Every reader gets the box with a twentieth on each side: the pixels of training, of judging and of the device."""
    path = _write(tmp_path, [_box(0, 7, 10, 20, 40, 40), _box(1, 3, 10, 20, 40, 40), _box(2, 3, 10, 20, 40, 40)])
    splits = load(path, validation=path, seed=0)
    assert splits.labels == ("cola", "oat")
    (oat,) = (photo for photo in splits.train if photo.label_index == 1)
    assert oat == Photo(tmp_path / "images" / "0.png", 1, (8, 18, 44, 44))
    image = open_photo(oat)
    assert image.shape == (44, 44, 3)
    assert (image[..., 2] > 0).sum() == 40 * 40
    assert (read(oat, 32)[..., 0] > 100).mean() > 0.75
    assert open_album([oat], size_px=32, watch=Unwatched()).image(0).shape[:2] == (44, 44)


def test_boxes_are_cut_to_the_picture_and_what_cannot_be_used_is_counted(tmp_path):
    """A box over the edge is clipped, a crowd or a sliver is left out, and the training says how many."""
    used = [_box(0, 7, -20, -20, 60, 60), _box(1, 3, 90, 70, 50, 50), _box(2, 7, 0, 0, 100, 80)]
    left_out = [_box(0, 7, 0, 0, 50, 50, iscrowd=1), _box(0, 3, 10, 10, 7.9, 50), _box(1, 3, 95, 10, 50, 50)]
    path = _write(tmp_path, [*used, *left_out])
    boxes = [entry.box_xywh for entry in list_boxes(path).photos]
    assert boxes == [(0, 0, 42, 42), (89, 69, 11, 11), (0, 0, 100, 80)]
    said = list(of_training(load(path, validation=path, seed=0), path))
    expected = "boxes left out: 1 crowds (iscrowd), 2 with a side below 8 px inside the picture."
    assert f"{path}: {expected}" in said


def test_a_box_for_another_picture_is_told_when_it_is_read(tmp_path):
    """A picture that was made smaller after it was annotated is named with its size."""
    path = _write(tmp_path, [])
    photo = Photo(tmp_path / "images" / "0.png", 0, (100, 10, 20, 20))
    assert path.exists()
    with pytest.raises(DataError, match=r"0\.png box 100,10,20,20: the box lies outside of the picture, .* 100×80 px"):
        open_photo(photo)


@pytest.mark.parametrize(
    ("annotations", "changes", "error", "message"),
    [
        ([_box(0, 8, 0, 0, 9, 9, id=5)], {}, DataError, 'annotation 5 has the category "8"; known are'),
        ([_box(4, 7, 0, 0, 9, 9)], {}, DataError, 'annotation 0 is on image "4"'),
        ([_box(0, 7, 0, 0, 9)], {}, DataError, r"annotations\.0\.bbox\.3: Field required"),
        ([_box(0, 7, 0, 0, 9, float("nan"))], {}, DataError, r"annotations\.0\.bbox\.3: .* finite"),
        ([], {"categories": None}, DataError, "categories: Input should be a valid"),
        ([], {"categories": [*CATEGORIES, CATEGORIES[0]]}, DataError, 'the category id "7" is there twice'),
        ([], {"categories": [*CATEGORIES, {"id": 1, "name": "oat"}]}, DataError, 'the category "oat" is there twice'),
        ([_box(0, 7, 0, 0, 5, 5)], {}, DataError, "no box to train on .1 with a side below 8 px"),
        ([], {"images": [{"id": 1, "file_name": "gone.png"}]}, InputError, '1 of its 1 pictures .* "gone.png"'),
    ],
)
def test_annotations_that_make_no_sense_are_named(tmp_path, annotations, changes, error, message):
    """The error points at the annotation, the picture or the field to mend."""
    with pytest.raises(error, match=message):
        list_boxes(_write(tmp_path, annotations, **changes))


def test_a_file_that_is_not_json_is_a_data_error(tmp_path):
    """The message says what was expected."""
    (tmp_path / "boxes.json").write_text("1.jpg, cola")
    with pytest.raises(DataError, match="Expected an object with"):
        load(tmp_path / "boxes.json", seed=0)


def test_an_export_with_boxes_in_each_part_is_taken_as_it_is(tmp_path):
    """A folder whose parts hold pictures and `_annotations.coco.json`, as Roboflow writes it, keeps its own split."""
    for part, count in (("train", 2), ("valid", 1)):
        path = _write(tmp_path / part, [_box(n, category, 0, 0, 30, 30) for n in range(count) for category in (3, 7)])
        path.rename(path.with_name("_annotations.coco.json"))
    splits = load(tmp_path, seed=0)
    assert (splits.labels, len(splits.train), len(splits.validation), splits.test) == (("cola", "oat"), 4, 2, ())


def test_supercategories_are_groups_where_they_say_something(tmp_path):
    """Tools that fill in one for all, or none, do not make groups."""
    boxes = [_box(n % 3, category, 0, 0, 30, 30) for n, category in enumerate((1, 2, 3))]
    for said, groups in (("drink drink food", ("drink", "food")), ("x x x", None), ("a b c", None)):
        names = said.split()
        categories = [{"id": n + 1, "name": f"c{n}", "supercategory": name} for n, name in enumerate(names)]
        path = _write(tmp_path, boxes, categories=categories)
        coarse = load(path, validation=path, seed=0).coarse
        assert (coarse.labels if coarse else None) == groups


def test_boxes_of_a_picture_stay_together_and_classes_are_shared_out():
    """No shelf is trained on and judged on at once; each part gets about its share of every class."""
    rng = np.random.default_rng(0)
    photos = [
        Photo(f"{picture}.jpg", int(label), (int(at), 0, 9, 9))
        for picture in range(200)
        for at, label in enumerate(rng.choice(5, size=6, p=[0.4, 0.3, 0.2, 0.08, 0.02]))
    ]
    parts = split(photos, seed=0)
    assert sorted(chain(*parts), key=str) == sorted(photos, key=str)
    for one, other in combinations(parts, 2):
        assert not {photo.path for photo in one} & {photo.path for photo in other}
    total = Counter(photo.label_index for photo in photos)
    for part, share in zip(parts, (0.7, 0.15, 0.15), strict=True):
        for label_index, count in Counter(photo.label_index for photo in part).items():
            assert abs(count / total[label_index] - share) < 0.06, (label_index, share)
    assert parts == split(photos, seed=0) != split(photos, seed=1)


def test_every_class_of_boxes_can_be_trained():
    """Classes that only share pictures with rarer ones still keep a picture in training."""
    photos = [
        Photo(f"{picture}.jpg", label, (0, label, 9, 9))
        for picture, labels in enumerate([(0, 1), (0, 2), (1,), (2,), (3,), (0, 3)])
        for label in labels
    ]
    for seed in range(20):
        train, validation, _ = split(photos, seed=seed)
        assert {photo.label_index for photo in train} == {0, 1, 2, 3}, seed
        assert validation


def test_a_fingerprint_knows_the_box(tmp_path):
    """Another box in the same picture is another photograph."""
    _write(tmp_path, [])
    photo = Photo(tmp_path / "images" / "0.png", 0, (0, 0, 20, 20))
    moved = replace(photo, box_xywh=(1, 0, 20, 20))
    assert fingerprint([photo, moved], ["oat"]) == fingerprint([moved, photo], ["oat"])
    assert len({fingerprint([p], ["oat"]) for p in (photo, moved, replace(photo, box_xywh=None))}) == 3
