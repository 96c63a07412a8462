"""Clips: frame by frame, and at their own pace."""

import time

import numpy as np
import pytest

from edge_agent.capture import clips
from edge_agent.capture.clips import PacedClip, clip_info, replay
from edge_agent.capture.source import open_source
from edge_agent.shelf import InputError
from tests.conftest import wait_for
from tests.edge_agent.conftest import paint


@pytest.fixture
def clip(write_clip):
    """A second of twenty frames, each a bit brighter."""
    return write_clip([np.full((96, 128, 3), n * 10, np.uint8) for n in range(20)], fps=20)


def test_replay_gives_every_frame_with_its_time(clip):
    """All frames come, in order, with the position in the clip as their clock."""
    frames = list(replay("cam1", clip))
    assert [frame.seq for frame in frames] == list(range(20))
    assert [frame.clock_s for frame in frames] == pytest.approx([n / 20 for n in range(20)], abs=0.02)
    assert frames[0].image.shape == (96, 128, 3)
    assert frames[3].captured_at.tzinfo is not None
    assert np.diff([frame.image.mean() for frame in frames]).min() > 5


def test_a_clip_tells_its_size(clip):
    """Size, rate and length are known before it is played."""
    assert clip_info(clip).frame_wh == (128, 96)
    assert clip_info(clip).fps == pytest.approx(20)


def read_to_the_end(source):
    """Read until the source says that there is no more; give up after a while."""
    for _ in range(100):
        source.read(0.2)


def test_a_clip_as_a_camera_plays_at_its_own_pace_and_ends(clip):
    """A slow reader gets the newest frame, not the next one; at the end it says so."""
    source = PacedClip("cam1", clip)
    first = source.read(60)
    began_s = first.clock_s - first.seq / 20
    wait_for(lambda: time.monotonic() - began_s > 0.5)
    asked_s = time.monotonic()
    later = source.read(60)
    answered_s = time.monotonic()
    assert later.clock_s == pytest.approx(began_s + later.seq / 20, abs=0.02)
    assert min(asked_s, began_s + 19 / 20) - 0.1 < later.clock_s <= answered_s  # the newest, unless it is over by now
    with pytest.raises(EOFError):
        read_to_the_end(source)
    assert time.monotonic() - began_s > 0.8


def test_a_clip_that_decodes_too_slowly_still_gives_frames(clip, monkeypatch):
    """Where decoding cannot keep pace the clip plays more slowly: each frame comes, and none of them is late."""
    monkeypatch.setattr(clips, "CATCH_UP_S", 0)
    source, found = PacedClip("cam1", clip), []
    for _ in range(3):
        found.append(source.read(0))
        assert time.monotonic() - found[-1].clock_s < 30
        source._late_s -= 60
    assert [frame.seq for frame in found] == [0, 1, 2]
    source.close()


@pytest.mark.parametrize("content", [None, b"", b"this is no video" * 100])
def test_a_clip_that_is_not_there_or_no_video_is_an_error(tmp_path, content):
    """Both name the path and what is wanted."""
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"clip\.mp4.*Give"):
        list(replay("cam1", path))
    with pytest.raises(InputError):
        open_source("cam1", str(path))


def test_a_cut_off_clip_gives_the_frames_that_it_has(clip):
    """A clip that ends in the middle of its data ends there, without a hang or a traceback."""
    whole = clip.read_bytes()
    broken = clip.with_name("broken.mp4")
    index = whole.rfind(b"moov") - 4  # the index comes last in these files: keep it, spoil the picture data
    broken.write_bytes(whole[: index // 2] + bytes(index - index // 2) + whole[index:])
    frames = list(replay("cam1", broken))
    assert 1 <= len(frames) <= 20


def test_a_painted_shelf_survives_the_codec(write_clip):
    """The clips of these tests keep their colours well enough to be read."""
    frame = next(replay("cam1", write_clip([paint("cola milk empty cola")] * 3)))
    assert np.abs(frame.image.astype(int) - paint("cola milk empty cola")).mean() < 12
