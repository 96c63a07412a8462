"""What is behind a device: a mosquitto that stores what it has, a PostgreSQL of its own, and the ingest."""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psycopg

from benchmarks.parts import MOSQUITTO, REPO, Mosquitto, Program

SITE = "store"


def lacking() -> str | None:
    """Which of them this machine has not, in words; None where it has all."""
    found = {
        "mosquitto": MOSQUITTO,
        "PostgreSQL": list(Path("/usr/lib/postgresql").glob("*/bin/initdb")),
    }
    missing = [name for name, where in found.items() if not where]
    return f"{' and '.join(missing)} missing: run deploy/setup-system.sh test" if missing else None


def careful_mosquitto(folder: Path, *, queued: int = 1000) -> Mosquitto:
    """A broker that stores what it has, every second: as careful as it can be told to be.

    `queued` messages at most wait for each client, 0 for no limit.
    """
    stores = "persistence true", "autosave_interval 1", f"persistence_location {folder}/"
    return Mosquitto(folder, options=(*stores, f"max_queued_messages {queued}"))


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
    broker: Mosquitto, conninfo: str, *, name: str = "i1", protocol: str = "5", partition: str = "1/1"
) -> Program:
    """The ingest of deploy/ingest, with its settings in the broker's folder; it makes the tables."""
    path = broker.folder / f"ingest-{name}.toml"
    path.write_text(
        f'[broker]\nport = {broker.port}\nprotocol = "{protocol}"\n[database]\nconninfo = "{conninfo}"\n'
        f'[ingest]\nname = "{name}"\npartition = "{partition}"\n'
    )
    program = [sys.executable, str(REPO / "deploy/ingest/ingest.py"), str(path), "--init"]
    return Program(program, path.with_suffix(".log"))


def rows(conninfo: str, query: str, *args: Any) -> list[tuple[Any, ...]]:
    """What a query finds."""
    with psycopg.connect(conninfo) as db:
        return db.execute(query.encode(), args).fetchall()
