"""Addresses: no password is ever shown, and what a source is can be told."""

import pytest

from edge_agent.capture.address import is_device, is_stream, is_web, redacted


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://admin:secret@10.0.0.9:554/a?b=c", "rtsp://***@10.0.0.9:554/a?b=***"),
        ("http://cam/snap.cgi?user=admin&pwd=secret", "http://cam/snap.cgi?user=***&pwd=***"),
        ("RTSP://u:12/3#4@5?6@cam/x", "RTSP://***@cam/x"),
        ("rtsp://u:p@[fe80::1/x", "rtsp://***@[fe80::1/x"),
        ("rtsp://cam/stream", "rtsp://cam/stream"),
        ("/dev/video0", "/dev/video0"),
        ("http://user@cam/x", "http://***@cam/x"),
        ("rtsp://a:p@ss@cam/x", "rtsp://***@cam/x"),
    ],
)
def test_addresses_lose_their_passwords(address, shown):
    """Whatever stands before the host, or may be a parameter with a password, is never shown."""
    assert redacted(address) == shown


@pytest.mark.parametrize(("source", "stream"), [("RTSP://cam/x", True), ("rtsp://[fe80::1/x", True), ("a.mp4", False)])
def test_an_address_is_told_from_a_file(source, stream):
    """The scheme alone decides, in any case, even where the rest of an address is damaged."""
    assert is_stream(source) is stream


@pytest.mark.parametrize(
    ("source", "web", "device"),
    [
        ("HTTPS://cam/x", True, False),
        ("rtsp://cam/x", False, False),
        ("0", False, True),
        ("/dev/v4l/by-id/x", False, True),
    ],
)
def test_what_reads_a_source_is_told_by_the_source(source, web, device):
    """Web cameras, local devices, and the rest."""
    assert is_web(source) is web
    assert is_device(source) is device
