"""Edited shelves in the text of a file: what did not change keeps every byte."""

import copy
import difflib
import tomllib

import pytest

from edge_agent.planogram.edit import edited
from edge_agent.planogram.layout import join, split
from edge_agent.shelf import ConfigError
from tests.conftest import REPO

EXAMPLE = (REPO / "deploy" / "agent.example.toml").read_text()
QUAD = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.2], [0.1, 0.2]]
HEAD = 'site = "s" # here\n\n[model]\nbundle = "b"\n'
INLINE = (
    HEAD.replace(
        "\n\n",
        "\n# all of them\nshelves = [\n  # first\n  {id = 'a',camera = \"c\", slots = [] }, # one\n  {id='b'},\n]\n",
    )
    + "# end\n"
)
WEIRD = '''text = """
[[shelves]]
# no comment "
"""
"shelves-like" = [
  [1], # [[shelves]]
  ["]"],
]
[[ shelves ]] # spaces
id='a'
   camera = "c"   # indented
[ shelves . low_at ] # a table
x = 1 # one
[[shelves]]
"id" = "b"
grid.columns = 3 # dotted
grid.corners = [
    [0, 0], # top left
    [1, 0],
    [1, 1],
    [0, 1],
]
[zoo]
a = 1'''


def shelves(text):
    """The shelves of a file, to be changed."""
    return copy.deepcopy(tomllib.loads(text).get("shelves", []))


def changes(before, after):
    """The lines that went and came."""
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in lines if line[0] in "+-"]


@pytest.mark.parametrize("text", [EXAMPLE, INLINE, WEIRD, HEAD, "", EXAMPLE.replace("\n", "\r\n")])
def test_what_is_taken_apart_is_put_together_again_byte_for_byte(text):
    """Whatever a file looks like, and if nothing is changed in it, nothing is."""
    assert join(split(text)) == text
    assert edited(text, shelves(text)) == text


def test_one_threshold_is_one_line():
    """A changed value keeps its line's comment, and every other byte stays."""
    wanted = shelves(EXAMPLE)
    wanted[0]["low_at"]["cola-can"] = 2
    [was] = [line for line in EXAMPLE.splitlines() if line.startswith("low_at = { cola-can = 1 } #")]
    assert changes(EXAMPLE, edited(EXAMPLE, wanted)) == [f"- {was}", f"+ {was.replace('cola-can = 1', 'cola-can = 2')}"]


def test_a_renamed_shelf_and_a_renamed_slot_stay_where_they_are():
    """`was` says which one it is; its comments stay."""
    wanted = shelves(EXAMPLE)
    wanted[0] |= {"id": "sodas", "was": "drinks"}
    wanted[1]["slots"][0] |= {"id": "left", "was": "flakes-left"}
    assert changes(EXAMPLE, edited(EXAMPLE, wanted)) == [
        '- id = "drinks"',
        '+ id = "sodas"',
        '- id = "flakes-left"',
        '+ id = "left"',
    ]


def test_a_shelf_that_goes_takes_its_own_comments_and_no_others():
    """What stands directly above it is its own; what stands alone between empty lines is nobody's."""
    text = EXAMPLE.replace(
        "# A shelf whose facings are not evenly", "# --- cereals ---\n\n# A shelf whose facings are not evenly"
    )
    first = edited(text, shelves(text)[1:])
    assert "one grid" not in first
    assert "# --- cereals ---" in first
    second = edited(text, shelves(text)[:1])
    assert "drawn by hand." not in second
    assert second.startswith(text[: text.index("# --- cereals")])
    assert tomllib.loads(edited(text, [])) == {
        key: value for key, value in tomllib.loads(text).items() if key != "shelves"
    }


def test_a_new_shelf_comes_last_and_reads_like_the_others():
    """Grid and slots are tables of their own, and a long list of products is written over several lines."""
    new = {
        "id": "new", "was": None, "camera": "cam1", "low_at": {"tea": 1},
        "grid": {"corners": QUAD, "rows": 2, "columns": 8, "products": ["orange-juice", "tea"] * 8},
        "slots": [{"id": "x", "was": None, "corners": QUAD, "product": None}],
    }  # fmt: skip
    text = edited(EXAMPLE, [*shelves(EXAMPLE), new])
    assert text.startswith(EXAMPLE)
    added = text[len(EXAMPLE) :]
    assert added.startswith('\n[[shelves]]\nid = "new"\ncamera = "cam1"\n')
    assert "\n\n[shelves.grid]\ncorners = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.2], [0.1, 0.2]]\n" in added
    assert '\n\n[[shelves.slots]]\nid = "x"\ncorners = [[0.1, 0.1]' in added
    assert max(map(len, added.splitlines())) <= 120


