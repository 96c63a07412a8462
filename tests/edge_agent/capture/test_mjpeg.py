"""MJPEG over HTTP, as different cameras send it."""

import pytest

from edge_agent.capture import mjpeg
from edge_agent.capture.mjpeg import boundary_of, parts


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("length", [True, False])
def test_parts_are_found_in_chunks_of_any_size(size, length):
    """With lengths and without, whatever the network cuts them into, a boundary's text within a picture included."""
    contents = [b"\xff\xd8 one --sho", b"\xff\xd8 two" + (b" --shot" if length else b"")]
    stream = b"preamble\r\n"
    for content in contents:
        told = b"Content-Length: %d\r\n" % len(content) if length else b""
        stream += b"--shot\r\nX-Timestamp: 12.5\r\n" + told + b"\r\n" + content + b"\r\n"
    stream += b"--shot--\r\n"
    found = list(parts((stream[at : at + size] for at in range(0, len(stream), size)), b"shot"))
    assert [content.removesuffix(b"\r\n") for _, content in found] == contents
    assert all(head["x-timestamp"] == "12.5" for head, _ in found)


def test_an_end_in_the_middle_of_a_part_is_the_end():
    """Half a picture is none."""
    assert list(parts([b"--shot\r\nContent-Length: 100\r\n\r\nhalf"], b"shot")) == []


@pytest.mark.parametrize("stream", [b"x" * 3000, b"--shot\r\nContent-Length: 99999\r\n\r\n"])
def test_a_part_without_an_end_is_an_error(monkeypatch, stream):
    """Memory is bounded, whatever is sent."""
    monkeypatch.setattr(mjpeg, "PICTURE_BYTES", 1000)
    with pytest.raises(ValueError, match=r"boundary|picture"):
        list(parts([stream] * 3, b"shot"))


@pytest.mark.parametrize(
    ("kind", "boundary"),
    [
        ("multipart/x-mixed-replace;boundary=shot", b"shot"),
        ('multipart/x-mixed-replace; Boundary="--shot"; x=y', b"shot"),
    ],
)
def test_a_boundary_is_read_however_it_is_written(kind, boundary):
    """With quotes, with dashes."""
    assert boundary_of(kind) == boundary


def test_no_boundary_is_an_error():
    """It cannot be guessed."""
    with pytest.raises(ValueError, match="no boundary"):
        boundary_of("multipart/x-mixed-replace")
