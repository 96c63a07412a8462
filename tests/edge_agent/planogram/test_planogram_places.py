"""A problem in words → the shelf and the slot that it is about."""

import tomllib

import pytest

from edge_agent import config
from edge_agent.planogram.places import Place, placed
from edge_agent.shelf import ConfigError

QUAD, CROSSED = "[[0.1, 0.1], [0.3, 0.1], [0.3, 0.4], [0.1, 0.4]]", "[[0.3, 0.1], [0.1, 0.1], [0.3, 0.4], [0.1, 0.4]]"
TEXT = f"""
site = "s"
device = "d"
[model]
bundle = "b"
[[cameras]]
id = "cam1"
source = "0"
[[shelves]]
id = "a"
camera = "cam1"
[[shelves.slots]]
id = "x"
product = "cola"
corners = {QUAD}
[[shelves.slots]]
id = "y"
product = "cola"
corners = {QUAD}
[[shelves]]
id = "b"
camera = "cam1"
[shelves.grid]
corners = {QUAD}
columns = 2
"""


@pytest.mark.parametrize(
    ("old", "new", "shelf", "slot"),
    [
        ('id = "b"\ncamera', 'id = "a"\ncamera', 1, None),
        ('id = "b"\ncamera', 'id = "B!"\ncamera', 1, None),
        ('id = "b"\ncamera', "camera", 1, None),
        ('id = "y"', 'id = "x"', 0, 1),
        ('id = "y"', 'id = "Y"', 0, 1),
        ('id = "y"\nproduct = "cola"', 'id = "y"\nproduct = "tea"', 0, 1),
        (f'id = "y"\nproduct = "cola"\ncorners = {QUAD}', f'id = "y"\ncorners = {CROSSED}', 0, 1),
        (f"{QUAD}\ncolumns = 2", f"{CROSSED}\ncolumns = 2", 1, None),
        ("columns = 2", "columns = 0", 1, None),
        ("columns = 2", 'columns = 2\nproducts = "tea"', 1, None),
        ('id = "b"\ncamera = "cam1"', 'id = "b"\ncamera = "cam2"', 1, None),
        ('id = "b"\n', 'id = "b"\nlow_at = { cola = 1 }\n', 1, None),
        ('site = "s"', 'site = "S"', None, None),
    ],
)
def test_each_problem_finds_its_place(tmp_path, old, new, shelf, slot):
    """As the configuration words them."""
    assert TEXT.count(old) == 1
    raw = tomllib.loads(TEXT.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        config.checked(raw, tmp_path / "agent.toml", labels=("cola", "empty"))
    [problem] = caught.value.problems
    assert placed(problem, raw["shelves"]) == Place(problem, shelf, slot)


def test_a_shelf_that_is_not_there_is_no_place():
    """Words about another file point nowhere."""
    assert placed('shelf "zz": nothing', [{"id": "a"}]) == Place('shelf "zz": nothing')
    assert placed("shelves number 7, id: wrong", [{"id": "a"}]).shelf is None
