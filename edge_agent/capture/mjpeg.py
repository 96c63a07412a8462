"""MJPEG over HTTP (`multipart/x-mixed-replace`) → its parts. Pure."""

import re
from collections.abc import Iterable, Iterator

PICTURE_BYTES = 2**25
"""More than this is no picture of a camera."""


def boundary_of(content_type: str) -> bytes:
    """What stands between the parts, without the dashes before it.

    Cameras write it with and without quotes, and some name it with the dashes that are not part of it.

    Raises:
        ValueError: It is not named.

    >>> boundary_of('multipart/x-mixed-replace; boundary="--shot"')
    b'shot'
    """
    found = re.search(r'boundary\s*=\s*"?([^";]+)', content_type, re.IGNORECASE)
    name = found[1].strip().lstrip("-") if found else ""
    if not name:
        raise ValueError(f"no boundary in {content_type!r}")
    return name.encode("latin-1")


def parts(chunks: Iterable[bytes], boundary: bytes) -> Iterator[tuple[dict[str, str], bytes]]:
    """Each part as it is complete: its headers with lower-case names, and its content. It ends with the stream.

    Raises:
        ValueError: What comes has no boundary, or a part is larger than any picture.
    """
    coming, mark = _Coming(chunks), b"--" + boundary
    try:
        coming.upto(mark)
        while True:
            coming.take(len(mark))
            head = _head(coming.upto(b"\r\n\r\n"))
            coming.take(4)
            length = head.get("content-length", "")
            yield head, coming.take(int(length)) if length.isdecimal() else coming.upto(mark)
            coming.upto(mark)
    except EOFError:
        return


class _Coming:
    """Bytes that come in chunks of any size; EOFError where there are no more."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks, self._waiting = iter(chunks), bytearray()

    def upto(self, mark: bytes) -> bytes:
        """What stands before a mark, which stays."""
        start = 0
        while (at := self._waiting.find(mark, start)) < 0:
            start = max(0, len(self._waiting) - len(mark) + 1)
            self._more()
        return self.take(at)

    def take(self, size: int) -> bytes:
        """So many bytes."""
        if size > PICTURE_BYTES:
            raise ValueError(f"a part of {size} bytes is no picture")
        while len(self._waiting) < size:
            self._more()
        taken = bytes(self._waiting[:size])
        del self._waiting[:size]
        return taken

    def _more(self) -> None:
        if len(self._waiting) > PICTURE_BYTES:
            raise ValueError(f"{len(self._waiting)} bytes without a boundary")
        chunk = next(self._chunks, None)
        if chunk is None:
            raise EOFError
        self._waiting += chunk


def _head(text: bytes) -> dict[str, str]:
    """Header lines as a dictionary; what has no colon is left out."""
    lines = (line.partition(":") for line in text.decode("latin-1").splitlines())
    return {name.strip().lower(): value.strip() for name, mark, value in lines if mark}
