"""Photographs without labels are found wherever people keep them."""

import pytest

from edge_agent.shelf import DataError, InputError
from trainer.photos.unlabelled import pictures, strangers


def test_all_pictures_below_a_folder_are_taken(tmp_path):
    """In the order of their names, however deep; hidden ones and other files are passed over."""
    for name in ("b.png", "a/c.JPG", ".trash/d.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [photo.path for photo in pictures(tmp_path)] == [tmp_path / "a" / "c.JPG", tmp_path / "b.png"]
    assert pictures(tmp_path) == strangers(tmp_path)


def test_a_path_that_is_no_folder_is_a_picture(tmp_path):
    """Whether it is there, and is one, is found out when it is read."""
    assert [photo.path for photo in pictures(tmp_path / "gone.png")] == [tmp_path / "gone.png"]


def test_a_folder_without_pictures_is_an_error(tmp_path):
    """Nothing to look at is said, rather than looked at."""
    with pytest.raises(DataError, match="has no photographs"):
        pictures(tmp_path)


def test_unknown_products_may_stand_in_a_list(tmp_path):
    """Their labels are not looked at; a list that is missing is told with the option that named it."""
    (tmp_path / "list.txt").write_text("a.png, what\nb.png, ever\n")
    assert [photo.path.name for photo in strangers(tmp_path / "list.txt")] == ["a.png", "b.png"]
    with pytest.raises(InputError, match="Check --unknown"):
        strangers(tmp_path / "gone.txt")
