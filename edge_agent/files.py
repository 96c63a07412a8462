"""Files that are whole, or not there."""

import os
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in the place of an older one; at no moment, and after no loss of power, is there a part of it.

    Its folder is made if it isn't there, for this user alone.

    Raises:
        OSError: It cannot be written.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
