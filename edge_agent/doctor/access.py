"""Who looks, and what that user may touch: the camera's devices, and secrets that others should not read."""

import grp
import os
import pwd
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from edge_agent.capture.address import is_device, is_stream, node_of
from edge_agent.config import Settings
from edge_agent.doctor.finding import Finding, doubtful, look
from edge_agent.shelf import ConfigError

_SECRET = re.compile(r"@|(pass|pwd|pw|token|key|secret|auth)\w*=", re.IGNORECASE)
"""What an address with a password, or something like it, has: before its host, or in its parameters."""


def usable(node: Path) -> bool:
    """Whether we may read and write something that is there."""
    return not node.exists() or os.access(node, os.R_OK | os.W_OK)


def look_at_permissions(
    path: Path, settings: Settings, *, may_use: Callable[[Path], bool] = usable, uid: int | None = None
) -> Finding:
    """Who we are, whether the cameras' devices are for us, and whether secrets are for others too.

    Args:
        path: The configuration file.
        settings: What it says.
        may_use: Tells whether a device is for us.
        uid: Who we are; None asks the system.
    """
    return look("permissions", lambda: _permissions(path, settings, may_use, os.geteuid() if uid is None else uid))


def _permissions(path: Path, settings: Settings, may_use: Callable[[Path], bool], uid: int) -> str | Finding:
    user = _user(uid)
    who = f"you are {user}, with {_groups()}"
    closed = [
        f"{node} is for group {_group(node)}: sudo usermod -aG {_group(node)} {user}, and restart"
        for node in _nodes(settings)
        if not may_use(node)
    ]
    if closed:
        raise ConfigError(f"{who}; {'; '.join(closed)}.")
    doubts = [
        f"{secret} holds {what} and is readable for everybody: sudo chmod 0640 {secret}"
        for secret, what in _secrets(path, settings)
        if _open_to_all(secret)
    ]
    folder = settings.outbox.path.parent
    if uid == 0 and folder.exists() and (owner := folder.stat().st_uid) != 0:
        doubts.append(
            f"root may do everything, and so sees nothing of what {_user(owner)} may not: run it as that user"
            " (sudo shelf-agent doctor does, where it was installed)"
        )
    return doubtful("permissions", f"{who}; {'; '.join(doubts)}.") if doubts else who


def _nodes(settings: Settings) -> Iterator[Path]:
    """The device nodes of local cameras."""
    for camera in settings.cameras:
        if is_device(camera.source):
            yield node_of(camera.source)


def _secrets(path: Path, settings: Settings) -> Iterator[tuple[Path, str]]:
    """The files that hold what others should not know, and what that is."""
    if any(is_stream(camera.source) and _SECRET.search(camera.source) for camera in settings.cameras):
        yield path, "the password of a camera"
    if settings.broker.password_file is not None:
        yield settings.broker.password_file, "the broker's password"
    if settings.broker.key_file is not None:
        yield settings.broker.key_file, "this device's private key"
    if settings.dashboard.password_file is not None:
        yield settings.dashboard.password_file, "the hash of the page's password"
    if settings.dashboard.key_file is not None:
        yield settings.dashboard.key_file, "the private key of the page's certificate"


def _open_to_all(path: Path) -> bool:
    """Whether every user of the machine may read a file, as far as its own mode says."""
    try:
        return bool(path.stat().st_mode & 0o004)
    except OSError:
        return False


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _groups() -> str:
    names = sorted({_name(gid) for gid in (os.getegid(), *os.getgroups())})
    return f"group {names[0]}" if len(names) == 1 else f"groups {', '.join(names)}"


def _group(node: Path) -> str:
    return _name(node.stat().st_gid)


def _name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
