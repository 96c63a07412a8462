"""How a command of ours ends: what went wrong becomes one message on standard error and an exit status."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

from edge_agent.shelf import ShelfwatchError

EX_SOFTWARE = 70
"""Exit status of a fault of ours, as in sysexits.h."""


@contextmanager
def reported(program: str) -> Iterator[None]:
    """Answer for everything that the body raises: the one broad `except` of the command lines.

    Raises:
        SystemExit: With the status of the error tree in `edge_agent.shelf`, or 70 for what is a fault of ours.
    """
    try:
        yield
    except ShelfwatchError as error:
        _say(f"[bold red]error:[/] {escape(str(error))}")
        sys.exit(error.exit_status)
    except Exception as error:  # the last resort: a bug of ours
        if os.environ.get("SHELFWATCH_TRACEBACK"):
            raise
        found = escape(f"({type(error).__name__}: {error})")
        _say(
            f"{program} failed unexpectedly {found}."
            " Set SHELFWATCH_TRACEBACK=1 and run it again to see where, and report it."
        )
        sys.exit(EX_SOFTWARE)


def signal_name(number: int) -> str:
    """What a signal is called; those for real time have a number only."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _say(markup: str) -> None:
    Console(stderr=True).print(markup, highlight=False, soft_wrap=True)
