"""Where results go: whether they can be written is found out before the slow work."""

import os
from pathlib import Path


def can_write(path: Path) -> bool:
    """Whether a file or folder can be made at `path`, with the folders above it that are missing."""
    above = next(folder for folder in path.absolute().parents if folder.exists())
    return above.is_dir() and os.access(above, os.W_OK | os.X_OK)
