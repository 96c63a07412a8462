"""Live cameras: what is wrong has a reason, and no password is in it."""

import cv2
import pytest

from edge_agent.capture import live
from edge_agent.capture.live import LiveSource, open_camera
from edge_agent.shelf import CameraError
from tests.conftest import free_port, wait_for


def test_a_camera_that_is_not_there_is_named_with_the_remedy():
    """A missing device node says where to look."""
    with pytest.raises(CameraError, match=r"no camera at /dev/video77.*by-id") as caught:
        open_camera("77")
    assert caught.value.reason == "not_found"
    assert caught.value.exit_status == 69


def test_a_live_source_reports_why_there_is_no_picture():
    """An address that nobody serves becomes a problem with a reason, and its password stays out of it."""
    source = LiveSource("cam1", f"rtsp://admin:secret@127.0.0.1:{free_port()}/x")
    try:
        wait_for(lambda: source.problem is not None)
        assert source.read(0.01) is None
        assert source.problem.reason == "not_found"
        assert "secret" not in str(source.problem)
    finally:
        source.close()


class BrokenCamera:
    """A camera whose pictures OpenCV chokes on."""

    def read(self):
        """Fail as OpenCV does."""
        raise cv2.error("imdecode failed")

    def release(self):
        """Nothing is held."""


def test_a_camera_that_sends_rubbish_is_opened_again(monkeypatch):
    """An error of OpenCV is a problem with a reason, and the camera is tried once more instead of given up."""
    opened = []
    monkeypatch.setattr(live, "open_camera", lambda source: opened.append(source) or BrokenCamera())
    monkeypatch.setattr(live, "BACK_OFF_S", (0.001, 0.001))
    source = LiveSource("cam1", "0")
    try:
        wait_for(lambda: len(opened) > 2)
        assert source.problem.reason == "decode"
    finally:
        source.close()
