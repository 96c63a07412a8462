"""A device to do harm to: the packaged agent in a Debian of its own, and its service seen from outside."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults.around import CAMERA_PASSWORD, PASSWORD, USER
from benchmarks.faults.nspawn import PATH, Machine
from benchmarks.parts import REPO, wait_for
from edge_agent.demo.store import BUNDLE, write_config


def install(root: Path, package: Path) -> None:
    """Install the package into a Debian that does not run."""
    shutil.copy(package, root / "root" / package.name)
    inside = ["systemd-nspawn", "--quiet", "-D", str(root), "--register=no", "--keep-unit"]
    done = subprocess.run(  # noqa: S603
        [*inside, "dpkg", "-i", f"/root/{package.name}"],
        env={"PATH": PATH},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise AssertionError(f"{package.name} cannot be installed:\n{done.stdout}{done.stderr}")


def configure(root: Path, *, port: int, source: str, name: str = "agent") -> Path:
    """Edit the installed example to what is here: the demo's shelves and model, this broker and this camera."""
    etc, bundle = root / "etc/shelfwatch", root / "var/lib/shelfwatch/bundle"
    if not bundle.exists():
        shutil.copytree(BUNDLE, bundle)
        _everybody_reads(bundle)
    written = write_config(root.parent, port=port, protocol="auto", heartbeat_s=2)
    text = written.read_text(encoding="utf-8")
    home = "/var/lib/shelfwatch" if name == "agent" else f"/var/lib/shelfwatch/{name}"
    password_file = "${CREDENTIALS_DIRECTORY}/broker-password"  # noqa: S105 — a path
    for old, new in {
        str(BUNDLE): "/var/lib/shelfwatch/bundle",
        '"outbox.db"': f'"{home}/outbox.db"',
        '"simulated"': f'"{source}"',
        f"port = {port}": f'port = {port}\nusername = "{USER}"\npassword_file = "{password_file}"',
        'device = "shelf-1"': f'device = "{name}"',
    }.items():
        assert old in text, old  # noqa: S101 — the demo's configuration has changed
        text = text.replace(old, new)
    path = etc / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    shutil.chown(path, 0, (root / "var/lib/shelfwatch").stat().st_gid)
    path.chmod(0o660)  # as the installation makes it
    password = etc / ("broker-password" if name == "agent" else f"{name}.broker-password")
    password.write_text(PASSWORD + "\n", encoding="utf-8")
    password.chmod(0o600)
    return path


def _everybody_reads(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def drop_in(root: Path, unit: str, *lines: str) -> None:
    """Lines below [Service] of a unit, as `systemctl edit` writes them."""
    folder = root / f"etc/systemd/system/{unit}.service.d"
    folder.mkdir(exist_ok=True)
    (folder / "test.conf").write_text("\n".join(("[Service]", *lines)) + "\n")


@dataclass
class Service:
    """The agent's unit in a booted machine, from outside."""

    machine: Machine
    unit: str = "shelf-agent"

    @property
    def status(self) -> tuple[str, int, int]:
        """(state of the unit, main process as systemd knows it, restarts so far)."""
        names = "ActiveState", "SubState", "MainPID", "NRestarts"
        said = self.machine.properties(self.unit, *names)
        return f"{said['ActiveState']} ({said['SubState']})", int(said["MainPID"]), int(said["NRestarts"])

    @property
    def pid(self) -> int:
        """The main process, as this machine knows it."""
        return self.machine.outside(self.status[1])

    def children(self) -> list[int]:
        """The processes that the agent made, as this machine knows them."""
        pid = self.pid
        found = [tasks.read_text().split() for tasks in Path(f"/proc/{pid}/task").glob("*/children")]
        return [int(child) for children in found for child in children]

    def command(self, verb: str) -> float:
        """`systemctl VERB`; how long it took in seconds.

        Raises:
            AssertionError: It did not succeed; the message has the end of the log.
        """
        began_s = time.monotonic()
        done = self.machine.run("systemctl", verb, self.unit, check=False)
        if done.returncode != 0:
            raise AssertionError(f"systemctl {verb} {self.unit}: {done.stderr}{self.journal()[-3000:]}")
        return time.monotonic() - began_s

    def back_after(self, pid: int, timeout_s: float) -> float:
        """Seconds until another main process than `pid` (inside) has said READY.

        Raises:
            AssertionError: The unit failed, or it took longer.
        """

        def back() -> bool:
            state, now, _ = self.status
            if state.startswith("failed"):
                raise AssertionError(f"{self.unit} is {state}:\n{self.journal()[-3000:]}")
            return state == "active (running)" and now not in {0, pid}

        return wait_for(back, timeout_s)

    def hit(self, number: signal.Signals) -> int:
        """Send the main process a signal; its number inside."""
        inside = self.status[1]
        os.kill(self.machine.outside(inside), number)
        return inside

    def journal(self) -> str:
        """All that the machine has logged."""
        return self.machine.run("journalctl", "--no-pager", "--output=short-monotonic").stdout


def secrets_seen(machine: Machine) -> list[str]:
    """Where a secret can be read that must not be there: environments and arguments of all processes, and the log."""
    secrets = re.compile(f"{re.escape(PASSWORD)}|{re.escape(CAMERA_PASSWORD)}".encode())
    found = []
    home = Path(f"/proc/{machine.leader}/ns/pid").readlink()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "ns/pid").readlink() == home:
                found += [
                    str(folder / what)
                    for what in ("environ", "cmdline")
                    if secrets.search((folder / what).read_bytes())
                ]
        except OSError:  # it ended meanwhile
            continue
    log = machine.run("journalctl", "--no-pager", "--output=export").stdout.encode()
    return found + [line.decode(errors="replace") for line in log.splitlines() if secrets.search(line)]


def package(out: Path, version: str, architecture: str = "amd64") -> Path:
    """Build the Debian package for an architecture, as `make deb` does.

    Raises:
        AssertionError: It cannot be built; most often, the network does not reach the package index.
    """
    command = [str(REPO / "deploy/deb/build.sh"), "--out", str(out), "--version", version, architecture]
    environment = {**os.environ, "PYTHON": sys.executable}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise AssertionError(f"no package; is the package index within reach?\n{done.stderr[-2000:]}")
    return out / f"shelf-agent_{version}_{architecture}.deb"
