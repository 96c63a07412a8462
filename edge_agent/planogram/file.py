"""The configuration file as a program changes it: read with its revision, and written whole.

Where its folder may be written, a new file takes the place of the old one, which stays as `agent.toml.bak`. On a device
the folder holds secrets and is root's; the agent may write into the file itself only. What it writes there is first
kept in its own folder (`$STATE_DIRECTORY`), so that a loss of power in between is mended at the next start.
"""

import hashlib
import logging
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edge_agent.files import write_whole
from edge_agent.shelf import ConfigError

log = logging.getLogger(__name__)

BLOCK = 512
"""Bytes that a disk writes at once, or not at all."""


class UnwritableError(ConfigError):
    """The configuration cannot be changed from here."""


class ChangedError(ConfigError):
    """Somebody else changed it meanwhile."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a file holds. `revision` is the sha256 of it, to tell whether it has changed since."""

    content: bytes
    revision: str

    @property
    def text(self) -> str:
        """As it is written."""
        return self.content.decode()


def look(path: Path) -> Kept:
    """Read the file.

    Raises:
        ConfigError: It is not there, may not be read, or is no text.
    """
    try:
        content = path.read_bytes()
        content.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}). See to it on the device.") from error
    return Kept(content, hashlib.sha256(content).hexdigest())


def obstacle(path: Path | None) -> str | None:
    """Why a configuration cannot be changed from here, and what to do; None where it can."""
    if path is None:
        return "this agent was started without a configuration file, so that there is nothing to save into"
    if path.is_symlink():
        return (
            f"{path} is a link to {path.resolve()}. Start the agent with the file itself (--config), or edit it by hand"
        )
    if not path.is_file():
        return f"there is no file {path} any more. Put it back"
    if not os.access(path, os.W_OK):
        return f"{path} may not be written by the agent. Give it access (sudo chmod g+w {path}), or edit it by hand"
    if not _may_replace(path) and _aside() is None:
        return f"nothing may be written into the folder {path.parent}. Give the agent access, or edit the file by hand"
    return None


def store(path: Path, content: bytes, *, before: Kept) -> None:
    """Put `content` into the file, and keep what was there before as `<name>.bak`. Mode and owner stay.

    Raises:
        UnwritableError: It cannot be written; it is as it was.
    """
    if (why := obstacle(path)) is not None:
        raise UnwritableError(f"{why}.")
    aside = _aside()
    try:
        if _may_replace(path):
            _replace(path.with_name(f"{path.name}.bak"), before.content, like=path)
            _replace(path, content, like=path)
        elif aside is not None:
            write_whole(aside / f"{path.name}.bak", before.content)
            write_whole(aside / f"{path.name}.saving", content)
            _overwrite(path, content)
            (aside / f"{path.name}.saving").unlink()
    except OSError as error:
        with suppress(OSError):
            if path.read_bytes() != before.content:
                _overwrite(path, before.content)
        raise UnwritableError(
            f"{path} cannot be written ({error.strerror}), and is as it was. Make room on the disk, or see to"
            " its access."
        ) from error


def mend(path: Path) -> None:
    """Finish what a loss of power cut short; at the start, before the file is read. Mostly there is nothing to do."""
    aside = _aside()
    if aside is None:
        return
    saving, backup = aside / f"{path.name}.saving", aside / f"{path.name}.bak"
    with suppress(OSError):
        new, old, found = saving.read_bytes(), backup.read_bytes(), path.read_bytes()
        if found not in {new, old} and _torn(found, old, new):
            log.warning("%s was being written when the power went; it is written again", path)
            _overwrite(path, new)
        saving.unlink()


def _torn(found: bytes, old: bytes, new: bytes) -> bool:
    """Whether a file is part old and part new, and nobody else's work."""
    over = new + old[len(new) :]
    return all(
        found[at : at + BLOCK] == old[at : at + BLOCK] or over[at : at + BLOCK].startswith(found[at : at + BLOCK])
        for at in range(0, len(found), BLOCK)
    )


def _may_replace(path: Path) -> bool:
    return os.access(path.resolve().parent, os.W_OK | os.X_OK)


def _aside() -> Path | None:
    """The folder that systemd gave us for what we keep, where it did."""
    named = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    return Path(named) if named and os.access(named, os.W_OK | os.X_OK) else None


def _replace(path: Path, content: bytes, *, like: Path) -> None:
    """A new file in the place of `path`, with the mode and, as far as we may, the owner of `like`."""
    was = like.stat()
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        mode = stat.S_IMODE(was.st_mode)
        try:
            os.fchown(file.fileno(), -1, was.st_gid)
        except PermissionError:
            mode &= ~stat.S_IRWXG  # of a group that we are not in
        with suppress(PermissionError):
            os.fchown(file.fileno(), was.st_uid, -1)
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _overwrite(path: Path, content: bytes) -> None:
    """The same file with another content; it keeps all that it is."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "wb") as file:
        file.write(content)
        file.flush()
        file.truncate(len(content))
        os.fsync(file.fileno())
