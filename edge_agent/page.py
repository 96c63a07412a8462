"""Where the device's page is: the socket that it is served from, and the addresses by which it is found."""

import socket

from edge_agent.sections import DashboardSection, is_loopback

EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 — read, not listened on
"""Hosts that mean every address of the device, and the one by which it reaches itself then."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there.

    Raises:
        OSError: The port is taken, or the address is none of this device's at present.
    """
    return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)


def address_here(page: DashboardSection, port: int) -> str:
    """The address of the page for this device itself; `port` is the one that it is served on."""
    return _address(page, EVERY_ADDRESS.get(page.host, page.host), port)


def page_address(page: DashboardSection, hostname: str) -> str | None:
    """The address of the page as others reach it, None where they cannot; `hostname` is this machine's."""
    if not page.enabled or is_loopback(page.host) or page.port == 0:
        return None
    return _address(page, hostname if page.host in EVERY_ADDRESS else page.host, page.port)


def _address(page: DashboardSection, host: str, port: int) -> str:
    scheme = "https" if page.cert_file is not None else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/"
