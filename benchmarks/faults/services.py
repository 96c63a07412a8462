"""Real parts that may be killed and started again: mosquitto, PostgreSQL, the ingest, and a device that only writes."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psycopg

REPO = Path(__file__).resolve().parents[2]
SITE = "store"


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def lacking() -> str | None:
    """Which of them this machine has not, in words; None where it has all."""
    found = {
        "mosquitto": shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin"),
        "PostgreSQL": list(Path("/usr/lib/postgresql").glob("*/bin/initdb")),
    }
    missing = [name for name, where in found.items() if not where]
    return f"{' and '.join(missing)} missing: run deploy/setup-system.sh test" if missing else None


def until(condition: Callable[[], object], timeout_s: float, what: str) -> None:
    """Wait until a condition holds.

    Raises:
        TimeoutError: It doesn't in time.
    """
    end_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end_s:
            raise TimeoutError(f"{what}: not within {timeout_s:.0f} s")
        time.sleep(0.02)


@dataclass
class Program:
    """A process of ours that can be started, stopped and killed, again and again."""

    command: list[str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    kills: int = 0

    def start(self) -> None:
        """Start it."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, cwd=REPO, stdout=log, stderr=log, stdin=subprocess.DEVNULL)  # noqa: S603 (ours)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)
        self.kills += 1

    def stop(self) -> None:
        """End it as it likes to be ended."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(20)
            self.process = None


@dataclass
class Mosquitto(Program):
    """A broker that stores what it has, every second: as careful as it can be told to be."""

    port: int = 0

    @classmethod
    def at(cls, folder: Path, *, queued: int = 1000) -> "Mosquitto":
        """One with its files in a folder; `queued` messages at most wait for each client, 0 for no limit."""
        port = free_port()
        (folder / "mosquitto.conf").write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\nautosave_interval 1\n"
            f"persistence_location {folder}/\nmax_queued_messages {queued}\n"
        )
        program = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin")
        if program is None:
            raise FileNotFoundError("mosquitto is missing: run deploy/setup-system.sh test")
        return cls([program, "-c", str(folder / "mosquitto.conf")], folder / "mosquitto.log", port=port)

    def start(self) -> None:
        """Start it, and wait until it listens."""
        super().start()
        until(self._listens, 10, "mosquitto")

    def _listens(self) -> bool:
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0


@dataclass
class Postgres:
    """A cluster of its own, on a socket in a temporary folder; used as a context."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="shelf-postgres-")))

    def __post_init__(self) -> None:
        """Find the newest that is installed."""
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        if not found:
            raise FileNotFoundError("PostgreSQL is missing: run deploy/setup-system.sh test")
        self._bin = found[-1].parent
        self._as_owner: list[str] = []
        if os.geteuid() == 0:  # it refuses to run as root
            self._as_owner = ["runuser", "-u", "postgres", "--"]
            shutil.chown(self.folder, "postgres", "postgres")

    def __enter__(self) -> Self:
        """Make it, and start it."""
        self._run("initdb", "-D", self.folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale")
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it, and throw it away."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-k {self.folder} -c listen_addresses= -c max_connections=50"
        self._run("pg_ctl", "-D", self.folder / "data", "-w", "-o", options, "-l", self.folder / "log", "start")

    def stop(self) -> None:
        """End it as a power cut would, as far as a database can be told to."""
        self._run("pg_ctl", "-D", self.folder / "data", "-m", "immediate", "-w", "stop", check=False)

    def database(self, name: str) -> str:
        """Make a database; where it is, for libpq."""
        with psycopg.connect(self.conninfo("postgres"), autocommit=True) as db:
            db.execute(f'CREATE DATABASE "{name}"'.encode())
        return self.conninfo(name)

    def conninfo(self, name: str) -> str:
        """Where a database is, for libpq."""
        return f"host={self.folder} user=postgres dbname={name}"

    def _run(self, program: str, *args: object, check: bool = True) -> None:
        command = [*self._as_owner, str(self._bin / program), *map(str, args)]
        done = subprocess.run(  # noqa: S603 (ours)
            command, cwd="/", check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        if check and done.returncode:
            raise RuntimeError(f"{program}: {done.stderr.decode()}")


def ingest(
    folder: Path, port: int, conninfo: str, *, name: str = "i1", protocol: str = "5", partition: str = "1/1"
) -> Program:
    """The ingest of deploy/ingest, with its settings in a folder; it makes the tables."""
    path = folder / f"ingest-{name}.toml"
    path.write_text(
        f'[broker]\nport = {port}\nprotocol = "{protocol}"\n[database]\nconninfo = "{conninfo}"\n'
        f'[ingest]\nname = "{name}"\npartition = "{partition}"\n'
    )
    program = [sys.executable, str(REPO / "deploy/ingest/ingest.py"), str(path), "--init"]
    return Program(program, folder / f"ingest-{name}.log")


def rows(conninfo: str, query: str, *args: Any) -> list[tuple[Any, ...]]:
    """What a query finds."""
    with psycopg.connect(conninfo) as db:
        return db.execute(query.encode(), args).fetchall()
