"""A newer Python than the system's, and a Home Assistant for it, in folders of their own: nothing is installed.

Home Assistant wants Python 3.14.2, which Debian has in a later release than this one. It is unpacked, and run
by its own loader beside its own C library. What Home Assistant needs to serve MQTT is pinned with hashes in
`requirements.txt`; of its 1,500 integrations those are unpacked that it then imports.
"""

import hashlib
import os
import platform
import shutil
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.debian import NotFetchedError, run, unpack
from benchmarks.parts import REPO

SUITE, PYTHON, VERSION = "forky", "python3.14", "3.14.8"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
HOUSE = Path(__file__).with_name("house.py")
KEPT = REPO / "build" / "home-assistant"
INTEGRATIONS = (
    "alarm_control_panel api auth automation backup binary_sensor blueprint button calendar climate config cover"
    " default_config device_automation device_tracker diagnostics event fan file_upload frontend group hassio history"
    " homeassistant http image image_upload input_number light lock logbook logger lovelace media_player mqtt network"
    " notify number onboarding persistent_notification person recorder repairs scene script search sensor sun switch"
    " system_health system_log trace update vacuum valve water_heater webhook websocket_api zeroconf zone"
)
"""What mqtt imports, and what that imports."""
GLIBCS = (40, 39, 38, 36, 35, 34, 31, 28, 27, 26, 24, 17, 12, 5)
"""Minor versions of glibc 2 that wheels name, all of them older than the one that is unpacked."""


@dataclass(frozen=True, slots=True)
class House:
    """A Home Assistant that can be run, in its folder below build/."""

    kept: Path

    def command(self, folder: Path, port: int) -> list[str]:
        """The command that runs one with its files in `folder`, for the broker on a port of the loopback."""
        libraries = self.kept / "root" / "usr" / "lib" / "x86_64-linux-gnu"
        python = self.kept / "root" / "usr" / "bin" / PYTHON
        loaded = [str(libraries / "ld-linux-x86-64.so.2"), "--library-path", str(libraries), str(python)]
        return [*loaded, "-W", "ignore", str(HOUSE), str(folder), str(port)]

    def environment(self) -> dict[str, str]:
        """What that command must find in its environment."""
        found = {"PYTHONHOME": str(self.kept / "root" / "usr"), "PYTHONPATH": str(self.kept / "site")}
        return {**os.environ, **found}


def house() -> House:
    """A Home Assistant, fetched the first time and kept.

    Raises:
        NotFetchedError: It cannot be fetched.
    """
    if platform.machine() != "x86_64":
        raise NotFetchedError(f"hardware: this machine is a {platform.machine()}, and wheels for x86_64 are fetched")
    made_of = f"{SUITE} {PYTHON} {INTEGRATIONS} {REQUIREMENTS.read_text()}"
    kept = KEPT / hashlib.sha256(made_of.encode()).hexdigest()[:12]
    if not kept.is_dir():
        part = kept.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        unpack(PYTHON, SUITE, part / "root")
        _packages(part / "wheels", part / "site")
        part.rename(kept)
    return House(kept)


def _packages(wheels: Path, site: Path) -> None:
    """Fetch the wheels, whose hashes pip checks, and unpack them: a wheel is a zip of what is to be imported."""
    platforms = [word for minor in GLIBCS for word in ("--platform", f"manylinux_2_{minor}_x86_64")]
    abis = [word for abi in ("cp314", "abi3", "none") for word in ("--abi", abi)]
    which = ["--only-binary", ":all:", "--implementation", "cp", "--python-version", VERSION, *abis, *platforms]
    pip = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps"]
    run(*pip, *which, "--require-hashes", "-r", str(REQUIREMENTS), "-d", str(wheels))
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site, [name for name in archive.namelist() if _wanted(name)])
    shutil.rmtree(wheels)


def _wanted(name: str) -> bool:
    """Whether a file of a wheel is to be unpacked."""
    parts = name.split("/")
    if parts[:2] != ["homeassistant", "components"] or len(parts) < 4:
        return True
    return parts[2] in INTEGRATIONS.split() and parts[3] not in {"translations", "brand"}
