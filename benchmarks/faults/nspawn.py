"""A Debian of its own with a real systemd, in systemd-nspawn. It boots below a fresh temporary folder only."""

import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.parts import REPO

SUITE, MIRROR = "bookworm", "http://deb.debian.org/debian"
PACKAGES = "systemd,python3,python3-venv"
"""What a device has before the agent comes."""
TOOLS = ("debootstrap", "systemd-nspawn", "nsenter", "tar", "dpkg-deb")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BOOT_S, STOP_S = 60.0, 15.0


class NoDebianError(Exception):
    """There can be no Debian to boot: the message says why."""


def missing() -> str | None:
    """What stands in the way of a Debian of one's own, in words; None where nothing does."""
    if os.geteuid() != 0:
        return "a system manager can be booted by root only"
    lacking = [tool for tool in TOOLS if shutil.which(tool, path=PATH) is None]
    return f"{', '.join(lacking)} missing: run deploy/setup-system.sh test" if lacking else None


@contextmanager
def debian() -> Iterator[Path]:
    """A fresh minimal Debian in a temporary folder, which is gone afterwards.

    Raises:
        NoDebianError: It cannot be made; most often, the network does not reach a mirror.
    """
    packed = _packed(REPO / "build" / "debian")
    folder = Path(tempfile.mkdtemp(prefix="shelfwatch-debian-"))
    try:
        root = folder / "root"
        root.mkdir()
        _tool("tar", "--extract", "--numeric-owner", "--file", packed, "--directory", root)
        yield root
    finally:
        shutil.rmtree(folder)


def _packed(kept: Path) -> Path:
    """The Debian as a tar file, kept for the next time; the key is what it is made of."""
    key = hashlib.sha256(f"{SUITE} {MIRROR} {PACKAGES}".encode()).hexdigest()[:12]
    packed = kept / f"{SUITE}-{key}.tar"
    if packed.is_file():
        return packed
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="shelfwatch-debootstrap-") as folder:
        root = Path(folder) / "root"
        _tool("debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, root, MIRROR)
        shutil.rmtree(root / "var/cache/apt/archives")
        part = packed.with_suffix(".part")
        _tool("tar", "--create", "--numeric-owner", "--file", part, "--directory", root, ".")
    return part.rename(packed)


def _tool(*words: str | Path) -> None:
    done = subprocess.run(words, env={"PATH": PATH}, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-5:])
        raise NoDebianError(f"{words[0]} failed; is {MIRROR} within reach of this machine?\n{said}")


@dataclass
class Machine:
    """A booted Debian. Its processes are ordinary ones of this machine, in namespaces of their own."""

    root: Path
    process: subprocess.Popen[bytes] | None = None
    leader: int = 0

    def start(self) -> None:
        """Boot it, and wait until its systemd says that it is up."""
        if not self.root.is_relative_to(tempfile.gettempdir()) or self.root.samefile("/"):
            raise NoDebianError(f"{self.root} is not below {tempfile.gettempdir()}: nothing else is ever booted")
        command = ["systemd-nspawn", "--quiet", "-D", str(self.root), "--register=no", "--keep-unit", "--boot"]
        with (self.root.parent / "console.log").open("ab") as console:
            self.process = subprocess.Popen(  # noqa: S603
                command, env={"PATH": PATH}, stdin=subprocess.DEVNULL, stdout=console, stderr=console
            )
        until_s = time.monotonic() + BOOT_S
        while self._state() not in {"running", "degraded"}:
            if time.monotonic() > until_s or self.process.poll() is not None:
                said = (self.root.parent / "console.log").read_text(errors="replace")[-2000:]
                self.stop()
                raise NoDebianError(f"the Debian in {self.root} does not boot:\n{said}")
            time.sleep(0.05)

    def _state(self) -> str:
        assert self.process is not None  # noqa: S101 — start() made it
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        found = children.read_text().split() if children.exists() else []
        self.leader = int(found[0]) if found else 0
        return self.run("systemctl", "is-system-running", check=False).stdout.strip() if self.leader else ""

    def run(self, *words: str, check: bool = True, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as root."""
        done = subprocess.run(  # noqa: S603
            ["nsenter", "-t", str(self.leader), "-a", "--", *words],  # noqa: S607
            env={"PATH": PATH, "LANG": "C.UTF-8", "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def properties(self, unit: str, *names: str) -> dict[str, str]:
        """What its systemd knows of a unit."""
        said = self.run("systemctl", "show", unit, f"--property={','.join(names)}").stdout
        return dict(line.split("=", 1) for line in said.splitlines())

    def outside(self, inside: int) -> int:
        """The number that this machine has for a process inside, 0 where that is gone."""
        home = Path(f"/proc/{self.leader}/ns/pid").readlink()
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                numbers = next(line for line in status.read_text().splitlines() if line.startswith("NSpid:")).split()
                if int(numbers[-1]) == inside and (status.parent / "ns/pid").readlink() == home:
                    return int(numbers[1])
            except (OSError, StopIteration):  # it ended meanwhile
                continue
        return 0

    def stop(self) -> None:
        """End it, and with it everything that runs inside."""
        if self.process is None:
            return
        if self.leader and self.process.poll() is None:
            os.kill(self.leader, signal.SIGRTMIN + 4)  # systemd(1): power off
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
