"""Files that are whole, or not there."""

import os
from pathlib import Path


def write_whole(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Put a file in the place of an older one; at no moment, and after no loss of power, is there a part of it.

    Its folder is made if it isn't there, for this user alone.

    Args:
        path: The file.
        content: All of it.
        mode: Who may do what with it (0o600: this user alone), from its first moment on; None leaves it to the umask.

    Raises:
        OSError: It cannot be written.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    part = path.with_suffix(".part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    with os.fdopen(os.open(part, flags, 0o666 if mode is None else mode), "wb") as file:
        if mode is not None:
            os.fchmod(file.fileno(), mode)  # one that was left over may be anybody's to read
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
