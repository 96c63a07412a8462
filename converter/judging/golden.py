"""The golden answers of a bundle, asked for in a process of its own: a damaged model may crash or hang the runtime.

Run as `python -m converter.judging.golden BUNDLE`, it prints what it found.
"""

import os
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from edge_agent.bundle import FLOAT_FILE, GPU_FILE, MODEL_FILE, Bundle, read
from edge_agent.exits import reported, signal_name
from edge_agent.inference import TfliteClassifier
from edge_agent.shelf import DataError

LIMIT_S = 300
"""A few crops take seconds on the slowest machine."""


def check(bundle: Path) -> str:
    """Ask the models of a bundle for their golden answers, in a process of its own; what was found, in words.

    Raises:
        DataError: A model does not answer as it must, or does not load, or crashes the runtime, or hangs; or the
            process was killed from outside before it could tell.
    """
    home = str(Path(__file__).resolve().parents[2])
    paths = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-P", "-m", "converter.judging.golden", str(bundle.resolve())]
    try:
        done = subprocess.run(  # noqa: S603  (our own module, no shell)
            command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, check=False, timeout=LIMIT_S
        )
    except subprocess.TimeoutExpired:
        raise DataError(f"{bundle}: the model gave no answer in {LIMIT_S} s. Copy the bundle again.") from None
    except OSError as error:
        raise DataError(
            f"{bundle}: no process to ask the model in can be started ({error}). Free memory, and verify it again."
        ) from error
    if done.returncode == -signal.SIGKILL:
        raise DataError(
            f"{bundle}: the process that asked the model was killed, as happens when memory runs out; nothing is known"
            " of the model. Free memory, and verify it again."
        )
    if done.returncode < 0:
        raise DataError(f"{bundle}: the model crashed the runtime ({signal_name(-done.returncode)}). Convert it anew.")
    if done.returncode > 0:
        said = done.stderr.decode(errors="replace")
        reason = " ".join(said[said.rfind("error: ") :].split()).removeprefix("error: ")
        raise DataError(reason or f"{bundle}: the check of its golden answers ended with status {done.returncode}.")
    return done.stdout.decode().strip()


def asked(bundle: Bundle) -> str:
    """Ask in this process, on the CPU; what was found, in words. A file for the Edge TPU cannot be asked there.

    Raises:
        BundleError: A model does not load, or does not answer as it must.
    """
    names = [MODEL_FILE, *(name for name in (FLOAT_FILE, GPU_FILE) if name in bundle.variants)]
    for name in names:
        TfliteClassifier(bundle, runtime="litert", variant=name)
    count, runtime = len(bundle.golden_inputs), f"LiteRT {version('ai-edge-litert')}"
    return f"{', '.join(names)} answered {count} golden inputs in {runtime} as they must"


def main() -> None:
    """Answer for the bundle that the command line names."""
    with reported("the check of the golden answers"):
        sys.stdout.write(asked(read(Path(sys.argv[1]))) + "\n")


if __name__ == "__main__":
    main()
