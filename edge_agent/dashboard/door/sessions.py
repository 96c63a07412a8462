"""Who is at the page: sessions in memory, each with a name that only its browser knows, and an end."""

import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.requests import Request

IDLE_S, ABSOLUTE_S = 8 * 3600.0, 7 * 86400.0
"""A session ends after so long without a request, and in any case after so long."""
SESSIONS_MAX = 64
"""Beyond these, the one that was idle for longest ends."""
AIM_S = 600.0
"""How long whole pictures may be seen after somebody began to aim."""
SECRET_BYTES = 32


def _secret() -> str:
    return secrets.token_urlsafe(SECRET_BYTES)


@dataclass(slots=True, eq=False)
class Session:
    """One browser. `token` (256 bits) proves that a change was asked for by our own page (CSRF)."""

    address: str
    clock: Callable[[], float]
    token: str = field(default_factory=_secret, repr=False)
    began_s: float = 0.0
    used_s: float = 0.0
    ended: bool = False
    aiming: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """It begins now."""
        self.began_s = self.used_s = self.clock()

    @property
    def lasts(self) -> bool:
        """Whether it is still good."""
        now_s = self.clock()
        return not self.ended and now_s - self.used_s < IDLE_S and now_s - self.began_s < ABSOLUTE_S

    def takes(self, token: str) -> bool:
        """Whether a change that carries this token comes from our page."""
        return hmac.compare_digest(self.token.encode(), token.encode())

    def aim(self, camera: str, *, for_s: float = AIM_S) -> None:
        """Let whole pictures of a camera be seen for a while."""
        self.aiming[camera] = self.clock() + for_s

    def aims_at(self, camera: str) -> bool:
        """Whether whole pictures of a camera may be seen now."""
        return self.clock() < self.aiming.get(camera, float("-inf"))


class Sessions:
    """All sessions, by the secret (256 bits) in the browser's cookie. None survives the agent."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nobody is here."""
        self._clock = clock
        self._by_secret: OrderedDict[str, Session] = OrderedDict()

    def begin(self, address: str) -> tuple[str, Session]:
        """A new session of somebody at `address`, and the secret for the cookie."""
        for secret in [secret for secret, session in self._by_secret.items() if not session.lasts]:
            self.end(secret)
        while len(self._by_secret) >= SESSIONS_MAX:
            self.end(next(iter(self._by_secret)))
        secret, session = _secret(), Session(address, self._clock)
        self._by_secret[secret] = session
        return secret, session

    def find(self, secret: str | None) -> Session | None:
        """The session of a cookie, which is in use now; None where there is none that is good."""
        session = self._by_secret.get(secret) if secret is not None else None
        if secret is None or session is None:
            return None
        if not session.lasts:
            self.end(secret)
            return None
        session.used_s = self._clock()
        self._by_secret.move_to_end(secret)
        return session

    def end(self, secret: str) -> None:
        """Sign out."""
        session = self._by_secret.pop(secret, None)
        if session is not None:
            session.ended = True


def session_of(request: Request) -> Session | None:
    """The session of a request, as the guard found it."""
    found = request.scope.get("state", {}).get("session")
    return found if isinstance(found, Session) else None
