"""A real RTSP camera: seen, lost, and seen again."""

import pytest

from edge_agent.capture.live import LiveSource
from edge_agent.collect import first_frame
from tests.conftest import wait_for

pytestmark = pytest.mark.system


def test_a_camera_that_is_killed_comes_back_by_itself(rtsp_server):
    """Frames come; the server dies and that is a problem with a reason; it returns and frames come again."""
    source = LiveSource("cam1", rtsp_server.address)
    try:
        assert first_frame(source, "cam1").image.shape == (180, 320, 3)
        assert source.problem is None
        rtsp_server.kill()
        wait_for(lambda: source.problem is not None, timeout_s=15)
        last = source.read(0.1)
        rtsp_server.start()
        wait_for(lambda: source.problem is None, timeout_s=30)
        again = first_frame(source, "cam1")
        assert again.seq > (last.seq if last is not None else 0)
    finally:
        source.close()


def test_a_slow_reader_gets_the_newest_frame(rtsp_server):
    """A reader that looks away for a second is given what the camera sees now, and the skipped frames are counted."""
    source = LiveSource("cam1", rtsp_server.address)
    try:
        first_frame(source, "cam1")
        wait_for(lambda: source.replaced >= 40)  # what the stream had buffered at its opening is through
        first, skipped = source.read(1.0), source.replaced
        wait_for(lambda: source.replaced >= skipped + 10)
        newest = source.read(1.0)
        assert newest.seq >= first.seq + 10
        assert newest.clock_s - first.clock_s > 0.5
    finally:
        source.close()
