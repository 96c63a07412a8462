"""One of our modules, run in a process of its own: TensorFlow names layers by how often it was asked before."""

import errno
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from edge_agent.shelf import DataError, InputError

LIMIT_S = 3600
"""A conversion takes seconds to minutes; one that takes an hour hangs."""


def run(module: str, arguments: Sequence[str | Path], *, folder: Path, model: Path) -> None:
    """Run `python -m module arguments…` in `folder`, with the same seed for hashes each time.

    Args:
        module: Dotted name of a module of ours.
        arguments: What it gets.
        folder: Where it works, and may leave files.
        model: What it works on, for the message.

    Raises:
        InputError: It found no room on the disk.
        DataError: It failed, or took longer than `LIMIT_S`; the message holds its last line.
    """
    home = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONHASHSEED": "0"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-P", "-m", module, *map(str, arguments)]
    try:
        done = subprocess.run(  # noqa: S603  (our own module, no shell)
            command, env=environment, cwd=folder, capture_output=True, check=False, timeout=LIMIT_S
        )
    except subprocess.TimeoutExpired:
        raise DataError(f"{model}: not converted after {LIMIT_S} s. Try a smaller network.") from None
    if done.returncode != 0:
        lines = [line for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
        reason = lines[-1] if lines else "no reason given"
        if os.strerror(errno.ENOSPC) in reason:
            raise InputError(f"{folder}: {reason}. Make room, or name a folder on another disk in TMPDIR.")
        raise DataError(
            f"{model}: TensorFlow cannot convert it (status {done.returncode}): {reason}"
            " Build it out of layers that TFLite knows; a negative status means that memory ran out or it crashed."
        )
