"""Large JPEGs are decoded no larger than needed, and nothing else is touched."""

import cv2
import numpy as np
import pytest

from trainer.photos.data import decode
from trainer.photos.jpeg import jpeg_size_wh, reduction


def _picture(width=400, height=240):
    """Dark above, bright below."""
    image = np.full((height, width, 3), 40, np.uint8)
    image[height // 2 :] = 200
    return image


def _jpeg(*, progressive=0, **size):
    _, encoded = cv2.imencode(".jpg", _picture(**size), [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive])
    return encoded.tobytes()


def _with_orientation(encoded, orientation):
    """The same JPEG with an EXIF note of how it was held."""
    entry = b"\x01\x12\x00\x03\x00\x00\x00\x01" + orientation.to_bytes(2) + b"\x00\x00"
    exif = b"Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01" + entry + b"\x00\x00\x00\x00"
    return encoded[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2) + exif + encoded[2:]


@pytest.mark.parametrize("progressive", [0, 1])
def test_the_size_is_read_from_the_head(progressive):
    """Whatever notes a camera puts before it."""
    encoded = _jpeg(progressive=progressive)
    assert jpeg_size_wh(encoded) == (400, 240)
    assert jpeg_size_wh(_with_orientation(encoded, 6)) == (400, 240)


@pytest.mark.parametrize(
    "encoded", [b"", b"\xff\xd8", b"\xff\xd8\xff\xe0\x00", b"\x89PNG\r\n", b"\xff\xd8" + b"\xff" * 40]
)
def test_what_is_no_jpeg_has_no_size(encoded):
    """A broken head is left to the decoder, which says what is wrong."""
    assert jpeg_size_wh(encoded) is None
    assert reduction(encoded, least_px=10) == 1


def test_the_reduction_leaves_enough():
    """The shorter side never falls below what is asked for."""
    encoded = _jpeg()
    assert [reduction(encoded, least_px=least) for least in (30, 31, 60, 61, 120, 121, 500)] == [8, 4, 4, 2, 2, 1, 1]


def test_a_reduced_photograph_is_the_same_picture_smaller(tmp_path):
    """Upright by its EXIF note too; whoever asks for nothing gets every pixel."""
    path = tmp_path / "phone.jpg"
    path.write_bytes(_with_orientation(_jpeg(), 6))  # held upright: what is below comes to the left
    full, small = decode(path), decode(path, least_px=50)
    assert full.shape == (400, 240, 3)
    assert small.shape == (100, 60, 3)
    assert np.abs(cv2.resize(full, (60, 100), interpolation=cv2.INTER_AREA).astype(int) - small).mean() < 3
    assert small[:, :20].mean() > 180
    assert small[:, -20:].mean() < 60
