"""Where results go: whether they can be written is found out by trying, before the slow work."""

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from edge_agent.shelf import InputError


def check_file(out: Path, *, option: str = "--out") -> None:
    """Make sure that a file, or a new folder, can be put at `out`, with the folders above it that are missing.

    Args:
        out: Where.
        option: That names it on the command line.

    Raises:
        InputError: It cannot.
    """
    _try(out, _resolved(out, option).parents, option)


def check_folder(out: Path, *, option: str = "--out") -> None:
    """Make sure that files can be put into the folder `out`, which need not be there yet; otherwise as `check_file`."""
    target = _resolved(out, option)
    _try(out, (target, *target.parents), option)


def refuse_folder(out: Path, *, option: str = "--out") -> None:
    """Make sure that a folder is not in the place of a file.

    Raises:
        InputError: It is.
    """
    if out.is_dir():
        raise InputError(f"{option} is {out}, which is a folder. Name a file in it.")


def _try(out: Path, candidates: Sequence[Path], option: str) -> None:
    """Make the missing folders and the last part of `out` inside a folder that is gone afterwards.

    Asking for permissions is not enough: root has them all, and still nothing can be made in `/proc`.
    """
    above = next(folder for folder in candidates if os.path.lexists(folder))
    try:
        with TemporaryDirectory(prefix=".shelfwatch-", dir=above) as tried:
            (Path(tried) / _resolved(out, option).relative_to(above)).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refusal(out, option, f"{above}: {error.strerror}") from error


def _resolved(out: Path, option: str) -> Path:
    try:
        return out.resolve()
    except (OSError, RuntimeError) as error:  # a ring of symbolic links
        raise _refusal(out, option, str(error)) from error


def _refusal(out: Path, option: str, reason: str) -> InputError:
    return InputError(f"{option} is {out}, which cannot be written ({reason}). Name a place where you may write.")
