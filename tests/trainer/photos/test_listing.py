"""Folders and list files become paths with labels."""

import re
from pathlib import Path

import pytest

from edge_agent.shelf import DataError, InputError
from trainer.photos.listing import Entry, list_folder, list_lines


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_class_folders_are_labels_in_the_order_of_their_names(tmp_path):
    """The order of the outputs follows from the names alone, and hidden or foreign files are no photographs."""
    for name in ("oat/1.jpg", "cola/monday/1.JPG", "cola/.hidden.jpg", "cola/notes.txt", ".git/x.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    listed = list_folder(tmp_path)
    assert listed.labels == ("cola", "oat")
    assert listed.photos == (Entry(tmp_path / "cola/monday/1.JPG", "cola"), Entry(tmp_path / "oat/1.jpg", "oat"))


def test_an_empty_folder_is_an_error_with_a_remedy(tmp_path):
    """Nobody trains on nothing: the message says what to put where."""
    with pytest.raises(DataError, match="Put the photographs of each class"):
        list_folder(tmp_path)


def test_a_class_folder_without_photographs_is_an_error_that_names_it(tmp_path):
    """A class that was forgotten is not silently left out."""
    (tmp_path / "cola").mkdir()
    with pytest.raises(DataError, match="cola has no photographs"):
        list_folder(tmp_path)


def test_a_line_that_is_too_long_is_an_error_with_its_place(tmp_path):
    """What the csv module refuses is told like any other mistake in a list."""
    with pytest.raises(DataError, match=r"long\.txt, line 2: this is no line of a list"):
        list_lines(_write(tmp_path / "long.txt", "1.jpg, cola\n" + "x" * 140_000))


def test_a_missing_folder_is_an_input_error(tmp_path):
    """A wrong path is told apart from wrong photographs."""
    with pytest.raises(InputError, match="nowhere"):
        list_folder(tmp_path / "nowhere")


def test_a_list_takes_the_names_of_its_ids_from_the_table_beside_it(tmp_path):
    """Ids order the classes, the table names them, and paths start at the list."""
    _write(tmp_path / "classes.csv", "Class Name (str),Class ID (int),Coarse\nPear,10,x\nApple,2,x\nKiwi,3,x\n")
    listed = list_lines(_write(tmp_path / "train.txt", "a/1.jpg, 10, 0\n\n# a comment\nb/2.jpg, 2, 0\n"))
    assert listed.labels == ("Apple", "Pear")
    assert listed.photos == (Entry(tmp_path / "a/1.jpg", "Pear"), Entry(tmp_path / "b/2.jpg", "Apple"))


def test_without_a_table_the_text_is_the_label(tmp_path):
    """Numbers are ordered as numbers, anything else as text."""
    assert list_lines(_write(tmp_path / "a.txt", "1.jpg,10\n2.jpg,9\n")).labels == ("9", "10")
    assert list_lines(_write(tmp_path / "b.txt", "1.jpg,oat\n2.jpg,cola\n")).labels == ("cola", "oat")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1.jpg\n", "line 1"),
        ("a.jpg, 1\nb.jpg,\n", "line 2"),
        ("", "lists no photographs"),
        ("a.jpg, 7\n", 'class "7" is not in classes.csv'),
    ],
)
def test_a_line_that_makes_no_sense_is_named(tmp_path, text, message):
    """The error points at the line to mend."""
    _write(tmp_path / "classes.csv", "Class Name,Class ID\nApple,1\n")
    with pytest.raises(DataError, match=re.escape(message)):
        list_lines(_write(tmp_path / "list.txt", text))


@pytest.mark.parametrize("table", ["", "Apple,1\n", "Class Name,Class ID\nApple\n", "Name,ID\nApple,1\nApple,2\n"])
def test_a_table_of_classes_that_cannot_be_right_is_refused(tmp_path, table):
    """Names come from two known columns, one name for one id."""
    _write(tmp_path / "classes.csv", table)
    with pytest.raises(DataError, match=r"classes\.csv"):
        list_lines(_write(tmp_path / "list.txt", "a.jpg, 1\n"))


def test_a_picture_given_as_a_list_is_an_input_error(tmp_path):
    """Bytes that are no text are reported, not parsed."""
    (tmp_path / "x.jpg").write_bytes(b"\xff\xd8\xff\xe0\x80")
    with pytest.raises(InputError, match="cannot be read as a list"):
        list_lines(tmp_path / "x.jpg")
