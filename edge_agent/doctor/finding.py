"""What a look at the device found: one line for a person, with what to do where something is not as it should be."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from edge_agent.shelf import InputError, ShelfwatchError

Level = Literal["ok", "warn", "wrong"]
"""`warn` is for what works, but not well or not for long; `wrong` keeps the agent from counting or delivering."""
WARNED = 1
"""Exit status of a strict look that found nothing worse than warnings."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what was found, in words; `status` is the exit status where it is wrong."""

    what: str
    level: Level
    words: str
    status: int = 0


def fine(what: str, words: str) -> Finding:
    """It is as it should be."""
    return Finding(what, "ok", words)


def doubtful(what: str, words: str) -> Finding:
    """It works, but somebody should look at it."""
    return Finding(what, "warn", words)


def failed(what: str, error: ShelfwatchError) -> Finding:
    """It stands in the way; the error says what to do."""
    return Finding(what, "wrong", str(error), error.exit_status)


def look(what: str, at: Callable[[], str | Finding]) -> Finding:
    """What a look gives: words for what is fine, a finding, or the error that it raises, the system's too."""
    try:
        found = at()
    except ShelfwatchError as error:
        return failed(what, error)
    except OSError as error:
        return failed(what, unseen(error))
    return fine(what, found) if isinstance(found, str) else found


def unseen(error: OSError) -> InputError:
    """What the system's no means to somebody who looks: a file that is not for this user, or a disk that fails."""
    if isinstance(error, PermissionError):
        return InputError(f"this user may not look there ({error}). Use sudo shelf-agent, or the user of the agent.")
    return InputError(f"it cannot be looked at ({error}). Try again; if it stays so, see to the disk (dmesg).")


def exit_status(findings: Iterable[Finding], *, strict: bool = False) -> int:
    """The highest status of what is wrong; else 0, or `WARNED` for warnings where these count too."""
    found = list(findings)
    worst = max((finding.status for finding in found), default=0)
    return worst or (WARNED if strict and any(finding.level == "warn" for finding in found) else 0)
