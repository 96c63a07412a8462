"""Packages of any Debian release, fetched by apt with an index of its own and unpacked: nothing is installed."""

import shutil
import subprocess
from pathlib import Path

MIRROR, KEYRING = "http://deb.debian.org/debian", "/usr/share/keyrings/debian-archive-keyring.gpg"


class NotFetchedError(Exception):
    """Something cannot be fetched: the message says why."""


def unpack(package: str, suite: str, folder: Path, *, alone: bool = False) -> None:
    """Unpack a package of a release, with all that it depends on or `alone`, into a folder.

    Raises:
        NotFetchedError: The mirror is out of reach, or has no such package.
    """
    apt = folder.with_suffix(".apt")
    shutil.rmtree(apt, ignore_errors=True)
    for name in ("state/lists/partial", "cache/archives/partial"):
        (apt / name).mkdir(parents=True)
    (apt / "status").touch()
    (apt / "sources.list").write_text(f"deb [signed-by={KEYRING}] {MIRROR} {suite} main\n")
    options = {
        "Dir::Etc::SourceList": apt / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "Dir::State": apt / "state",
        "Dir::State::status": apt / "status",
        "Dir::Cache": apt / "cache",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "",
        "Debug::NoLocking": "true",
        "Acquire::Retries": "3",
    }
    command = ["apt-get", "-q", "-y", *(word for key, value in options.items() for word in ("-o", f"{key}={value}"))]
    archives = apt / "cache" / "archives"
    run(*command, "update")
    if alone:
        run(*command, "download", package, cwd=archives)
    else:
        run(*command, "--download-only", "install", package)
    for found in sorted(archives.glob("*.deb")):
        run("dpkg-deb", "--extract", str(found), str(folder))
    shutil.rmtree(apt)


def run(*words: str, cwd: Path | None = None) -> None:
    """Run a program.

    Raises:
        NotFetchedError: It fails; the message has its last words.
    """
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=cwd)  # noqa: S603 (ours)
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-5:])
        raise NotFetchedError(f"{words[0]} failed. It needs {MIRROR}, PyPI and a clock that is right.\n{said}")
