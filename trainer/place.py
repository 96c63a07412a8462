"""Where results go: whether they can be written is found out by trying, before the slow work."""

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from edge_agent.shelf import InputError


def check_file(out: Path) -> None:
    """Make sure that a file, or a new folder, can be put at `out`, with the folders above it that are missing.

    Raises:
        InputError: It cannot.
    """
    _try(out, _resolved(out).parents)


def check_folder(out: Path) -> None:
    """Make sure that files can be put into the folder `out`, which need not be there yet.

    Raises:
        InputError: They cannot.
    """
    target = _resolved(out)
    _try(out, (target, *target.parents))


def _try(out: Path, candidates: Sequence[Path]) -> None:
    """Make the missing folders and the last part of `out` inside a folder that is gone afterwards.

    Asking for permissions is not enough: root has them all, and still nothing can be made in `/proc`.
    """
    above = next(folder for folder in candidates if os.path.lexists(folder))
    try:
        with TemporaryDirectory(prefix=".shelfwatch-", dir=above) as tried:
            (Path(tried) / _resolved(out).relative_to(above)).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refusal(out, f"{above}: {error.strerror}") from error


def _resolved(out: Path) -> Path:
    try:
        return out.resolve()
    except (OSError, RuntimeError) as error:  # a ring of symbolic links
        raise _refusal(out, str(error)) from error


def _refusal(out: Path, reason: str) -> InputError:
    return InputError(f"--out is {out}, which cannot be written ({reason}). Name a place where you may write.")
