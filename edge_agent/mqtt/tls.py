"""An encrypted connection: whom this device trusts, who it is itself, and what a certificate that fails means."""

import re
import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from edge_agent.messages import timestamp
from edge_agent.shelf import BrokerError, ConfigError

_NOT_YET_VALID, _EXPIRED, _REVOKED = 9, 10, 23
_SELF_SIGNED = (18, 19)
_UNKNOWN_ISSUER = (2, 20, 21)
_OTHER_NAME = (62, 64)
"""OpenSSL's verification results (`X509_V_ERR_…`, x509_vfy.h)."""


class UntrustedError(BrokerError):
    """The broker cannot show that it is who it should be, or does not take this device's certificate.

    It is tried again: a clock may be set, a certificate renewed, without anybody touching this device.
    """


@dataclass(frozen=True, slots=True)
class Tls:
    """The files of an encrypted connection, all PEM; `ca_file` None means the authorities that the system trusts."""

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


class _ClosedOnFailure(ssl.SSLSocket):
    """A socket that a failed handshake closes; paho forgets it."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 — as in `ssl`
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def context(tls: Tls) -> ssl.SSLContext:
    """A context of TLS 1.2 or newer that checks the broker's certificate and its host name.

    Raises:
        ConfigError: A file cannot be read, or holds something else.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificate and host name
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.sslsocket_class = _ClosedOnFailure
    if tls.ca_file is None:
        made.load_default_certs()
    else:
        try:
            made.load_verify_locations(cafile=tls.ca_file)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"broker: ca_file {tls.ca_file} cannot be read as certificates ({error})."
                " Name a PEM file with the certificate of the authority that signed the broker's."
            ) from error
    if tls.cert_file is not None:
        _load_own(made, tls.cert_file, tls.key_file)
    return made


def _load_own(made: ssl.SSLContext, cert_file: Path, key_file: Path | None) -> None:
    for key, path in (("cert_file", cert_file), ("key_file", key_file)):
        try:
            if path is not None:
                path.read_bytes()
        except OSError as error:
            raise ConfigError(
                f"broker: {key} {path} cannot be read ({error}). Put it there, readable for the agent;"
                " under systemd by LoadCredential."
            ) from error
    try:
        made.load_cert_chain(cert_file, key_file, password=lambda: b"")  # else OpenSSL would ask on the terminal
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"broker: cert_file {cert_file} and key_file {key_file} cannot be used ({error}). Both must be PEM and"
            " belong together, and the key must not be encrypted: nobody is there to type its password."
        ) from error


def explained(error: ssl.SSLError, host: str, now: datetime) -> str:
    """What a failed handshake with `host` means and what to do; `now` is what this device's clock says."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return _refused(error)
    code, clock = error.verify_code, timestamp(now)
    if code == _NOT_YET_VALID:
        return (
            f"shows a certificate that is not valid yet, as this device's clock says {clock}. Most likely the clock is"
            " wrong: set it (timedatectl), or let it be set (NTP)"
        )
    if code == _EXPIRED:
        return (
            f"shows a certificate that has expired. Renew it at the broker; if it has not, this device's clock is"
            f" wrong ({clock}): set it (timedatectl)"
        )
    if code in _SELF_SIGNED or code in _UNKNOWN_ISSUER:
        return (
            f"shows a certificate of an authority that this device does not know ({error.verify_message})."
            " Name the authority's certificate as ca_file under [broker]"
        )
    if code in _OTHER_NAME:
        return (
            f'shows a certificate that is not for "{host}" ({error.verify_message}).'
            " Put the name from its certificate as host under [broker], or renew it with this name"
        )
    remedy = "Renew it at the broker" if code == _REVOKED else "Look at it with openssl s_client -connect"
    return f"shows a certificate that cannot be trusted ({error.verify_message}). {remedy}"


def _refused(error: ssl.SSLError) -> str:
    words = found[1] if (found := re.search(r"\[SSL: (\w+)\]", str(error))) else str(error)
    if "WRONG_VERSION_NUMBER" in words or "RECORD_LAYER" in words:
        return "does not speak TLS at this port. Name its TLS port, mostly 8883, or set tls = false under [broker]"
    if any(word in words.upper() for word in ("CERTIFICATE_REQUIRED", "HANDSHAKE_FAILURE", "PROTOCOL_VERSION")):
        if "PROTOCOL_VERSION" in words.upper():
            return f"speaks no TLS that is new enough; 1.2 is the least ({words}). Bring the broker up to date"
        return (
            f"asks for a certificate of this device ({words})."
            " Name cert_file and key_file under [broker], signed by an authority that the broker trusts"
        )
    if "ALERT" in words.upper():
        return (
            f"does not take this device's certificate ({words}). Have it signed by an authority that the broker trusts,"
            " renew it if it has expired, and look into the broker's log"
        )
    return f"cannot be spoken to by TLS ({words}). Look into the broker's log"
