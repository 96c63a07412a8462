"""Cameras over HTTP: single pictures, MJPEG, or video, told apart by what the answer says it is.

Runs in a camera's process. A picture by itself is fetched once per period; of MJPEG only what is due is decoded.
"""

import os
import time
from collections.abc import Iterator
from typing import Self
from urllib.parse import unquote, urlsplit, urlunsplit

import requests
from requests.auth import AuthBase, HTTPBasicAuth, HTTPDigestAuth
from urllib3.exceptions import HTTPError

from edge_agent.capture import stream
from edge_agent.capture.age import StreamClock
from edge_agent.capture.mjpeg import PICTURE_BYTES, boundary_of, parts
from edge_agent.capture.output import OLD_PICTURES, Output
from edge_agent.capture.still import Decoder
from edge_agent.shelf import CameraError, OutageReason

CHUNK_BYTES = 2**16


def read(output: Output) -> None:
    """Read what is under the address of an order until it ends or is silent.

    Raises:
        CameraError: Why there is no picture any more; it always ends so.
    """
    with Web(output) as web:
        answer = web.get()
        kind = answer.headers.get("Content-Type", "").lower()
        if kind.startswith("multipart/"):
            _pass_on_parts(answer, output, web)
        elif kind.startswith("image/"):
            _fetch_pictures(answer, output, web)
        elif kind.startswith(("text/", "application/json")):
            raise output.error("decode", "answers with text, not with a picture or a video")
        answer.close()
    stream.read(output)


class Web:
    """A camera's web server: asks it, and says in our words what is wrong. Nothing of requests' own gets out."""

    def __init__(self, output: Output) -> None:
        self._output = output
        at = urlsplit(output.order.source)
        self._address = urlunsplit(at._replace(netloc=at.netloc.rpartition("@")[2]))
        self._user, self._password = unquote(at.username or ""), unquote(at.password or "")
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy stands between us and a camera, and no ~/.netrc is asked

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def get(self) -> requests.Response:
        """Ask for what is there; its body is not read yet.

        Raises:
            CameraError: It does not answer, or not with what was asked for.
        """
        answer = self._ask()
        if answer.status_code == requests.codes.unauthorized and self._user and self._session.auth is None:
            self._session.auth = self._auth(answer.headers.get("WWW-Authenticate", ""))
            answer.close()
            answer = self._ask()
        status = answer.status_code
        if status in {401, 403}:
            raise self._output.error("auth", f"refuses the user name or the password (HTTP {status})")
        if status >= 500:
            raise self._output.error("timeout", f"reports an error of its own (HTTP {status})")
        if status != requests.codes.ok:
            raise self._output.error("not_found", f"has nothing under this address (HTTP {status})")
        return answer

    def why(self, error: Exception) -> CameraError:
        """What an error of requests means."""
        words = str(error)
        if isinstance(error, requests.exceptions.SSLError):
            return self._output.error("auth", "has a certificate that nobody vouches for, or speaks no TLS")
        if isinstance(error, requests.Timeout) or "timed out" in words:
            return self._output.error("timeout", "does not answer in time")
        if "resolve" in words or "Name or service" in words:
            return self._output.error("not_found", "has a host name that nobody knows")
        if "Connection refused" in words:
            return self._output.error("not_found", "refuses the connection: nothing serves at this address")
        if "unreachable" in words or "No route" in words:
            return self._output.error("not_found", "cannot be reached: nothing answers at this address")
        return self._output.error("timeout", "has broken the connection off")

    def _ask(self) -> requests.Response:
        try:
            return self._session.get(
                self._address,
                stream=True,
                timeout=(stream.OPEN_TIMEOUT_S, self._output.patience_s),
                verify=os.environ.get("SSL_CERT_FILE") or True,
            )
        except requests.RequestException as error:
            raise self.why(error) from None  # its words hold the address with the password

    def _auth(self, challenge: str) -> AuthBase:
        if "digest" in challenge.lower():
            return _Digest(self._user, self._password)
        return HTTPBasicAuth(self._user.encode(), self._password.encode())


class _Digest(HTTPDigestAuth):
    """Digest authentication with a user name of any letters, as UTF-8 (RFC 7616): requests allows Latin-1 alone."""

    def build_digest_header(self, method: str, url: str) -> str | None:
        header = super().build_digest_header(method, url)
        return None if header is None else header.encode().decode("latin-1")


def _pass_on_parts(answer: requests.Response, output: Output, web: Web) -> None:
    """The pictures of MJPEG, dated by `X-Timestamp` where the camera sends it, else by their arrival."""
    output.opened()
    clock, decoder = StreamClock(), Decoder()
    bad = False
    output.explain = lambda: _WRONG[bad]
    try:
        for head, content in parts(_chunks(answer), boundary_of(answer.headers["Content-Type"])):
            taken_s = clock.date(time.monotonic(), _number(head.get("x-timestamp")))
            if taken_s is not None and output.due():
                image = decoder.decoded(content)
                bad = image is None
                if image is not None:
                    output.show(image, taken_s)
    except ValueError as error:
        raise output.error("decode", "sends what is no MJPEG") from error
    except (requests.RequestException, HTTPError) as error:
        raise web.why(error) from None
    raise output.error("timeout", "has ended the stream")


def _fetch_pictures(answer: requests.Response, output: Output, web: Web) -> None:
    """A picture once per period, dated by the moment at which it was asked for: it may be newer, but not older."""
    output.opened()
    next_s = asked_s = time.monotonic()  # of the first, some milliseconds too late
    decoder, bad = Decoder(), False
    output.explain = lambda: _WRONG[bad]
    while True:
        image = decoder.decoded(_body(answer, web))
        bad = image is None
        if image is not None:
            output.show(image, asked_s)
        next_s = max(next_s + output.order.period_s, time.monotonic())
        time.sleep(next_s - time.monotonic() if next_s > time.monotonic() else 0)
        asked_s = time.monotonic()
        answer = web.get()


_WRONG: dict[bool, tuple[OutageReason, str]] = {
    True: ("decode", "sends pictures that are damaged, or none"),
    False: ("timeout", OLD_PICTURES),
}


def _chunks(answer: requests.Response) -> Iterator[bytes]:
    """What comes, as it comes."""
    raw = answer.raw
    while chunk := raw.read1(CHUNK_BYTES):
        yield chunk


def _body(answer: requests.Response, web: Web) -> bytes:
    """The whole answer, or as much of it as a picture may have."""
    content = bytearray()
    try:
        for chunk in answer.iter_content(CHUNK_BYTES):
            content += chunk
            if len(content) > PICTURE_BYTES:
                break
    except requests.RequestException as error:
        raise web.why(error) from None
    finally:
        answer.close()
    return bytes(content)


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
