"""The device's own page: who reaches it, whether it asks for a password, whether it is encrypted, and until when."""

import errno
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from edge_agent.config import Settings
from edge_agent.doctor.finding import Finding, doubtful, fine, look
from edge_agent.doctor.validity import SOON
from edge_agent.page import listen
from edge_agent.sections import DashboardSection, is_loopback
from edge_agent.shelf import ConfigError


def look_at_page(settings: Settings, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Finding:
    """Whether the page is safe to have as it is configured; nothing is asked of it."""
    return look("page", lambda: _page(settings, now()))


def look_at_address(section: DashboardSection, *, at_work: bool) -> Finding:
    """Whether the page can be served where it is to be; `at_work` says that the agent runs, and may well have it."""
    what, where = "page's address", f"{section.host}, port {section.port}"
    try:
        listen(section.host, section.port).close()
    except OSError as error:
        if at_work and error.errno == errno.EADDRINUSE:
            return fine(what, f"{where} is in use, as it is while the agent runs")
        return doubtful(
            what,
            f"{where} cannot be listened on at present ({error.strerror}); the agent counts without its page, and tries"
            " again every 10 s. Set host or port under [dashboard] to one that is free.",
        )
    return fine(what, f"{where} is free" if not at_work else f"{where} is there")


def _page(settings: Settings, now: datetime) -> Finding:
    from edge_agent.dashboard.door.access import access_of  # noqa: PLC0415 — only where there is a page

    access, section = access_of(settings, settings.dashboard.port), settings.dashboard
    asks = "it asks for a password" if access.password is not None else "it asks for no password"
    if section.cert_file is not None:
        return _encrypted(section.cert_file, asks, now)
    if is_loopback(section.host):
        return fine("page", f"only programs on this device reach it; {asks}")
    return doubtful(
        "page",
        f"{asks}, but is not encrypted: whoever listens in the network can read along, the password"
        " too. Name cert_file and key_file under [dashboard].",
    )


def _encrypted(cert_file: Path, asks: str, now: datetime) -> Finding:
    try:
        end = x509.load_pem_x509_certificate(cert_file.read_bytes()).not_valid_after_utc
    except ValueError as error:
        raise ConfigError(f"{cert_file} is no certificate ({error}). Name a PEM file.") from error
    words = f"it is encrypted, and {asks}; its certificate is valid until {end:%Y-%m-%d}"
    if end <= now:
        return doubtful("page", f"{words}: it has expired, and browsers warn. Put a new one in its place, and restart.")
    if end - now < SOON:
        return doubtful("page", f"{words}: it ends in less than {SOON.days} days. Renew it.")
    return fine("page", words)
