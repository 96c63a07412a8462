"""The simulated camera."""

from itertools import pairwise

import cv2
import numpy as np
import pytest

from edge_agent.demo.camera import DEFAULT_POSE, random_pose
from edge_agent.demo.light import levels
from edge_agent.demo.products import LOOK_ALIKES, PRODUCTS
from edge_agent.demo.scene import COLUMNS, PLANOGRAM, ROWS, SLOTS, Scene, planogram, row_corners, slot_quads
from edge_agent.demo.visits import acted
from edge_agent.shelf import EMPTY, WHOLE_FRAME

SIZE = (320, 180)


@pytest.fixture(scope="module")
def scene():
    """Four minutes of a shop, in small frames."""
    return Scene(7, SIZE, duration_s=240)


def test_the_planogram_shows_every_product_and_puts_look_alikes_side_by_side():
    """Three rows of eight hold all products, and the pairs that look alike are neighbours."""
    assert planogram() == PLANOGRAM
    assert [len(row) for row in PLANOGRAM] == [COLUMNS] * ROWS
    assert {product for row in PLANOGRAM for product in row} == set(PRODUCTS)
    neighbours = {frozenset(pair) for row in PLANOGRAM for pair in pairwise(row)}
    assert all(frozenset(pair) in neighbours for pair in LOOK_ALIKES)


def test_slots_lie_inside_the_frame():
    """The camera sees all of every slot."""
    quads = np.asarray(slot_quads())
    assert quads.shape == (SLOTS, 4, 2)
    assert quads.min() > 0
    assert quads.max() < 1


def test_the_corners_of_a_row_give_its_slots():
    """Eight columns spaced evenly under the homography of a row's corners are exactly the row's slots."""
    for row in range(ROWS):
        unit = np.asarray(WHOLE_FRAME, dtype=np.float32)
        homography = cv2.getPerspectiveTransform(unit, np.asarray(row_corners(row), dtype=np.float32))
        for column in range(COLUMNS):
            left, right = column / COLUMNS, (column + 1) / COLUMNS
            flat = np.asarray([[[left, 0], [right, 0], [right, 1], [left, 1]]], dtype=np.float64)
            found = cv2.perspectiveTransform(flat, homography)[0]
            assert np.allclose(found, slot_quads()[row * COLUMNS + column], atol=1e-5)


@pytest.mark.parametrize("size", [(320, 180), (480, 270), (240, 180)])
def test_a_frame_has_the_size_that_was_asked_for(size):
    """Frames are uint8 BGR of any size, also of another aspect."""
    image = Scene(1, size).frame(0.0)
    assert image.shape == (size[1], size[0], 3)
    assert image.dtype == np.uint8
    assert 40 < image.mean() < 220


def test_a_scene_of_no_size_is_refused_with_the_value():
    """What cannot be drawn is refused before any work, and the message shows what was given."""
    with pytest.raises(ValueError, match=r"\(10, 10\)"):
        Scene(1, (10, 10))


def test_the_same_seed_gives_the_same_pictures_in_any_order(scene):
    """A frame depends on the seed and the time only, not on what was asked before."""
    times = [0.0, 12.3, 61.7, 5.1, 120.4]
    first = {t: scene.frame(t) for t in times}
    again = Scene(7, SIZE, duration_s=240)
    assert all(np.array_equal(again.frame(t), first[t]) for t in reversed(times))
    assert not np.array_equal(Scene(8, SIZE, duration_s=240).frame(0.0), first[0.0])


def test_a_day_without_end_starts_like_one_with_a_duration(scene):
    """The script is worked out as far as it is asked for, and is the same script."""
    endless = Scene(7, SIZE)
    assert endless.truth(200.0) == scene.truth(200.0)
    assert len(endless.visits) >= 5
    assert endless.visits[:5] == scene.visits[:5]


def test_truth_is_a_full_shelf_at_first_and_changes_only_during_visits(scene):
    """Labels are product ids or empty; between two visits nothing moves."""
    assert scene.truth(0.0) == tuple(product for row in PLANOGRAM for product in row)
    step_s = 0.05
    before = scene.truth(0.0)
    for t in np.arange(step_s, 240, step_s).tolist():
        now = scene.truth(t)
        assert set(now) <= {*PRODUCTS, EMPTY}
        if now != before:
            assert scene.arm_present(t)
        before = now
    assert any(EMPTY in scene.truth(float(t)) for t in range(240))


