"""The Edge TPU's compiler, where it is installed: run, read back, and compared with what was expected of it.

The compiler is Coral's program `edgetpu_compiler` (x86-64 Linux only, not ours to ship). It is run in a folder of its
own and killed with all its children when it takes too long. What it says is meant for people, so what can be read from
the file that it made is read from there (`converter.targets.compiled`).
"""

import os
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter.scratch import scratch
from converter.targets import compiled, edgetpu
from converter.targets.compiled import Compiled
from converter.targets.edgetpu import EdgeTpu
from converter.targets.edgetpu_rules import MAPPED
from converter.targets.placement import Group
from converter.tflite.view import View, view
from edge_agent.shelf import DataError

PROGRAM = "edgetpu_compiler"
TIMEOUT_S = 600
"""Its own limit is 180 s, and small networks take a few."""
REMEDIES = (
    ("Model not quantized", "Give it the int8 file."),
    ("dynamic-sized tensors", "Convert the network with a batch of one and without shapes that are computed."),
    ("large activation tensors", "Give the network smaller pictures."),
    ("Internal compiler error", "It gives no reason; smaller pictures and plainer layers have helped others."),
)
_VERSION = re.compile(r"^Edge TPU Compiler version \S+$", re.MULTILINE)
_ROW = re.compile(r"^([A-Z][A-Z0-9_]*) +(\d+) +(\S.*?) *$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Difference:
    """An operator that the compiler placed elsewhere than expected."""

    index: int
    code: str
    layer: str
    expected: str
    found_mapped: bool


@dataclass(frozen=True, slots=True, eq=False)
class Compilation:
    """What the compiler made of a file, and where that is not what was expected.

    `content` is the compiled file, `mapped` says for each operator of the original whether it runs on the Edge TPU,
    `statuses` is the compiler's own table, `version` its version line and `log` all that it said.
    """

    content: bytes
    version: str
    log: str
    statuses: tuple[Group, ...]
    compiled: Compiled
    mapped: tuple[bool, ...]
    expected: EdgeTpu
    differences: tuple[Difference, ...]


def compile_(content: bytes, *, name: str = "model.tflite", timeout_s: float = TIMEOUT_S) -> Compilation | None:
    """Compile an int8 file, if the compiler is on the PATH; None if it isn't.

    Args:
        content: The file, not compiled yet.
        name: What it is called in messages, and in the compiler's log.
        timeout_s: When to give up.

    Raises:
        DataError: The compiler cannot be started, refuses the file, fails, takes too long, or makes something that is
            no compiled file.
        InputError: There is no room for what it makes.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        return None
    original = view(content)
    expected = edgetpu.of(original, name=name)
    made, log = _run(program, content, Path(name).name, timeout_s)
    return _read(original, expected, made, log)


def payload(compilation: Compilation) -> dict[str, Any]:
    """A compilation as JSON takes it, without the file itself."""
    return {
        **compiled.payload(compilation.compiled),
        "version": compilation.version,
        "log": compilation.log,
        "mapped_count": sum(compilation.mapped),
        "operator_count": len(compilation.mapped),
        "mapped": list(compilation.mapped),
        "statuses": [{"code": row.code, "count": row.count, "status": row.status} for row in compilation.statuses],
        "differences": [
            {
                "index": one.index,
                "code": one.code,
                "layer": one.layer,
                "expected": one.expected,
                "found": MAPPED if one.found_mapped else compiled.ON_CPU,
            }
            for one in compilation.differences
        ],
    }


def _run(program: str, content: bytes, name: str, timeout_s: float) -> tuple[bytes, str]:
    """The compiled file, and what the compiler said."""
    with scratch() as folder:
        given = (folder / name).with_suffix(".tflite")
        given.write_bytes(content)
        log_file = folder / "said.txt"
        with log_file.open("wb") as said:
            status = _wait([program, "-s", "-o", str(folder), str(given)], folder, said, timeout_s)
        log = log_file.read_text(errors="replace").replace(f"{folder}/", "")
        made = given.with_name(f"{given.stem}_edgetpu.tflite")
        if status is None:
            raise DataError(
                f"{PROGRAM} was still at {name} after {timeout_s:g} s and was ended{_said(log)} Try a smaller network."
            )
        if status != 0 or not made.is_file():
            remedy = next((remedy for words, remedy in REMEDIES if words in log), "Look at what it says.")
            raise DataError(f"{PROGRAM} cannot compile {name} (status {status}){_said(log)} {remedy}")
        return made.read_bytes(), log


def _wait(command: list[str], folder: Path, said: Any, timeout_s: float) -> int | None:
    """The exit status of a command, None if it took too long; its children end with it."""
    try:
        process = subprocess.Popen(  # noqa: S603  (a program that the user installed, no shell)
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        )
    except OSError as error:
        raise DataError(
            f"{command[0]} cannot be started ({error.strerror}). Coral's compiler is for x86-64 Linux: install it"
            " there, or take this one off the PATH."
        ) from error
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _said(log: str) -> str:
    """The compiler's last words, without those that every run has."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    telling = [
        line for line in lines if not line.startswith(("Edge TPU Compiler version", "Started a", "Compilation c"))
    ]
    return f": {' / '.join(telling[-3:]).rstrip('.!')}." if telling else ", without a word."


def _read(original: View, expected: EdgeTpu, made: bytes, log: str) -> Compilation:
    """Hold what was made against what was expected."""
    try:
        result = view(made)
    except compiled.BROKEN as error:
        raise DataError(
            f"{PROGRAM} made a damaged file ({type(error).__name__}: {error}){_said(log)} Compile it again."
        ) from error
    if not result.compiled:
        raise DataError(f"{PROGRAM} mapped no operator at all to the Edge TPU{_said(log)} See the report for reasons.")
    mapped = compiled.mapped(original, result)
    version = _VERSION.search(log)
    return Compilation(
        content=made,
        version=version.group() if version else "",
        log=log,
        statuses=tuple(
            Group(code, int(count), status == MAPPED, status, "") for code, count, status in _ROW.findall(log)
        ),
        compiled=compiled.of(result),
        mapped=mapped,
        expected=expected,
        differences=tuple(
            Difference(one.index, one.code, one.layer, one.status, found)
            for one, found in zip(expected.operators, mapped, strict=True)
            if one.mapped != found
        ),
    )
