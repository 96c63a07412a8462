"""The page's password: kept as a scrypt hash (RFC 7914), whose parameters stand in it.

`$scrypt$ln=15,r=8,p=1$<salt>$<hash>`, base64 without padding: 32 MB and about a tenth of a second for each guess.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from edge_agent.files import write_whole
from edge_agent.shelf import ConfigError, InputError

LENGTH_MIN, LENGTH_MAX = 10, 256
"""Characters of a password."""
COST_LOG2, BLOCKS, LANES = 15, 8, 1
SALT_BYTES, HASH_BYTES = 16, 32
BOUNDS = {"ln": (14, 18), "r": (8, 16), "p": (1, 4)}
"""Parameters that are believed: weaker ones are no protection, stronger ones take the memory that counting needs."""
_SHAPE = re.compile(r"\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([\w+/]+)\$([\w+/]+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Hashed:
    """A password that is known by its hash only."""

    cost_log2: int
    blocks: int
    lanes: int
    salt: bytes
    digest: bytes

    def fits(self, password: str) -> bool:
        """Whether it is this password; takes as long either way. It holds no lock of the interpreter meanwhile."""
        return hmac.compare_digest(self.digest, _scrypt(password, self))

    @property
    def text(self) -> str:
        """As it stands in the file."""
        return f"$scrypt$ln={self.cost_log2},r={self.blocks},p={self.lanes}${_base64(self.salt)}${_base64(self.digest)}"


def hashed(password: str) -> Hashed:
    """Hash a password with a salt of its own.

    Raises:
        InputError: It is too short or too long.
    """
    if not LENGTH_MIN <= len(password) <= LENGTH_MAX:
        raise InputError(
            f"the password has {len(password)} characters. Take {LENGTH_MIN} or more, up to {LENGTH_MAX}: a few"
            " words are easy to remember."
        )
    blank = Hashed(COST_LOG2, BLOCKS, LANES, secrets.token_bytes(SALT_BYTES), b"\0" * HASH_BYTES)
    return Hashed(COST_LOG2, BLOCKS, LANES, blank.salt, _scrypt(password, blank))


def read(path: Path) -> Hashed | None:
    """The password of a file; None where the file is empty, as systemd hands over one that is not there.

    Raises:
        ConfigError: It cannot be read, or holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        remedy = (
            " systemd sets this variable for the service: use sudo shelf-agent, or name a file."
            if "$" in str(path)
            else f" Write one with: shelf-agent password {path}"
        )
        raise ConfigError(f"dashboard: password_file {path} cannot be read ({error}).{remedy}") from error
    if not text:
        return None
    if (found := parsed(text)) is None:
        raise ConfigError(
            f"dashboard: password_file {path} does not hold what shelf-agent password writes; the password itself must"
            f" not stand there. Write it with: shelf-agent password {path}"
        )
    return found


def parsed(text: str) -> Hashed | None:
    """What stands in a file; None where it is no hash of ours."""
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        return None
    figures = dict(zip(BOUNDS, map(int, shape.groups()[:3]), strict=True))
    try:
        salt, digest = (_bytes(part) for part in shape.groups()[3:])
    except binascii.Error:
        return None
    if any(not low <= figures[name] <= high for name, (low, high) in BOUNDS.items()):
        return None
    if len(salt) < SALT_BYTES or len(digest) != HASH_BYTES:
        return None
    return Hashed(figures["ln"], figures["r"], figures["p"], salt, digest)


def write(path: Path, password: str) -> None:
    """Store the hash of a password, readable for this user alone.

    Raises:
        InputError: It is too short, or the file cannot be written.
    """
    line = hashed(password).text + "\n"
    try:
        write_whole(path, line.encode(), mode=0o600)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error}). Use sudo, or name a file of yours.") from error


def _scrypt(password: str, like: Hashed) -> bytes:
    cost = 2**like.cost_log2
    return hashlib.scrypt(
        password.encode(),
        salt=like.salt,
        n=cost,
        r=like.blocks,
        p=like.lanes,
        maxmem=2 * 128 * cost * like.blocks * like.lanes + 2**20,
        dklen=HASH_BYTES,
    )


def _base64(content: bytes) -> str:
    return base64.b64encode(content).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