def test_slots_come_and_go_among_their_comments():
    """One goes, one changes its product, one is new: the others keep every byte."""
    wanted = shelves(EXAMPLE)
    slots = wanted[1]["slots"]
    del slots[2]
    slots[0]["product"] = "oats"
    slots.append({"id": "tea", "was": None, "product": "tea", "corners": QUAD})
    said = changes(EXAMPLE, edited(EXAMPLE, wanted))
    assert '- product = "corn-flakes" # a label of the model' in said
    assert '+ product = "oats" # a label of the model' in said
    assert 'id = "anything" # without a product: counted as whatever stands here' in edited(EXAMPLE, wanted)
    assert len([line for line in said if line.startswith("+")]) <= 6


def test_a_grid_becomes_slots():
    """The table of the grid goes, tables of slots come."""
    wanted = shelves(EXAMPLE)
    del wanted[0]["grid"]
    del wanted[0]["low_at"]
    wanted[0]["slots"] = [{"id": "x", "corners": QUAD}]
    text = edited(EXAMPLE, wanted)
    assert tomllib.loads(text)["shelves"] == wanted
    assert "[shelves.grid]" not in text
    assert "# A shelf whose facings are evenly spaced" in text


def test_inline_tables_are_edited_in_place():
    """A file with all shelves in one list keeps it, and its comments."""
    wanted = shelves(INLINE)
    wanted[0]["camera"] = "d"
    wanted.append({"id": "z", "was": None, "slots": [{"id": "q", "was": None, "corners": QUAD}]})
    text = edited(INLINE, wanted)
    for comment in ("# all of them", "# first", "# one", "# end", "# here"):
        assert comment in text
    found = tomllib.loads(text)["shelves"]
    assert found[0]["camera"] == "d"
    assert found[2] == {"id": "z", "slots": [{"id": "q", "corners": QUAD}]}


def test_an_unusual_file_is_understood():
    """Headers with spaces, tables, dotted keys and multi-line values: changed in place, with their comments."""
    wanted = shelves(WEIRD)
    wanted[0]["low_at"] = {"x": 2, "y": 3}
    wanted[0]["camera"] = "d"
    wanted[1]["grid"]["columns"] = 4
    wanted[1]["grid"]["corners"][1] = [0.9, 0.1]
    text = edited(WEIRD, wanted)
    assert tomllib.loads(text) == {**tomllib.loads(WEIRD), "shelves": wanted}
    for kept in (
        "x = 2 # one",
        '   camera = "d"   # indented',
        "grid.columns = 4 # dotted",
        "[0, 0], # top left",
        "[[ shelves ]] # spaces",
    ):
        assert kept in text


def test_a_file_without_shelves_and_without_an_end_of_line_gets_its_first():
    """The fresh device: an empty line, then the shelf."""
    shelf = {"id": "a", "camera": "c", "slots": [{"id": "x", "corners": QUAD}]}
    for text in (HEAD.rstrip("\n"), HEAD, HEAD + "\n", "shelves = [] # none yet\n" + HEAD):
        found = edited(text, [shelf])
        assert tomllib.loads(found) == {**tomllib.loads(HEAD), "shelves": [shelf]}
        assert "\n\n[[shelves]]\n" in found


def test_ends_of_lines_stay_what_they_are():
    """A file from Windows stays one."""
    text = EXAMPLE.replace("\n", "\r\n")
    wanted = [*shelves(text), {"id": "a", "camera": "cam1", "slots": [{"id": "x", "corners": QUAD}]}]
    found = edited(text, wanted)
    assert found.count("\n") == found.count("\r\n")
    assert found.startswith(text)


def test_a_file_that_cannot_be_edited_safely_is_refused():
    """Shelves that are no tables are not guessed at."""
    with pytest.raises(ConfigError, match="no list of tables"):
        edited("shelves = 3\n", [])
