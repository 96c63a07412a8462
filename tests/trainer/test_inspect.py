"""A data set is looked at before it is trained on: what is broken, small, uneven or there twice."""

import json
import shutil

import cv2
import numpy as np
import pytest

from tests.trainer.command import status_of
from tests.trainer.conftest import picture
from trainer.photos import data
from trainer.photos.alike import look, near_pairs
from trainer.photos.contact import SHEET_AT_MOST, _chosen, file_names
from trainer.photos.findings import in_words
from trainer.photos.inspection import inspect
from trainer.report import Unwatched


def _scene(seed, *, side_px=200):
    """Something with large and small shapes in it, (side, side, 3) uint8 BGR."""
    rng = np.random.default_rng(seed)
    image = np.full((side_px, side_px, 3), rng.integers(60, 200, 3), np.uint8)
    for _ in range(30):
        x, y, radius = (int(value) for value in rng.integers(5, side_px, 3))
        cv2.circle(image, (x, y), radius // 6, [int(level) for level in rng.integers(0, 255, 3)], -1)
    return image


def _jpeg(image, quality):
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


CHANGES = {
    "stored again": lambda image: _jpeg(image, 30),
    "half as large": lambda image: cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "brighter": lambda image: np.clip(image * 1.15 + 8, 0, 255).astype(np.uint8),
    "cut by 2 %": lambda image: image[4:-4, 4:-4],
}


def _pairs(images):
    looks = [look(image) for image in images]
    kinds = np.zeros(len(looks), np.int64)
    found = near_pairs(np.stack([seen.bits for seen in looks]), np.stack([seen.small for seen in looks]), kinds=kinds)
    return [(pair.first, pair.second) for pair in found]


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_and_nothing_else(change):
    """What happens to a file on its way does not hide that it is the same picture, and other pictures are not taken."""
    scenes = [_scene(seed) for seed in range(40)]
    found = _pairs([*scenes, *(CHANGES[change](scene) for scene in scenes)])
    assert set(found) <= {(n, 40 + n) for n in range(40)}
    assert len(found) >= 38


def test_another_colour_or_another_thing_is_another_picture():
    """Two products that differ in colour alone are no doubles, whatever their outlines."""
    disc = np.zeros((100, 100, 3), np.uint8)
    other = disc.copy()
    cv2.circle(disc, (50, 50), 30, (30, 30, 220), -1)
    cv2.circle(other, (50, 50), 30, (30, 220, 30), -1)
    assert _pairs([disc, other]) == []
    assert _pairs([disc, disc]) == [(0, 1)]
    white, black = np.full((50, 50, 3), 255, np.uint8), np.zeros((50, 50, 3), np.uint8)
    assert _pairs([white, white, black]) == [(0, 1)]


def test_many_copies_do_not_hide_the_one_that_matters():
    """A photograph with more doubles than are kept is still paired with those of another part or class."""
    looks = [look(_scene(1))] * 60
    bits, small = np.stack([seen.bits for seen in looks]), np.stack([seen.small for seen in looks])
    kinds = np.arange(60) == 30
    pairs = {(pair.first, pair.second) for pair in near_pairs(bits, small, kinds=kinds.astype(np.int64))}
    assert {(n, 30) for n in range(30)} | {(30, n) for n in range(31, 60)} <= pairs
    assert len(pairs) <= 60 * 16


@pytest.fixture
def troubled(tmp_path):
    """A folder with parts, in which a copy, a near double, a broken, a tiny and a long photograph are hidden."""
    root = tmp_path / "set"
    rng = np.random.default_rng(0)
    for part, count in (("train", 8), ("validation", 2), ("test", 2)):
        for kind, name in enumerate(("cola [1l]", "öl & brød", "empty")):
            folder = root / part / name
            folder.mkdir(parents=True)
            if name == "empty" and part == "validation":
                cv2.imwrite(str(folder / "only.png"), picture(kind, rng, side_px=100))
                continue
            for number in range(count if name != "empty" else 1):
                cv2.imwrite(str(folder / f"{number}.png"), _scene(rng.integers(2**31), side_px=100))
    train, held_out = root / "train", root / "validation"
    cv2.imwrite(str(train / "cola [1l]" / "0.png"), _scene(7, side_px=100))
    shutil.copy(train / "cola [1l]" / "0.png", held_out / "cola [1l]" / "copy.png")
    cv2.imwrite(str(train / "öl & brød" / "near.jpg"), _scene(7, side_px=100), [cv2.IMWRITE_JPEG_QUALITY, 40])
    (train / "öl & brød" / "broken.jpg").write_bytes(b"no picture")
    cv2.imwrite(str(train / "cola [1l]" / "tiny.png"), picture(0, rng, side_px=30))
    cv2.imwrite(str(train / "cola [1l]" / "long.png"), cv2.resize(_scene(9), (300, 90)))
    cv2.imwrite(str(train / "cola [1l]" / "more.png"), _scene(11, side_px=100))
    return root


def test_inspect_reports_and_draws_everything(troubled, tmp_path, capfd):
    """One command names the broken, tiny and long files and the doubles with their parts and labels, and draws them."""
    out = tmp_path / "out"
    assert status_of("inspect", troubled, "--out", out, "--size", 90) == 0
    said = capfd.readouterr()
    train, held_out = troubled / "train", troubled / "validation"
    for expected in (
        'the largest class, "cola [1l]", has 11 photographs to train on and the smallest, "empty", 1: 11.0 to 1',
        f"unreadable photographs, which training leaves out: 1. {train / 'öl & brød' / 'broken.jpg'}: 10 bytes",
        f"side below 64 px, which show little: 1. {train / 'cola [1l]' / 'tiny.png'} (30×30)",
        "photographs with a side below the network's 90 px, which are enlarged: 1",
        f"or wider than long: 1. {train / 'cola [1l]' / 'long.png'} (300×90)",
        "pairs of the same file: 1",
        (
            "pairs of the same file in different parts, so that figures will flatter: 1. "
            f"{train / 'cola [1l]' / '0.png'} (train) and {held_out / 'cola [1l]' / 'copy.png'} (validation)"
        ),
        (
            "pairs of nearly the same picture with different labels, of which one must be wrong: 1. "
            f"{train / 'cola [1l]' / '0.png'} (train) and {train / 'öl & brød' / 'near.jpg'} (train)"
        ),
    ):
        assert expected in said.out
    assert f"trained on as well: {held_out / 'cola [1l]' / 'copy.png'}" in said.err

    report = json.loads((out / "inspection.json").read_text())
    assert report["photographs"] == {"train": 22, "validation": 6, "test": 5}
    assert [file["file"] for file in report["unreadable"]] == [str(train / "öl & brød" / "broken.jpg")]
    worst, other = report["doubles"]
    assert (worst["kind"], worst["different_labels"], worst["across_parts"]) == ("near", True, False)
    assert (other["kind"], other["different_labels"], other["across_parts"]) == ("identical", False, True)
    assert [side["part"] for side in other["photographs"]] == ["train", "validation"]
    assert report["sizes"]["width_px"] == {"min": 30, "median": 100, "max": 300}

    assert sorted(path.name for path in (out / "contact").iterdir()) == ["cola [1l].png", "empty.png", "öl & brød.png"]
    for drawn in (out / "balance.png", out / "duplicates.png", out / "contact" / "empty.png"):
        assert cv2.imdecode(np.fromfile(drawn, np.uint8), cv2.IMREAD_COLOR).std() > 10


def test_json_is_all_that_is_printed(troubled, capfd):
    """Another program can read the answer as it comes; without --out nothing is written."""
    assert status_of("inspect", troubled, "--json") == 0
    assert len(json.loads(capfd.readouterr().out)["doubles"]) == 2


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["nowhere"], 66, "there is no such folder"),
        (["set", "--validation", "nowhere"], 66, "there is no such folder"),
        (["set", "--out", "/proc/x"], 66, "cannot be written"),
        (["set", "--size", "0"], 2, "--size"),
    ],
)
def test_mistakes_end_with_a_message_and_their_status(troubled, tmp_path, monkeypatch, capfd, options, status, message):
    """The same errors as in training, before any photograph is opened."""
    assert troubled.is_dir()
    monkeypatch.chdir(tmp_path)
    assert status_of("inspect", *options) == status
    assert message in capfd.readouterr().err


