"""Real RTSP cameras: seen, lost, and seen again; dated rightly; and faults of every kind in the agent's own loop."""

import signal
import time

import pytest

from benchmarks.faults import cameras
from edge_agent.capture.live import LiveSource
from edge_agent.collect import first_frame
from tests.conftest import wait_for

pytestmark = [pytest.mark.system, pytest.mark.alone]


@pytest.fixture
def watch():
    """A function that opens a camera; all are closed at the end."""
    opened = []

    def make(address, **more):
        opened.append(LiveSource("cam1", address, **more))
        return opened[-1]

    yield make
    for source in opened:
        source.close()


def test_a_camera_that_is_killed_comes_back_by_itself(rtsp_server, watch):
    """Frames come; the server dies and that is a problem with a reason; it returns and frames come again."""
    source = watch(rtsp_server.address)
    first = first_frame(source, "cam1")
    assert first.image.shape == (180, 320, 3)
    assert source.problem is None
    rtsp_server.kill()
    wait_for(lambda: source.problem is not None and source.problem.reason == "not_found")
    last = source.read(0)
    rtsp_server.start()
    wait_for(lambda: source.problem is None, timeout_s=30)
    assert first_frame(source, "cam1").seq > (last or first).seq


def test_a_slow_reader_gets_the_newest_frame(rtsp_server, watch):
    """A reader that looks away for a second is given what the camera sees now, and the skipped frames are counted."""
    source = watch(rtsp_server.address)
    first = first_frame(source, "cam1")
    skipped = source.replaced
    wait_for(lambda: source.replaced >= skipped + 10)
    newest = source.read(1.0)
    assert newest.seq >= first.seq + 10
    assert cameras.age_s(newest.image) < 0.5


def test_what_a_stalled_camera_had_buffered_is_dated_as_old_as_it_is(rtsp_server, watch):
    """After three seconds of silence old pictures come in a burst; the date of each is right to half a second."""
    source = watch(rtsp_server.address, period_s=0.05)
    first_frame(source, "cam1")
    rtsp_server.signal(signal.SIGSTOP)
    time.sleep(3)  # that long it must be silent
    rtsp_server.signal(signal.SIGCONT)
    ages_s = []
    until_s = time.monotonic() + 3
    while time.monotonic() < until_s:
        if (frame := source.read(0.5)) is not None:
            ages_s.append((cameras.age_s(frame.image), time.monotonic() - frame.clock_s))
    assert len(ages_s) > 5
    assert max(abs(true_s - dated_s) for true_s, dated_s in ages_s) < 0.5


def test_key_frames_alone_are_decoded_where_they_are_enough(rtsp_server, watch):
    """One picture of ten comes, as the server's key frames are a second apart."""
    source = watch(rtsp_server.address, key_frames=True)
    frames = [first_frame(source, "cam1") for _ in range(3)]
    assert 0.8 < frames[2].clock_s - frames[1].clock_s < 3.2
    assert cameras.age_s(frames[2].image) < 1


def test_faults_of_every_kind_are_told_apart_and_got_over():
    """Each is published with its reason in 10 s and over in 15 s, nothing stale is counted, no other camera notices."""
    harms, seen = cameras.harm(len(cameras.KINDS), cameras=4)
    figures = cameras.figures(harms, seen, 0)
    assert all(figure.holds for figure in figures), [(figure.what, figure.seen) for figure in figures]
