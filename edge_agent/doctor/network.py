"""The way from this device to its cameras and its broker: names that can be resolved, and routes that lead there."""

import ipaddress
import queue
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from edge_agent import sensors
from edge_agent.capture.address import is_stream
from edge_agent.config import Settings
from edge_agent.doctor.finding import Finding, look
from edge_agent.sensors import PROC
from edge_agent.shelf import BrokerError

RESOLVE_S = 5.0
"""How long a name may take: a resolver that is not there keeps everybody waiting for longer."""
Resolve = Callable[[str], tuple[str, ...]]
Reach = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Host:
    """Somebody whom the configuration names: what for (`broker`, `camera cam1`), and under which name or address."""

    what: str
    name: str


def hosts_of(settings: Settings) -> tuple[Host, ...]:
    """The broker, and the cameras that are not local."""
    cameras = [
        Host(f"camera {camera.id}", urlsplit(camera.source).hostname or "")
        for camera in settings.cameras
        if is_stream(camera.source)
    ]
    return (Host("broker", settings.broker.host), *cameras)


def look_at_network(
    settings: Settings, *, proc: Path = PROC, resolve: Resolve | None = None, reach: Reach | None = None
) -> tuple[Finding, frozenset[str]]:
    """Whether there is a way to the broker and the cameras, and to whom there is none (`Host.what`)."""
    cut_off: set[str] = set()
    found = look("network", lambda: _network(settings, proc, (resolve or resolved, reach or unreachable), cut_off))
    return found, frozenset(cut_off)


def _network(settings: Settings, proc: Path, asked: tuple[Resolve, Reach], cut_off: set[str]) -> str:
    ways, problems = [], []
    for host in hosts_of(settings):
        problem, way = _way_to(host, *asked)
        if problem:
            problems.append(problem)
            cut_off.add(host.what)
        elif way and way not in ways:
            ways.append(way)
    out = sensors.default_routes(proc)
    leads = f"{' and '.join(out)} lead{'s' if len(out) == 1 else ''} out" if out else "no default route"
    if problems:
        raise BrokerError(f"{leads}; {'; '.join(problems)}.")
    return "; ".join([leads, *ways])


def _way_to(host: Host, resolve: Resolve, reach: Reach) -> tuple[str, str]:
    """What is wrong with the way to somebody, and else what there is to say of it; both are empty on this device."""
    try:
        addresses = _addresses(host.name, resolve)
    except OSError as error:
        problem = f"the name {host.name} of the {host.what} cannot be resolved ({error})"
        return f"{problem}: check it, and the name server in /etc/resolv.conf; or give an address instead", ""
    reasons = [reason for address in addresses if (reason := reach(address))]
    if len(reasons) == len(addresses):
        problem = f"no way leads to the {host.what} at {', '.join(addresses)} ({reasons[0]})"
        return f"{problem}: check cable or Wi-Fi, and that this device has an address (ip address, ip route)", ""
    if all(ipaddress.ip_address(address).is_loopback for address in addresses):
        return "", ""
    named = f"{host.name} is {', '.join(addresses)}" if addresses != (host.name,) else f"a way leads to {host.name}"
    return "", named


def _addresses(name: str, resolve: Resolve) -> tuple[str, ...]:
    try:
        return (str(ipaddress.ip_address(name)),)
    except ValueError:
        return resolve(name)


def resolved(name: str) -> tuple[str, ...]:
    """The addresses of a name.

    Raises:
        OSError: There are none, or nobody answers in time.
    """
    found: queue.SimpleQueue[tuple[str, ...] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
            found.put(tuple(dict.fromkeys(str(answer[4][0]) for answer in answers)))
        except (OSError, UnicodeError) as error:
            found.put(error if isinstance(error, OSError) else OSError(str(error)))

    threading.Thread(target=ask, name="resolve", daemon=True).start()
    try:
        answer = found.get(timeout=RESOLVE_S)
    except queue.Empty:
        raise TimeoutError(f"no answer within {RESOLVE_S:.0f} s") from None
    if isinstance(answer, OSError):
        raise answer
    return answer


def unreachable(address: str) -> str | None:
    """Why no route leads to an address; None where one does. Nothing is sent."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((address, 9))  # a datagram socket only looks up the route
    except OSError as error:
        return error.strerror or str(error)
    return None