def test_a_sound_data_set_has_no_complaints(draw_classes):
    """Where nothing is wrong, nothing is said to be."""
    splits = data.load(draw_classes(["cola", "oat"], 6), seed=0)
    said = in_words(inspect(splits, size_px=48, watch=Unwatched()))
    assert said[:2] == ["every class has 4 photographs to train on", "the photographs are 48 px wide and 48 px high"]
    assert [line for line in said if "unreadable" in line or "enlarged" in line or "no photograph" in line] == []
    assert "pairs of the same file: none" in said


def test_boxes_of_one_file_are_no_copies_of_each_other(tmp_path):
    """Two boxes of a picture share its bytes but not what they show; the same box twice is a double."""
    cv2.imwrite(str(tmp_path / "shelf.png"), np.hstack([_scene(1), _scene(2)]))
    photos = tuple(data.Photo(tmp_path / "shelf.png", 0, box) for box in ((0, 0, 200, 200), (200, 0, 200, 200)))
    splits = data.Splits(("cola", "oat"), photos, (photos[0],), ())
    (double,) = inspect(splits, size_px=48, watch=Unwatched()).doubles
    assert (double.kind, double.first, double.second) == ("identical", 0, 2)


def test_sheets_of_large_classes_keep_what_is_marked():
    """A class that does not fit on a sheet shows all that is wrong, and others from all over the class."""
    shown = _chosen(range(10_000), {5000: "tiny", 9000: "unreadable"})
    assert len(shown) == SHEET_AT_MOST
    assert {0, 5000, 9000, 9999} <= set(shown)
    assert shown == sorted(set(shown))


def test_labels_become_names_that_file_systems_take():
    """Slashes, dots and labels that differ in case only do not overwrite or escape."""
    assert file_names(["../x", "a/b", "a:b", "Cola", "cola", "…", ""]) == [
        "_x",
        "a_b",
        "a_b-2",
        "Cola",
        "cola-2",
        "…",
        "_",
    ]


@pytest.mark.data
def test_the_grocery_photographs_have_no_doubles_across_the_lists(shared_data):
    """The validation figures on them are honest: nothing of the one list is in the other, as far as this can see."""
    folder = shared_data / "data" / "grocery"
    splits = data.load(folder / "train.txt", validation=folder / "val.txt", seed=0)
    inspection = inspect(splits, size_px=224, watch=Unwatched())
    assert not inspection.unreadable
    assert not [double for double in inspection.doubles if inspection.across(double) or inspection.at_odds(double)]
    assert 10 <= len(inspection.doubles) <= 30
