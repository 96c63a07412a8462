"""How much smaller a JPEG can be decoded at once: libjpeg skips the work for detail that nobody will see."""

import cv2

FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of the segment that holds the size (ITU-T T.81, table B.1)."""
READ_AS = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
"""OpenCV's flag for each reduction; all of them turn a picture upright by its EXIF note."""


def reduction(encoded: bytes, *, least_px: int) -> int:
    """The greatest of 1, 2, 4 and 8 that leaves `least_px` along the shorter side; 1 for what is no JPEG."""
    size_wh = jpeg_size_wh(encoded)
    if size_wh is None:
        return 1
    return max(factor for factor in READ_AS if factor == 1 or min(size_wh) >= factor * least_px)


def jpeg_size_wh(encoded: bytes) -> tuple[int, int] | None:
    """Width and height in pixels from the head of a JPEG, as it is stored; None where there is no such head."""
    if not encoded.startswith(b"\xff\xd8"):
        return None
    at = 2
    while at + 9 <= len(encoded) and encoded[at] == 0xFF:
        marker = encoded[at + 1]
        if marker == 0xFF:  # a filler before a marker
            at += 1
        elif marker in FRAMES:
            return int.from_bytes(encoded[at + 7 : at + 9]), int.from_bytes(encoded[at + 5 : at + 7])
        else:
            at += 2 + int.from_bytes(encoded[at + 2 : at + 4])
    return None
