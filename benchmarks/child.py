"""Runs a command and says what it took: seconds, and memory of all its processes together."""

import os
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

SAMPLE_S = 0.05
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Took:
    """What a command took.

    Attributes:
        status: With which it ended.
        said: What it printed, errors included.
        wall_s: Seconds from start to end.
        cpu_s: Seconds of a core, its children included.
        largest_bytes: Peak resident memory of its largest single process, by the kernel's own account.
        together_bytes: Peak resident memory of all its processes at once, looked at every 50 ms. What they share
            counts for each of them, so it is rather too much than too little.
        others_cores: Cores that everything else on the machine kept busy meanwhile; above 0.2, seconds say little.
    """

    status: int
    said: str
    wall_s: float
    cpu_s: float
    largest_bytes: int
    together_bytes: int
    others_cores: float


def run(command: list[str], *, cwd: Path, tell: Callable[[str], None]) -> Took:
    """Run a command, and watch it until it has ended; `tell` gets each line that it prints."""
    busy_s, began = _machine_busy_s(), time.perf_counter()
    child = subprocess.Popen(  # noqa: S603 (ours)
        command, cwd=cwd, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    lines = []
    with child, _Peak(child.pid) as peak:
        for line in child.stdout or ():
            tell(line.rstrip())
            lines.append(line)
        _, status, usage = os.wait4(child.pid, 0)
        wall_s = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)  # so Popen doesn't wait for it, too
    cpu_s = usage.ru_utime + usage.ru_stime
    return Took(
        status=child.returncode,
        said="".join(lines),
        wall_s=wall_s,
        cpu_s=cpu_s,
        largest_bytes=usage.ru_maxrss * 1024,
        together_bytes=peak.most_bytes,
        others_cores=max(0.0, (_machine_busy_s() - busy_s - cpu_s) / wall_s),
    )


class _Peak:
    """Looks again and again at how much memory a process and its descendants hold, and keeps the most."""

    def __init__(self, pid: int) -> None:
        """The process is running."""
        self._pid, self._ended = pid, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.most_bytes = 0

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Look no more."""
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(SAMPLE_S):
            self.most_bytes = max(self.most_bytes, _family_bytes(self._pid))


def _family_bytes(pid: int) -> int:
    """Resident memory of a process and all its descendants."""
    children: dict[int, list[int]] = {}
    held_bytes: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has ended
            children.setdefault(int(fields[1]), []).append(int(folder.name))
            held_bytes[int(folder.name)] = int(fields[21]) * PAGE_BYTES
    total, family = 0, [pid]
    while family:
        one = family.pop()
        total += held_bytes.get(one, 0)
        family += children.get(one, [])
    return total


def _machine_busy_s() -> float:
    """Seconds that all cores of the machine were busy since it was started."""
    user, nice, system, _, _, irq, softirq = (int(word) for word in Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")
