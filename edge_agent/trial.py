"""A network is first run in a process of its own, on the golden inputs: a driver that is not for this runtime kills it.

`try_out` starts `python -m edge_agent.trial`, hands it model and crops on standard input, and gets answers and time, or
the reason why not, as JSON on standard output. Nothing is written to a disk.
"""

import contextlib
import gc
import io
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines import FLOAT_ENDS, NAMES, Network, Plan, load
from edge_agent.exits import signal_name
from edge_agent.shelf import DelegateError, ShelfwatchError

TIMEOUT_S = 30.0
"""A stick that gets its firmware, or a GPU's compiler, takes some seconds. systemd waits for three of these."""
ENDING_S = 2.0
"""How long a process that was killed may take to be gone; one that waits inside a driver may stay for ever."""
ROUNDS, ROUNDS_S = 5, 2.0
"""The time that counts is that of the best round; after so many seconds there is no further one."""


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """What a network said in a process of its own: (n, classes) uint8 or float32, and how long a crop took."""

    answers: NDArray[Any]
    ms_per_crop: float


def try_out(wanted: Network, plan: Plan, crops: NDArray[np.uint8], *, timeout_s: float = TIMEOUT_S) -> Trial:
    """Run a network as planned on crops (n, size, size, 3), in a process of its own.

    Raises:
        DelegateError: It cannot be loaded, or the process died or took longer than `timeout_s`; where it cannot be
            ended either, that is said `ENDING_S` later.
    """
    where = f"the {NAMES[plan.delegate]}"
    command = [sys.executable, "-P", "-m", "edge_agent.trial"]
    home = str(Path(__file__).resolve().parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))}
    request = _request(wanted, plan, crops, timeout_s)
    try:
        process = subprocess.Popen(  # noqa: S603 — this very program
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
        )
    except OSError as error:
        raise DelegateError(
            f"no process to try {where} in can be started ({error}). Free memory, or allow the agent more processes."
        ) from error
    said = None
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            said = process.communicate(request, timeout=timeout_s)
    finally:  # Ctrl-C, too, leaves no process behind that holds the device
        ended = _ended(process)
    if said is not None:
        return _judged(subprocess.CompletedProcess(command, process.returncode, *said), plan, where)
    late = f"{where} did not answer within {timeout_s:g} s when it was tried"
    if not ended:
        raise DelegateError(
            f"{late}, and process {process.pid}, which tried it, cannot be ended: it hangs in the driver. Restart the"
            " device."
        )
    raise DelegateError(f"{late}. Unplug it and plug it in again, or restart the device.")


def _ended(process: "subprocess.Popen[bytes]") -> bool:
    """Kill a process that still runs; whether it is gone, after `ENDING_S` at most."""
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):  # what it did not read is of no use any more
                pipe.close()
    process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(ENDING_S)
    return process.returncode is not None


def _judged(done: "subprocess.CompletedProcess[bytes]", plan: Plan, where: str) -> Trial:
    """What a process that has ended says, or how it died."""
    said = done.stderr.decode(errors="replace").strip().splitlines()
    if done.returncode == -signal.SIGKILL:
        raise DelegateError(
            f"the process that tried {where} was killed, as happens when memory runs out. Free memory, or raise the"
            " unit's MemoryMax."
        )
    if done.returncode < 0:
        raise DelegateError(
            f"the process that tried {where} died of {signal_name(-done.returncode)}: the driver ({_driver(plan)}) is"
            " not for this runtime (another ABI). Install one that is: of libedgetpu a build for TensorFlow 2.16 or"
            " newer."
        )
    if done.returncode != 0 or not done.stdout:
        raise DelegateError(
            f"the process that tried {where} ended without an answer, with status {done.returncode} and the last word"
            f' "{said[-1] if said else ""}". Install another version of the driver ({_driver(plan)}).'
        )
    found = json.loads(done.stdout)
    if "refused" in found:
        raise DelegateError(found["refused"] + (_hint(said) if plan.delegate == "gpu" else ""))
    dtype = np.float32 if plan.variant in FLOAT_ENDS else np.uint8
    return Trial(np.asarray(found["answers"], dtype=dtype), float(found["ms_per_crop"]))


def _hint(said: list[str]) -> str:
    """What LiteRT wrote about a GPU that it does not find: the last error with words in it."""
    errors = [match[1] for line in said if (match := re.fullmatch(r"ERROR: \[.*?\] (.+)", line))]
    return f" LiteRT says: {errors[-1]}." if errors else ""


def _request(wanted: Network, plan: Plan, crops: NDArray[np.uint8], timeout_s: float) -> bytes:
    """All that the process needs, as an .npz."""
    about = {"plan": asdict(plan), "name": wanted.name, "classes": wanted.classes, "timeout_s": timeout_s}
    packed = io.BytesIO()
    model = np.frombuffer(wanted.content, dtype=np.uint8)
    np.savez(packed, model=model, crops=crops, about=np.array(json.dumps(about)))
    return packed.getvalue()


def _driver(plan: Plan) -> str:
    return plan.library if plan.delegate == "edgetpu" else "LiteRT's WebGPU and what lies below it"


def main() -> None:
    """Be the process: standard input → JSON on what was standard output; what libraries print goes to the errors."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    with np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False) as request:
        model, crops, about = request["model"], request["crops"], json.loads(str(request["about"]))
    signal.alarm(round(about["timeout_s"]) + 5)  # should nobody be left to end us
    with contextlib.suppress(OSError, ValueError):  # a crash is expected here, its core is of no use to anybody
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    wanted = Network(about["name"], model.tobytes(), crops.shape[1], about["classes"])
    try:
        found = _run(wanted, Plan(**about["plan"]), crops)
    except ShelfwatchError as error:
        found = {"refused": str(error)}
    gc.collect()  # a driver that crashes when it lets go crashes before it is believed
    with out:
        json.dump(found, out)


def _run(wanted: Network, plan: Plan, crops: NDArray[np.uint8]) -> dict[str, Any]:
    """Answers, and milliseconds per crop."""
    engine = load(wanted, plan)
    answers, best_s, began_s = engine.answer(crops), np.inf, time.monotonic()
    for _ in range(ROUNDS):
        started_s = time.perf_counter()
        engine.answer(crops)
        best_s = min(best_s, time.perf_counter() - started_s)
        if time.monotonic() - began_s > ROUNDS_S:
            break
    return {"answers": answers.tolist(), "ms_per_crop": best_s * 1000 / len(crops)}


if __name__ == "__main__":
    main()
