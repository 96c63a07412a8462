"""ingest.toml → checked settings; all problems at once. Passwords are read from files, never from arguments."""

import os
import re
import socket
import ssl
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_BROKER = {
    "host": str, "port": int, "protocol": str, "username": str, "password_file": str,
    "tls": bool, "ca_file": str, "cert_file": str, "key_file": str,
}  # fmt: skip
_INGEST = {"name": str, "group": str, "partition": str}
_DATABASE = {"conninfo": str, "password_file": str}


class SettingsError(Exception):
    """An operator must act; exit status 78."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where events come from and where they go."""

    conninfo: str
    db_password: str | None = field(repr=False)
    host: str = "127.0.0.1"
    port: int = 1883
    five: bool = True
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    name: str = "ingest"
    group: str = "shelf-ingest"
    partition: tuple[int, int] = (1, 1)

    @property
    def client_id(self) -> str:
        """The same at every start, so that the broker keeps what comes meanwhile; another one for each ingest."""
        return f"shelf-ingest-{self.name}-{self.partition[0]}of{self.partition[1]}"

    @property
    def subscription(self) -> str:
        """All events; on MQTT 5 shared with the others of the group."""
        return f"$share/{self.group}/" * self.five + "shelfwatch/+/+/shelf/+/event"


def load(path: Path, partition: str | None = None) -> Settings:
    """Read the settings; `partition` takes the place of the one in the file.

    Raises:
        SettingsError: They cannot be used; it names every problem.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{path} cannot be read ({error}). Start from deploy/ingest/ingest.example.toml."
        ) from error
    problems: list[str] = []
    broker = _section(found, "broker", _BROKER, problems)
    database = _section(found, "database", _DATABASE, problems)
    ingest = _section(found, "ingest", _INGEST, problems)
    problems += [f"[{name}] is not known" for name in found.keys() - {"broker", "database", "ingest"}]
    share = re.fullmatch(r"([1-9]\d{0,2})/([1-9]\d{0,2})", partition or ingest.get("partition", "1/1"))
    if share is None or int(share[1]) > int(share[2]):
        problems.append('partition is not like "2/4": the second of four')
    if broker.get("protocol", "5") not in ("5", "3.1.1"):
        problems.append('broker.protocol is neither "5" nor "3.1.1"')
    elif share is not None and share[2] != "1" and broker.get("protocol", "5") == "5":
        problems.append('partitions are for protocol = "3.1.1"; on MQTT 5 all ingests of a group share the events')
    if "conninfo" not in database:
        problems.append(
            'database.conninfo is missing, such as "host=/run/postgresql dbname=shelfwatch user=shelf-ingest"'
        )
    elif "password" in database["conninfo"]:
        problems.append(
            "database.conninfo holds a password; put it into a file, and name that as database.password_file"
        )
    secrets = {key: _secret(section, key, problems) for key, section in (("broker", broker), ("database", database))}
    tls = _tls(broker, problems)
    if problems:
        raise SettingsError("\n  - ".join([f"{path} cannot be used:", *problems]))
    assert share is not None  # noqa: S101 (for the type checker)
    return Settings(
        conninfo=database["conninfo"],
        db_password=secrets["database"],
        host=broker.get("host", "127.0.0.1"),
        port=broker.get("port", 1883 if tls is None else 8883),
        five=broker.get("protocol", "5") == "5",
        username=broker.get("username"),
        password=secrets["broker"],
        tls=tls,
        name=ingest.get("name", socket.gethostname()),
        group=ingest.get("group", "shelf-ingest"),
        partition=(int(share[1]), int(share[2])),
    )


def _section(found: dict[str, Any], name: str, known: Mapping[str, type], problems: list[str]) -> dict[str, Any]:
    section = found.get(name, {})
    if not isinstance(section, dict):
        problems.append(f"{name} is not a section [{name}]")
        return {}
    for key, value in section.items():
        if key not in known:
            problems.append(f"{name}.{key} is not known; known are {', '.join(sorted(known))}")
        elif type(value) is not known[key]:
            problems.append(f"{name}.{key} is not of the right kind: {value!r}")
    return {key: value for key, value in section.items() if key in known and type(value) is known[key]}


def _secret(section: dict[str, Any], where: str, problems: list[str]) -> str | None:
    if "password_file" not in section:
        return None

    path = Path(os.path.expandvars(section["password_file"]))
    try:
        return path.read_text(encoding="utf-8").rstrip("\n")
    except (OSError, ValueError) as error:
        problems.append(f"{where}.password_file {path} cannot be read ({error})")
        return None


def _tls(broker: dict[str, Any], problems: list[str]) -> ssl.SSLContext | None:
    if not broker.get("tls"):
        return None
    try:
        files = {key: os.path.expandvars(broker[key]) for key in ("ca_file", "cert_file", "key_file") if key in broker}
        context = ssl.create_default_context(cafile=files.get("ca_file"))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if "cert_file" in files:
            context.load_cert_chain(files["cert_file"], files.get("key_file"), password=lambda: b"")
    except (OSError, ValueError) as error:
        problems.append(f"ca_file, cert_file or key_file of [broker] cannot be used ({error})")
        return None
    return context
