"""A folder as a camera: each picture once, in order, and none that is broken or half written."""

import os
import signal
import time

import cv2
import numpy as np
import pytest

from edge_agent.capture import live
from edge_agent.capture.live import LiveSource
from edge_agent.capture.source import open_source
from edge_agent.shelf import InputError
from tests.conftest import wait_for

END = b"\xff\xd9"
"""The marker at the end of a JPEG."""


def put(folder, name, grey=100, *, age_s=10.0):
    """Write a picture that was complete so many seconds ago."""
    path = folder / name
    path.write_bytes(cv2.imencode(".jpg", np.full((20, 30, 3), grey, np.uint8))[1].tobytes())
    os.utime(path, (time.time() - age_s,) * 2)
    return path


@pytest.fixture
def watch(tmp_path):
    """A function that watches the folder `pictures`, which is there; it is let go at the end."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    opened = []

    def make(**more):
        opened.append(open_source("cam1", str(folder), **more))
        assert isinstance(opened[-1], LiveSource)
        return opened[-1]

    make.folder = folder
    yield make
    for source in opened:
        source.close()


def greys(source, count):
    """The grey levels of the next pictures."""
    found = []

    def read():
        if (frame := source.read(0.2)) is not None:
            found.append(round(frame.image.mean()))
        return len(found) >= count

    wait_for(read)
    return found


def test_every_picture_comes_once_in_the_order_of_the_names_and_new_ones_follow(watch):
    """What comes later by its name is waited for; what comes earlier than one that was shown is left out."""
    put(watch.folder, "b.jpg", 20)
    put(watch.folder, "a.jpg", 10)
    (watch.folder / "notes.txt").write_text("no picture")
    source = watch(period_s=0.1)
    assert greys(source, 2) == [10, 20]
    wait_for(lambda: source.problem is not None)
    assert source.problem.reason == "timeout"
    put(watch.folder, "aa.jpg", 15)
    put(watch.folder, "c.jpg", 30)
    assert greys(source, 1) == [30]
    assert source.problem is None
    assert source.opens == 1


def test_another_process_goes_on_where_the_last_one_was(watch):
    """A folder that hung, so that its process was killed, is not shown from the beginning."""
    put(watch.folder, "a.jpg", 10)
    source = watch(period_s=0.1)
    assert greys(source, 1) == [10]
    put(watch.folder, "b.jpg", 20)
    os.kill(source.pid, signal.SIGKILL)
    assert greys(source, 1) == [20]


def test_pictures_come_at_the_cameras_pace(watch):
    """One per period, and asking never waits."""
    for n in range(4):
        put(watch.folder, f"{n}.jpg")
    source = watch(period_s=0.3)
    frames = []
    wait_for(lambda: (frame := source.read(0)) is not None and (frames.append(frame) or frame.seq == 3))
    first, last = frames[0], frames[-1]  # one that nobody fetches in time, on a busy machine, is left out
    assert last.clock_s - first.clock_s > 0.3 * (last.seq - first.seq - 1)  # the first may be late by a period
    assert source.read(0) is None


def test_what_is_no_picture_is_reported_and_passed_over(watch, caplog):
    """An empty file, rubbish, half a picture and a pipe end or keep nothing; their names are in the log."""
    put(watch.folder, "z.jpg", 77)
    whole = cv2.imencode(".jpg", np.random.default_rng(1).integers(0, 255, (60, 80, 3), np.uint8))[1].tobytes()
    for name, content in (("a.jpg", b""), ("b.jpg", b"rubbish" * 100), ("c.jpg", whole[: len(whole) // 2] + END)):
        (watch.folder / name).write_bytes(content)
        os.utime(watch.folder / name, (0, 0))
    os.mkfifo(watch.folder / "d.jpg")
    (watch.folder / "e.jpg").symlink_to("gone.jpg")
    assert greys(watch(), 1) == [77]
    said = [record.getMessage() for record in caplog.records]
    assert [line.split("'")[1] for line in said] == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]


def test_a_picture_that_is_being_written_is_waited_for(watch):
    """A file that was written to just now may not be whole."""
    path = put(watch.folder, "a.jpg", 50, age_s=0)
    source = watch()

    def written():
        os.utime(path, (time.time() + 0.45,) * 2)  # for nearly a second to come, should this test get no turn
        return source.problem is not None

    wait_for(written)
    assert source.read(0) is None
    path.touch()
    assert greys(source, 1) == [50]
    assert time.time() - path.stat().st_mtime >= 0.5


def test_a_folder_that_goes_is_a_problem_and_not_the_end(watch):
    """An unmounted share is said, and comes back."""
    source = watch()
    watch.folder.rmdir()
    wait_for(lambda: source.problem is not None)
    wait_for(lambda: source.problem.reason == "not_found")
    watch.folder.mkdir()
    put(watch.folder, "a.jpg")
    assert greys(source, 1)
    assert source.problem is None


def test_a_folder_that_hangs_keeps_nobody(watch, monkeypatch):
    """Asking for a frame returns at once while the process waits for the share; it is killed and that is said."""
    monkeypatch.setattr(live, "SILENT_S", 1.5)
    source = watch()
    wait_for(lambda: source._order.was_there and source.pid is not None)
    pid = source.pid
    os.kill(pid, signal.SIGSTOP)
    began_s = time.monotonic()
    assert source.read(0) is None
    assert time.monotonic() - began_s < 1.0
    wait_for(lambda: source.pid not in {pid, None})
    assert source.problem.reason == "timeout"


def test_an_address_of_another_kind_is_refused_without_its_password():
    """Only what is known to be a camera is opened."""
    with pytest.raises(InputError, match=r"ftp://\*\*\*@cam/x.*rtsp") as caught:
        open_source("cam1", "ftp://u:secret@cam/x")
    assert "secret" not in str(caught.value)
