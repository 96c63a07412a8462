"""The reference view on disk: what is kept comes back, what holds no longer or is broken is as if it were not there."""

from dataclasses import replace

import numpy as np
import pytest

from edge_agent.config import load
from edge_agent.demo.store import write_config
from edge_agent.pictures.viewpoint import Viewpoint
from edge_agent.pictures.views import view_file
from edge_agent.running import feed_of
from edge_agent.shelf import Slot
from tests.edge_agent.conftest import quad

GREY = np.random.default_rng(0).integers(0, 255, (225, 400), np.uint8)
VIEW = Viewpoint(GREY, sharpness=0.5, structure=0.9, frame_wh=(1920, 1080), shift=(0.01, -0.002))
SOURCE = "rtsp://user:secret@10.0.0.7/stream"


def test_what_is_kept_comes_back(shelf, tmp_path):
    """A view is the same after a restart, and there is one file of each camera and nothing else."""
    file = view_file(tmp_path, "cam1", SOURCE, (shelf,))
    assert file.load() is None
    file.keep(VIEW)
    file.keep(VIEW)
    found = view_file(tmp_path, "cam1", SOURCE, (shelf,)).load()
    assert np.array_equal(found.grey, VIEW.grey)
    assert (found.sharpness, found.structure) == (VIEW.sharpness, VIEW.structure)
    assert (found.frame_wh, found.shift) == (VIEW.frame_wh, VIEW.shift)
    assert [path.name for path in (tmp_path / "views").iterdir()] == ["cam1.npz"]
    assert b"secret" not in file.path.read_bytes()


def test_shelves_that_are_drawn_anew_make_a_new_view(shelf, tmp_path):
    """Where the slots lie elsewhere, or the camera is another, what was learned holds no longer."""
    view_file(tmp_path, "cam1", SOURCE, (shelf,)).keep(VIEW)
    moved = replace(shelf, slots=(Slot("s0", quad(0.1, 0.2, 0.3, 0.8), "cola"), *shelf.slots[1:]))
    assert view_file(tmp_path, "cam1", SOURCE, (moved,)).load() is None
    assert view_file(tmp_path, "cam1", "rtsp://10.0.0.8/stream", (shelf,)).load() is None


def test_a_new_password_or_product_keeps_the_view(shelf, tmp_path):
    """Neither changes where the camera looks."""
    view_file(tmp_path, "cam1", SOURCE, (shelf,)).keep(VIEW)
    other = replace(shelf, slots=(replace(shelf.slots[0], product="tea"), *shelf.slots[1:]))
    assert view_file(tmp_path, "cam1", SOURCE.replace("secret", "new"), (other,)).load() is not None


@pytest.mark.parametrize("keep_bytes", [0, 1, 100, 5000])
def test_a_file_that_was_cut_off_is_learned_anew(shelf, tmp_path, keep_bytes, caplog):
    """However much of it is left, there is no view, and a line in the log says so."""
    file = view_file(tmp_path, "cam1", SOURCE, (shelf,))
    file.keep(VIEW)
    file.path.write_bytes(file.path.read_bytes()[:keep_bytes])
    assert file.load() is None
    assert "learned anew" in caplog.text


def test_no_flipped_byte_ends_the_agent(shelf, tmp_path):
    """A damaged file gives the view, or none, and never an error."""
    file = view_file(tmp_path, "cam1", SOURCE, (shelf,))
    file.keep(VIEW)
    whole = file.path.read_bytes()
    for place in np.random.default_rng(1).integers(0, len(whole), 300).tolist():
        file.path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        file.load()


def test_a_disk_that_takes_nothing_is_logged_and_no_more(shelf, tmp_path, caplog):
    """Where the view cannot be stored the agent goes on, and learns it again next time."""
    (tmp_path / "views").write_text("a file where the folder should be")
    view_file(tmp_path, "cam1", SOURCE, (shelf,)).keep(VIEW)
    assert "cannot be stored" in caplog.text


def test_a_view_can_be_forgotten(shelf, tmp_path):
    """After a recount nothing is left of it, whether there was one or not."""
    file = view_file(tmp_path, "cam1", SOURCE, (shelf,))
    file.keep(None)
    file.keep(VIEW)
    file.keep(None)
    assert file.load() is None
    assert not file.path.exists()


def test_a_camera_is_opened_with_the_view_that_was_kept_of_it(tmp_path):
    """What one run hands out to be kept is what the next one begins with, in a folder beside the outbox."""
    settings = load(write_config(tmp_path, port=1883))
    camera = settings.cameras[0]
    first = feed_of(settings, camera, source=None)
    assert first.watch.viewpoint is None
    first.keep(VIEW)
    assert (tmp_path / "views" / f"{camera.id}.npz").is_file()
    assert np.array_equal(feed_of(settings, camera, source=None).watch.viewpoint.grey, GREY)
