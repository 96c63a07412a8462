"""Runs a command and says what it took: seconds, and memory of all its processes together."""

import os
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

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


def run(command: list[str], *, cwd: Path) -> Took:
    """Run a command in a session of its own and watch it until it has ended."""
    with tempfile.TemporaryFile("w+") as output:
        busy_s, began = _machine_busy_s(), time.perf_counter()
        child = subprocess.Popen(  # noqa: S603 (ours)
            command, cwd=cwd, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True
        )
        peak = _Peak(child.pid)
        peak.start()
        _, status, usage = os.wait4(child.pid, 0)
        wall_s = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)  # Popen need not wait for it any more
        peak.stop()
        cpu_s = usage.ru_utime + usage.ru_stime
        output.seek(0)
        return Took(
            status=child.returncode,
            said=output.read(),
            wall_s=wall_s,
            cpu_s=cpu_s,
            largest_bytes=usage.ru_maxrss * 1024,
            together_bytes=peak.most_bytes,
            others_cores=max(0.0, (_machine_busy_s() - busy_s - cpu_s) / wall_s),
        )


class _Peak(threading.Thread):
    """Looks again and again at how much memory the processes of a session hold, and keeps the most."""

    def __init__(self, session: int) -> None:
        """The session's leader is running."""
        super().__init__(daemon=True)
        self._session, self._ended = session, threading.Event()
        self.most_bytes = 0

    def run(self) -> None:
        """Look until told to stop."""
        while not self._ended.wait(SAMPLE_S):
            self.most_bytes = max(self.most_bytes, _session_bytes(self._session))

    def stop(self) -> None:
        """Look no more."""
        self._ended.set()
        self.join()


def _session_bytes(session: int) -> int:
    """Resident memory of all processes of a session."""
    total = 0
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has ended
            if int(fields[3]) == session:
                total += int(fields[21]) * PAGE_BYTES
    return total


def _machine_busy_s() -> float:
    """Seconds that all cores of the machine were busy since it was started."""
    user, nice, system, _, _, irq, softirq = (int(word) for word in Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")
