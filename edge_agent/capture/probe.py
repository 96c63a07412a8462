"""Is a camera back? A word over the network, or a look for a device: cheaper by far than to open it."""

import socket
from urllib.parse import urlsplit

from edge_agent.capture.address import is_device, is_stream, node_of

PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
ASKS = {"rtsp": b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n", "http": b"OPTIONS * HTTP/1.0\r\n\r\n"}
"""What every server answers, if only with a refusal. It holds no address, and so no password."""


def answers(source: str, *, timeout_s: float = 1.0) -> bool:
    """Whether a camera shows a sign of life: its device is there, or its server answers (TLS: takes a connection).

    A server that hangs still takes connections, as its kernel does that; so it is asked something.
    """
    try:
        if is_device(source):
            return node_of(source).exists()
        return _serves(source, timeout_s) if is_stream(source) else True
    except (OSError, ValueError):  # an address that is none has a ValueError
        return False


def _serves(source: str, timeout_s: float) -> bool:
    parts = urlsplit(source)
    scheme = parts.scheme.lower()
    with socket.create_connection((parts.hostname, parts.port or PORTS[scheme]), timeout=timeout_s) as connection:
        if scheme not in ASKS:
            return True
        connection.sendall(ASKS[scheme])
        return bool(connection.recv(1))
