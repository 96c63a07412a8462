"""Who may ask the page for what: its password, its names, and the sessions of those who are in. Rules, no HTTP."""

import asyncio
import hashlib
import hmac
import ipaddress
import logging
import secrets
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from edge_agent.config import Settings
from edge_agent.dashboard.answers import PageError
from edge_agent.dashboard.door import passwords
from edge_agent.dashboard.door.passwords import Hashed
from edge_agent.dashboard.door.sessions import Session, Sessions
from edge_agent.dashboard.door.throttle import Throttle
from edge_agent.sections import DashboardSection, is_loopback
from edge_agent.shelf import ConfigError

log = logging.getLogger(__name__)

HASHING, WAITING_MAX = 2, 8
"""Passwords that are looked at together (32 MB each), and how many more may wait."""
LOOPBACK_NAMES = frozenset({"localhost"})


@dataclass(slots=True, eq=False)
class Access:
    """The rules of one page, and who is in."""

    password: Hashed | None
    encrypted: bool
    names: frozenset[str]
    cookie: str
    sessions: Sessions = field(default_factory=Sessions)
    throttle: Throttle = field(default_factory=Throttle)
    threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(HASHING, thread_name_prefix="password")
    )
    trying: int = 0
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    _vouched: bytes | None = field(default=None, repr=False)

    def names_us(self, host: str, own_address: str | None) -> bool:
        """Whether a `Host` header means this device. Another name may be a stranger's that points here.

        Args:
            host: The header, with a port or without.
            own_address: The device's address that the connection came to.
        """
        name = host_name(host)
        if name is None:
            return False
        return name in self.names or is_loopback(name) or (own_address is not None and name == _plain(own_address))

    async def sign_in(self, password: str, address: str) -> tuple[str, Session]:
        """Let somebody in who knows the password: the secret for the cookie, and the session.

        Raises:
            PageError: It is wrong (401), or tried too often (429).
        """
        if self.password is None:
            return self.sessions.begin(address)
        if not await self.fits(password, address):
            raise PageError("this is not the password. Forgotten? Write another: sudo shelf-agent password", status=401)
        return self.sessions.begin(address)

    async def vouched(self, password: str, address: str) -> bool:
        """The same for whoever sends it with every request: the right one is hashed once, not each time.

        Raises:
            PageError: It was tried too often.
        """
        digest = hmac.digest(self._key, password.encode(), "sha256")
        if self._vouched is not None and hmac.compare_digest(self._vouched, digest):
            return True
        if not await self.fits(password, address):
            return False
        self._vouched = digest
        return True

    async def fits(self, password: str, address: str) -> bool:
        """Whether it is the password; looked at beside the other requests, and not too often.

        Raises:
            PageError: It was tried too often.
        """
        wait_s = self.throttle.wait_s(address)
        if wait_s or self.trying >= HASHING + WAITING_MAX:
            raise PageError(
                f"too many wrong passwords. Try again in {wait_s or 1} s.",
                status=429,
                headers={"retry-after": str(wait_s or 1)},
            )
        self.trying += 1
        right = False
        try:
            if self.password is not None and len(password) <= passwords.LENGTH_MAX:
                loop = asyncio.get_running_loop()
                right = await loop.run_in_executor(self.threads, self.password.fits, password)
        finally:
            self.trying -= 1
        self.throttle.tried(address, right=right)
        if not right:
            log.warning("a wrong password at the page, from %s", address)
        return right


def access_of(settings: Settings, port: int) -> Access:
    """The rules for the page of a configuration that listens on `port`.

    Raises:
        ConfigError: It would be open to everybody, or the password or the certificate cannot be read.
    """
    section = settings.dashboard
    password = passwords.read(section.password_file) if section.password_file is not None else None
    if password is None and not is_loopback(section.host):
        file = f"{section.password_file}, which is empty" if section.password_file else "your password_file"
        raise ConfigError(
            f'the page listens on "{section.host}", beyond this device, and there is no password. Write one with'
            f' sudo shelf-agent password ({file}), or set host = "127.0.0.1" under [dashboard].'
        )
    check_certificate(section)
    who = hashlib.sha256(f"{settings.site}/{settings.device}/{port}".encode()).hexdigest()[:8]
    encrypted = section.cert_file is not None
    # a browser sends cookies to every port of a name: two agents on one device must not overwrite each other's
    cookie = f"{'__Host-' if encrypted else ''}shelfwatch-{who}"
    return Access(password, encrypted, _names(section), cookie)


def check_certificate(section: DashboardSection) -> None:
    """Whether the page can be served encrypted with what is named.

    Raises:
        ConfigError: It cannot.
    """
    if section.cert_file is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(section.cert_file, section.key_file)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"dashboard: cert_file {section.cert_file} and key_file {section.key_file} cannot be used ({error}). Name"
            " a certificate and its key, both PEM and readable for the agent."
        ) from error


def host_name(host: str) -> str | None:
    """The name or address in a `Host` header or of an origin, in small letters; None where it is malformed."""
    if not host or any(sign in host for sign in "/\\@ \t,"):
        return None
    if host.startswith("["):
        name, bracket, port = host[1:].partition("]")
        port = port.removeprefix(":") if port.startswith(":") or not port else "x"
        if not bracket:
            return None
    else:
        name, _, port = host.partition(":")
    if port and not (port.isascii() and port.isdigit()):
        return None
    return _plain(name.lower().removesuffix("."))


def _plain(name: str) -> str:
    """An address in its one way of writing, without a zone; another name as it is."""
    try:
        found = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return name
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


def _names(section: DashboardSection) -> frozenset[str]:
    """Under which names this device is asked for."""
    own = socket.gethostname().lower()
    found = {own, own.partition(".")[0], f"{own.partition('.')[0]}.local", section.host, *section.names}
    return frozenset(_plain(name.lower()) for name in found if name) | LOOPBACK_NAMES
