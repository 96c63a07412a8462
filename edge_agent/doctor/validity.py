"""How long the certificates of an encrypted connection still hold: the broker's, and this device's own."""

import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from cryptography import x509

from edge_agent.doctor.finding import Finding, doubtful, fine, look
from edge_agent.mqtt.broker import Broker
from edge_agent.mqtt.tls import Tls, context
from edge_agent.shelf import ConfigError

SOON = timedelta(days=21)
"""From here on somebody should see to a new one."""
HANDSHAKE_S = 5.0


def look_at_certificates(broker: Broker, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Finding | None:
    """Until when they hold; None where the connection is not encrypted, or there is nothing to tell of."""
    tls = broker.tls
    if tls is None:
        return None
    ends = {"the broker's": _theirs(broker, tls), "this device's own": _own(tls)}
    known = {whose: end for whose, end in ends.items() if end is not None}
    return look("certificates", lambda: _judged(known, now())) if known else None


def _judged(ends: dict[str, datetime], now: datetime) -> str | Finding:
    words = ", ".join(f"{whose} is valid until {end:%Y-%m-%d}" for whose, end in ends.items())
    if gone := [whose for whose, end in ends.items() if end <= now]:
        raise ConfigError(f"{words}: {' and '.join(gone)} has expired. Put a new one in its place, and restart.")
    if soon := [whose for whose, end in ends.items() if end - now < SOON]:
        return doubtful("certificates", f"{words}: {' and '.join(soon)} ends in less than {SOON.days} days. Renew it.")
    return fine("certificates", words)


def _own(tls: Tls) -> datetime | None:
    """Until when this device's certificate holds; None where it has none that can be read."""
    if tls.cert_file is None:
        return None
    try:
        return x509.load_pem_x509_certificate(tls.cert_file.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return None


def _theirs(broker: Broker, tls: Tls) -> datetime | None:
    """Until when the broker's certificate holds; None where it is not trusted, which the connection tells better."""
    try:
        with (
            socket.create_connection((broker.host, broker.port), timeout=HANDSHAKE_S) as plain,
            context(tls).wrap_socket(plain, server_hostname=broker.host) as secure,
        ):
            shown = secure.getpeercert()
        end = (shown or {}).get("notAfter")
        return datetime.fromtimestamp(ssl.cert_time_to_seconds(end), UTC) if isinstance(end, str) else None
    except (OSError, ValueError):
        return None
