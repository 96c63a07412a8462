"""A TFLite file of unknown origin, described in a process of its own: it may be damaged, or made to do harm.

The parent hands the bytes over and gets back a description or one sentence; what the parser does with them – run out of
memory, take for ever, fall over – happens in the child, which has limits.
"""

import os
import resource
import subprocess
import sys
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from converter.tflite.describe import Description, describe
from edge_agent.shelf import DataError, ShelfwatchError

TIMEOUT_S = 30
MEMORY_BYTES = 1 << 30
"""What the child may take beyond eight times the file."""


class Answer(BaseModel):
    """What the child says: a description, or why there is none."""

    model_config = ConfigDict(frozen=True)

    description: Description | None = None
    error: str = ""


def described(content: bytes, *, name: str = "model.tflite", timeout_s: float = TIMEOUT_S) -> Description:
    """Describe a file in a process of its own.

    Args:
        content: The file.
        name: What it is called in messages.
        timeout_s: When to give up.

    Raises:
        DataError: It is not a TFLite file, or damaged.
    """
    home = str(Path(__file__).resolve().parents[2])
    environment = {
        **os.environ,
        "OPENBLAS_NUM_THREADS": "1",  # each of its threads would reserve memory that the limit counts
        "PYTHONPATH": os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")])),
    }
    command = [sys.executable, "-P", "-m", "converter.tflite.child", Path(name).name]
    try:
        done = subprocess.run(  # noqa: S603  (our own module, no shell)
            command, input=content, env=environment, capture_output=True, check=False, timeout=timeout_s
        )
    except subprocess.TimeoutExpired:
        raise DataError(f"{name}: not read after {timeout_s:g} s, so it is damaged. Copy it again.") from None
    if done.returncode != 0:
        raise DataError(f"{name}: reading it ended with status {done.returncode}, so it is damaged. Copy it again.")
    answer = Answer.model_validate_json(done.stdout)
    if answer.description is None:
        raise DataError(f"{name}: {answer.error}")
    return answer.description


def answer_for(content: bytes, *, name: str = "model.tflite") -> Answer:
    """What the child says of a file, whatever that file does to the parser."""
    try:
        return Answer(description=describe(content, name=name))
    except ShelfwatchError as error:
        return Answer(error=str(error))
    except Exception:  # noqa: BLE001  (there is no list of what damaged bytes do to a parser)
        return Answer(error="a damaged TFLite file: its parts don't fit together. Copy it again.")


def _limit(file_bytes: int) -> None:
    limit = MEMORY_BYTES + 8 * file_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    given = sys.stdin.buffer.read()
    _limit(len(given))
    sys.stdout.write(answer_for(given, name=sys.argv[1]).model_dump_json())
