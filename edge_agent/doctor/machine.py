"""The machine below the agent: what of it would spoil counts, times or events, and what to do about it."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from edge_agent import sensors
from edge_agent.doctor.finding import Finding, doubtful, look
from edge_agent.sensors import PROC, SYS
from edge_agent.shelf import ConfigError, SpoolError

RELEASED = datetime(2026, 11, 1, tzinfo=UTC)
"""No clock that is right shows a time before this program was made."""
HOT_C = 80.0
"""A Raspberry Pi slows itself down from here on; most small computers are not far from it."""
MEMORY_LOW_MB = 64
DISK_SPARE_MB = 32
"""Room for the outbox's write-ahead log, a snapshot, and the system's own log."""
INODES_LOW = 100


def look_at_clock(
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    synchronised: Callable[[], bool | None] = sensors.clock_synchronised,
) -> Finding:
    """Whether events will carry the right times."""
    return look("clock", lambda: _clock(now(), held=synchronised()))


def _clock(now: datetime, *, held: bool | None) -> str | Finding:
    shown = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    if now < RELEASED:
        raise ConfigError(
            f"it shows {shown}, before this program was made: events get wrong times, and certificates are refused."
            " Let a time service set it (sudo timedatectl set-ntp true), or set it by hand (sudo date -s …)."
        )
    if held is False:
        return doubtful(
            "clock",
            f"{shown}, but no time service holds it, so that it drifts and is wrong after a power cut."
            " sudo timedatectl set-ntp true; without internet name a server of the store in"
            " /etc/systemd/timesyncd.conf.",
        )
    return f"{shown}" + (", held by a time service" if held else "")


def look_at_memory(proc: Path = PROC) -> Finding:
    """Whether there is memory left to count with."""
    return look("memory", lambda: _memory(proc))


def _memory(proc: Path) -> str | Finding:
    found = sensors.memory_mb(proc)
    if found is None:
        return "the kernel does not say"
    words = f"{found[0]} of {found[1]} MB can be had"
    if found[0] < MEMORY_LOW_MB:
        return doubtful(
            "memory",
            f"{words}: soon something will be killed. See what takes it (top -o %MEM); fewer cameras, or a"
            " sub-stream of theirs, take less.",
        )
    return words


def look_at_heat(sys: Path = SYS) -> Finding:
    """Whether the machine is too hot, or short of power."""
    return look("heat", lambda: _heat(sys))


def _heat(sys: Path) -> str | Finding:
    celsius, pi = sensors.temperature_c(sys), sensors.throttled(sys)
    words = f"{celsius:g} °C" if celsius is not None else "there is no sensor"
    now, once = pi if pi is not None else ([], [])
    complaints = now or [f"since it was started {', and '.join(once)}"] if now or once else []
    remedies = []
    if any("voltage" in words for words in complaints):
        remedies.append("Give it the power supply that is made for it, with a short, thick cable.")
    if (celsius is not None and celsius >= HOT_C) or any("heat" in words for words in complaints):
        remedies.append("Give it air, a heat sink, or shade.")
    if celsius is not None and celsius >= HOT_C:
        complaints.insert(0, "too hot: it is, or will be, slowed down")
    if not complaints:
        return words
    return doubtful("heat", f"{words}: {', and '.join(complaints)}. {' '.join(remedies)}".rstrip())


def look_at_disk(folder: Path, *, needed_mb: float, disk: Callable[[Path], sensors.Disk] = sensors.disk) -> Finding:
    """Whether events find room on the disk of the outbox.

    Args:
        folder: The outbox's; where it is not there, the disk on which it would be.
        needed_mb: What the outbox may still take.
        disk: What tells of a file system.
    """
    return look("disk", lambda: _disk(folder, needed_mb, disk))


def _disk(folder: Path, needed_mb: float, disk: Callable[[Path], sensors.Disk]) -> str | Finding:
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        found = disk(there)
    except OSError as error:
        raise SpoolError(f"{there} cannot be looked at ({error}). See to the disk (dmesg).") from error
    words = f"{found.free_mb:.0f} of {found.total_mb:.0f} MB are free in {there}"
    if found.read_only:
        raise SpoolError(
            f"the file system of {there} is read-only: events wait in memory only. A disk that fails is made so by the"
            " kernel: see dmesg, and replace it (a worn-out SD card); else sudo mount -o remount,rw."
        )
    if found.free_mb < DISK_SPARE_MB or (found.inodes_free is not None and found.inodes_free < INODES_LOW):
        full = words if found.free_mb < DISK_SPARE_MB else f"{found.inodes_free} more files fit in {there}"
        raise SpoolError(f"{full}: the disk is full. Make room (sudo du -xh / | sort -h | tail).")
    if found.free_mb < needed_mb + DISK_SPARE_MB:
        return doubtful(
            "disk",
            f"{words}, less than the {needed_mb:.0f} MB that the outbox may still take. Make room, or lower max_mb"
            " under [outbox].",
        )
    return words
