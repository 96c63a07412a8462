"""The data set of drawings."""

import cv2
import pytest

from edge_agent.demo import drawings
from edge_agent.demo.drawings import LABELS, SPLITS, write
from edge_agent.demo.products import PRODUCTS
from edge_agent.shelf import EMPTY, OCCLUDED, DataError

pytestmark = pytest.mark.system  # data for training take a while to draw, and no device draws any


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A small data set, its counts, and what its progress was."""
    out = tmp_path_factory.mktemp("drawings") / "set"
    told = []
    counts = write(out, crops=120, seed=5, progress=lambda done, total: told.append((done, total)))
    return out, counts, told


def test_every_label_has_pictures_in_every_split(written):
    """A network can be trained, validated and tested on each product, on empty and on occluded."""
    out, _, _ = written
    for split in SPLITS:
        assert {folder.name for folder in (out / split).iterdir()} == set(LABELS)
        assert all(any((out / split / label).iterdir()) for label in LABELS)


def test_empty_and_occluded_have_more_pictures_than_a_product(written):
    """What matters most for trustworthy counts is shown most often, and all products equally often."""
    _, counts, _ = written
    assert len({counts[product] for product in PRODUCTS}) == 1
    assert counts[EMPTY] >= counts[PRODUCTS[0]]
    assert counts[OCCLUDED] >= 2 * counts[PRODUCTS[0]]
    many = drawings._quota(1000)  # a large sheet, in which shares aren't rounded away
    assert min(many[EMPTY], many[OCCLUDED]) >= 2 * many[PRODUCTS[0]]


def test_pictures_are_slots_at_their_own_size(written):
    """Crops are upright, in the frame's own resolution: some 60 to 200 pixels."""
    out, _, _ = written
    for path in (out / "train").glob("*/*.jpg"):
        height, width = cv2.imread(str(path)).shape[:2]
        assert 50 <= width <= 160
        assert width < height <= 210


def test_progress_ends_with_all_pictures(written):
    """The last that a progress bar hears is that everything is done."""
    _, counts, told = written
    assert told[-1] == (sum(counts.values()), sum(counts.values()))


def test_the_same_seed_writes_the_same_pictures(written, tmp_path):
    """A data set can be made again from its seed."""
    out, counts, _ = written
    assert write(tmp_path / "again", crops=120, seed=5) == counts
    for path in out.glob("validation/*/*.jpg"):
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(out)).read_bytes()


def test_a_folder_with_pictures_is_left_alone(written):
    """Old and new pictures never mix: the message names the folder and what to do."""
    out, _, _ = written
    with pytest.raises(DataError, match="name a new folder"):
        write(out, crops=10, seed=1)
