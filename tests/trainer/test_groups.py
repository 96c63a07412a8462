"""Labels may have groups: where they are said, in which order they come, and what contradicts what."""

import re

import pytest

from edge_agent.shelf import DataError
from trainer.photos.data import Coarse, load

TABLE = "Class Name (str),Class ID (int),Coarse Class Name (str),Coarse Class ID (int)\n"


def _load(tmp_path, lines, *, table="", held_out="v.jpg, 1, 1\n"):
    """What a list beside a table is loaded as, with one photograph to validate on."""
    if table:
        (tmp_path / "classes.csv").write_text(table)
    (tmp_path / "train.txt").write_text(lines)
    (tmp_path / "val.txt").write_text(held_out)
    return load(tmp_path / "train.txt", validation=tmp_path / "val.txt", seed=0)


def test_a_third_column_groups_the_labels(tmp_path):
    """Groups are in the order of their ids as numbers, and each label knows its own."""
    splits = _load(tmp_path, "a.jpg, 1, 10\nb.jpg, 2, 9\nc.jpg, 3, 10\n", held_out="v.jpg, 1, 10\n")
    assert splits.labels == ("1", "2", "3")
    assert splits.coarse == Coarse(("9", "10"), (1, 0, 1))


def test_the_table_names_the_groups(tmp_path):
    """Names come from the table beside the list, whether or not the lines give the id of the group."""
    table = TABLE + "Pear,1,Fruit,1\nApple,2,Fruit,1\nLeek,3,Greens,0\n"
    three = _load(tmp_path, "a.jpg, 1, 1\nb.jpg, 2, 1\nc.jpg, 3, 0\n", table=table)
    assert (three.labels, three.coarse) == (("Pear", "Apple", "Leek"), Coarse(("Greens", "Fruit"), (1, 1, 0)))
    assert _load(tmp_path, "a.jpg, 1\nb.jpg, 2\nc.jpg, 3\n", held_out="v.jpg, 1\n").coarse == three.coarse


def test_a_table_without_ids_of_groups_still_names_them(tmp_path):
    """Names of groups are enough; they are then in the order of the alphabet."""
    splits = _load(tmp_path, "a.jpg, 1, 7\nb.jpg, 2, 8\n", table="name,id,coarse\nPear,1,Fruit\nLeek,2,Bulbs\n")
    assert splits.coarse == Coarse(("Bulbs", "Fruit"), (1, 0))


def test_without_groups_there_are_none(tmp_path):
    """Nothing is made up for a data set that only has labels."""
    assert _load(tmp_path, "a.jpg, 1\nb.jpg, 2\n", held_out="v.jpg, 1\n").coarse is None


@pytest.mark.parametrize(
    ("lines", "held_out", "messages"),
    [
        ("a.jpg, 1, 1\nb.jpg, 2, 2\nc.jpg, 1, 2\n", "", ["train.txt, line 3", '"Fruit"', "train.txt, line 1"]),
        ("a.jpg, 1, 1\nb.jpg, 2\n", "", ["train.txt, line 2: there is no coarse label, but line 1 has one"]),
        ("a.jpg, 1, 1\nb.jpg, 2, 7\n", "", ["train.txt, line 2", '"7" is not in classes.csv']),
        ("a.jpg, 1, 2\nb.jpg, 2, 2\n", "", ["train.txt, line 1", '"Greens"', "classes.csv, line 2"]),
    ],
)
def test_a_label_under_two_groups_is_refused(tmp_path, lines, held_out, messages):
    """The message names both places, so that either can be mended."""
    with pytest.raises(DataError) as caught:
        _load(tmp_path, lines, table=TABLE + "Pear,1,Fruit,1\nLeek,2,Greens,2\n", held_out=held_out)
    assert all(message in str(caught.value) for message in messages), caught.value


def test_two_lists_may_not_contradict_each_other(tmp_path):
    """The held-out list is held to the groups of training, and both lines are named."""
    with pytest.raises(DataError, match=re.escape("val.txt, line 1")) as caught:
        _load(tmp_path, "a.jpg, pear, fruit\nb.jpg, leek, greens\n", held_out="v.jpg, leek, fruit\n")
    assert "train.txt, line 2" in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("Pear,1,Fruit,1\nLeek,2,Fruit,2\n", 'line 3: the group "Fruit" has the id 2'),
        ("Pear,1,Fruit,1\nLeek,2,Greens,1\n", 'line 3: the group "Greens" has the id 1'),
        ("Pear,1,Fruit,1\nLeek,2,,\n", 'line 3: the class "Leek" has no group'),
        ("Pear,1,Fruit,1\nLeek,2\n", "line 3: 2 fields for 4 columns"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(tmp_path, rows, message):
    """A group has one name and one id, and every class has a group."""
    with pytest.raises(DataError, match=re.escape(message)):
        _load(tmp_path, "a.jpg, 1\nb.jpg, 2\n", table=TABLE + rows)


@pytest.mark.parametrize("place", ["", "train"])
def test_class_folders_take_their_groups_from_a_table_in_the_folder(draw_classes, tmp_path, place):
    """The table lies in the folder that is named or beside the class folders, and needs no ids."""
    for use in ("train", "validation"):
        draw_classes(["cola", "leek", "pear"], 1, folder=f"set/{use}")
    table = tmp_path / "set" / place / "classes.csv"
    table.write_text("name,coarse\npear,greens\nleek,greens\ncola,drinks\nunused,other\n")
    assert load(tmp_path / "set", seed=0).coarse == Coarse(("drinks", "greens"), (0, 1, 1))
    table.write_text("name,coarse\npear,greens\nleek,greens\n")
    with pytest.raises(DataError, match='1 of the classes have no line and so no group, such as "cola"'):
        load(tmp_path / "set", seed=0)
