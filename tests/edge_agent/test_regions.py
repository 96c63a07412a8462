"""Crops: in the right place, in the right colours, and the same for a photograph as for a slot."""

import cv2
import numpy as np
import pytest

from edge_agent import regions
from edge_agent.shelf import WHOLE_FRAME
from tests.edge_agent.conftest import quad


def test_each_slot_gets_its_own_pixels_in_rgb():
    """Slots painted in one colour each come out as that colour, red first."""
    image = np.zeros((180, 320, 3), np.uint8)
    image[:, :160], image[:, 160:] = (255, 0, 0), (0, 0, 255)  # BGR: blue, then red
    planned = regions.plan([quad(0, 0, 0.5, 1), quad(0.5, 0, 1, 1)], frame_wh=(320, 180), size_px=32)
    crops = regions.cut(image, planned)
    assert crops.shape == (2, 32, 32, 3)
    assert crops[0, 4:-4, 4:-4].mean(axis=(0, 1)).tolist() == [0, 0, 255]
    assert crops[1, 4:-4, 4:-4].mean(axis=(0, 1)).tolist() == [255, 0, 0]


def test_a_slot_seen_in_perspective_is_straightened():
    """A chessboard warped into a frame comes back as the chessboard."""
    board = np.kron(np.indices((4, 4)).sum(axis=0) % 2, np.ones((24, 24))).astype(np.uint8) * 255
    corners = ((0.2, 0.1), (0.8, 0.25), (0.75, 0.9), (0.1, 0.8))
    target = np.float32(corners) * np.float32([640, 480])
    homography = cv2.getPerspectiveTransform(np.float32([[0, 0], [96, 0], [96, 96], [0, 96]]), target)
    image = cv2.cvtColor(cv2.warpPerspective(board, homography, (640, 480)), cv2.COLOR_GRAY2BGR)
    crop = regions.cut(image, regions.plan([corners], frame_wh=(640, 480), size_px=96))[0, :, :, 0]
    assert np.abs(crop.astype(int) - board)[2:-2, 2:-2].mean() < 12


@pytest.mark.parametrize(("wh", "size"), [((348, 348), 224), ((348, 348), 96), ((64, 128), 96), ((1921, 1079), 96)])
def test_a_photograph_is_scaled_as_a_whole(wh, size):
    """A gradient keeps its values from edge to edge, whatever the size: nothing is shifted or cut off."""
    ramp = np.linspace(0, 255, wh[0])[None, :, None].repeat(wh[1], 0).repeat(3, 2).astype(np.uint8)
    crop = regions.whole(ramp, size_px=size)
    expected = np.linspace(0, 255, size)
    assert np.abs(crop[size // 2, :, 0] - expected).max() <= 255 / min(wh[0], size) + 2


def test_shrinking_averages_instead_of_aliasing():
    """A fine chessboard in a large frame becomes even grey, not a pattern."""
    image = (np.indices((1080, 1920)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, 2)
    crop = regions.cut(image, regions.plan([WHOLE_FRAME], frame_wh=(1920, 1080), size_px=96))[0]
    assert crop.std() < 2
    assert abs(crop.mean() - 127) < 2


def test_more_slots_than_one_remap_takes_are_cut_alike():
    """OpenCV writes fewer than 32767 rows at once; 400 slots at 96 px are more, and each still gets its own pixels."""
    image = np.linspace(0, 255, 400).astype(np.uint8)[None, :, None].repeat(50, 0).repeat(3, 2).repeat(4, 1)
    quads = regions.grid_quads(WHOLE_FRAME, rows=1, columns=400)
    crops = regions.cut(image, regions.plan(quads, frame_wh=(1600, 50), size_px=96))
    assert np.abs(crops[:, 48, 48, 0].astype(int) - image[0, 2::4, 0]).max() <= 1


def test_a_frame_of_another_size_is_refused():
    """Regions belong to a frame size; any other is an error that names both."""
    planned = regions.plan([WHOLE_FRAME], frame_wh=(320, 180), size_px=32)
    with pytest.raises(ValueError, match=r"320, 180"):
        regions.cut(np.zeros((180, 321, 3), np.uint8), planned)


def test_the_buffer_is_reused():
    """With `out`, crops are written in place and nothing is allocated."""
    planned = regions.plan([WHOLE_FRAME], frame_wh=(320, 180), size_px=32)
    buffer = np.empty((1, 32, 32, 3), np.uint8)
    image = np.full((180, 320, 3), 7, np.uint8)
    assert regions.cut(image, planned, out=buffer) is buffer
    assert (buffer == 7).all()


def test_a_grid_is_even_on_the_shelf_and_covers_its_corners():
    """A grid's slots share corners, keep the outer ones, and narrow with distance."""
    corners = ((0.1, 0.1), (0.9, 0.2), (0.9, 0.7), (0.1, 0.9))  # the right side is further away
    quads = regions.grid_quads(corners, rows=2, columns=4)
    assert len(quads) == 8
    assert quads[0][0] == pytest.approx(corners[0], abs=1e-6)
    assert quads[7][2] == pytest.approx(corners[2], abs=1e-6)
    assert quads[0][1] == quads[1][0]
    widths = [q[1][0] - q[0][0] for q in quads[:4]]
    assert widths == sorted(widths, reverse=True)


def test_glance_sees_a_hand_but_not_noise():
    """Sensor noise changes no tile; an object in a corner of a slot changes some."""
    rng = np.random.default_rng(1)
    still = np.full((2, 96, 96, 3), 120, np.uint8)
    noisy = np.clip(still + rng.normal(0, 8, still.shape), 0, 255).astype(np.uint8)
    hand = noisy.copy()
    hand[1, :30, :30] = (200, 160, 140)
    before, after = regions.glance(noisy), regions.glance(hand)
    assert regions.changed_fraction(regions.glance(still), before, levels=14).max() == 0
    changed = regions.changed_fraction(after, before, levels=14)
    assert changed[0] == 0
    assert 0.05 < changed[1] < 0.2


def test_neighbours_are_the_slots_around_one():
    """In a grid the eight around a slot are its neighbours; a slot more than half a width away is not."""
    quads = regions.grid_quads(((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)), rows=3, columns=5)
    near = regions.neighbours(quads)
    assert near[6] == (0, 1, 2, 5, 7, 10, 11, 12)
    assert near[0] == (1, 5, 6)
    assert regions.neighbours([quad(0, 0, 0.2, 1), quad(0.35, 0, 0.55, 1)]) == ((), ())
    assert regions.neighbours([quad(0, 0, 0.2, 1), quad(0.29, 0, 0.5, 1)]) == ((1,), (0,))