def test_visits_leave_pauses_and_the_arm_is_there_exactly_then(scene):
    """Visits follow each other with at least three seconds between, all within the duration."""
    visits = scene.visits
    assert len(visits) > 8
    assert visits[-1].end_s <= 240
    for visit, following in pairwise(visits):
        assert 2.9 < following.start_s - visit.end_s < 22
        assert not scene.arm_present(visit.end_s + 0.01)
        assert scene.arm_present((visit.start_s + visit.end_s) / 2)
        assert all(visit.start_s < change.t_s < visit.end_s for change in visit.changes)


def test_no_pixel_of_an_arm_shows_outside_its_visit(scene):
    """Just before a visit starts and just after it ends, drawing its arm would change nothing."""
    grey = np.full((SIZE[1], SIZE[0], 3), 128, dtype=np.uint8)
    for visit in scene.visits:
        for t, seen in ((visit.start_s - 0.02, False), (visit.end_s + 0.02, False), (visit.start_s + 0.4, True)):
            image = grey.copy()
            scene._view.reach(image, levels(7, t), visit.arm, visit.placement(t))
            assert bool((image != grey).any()) == seen


def test_an_arm_hides_slots_while_it_reaches_in(scene):
    """Each visit hides the slot that it is about; outside visits nothing is hidden."""
    for visit in scene.visits:
        times = np.arange(visit.start_s, visit.end_s, 0.1).tolist()
        hidden = np.any([scene.hidden(t) for t in times], axis=0)
        assert all(hidden[action.slot] for action in visit.actions)
        assert not any(scene.hidden(visit.end_s + 0.05))


def test_frames_of_the_same_contents_differ_by_light_and_noise_only(scene):
    """Between two visits, once the mean brightness is taken out, little is left but the sensor's noise."""
    visit, following = scene.visits[:2]
    start, end = visit.end_s + 0.1, following.start_s - 0.1
    one, other = (scene.frame(t).astype(np.float64) for t in (start, end))
    assert scene.truth(start) == scene.truth(end)
    assert np.abs(one / one.mean() - other / other.mean()).mean() * one.mean() < 6


def test_taking_a_piece_shows_in_its_slot():
    """When the arm has left, the slot of a piece that was taken looks different and the others look the same."""
    scene = Scene(3, SIZE, duration_s=300)
    visit = next(v for v in scene.visits if [a.kind for a in v.actions] == ["take"])
    one, other = (scene.frame(t).astype(int) for t in (visit.start_s - 0.05, visit.end_s + 0.05))
    change = []
    for quad in slot_quads():
        x, y = (np.mean([corner[axis] for corner in quad]) * SIZE[axis] for axis in (0, 1))
        window = (slice(int(y) - 5, int(y) + 6), slice(int(x) - 5, int(x) + 6))
        change.append(np.abs(one[window] - other[window]).mean())
    assert int(np.argmax(change)) == visit.actions[0].slot
    assert scene.truth(visit.end_s)[visit.actions[0].slot] == EMPTY


def test_the_light_drifts_and_steps_but_never_goes_out():
    """Over ten minutes the light changes by itself, and stays strong enough to see by."""
    light = np.asarray([[(now := levels(2, float(t))).lamp, now.window] for t in range(600)]).sum(axis=1)
    assert light.min() > 0.5
    assert light.max() < 1.6
    assert light.std() > 0.02
    assert np.abs(np.diff(light)).max() > 0.08


def test_other_cameras_still_see_every_slot():
    """Random poses move the shelf around, and keep all slots in the frame."""
    rng = np.random.default_rng(4)
    poses = [random_pose(rng) for _ in range(20)]
    assert len({pose.corners for pose in poses}) == 20
    assert all(0 < np.asarray(pose.slot_quads()).min() < np.asarray(pose.slot_quads()).max() < 1 for pose in poses)
    assert DEFAULT_POSE.slot_quads() == slot_quads()


def test_a_visit_is_repeatable(scene):
    """The same wishes, pace and place make the same visit."""
    known = scene.visits[0]
    made = []
    for _ in range(2):
        made.append(
            acted(
                known.actions,
                start_s=1.0,
                stand=_stand(),
                arm=known.arm,
                standing=known.before,
                centres=[DEFAULT_POSE.centre(slot) for slot in range(SLOTS)],
                aspect=16 / 9,
                rng=np.random.default_rng(5),
            )
        )
    assert made[0] == made[1]


def _stand():
    from edge_agent.demo.visits import random_stand

    return random_stand((0.5, 0.5), np.random.default_rng(6))
