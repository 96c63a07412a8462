"""What every request goes through before it reaches a view: is it ours to answer, and may it ask for this?

The rules, in order: the `Host` names this device (a stranger's name that points here does not); a page of another
origin reads and changes nothing; who isn't signed in gets no further than the sign-in; a change proves by a token that
our own page asks for it; a body comes whole, within its bounds. Every answer carries the headers that tell a browser to
keep to that.
"""

import asyncio
import base64
import binascii
import logging
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge_agent.dashboard.answers import PageError, answer_to, problem
from edge_agent.dashboard.door.access import Access, host_name
from edge_agent.dashboard.door.sessions import Session

log = logging.getLogger(__name__)

BODY_MAX_BYTES = 2**20
BODY_S = 20.0
"""How long a body may take to come."""
SAFE = frozenset({"GET", "HEAD"})
OPEN_API = "/api/session"
"""The one part of the API for those who aren't signed in."""
METRICS = "/metrics"
TOKEN = "x-csrf-token"  # noqa: S105 — the name of a header
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self';"
    " font-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-robots-tag": "noindex",
}
HSTS = "max-age=31536000"


class Guard:
    """An ASGI application around another one. It finds the session of a request and puts it into its state."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        """Guard `app` by the rules of `access`."""
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            return
        begun = False

        async def dressed(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                self._dress(MutableHeaders(raw=message.setdefault("headers", [])), scope)
            await send(message)

        try:
            refusal = await self._refusal(scope)
            if refusal is not None:
                await refusal(scope, receive, dressed)
                return
            await self._app(scope, _bounded(receive), dressed)
        except Exception as error:  # noqa: BLE001 — the page's faults are its own: one answer, one line in the log
            answer = answer_to(error)
            if not begun:
                await answer(scope, receive, dressed)

    async def _refusal(self, scope: Scope) -> Response | None:
        """Why a request gets no further; None where it does."""
        headers = Headers(scope=scope)
        server = scope.get("server")
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._access.names_us(hosts[0], server[0] if server else None):
            named = repr(hosts[0][:60]) if hosts else "no name"
            return problem(
                f"this device is not known as {named}. Open it by its address, or add the name to names under"
                " [dashboard].",
                421,
            )
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit() and int(length) <= BODY_MAX_BYTES):
            return problem(f"the request is longer than {BODY_MAX_BYTES} bytes.", 413, headers={"connection": "close"})
        path = str(scope["path"])
        state = scope.setdefault("state", {})
        state["access"], state["session"] = self._access, None
        if path != METRICS and not path.startswith("/api/"):
            return None if scope["method"] in SAFE else problem("this address does not take that method.", 405)
        if foreign(headers):
            return problem("a page of another origin may not ask this device for anything.", 403, code="origin")
        if path == METRICS:
            return await self._metrics(headers, address_of(scope))
        return self._api(scope, headers, path)

    def _api(self, scope: Scope, headers: Headers, path: str) -> Response | None:
        state = scope["state"]
        state["secret"] = secret = _cookie(headers, self._access.cookie)
        state["session"] = session = self._access.sessions.find(secret)
        if path == OPEN_API and scope["method"] != "DELETE":
            return None
        if self._access.password is not None and session is None:
            return problem("sign in first.", 401, code="session")
        if scope["method"] not in SAFE and not _ours(session, headers):
            return problem(
                f"a change needs the token of its session in the header {TOKEN}. Ask for {OPEN_API}, then send it"
                " again.",
                403,
                code="csrf",
            )
        return None

    async def _metrics(self, headers: Headers, address: str) -> Response | None:
        """A collector has no session: it sends the password each time, by HTTP Basic, under any user name."""
        if self._access.password is None:
            return None
        given = _basic(headers.get("authorization", ""))
        try:
            if given is not None and await self._access.vouched(given, address):
                return None
        except PageError as error:
            return answer_to(error)
        return problem(
            "the metrics need the page's password, by HTTP Basic.",
            401,
            headers={"www-authenticate": 'Basic realm="shelfwatch", charset="UTF-8"'},
        )

    def _dress(self, headers: MutableHeaders, scope: Scope) -> None:
        for name, value in HEADERS.items():
            headers[name] = value
        if self._access.encrypted:
            headers["strict-transport-security"] = HSTS
        path = str(scope["path"])
        if path == METRICS or path.startswith("/api/"):
            headers["cache-control"] = "no-store"
        else:  # the files of the page: asked for again each time, so that an update is seen at once
            headers["cache-control"] = "no-cache"


class TooMuchError(HTTPException):
    """A body that is too long, or does not come; what is left of it is not read."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(status, words, headers={"connection": "close"})


def _bounded(receive: Receive) -> Receive:
    """A body within its bounds of size and time. What comes after it is waited for without end (a stream's viewer)."""
    taken, whole = 0, False
    until_s = asyncio.get_running_loop().time() + BODY_S

    async def bounded() -> Message:
        nonlocal taken, whole
        if whole:
            return await receive()
        try:
            async with asyncio.timeout_at(until_s):
                message = await receive()
        except TimeoutError:
            raise TooMuchError(408, "the request does not come to its end") from None
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if taken > BODY_MAX_BYTES:
                raise TooMuchError(413, f"the request is longer than {BODY_MAX_BYTES} bytes")
        return message

    return bounded


def foreign(headers: Headers) -> bool:
    """Whether a page of another origin asks. Browsers say so by `Sec-Fetch-Site`, and by `Origin` in every change."""
    if headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
        return True
    origin = headers.get("origin")
    if origin is None:
        return False
    scheme, mark, authority = origin.partition("://")
    return not mark or _authority(scheme, authority) != _authority(scheme, headers.get("host", ""))


def _authority(scheme: str, authority: str) -> tuple[str | None, str]:
    """The name and the port of an origin; where none stands, the port of its scheme."""
    name = host_name(authority)
    after = authority.rpartition("]")[2] if authority.startswith("[") else authority
    port = after.partition(":")[2]
    return name, port or {"http": "80", "https": "443"}.get(scheme, "")


def address_of(scope: Scope) -> str:
    """Who asks. No header is believed that names somebody else."""
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


def _ours(session: Session | None, headers: Headers) -> bool:
    return session is not None and session.takes(headers.get(TOKEN, ""))


def _cookie(headers: Headers, name: str) -> str | None:
    try:
        jar = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return None
    return jar[name].value if name in jar else None


def _basic(authorization: str) -> str | None:
    """The password of HTTP Basic."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return None
