"""A folder as a camera: each picture once, in order, and none that is broken or half written."""

import os
import time

import cv2
import numpy as np
import pytest

from edge_agent.capture.folder import Folder
from edge_agent.capture.source import open_source
from edge_agent.shelf import InputError
from tests.conftest import wait_for


def put(folder, name, grey=100, *, age_s=10.0):
    """Write a picture that was complete so many seconds ago."""
    path = folder / name
    path.write_bytes(cv2.imencode(".jpg", np.full((20, 30, 3), grey, np.uint8))[1].tobytes())
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def all_of(source):
    """The grey level of each picture that is there now."""
    greys = []
    while (frame := source.read(0.2)) is not None:
        greys.append(round(frame.image.mean()))
    return greys


def test_every_picture_comes_once_in_the_order_of_the_names_and_new_ones_follow(tmp_path):
    """What comes later by its name is waited for; what comes earlier than one that was shown is left out."""
    put(tmp_path, "b.jpg", 20)
    put(tmp_path, "a.jpg", 10)
    (tmp_path / "notes.txt").write_text("no picture")
    source = open_source("cam1", str(tmp_path), period_s=0.01)
    assert isinstance(source, Folder)
    assert all_of(source) == [10, 20]
    put(tmp_path, "aa.jpg", 15)
    put(tmp_path, "c.jpg", 30)
    found = []
    wait_for(lambda: found.extend(all_of(source)) or found)
    assert found == [30]
    wait_for(lambda: source.read(0) is None and source.problem is not None)
    assert source.problem.reason == "timeout"
    source.close()


def test_pictures_come_at_the_cameras_pace(tmp_path):
    """One per period, and asking never waits."""
    for n in range(4):
        put(tmp_path, f"{n}.jpg")
    source = Folder("cam1", tmp_path, period_s=0.2)
    frames = [source.read(1.0) for _ in range(4)]
    assert [frame.seq for frame in frames] == [0, 1, 2, 3]
    assert frames[3].clock_s - frames[0].clock_s == pytest.approx(0.6, abs=0.15)
    assert source.read(0) is None


def test_a_broken_picture_is_reported_and_passed_over(tmp_path, caplog):
    """Neither an empty file nor rubbish ends anything; the name is in the log."""
    (tmp_path / "a.jpg").write_bytes(b"")
    (tmp_path / "b.jpg").write_bytes(b"rubbish" * 100)
    for name in ("a.jpg", "b.jpg"):
        os.utime(tmp_path / name, (0, 0))
    put(tmp_path, "c.jpg", 77)
    assert all_of(Folder("cam1", tmp_path)) == [77]
    assert [record.args[0].name for record in caplog.records] == ["a.jpg", "b.jpg"]


def test_a_picture_that_is_being_written_is_waited_for(tmp_path):
    """A file that was written to just now may not be whole."""
    path = put(tmp_path, "a.jpg", 50, age_s=0)
    source = Folder("cam1", tmp_path)
    assert source.read(0) is None
    os.utime(path, (time.time() - 5,) * 2)
    wait_for(lambda: source.read(0) is not None)


def test_a_folder_that_goes_is_a_problem_and_not_the_end(tmp_path):
    """An unmounted share is said, and comes back."""
    folder = tmp_path / "pictures"
    source = Folder("cam1", folder)
    assert source.read(0) is None
    assert source.problem.reason == "not_found"
    folder.mkdir()
    put(folder, "a.jpg")
    wait_for(lambda: source.read(0) is not None)
    assert source.problem is None


def test_an_address_of_another_kind_is_refused_without_its_password():
    """Only what is known to be a camera is opened."""
    with pytest.raises(InputError, match=r"ftp://\*\*\*@cam/x.*rtsp") as caught:
        open_source("cam1", "ftp://u:secret@cam/x")
    assert "secret" not in str(caught.value)
