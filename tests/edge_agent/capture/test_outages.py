"""Reasons and words for what is wrong with a camera."""

import pytest

from edge_agent.capture.outages import REMEDIES, is_damage, outage, told_by


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[rtsp @ 0x1] method DESCRIBE failed: 401 (Unauthorized)", "auth"),
        ("[OPENCV:FFMPEG:16] method DESCRIBE failed: 404 (Not Found)", "not_found"),
        ("Connection to tcp://10.0.0.401:404?timeout=0 failed: Connection refused", "not_found"),
        ("Failed to resolve hostname cam.invalid: Name or service not known", "not_found"),
        ("Connection to tcp://10.0.0.9:554 failed: Connection timed out", "timeout"),
        ("method SETUP failed: 503 (Service Unavailable)", "timeout"),
        ("Invalid data found when processing input", "decode"),
    ],
)
def test_ffmpegs_errors_tell_the_reason(line, reason):
    """As they were seen; the figures of an address are no status."""
    assert told_by(["something else", line])[0] == reason


def test_nothing_known_is_nothing_said():
    """No guess is made here."""
    assert told_by(["hello", ""]) is None


@pytest.mark.parametrize(
    "line", ["[h264 @ 0x] error while decoding MB 3 4, bytestream -7", "concealing 40 DC, 40 AC, 40 MV errors"]
)
def test_damage_is_noticed(line):
    """The picture to which that belongs is not one to count in."""
    assert is_damage(line)
    assert not is_damage("[rtsp @ 0x1] max delay reached. need to consume packet")


@pytest.mark.parametrize("reason", list(REMEDIES))
def test_every_outage_says_what_to_do_and_hides_the_password(reason):
    """Camera, what happened, remedy."""
    error = outage("rtsp://u:secret@cam/x", reason, "does not answer")
    assert error.reason == reason
    assert str(error).startswith("camera rtsp://***@cam/x does not answer. ")
    assert "secret" not in str(error)
