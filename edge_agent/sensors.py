"""What the machine says of itself: heat, memory, disk, clock, routes. Plain functions that only read.

Those that read the kernel's files take its folder, so that they can be shown any machine.
"""

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path

PROC, SYS = Path("/proc"), Path("/sys")
PLAUSIBLE_C = (-40.0, 150.0)
"""Degrees between which a reading is a temperature; some sensors give 0 K or 65535 where there is nothing."""
_UNSYNCHRONISED, _CLOCK_ERROR = 0x40, 5
_UP, _REJECT = 0x1, 0x200
"""Flags of a route, from linux/route.h."""


def temperature_c(sys: Path = SYS) -> float | None:
    """Degrees Celsius of the hottest part that has a sensor; None where none has."""
    found = [celsius for zone in sorted(sys.glob("class/thermal/thermal_zone*/temp")) if (celsius := _degrees(zone))]
    return max(found, default=None)


def _degrees(zone: Path) -> float | None:
    try:
        celsius = int(zone.read_text()) / 1000
    except (OSError, ValueError):  # a sensor that is switched off answers with an error
        return None
    return round(celsius, 1) if PLAUSIBLE_C[0] < celsius < PLAUSIBLE_C[1] else None


THROTTLED_NOW = {0: "its supply's voltage is too low", 2: "it is slowed down", 3: "it is near its limit of heat"}
THROTTLED_ONCE = {16: "its supply's voltage was too low", 18: "it was slowed down"}
"""Bits of a Raspberry Pi's `get_throttled`: what is so now, and what has been since it was started."""


def throttled(sys: Path = SYS) -> tuple[list[str], list[str]] | None:
    """What a Raspberry Pi says of its supply and heat: now, and since its start. None on other machines."""
    for path in sys.glob("devices/platform/*/*firmware/get_throttled"):
        try:
            bits = int(path.read_text(), 16)
        except (OSError, ValueError):
            continue
        now = [words for bit, words in THROTTLED_NOW.items() if bits >> bit & 1]
        return now, [words for bit, words in THROTTLED_ONCE.items() if bits >> bit & 1]
    return None


def memory_mb(proc: Path = PROC) -> tuple[int, int] | None:
    """Megabytes of memory that are still to be had, and that there are; None where the kernel does not say."""
    try:
        lines = (line.partition(":") for line in (proc / "meminfo").read_text().splitlines())
        kb = {name: int(value.split()[0]) for name, _, value in lines if value.split()}
        return kb["MemAvailable"] // 1024, kb["MemTotal"] // 1024
    except (OSError, ValueError, KeyError):
        return None


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system: megabytes that are free for this user and that there are, files that still fit, and its kind.

    `inodes_free` is None where the file system sets no bound.
    """

    free_mb: float
    total_mb: float
    inodes_free: int | None
    read_only: bool


def disk(folder: Path) -> Disk:
    """The file system of a folder.

    Raises:
        OSError: There is no such folder, or it is not for this user.
    """
    stat = os.statvfs(folder)
    return Disk(
        free_mb=round(stat.f_bavail * stat.f_frsize / 2**20, 1),
        total_mb=round(stat.f_blocks * stat.f_frsize / 2**20, 1),
        inodes_free=stat.f_favail if stat.f_files else None,
        read_only=bool(stat.f_flag & os.ST_RDONLY),
    )


def default_routes(proc: Path = PROC) -> tuple[str, ...]:
    """The network interfaces that lead everywhere, IPv4's first."""
    found: dict[str, None] = {}  # an ordered set
    for line in _lines(proc / "net" / "route")[1:]:  # a heading; then interface, destination, gateway, flags, …, mask
        parts = line.split()
        if len(parts) > 7 and parts[1] == parts[7] == "00000000" and _leads(parts[3]):
            found[parts[0]] = None
    for line in _lines(proc / "net" / "ipv6_route"):  # destination, its length, …, flags, interface
        parts = line.split()
        if len(parts) == 10 and parts[0] == "0" * 32 and parts[1] == "00" and parts[9] != "lo" and _leads(parts[8]):
            found[parts[9]] = None
    return tuple(found)


def _leads(flags: str) -> bool:
    """Whether a route is in use, and not one that refuses."""
    try:
        bits = int(flags, 16)
    except ValueError:
        return False
    return bool(bits & _UP) and not bits & _REJECT


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


class _Timex(ctypes.Structure):
    """The beginning of `struct timex` of adjtimex(2) on a 64-bit machine, and room for the rest of it."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_long * 32),
    )


def clock_synchronised() -> bool | None:
    """Whether the kernel's clock is held by a time service; None where the kernel does not tell."""
    timex = _Timex()
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError):
        return None
    if state < 0:
        return None
    return state != _CLOCK_ERROR and not timex.status & _UNSYNCHRONISED
