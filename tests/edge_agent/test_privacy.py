"""What lies beside the slots is black, and what lies in them is untouched."""

from datetime import UTC, datetime

import cv2
import numpy as np
import pytest

from edge_agent.control.desk import store
from edge_agent.outcome import Outcome
from edge_agent.privacy import MARGIN, black_out
from edge_agent.regions import grid_quads
from edge_agent.shelf import Frame
from tests.edge_agent.conftest import quad

SLOT = quad(0.25, 0.25, 0.5, 0.75)


def test_only_the_slots_and_a_narrow_margin_are_left():
    """The picture itself is not changed."""
    image = np.full((200, 400, 3), 77, np.uint8)
    seen = black_out(image, [SLOT])
    margin = round(MARGIN * 400)
    assert (seen[50:150, 100:200] == 77).all()
    assert (seen[: 50 - margin - 1] == 0).all()
    assert (seen[:, : 100 - margin - 1] == 0).all()
    assert (seen[:, 200 + margin + 2 :] == 0).all()
    assert (image == 77).all()


def test_without_slots_nothing_is_left():
    """An empty drawing shows nothing, rather than everything."""
    assert not black_out(np.full((20, 30, 3), 9, np.uint8), []).any()


def test_what_lies_between_two_parts_of_a_shelf_is_black_too():
    """There is no hull around them: who stands between is not seen."""
    image = np.full((100, 1000, 3), 200, np.uint8)
    seen = black_out(image, [quad(0.0, 0, 0.2, 1), quad(0.8, 0, 1.0, 1)])
    assert not seen[:, 250:750].any()


def test_a_slot_seen_in_perspective_is_left_as_it_is_drawn():
    """Its corners decide, not the rectangle around them."""
    image = np.full((500, 500, 3), 100, np.uint8)
    slanted = ((0.1, 0.1), (0.9, 0.5), (0.9, 0.9), (0.1, 0.5))
    seen = black_out(image, grid_quads(slanted, rows=2, columns=3))
    assert seen[250, 250].all()
    assert not seen[60, 400].any()


def test_a_snapshot_on_the_disk_is_black_beside_the_slots(tmp_path):
    """So is what a command stores; with `black_out = false` it is whole."""
    frame = Frame("cam", 1, datetime.now(UTC), 0.0, np.full((240, 320, 3), 180, np.uint8))
    outcome = Outcome(frame, (), (), frozenset(), frozenset())
    for whole in (False, True):
        picture = cv2.imread(store(tmp_path, [], outcome, whole=whole)["path"])
        assert picture[10:200, 10:300].mean() == pytest.approx(180 if whole else 0, abs=3)
