"""`/api/session`: who is at the page; signing in and out."""

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from edge_agent.dashboard.answers import Problem
from edge_agent.dashboard.behind import Behind
from edge_agent.dashboard.door.access import Access
from edge_agent.dashboard.door.guard import OPEN_API, TOKEN, address_of
from edge_agent.dashboard.door.passwords import LENGTH_MAX
from edge_agent.dashboard.door.sessions import Session, session_of


class SignInRequest(BaseModel):
    """What somebody signs in with."""

    password: Annotated[str, Field(max_length=LENGTH_MAX)]


class SessionView(BaseModel):
    """Who is here. `password`: whether the page asks for one; `csrf`: what every change carries in `X-CSRF-Token`."""

    signed_in: bool
    password: bool
    csrf: str | None
    device: str


def router(behind: Behind) -> APIRouter:
    """The routes of the sign-in."""
    routes = APIRouter(tags=["session"])
    path = OPEN_API.removeprefix("/api")

    @routes.get(path, summary="Who is at the page")
    async def session(request: Request, response: Response) -> SessionView:
        """Where no password is asked for, this begins a session, which every change needs."""
        access, found = _access(request), session_of(request)
        if found is None and access.password is None:
            secret, found = access.sessions.begin(address_of(request.scope))
            _keep(response, access, secret)
        return _view(behind, access, found)

    @routes.post(
        path,
        summary="Sign in",
        responses={
            401: {"model": Problem, "description": "That is not the password."},
            429: {"model": Problem, "description": "Too many wrong ones; `Retry-After` says for how long."},
        },
    )
    async def sign_in(request: Request, response: Response, given: SignInRequest) -> SessionView:
        """Needs no token, but comes from the page itself, or from a program that sends no `Origin`."""
        access = _access(request)
        secret, found = await access.sign_in(given.password, address_of(request.scope))
        if (before := request.scope["state"].get("secret")) is not None:
            access.sessions.end(before)
        _keep(response, access, secret)
        return _view(behind, access, found)

    @routes.delete(path, summary="Sign out", status_code=204)
    async def sign_out(request: Request, response: Response) -> None:
        """The session ends at once, its streams too."""
        access = _access(request)
        if (secret := request.scope["state"].get("secret")) is not None:
            access.sessions.end(secret)
        response.delete_cookie(access.cookie, secure=access.encrypted, httponly=True, samesite="strict")

    return routes


def _access(request: Request) -> Access:
    found = request.scope["state"]["access"]
    assert isinstance(found, Access)  # noqa: S101 — the guard put it there
    return found


def _keep(response: Response, access: Access, secret: str) -> None:
    """The cookie: for this browser only, out of reach of scripts, and not sent along from other sites."""
    response.set_cookie(access.cookie, secret, httponly=True, samesite="strict", secure=access.encrypted, path="/")


def _view(behind: Behind, access: Access, session: Session | None) -> SessionView:
    settings = behind.running.settings
    return SessionView(
        signed_in=session is not None,
        password=access.password is not None,
        csrf=session.token if session is not None else None,
        device=f"{settings.site}/{settings.device}",
    )


SCHEMES = {
    "session": {"type": "apiKey", "in": "cookie", "description": "The cookie of a session that signed in."},
    "token": {
        "type": "apiKey",
        "in": "header",
        "name": TOKEN,
        "description": "The `csrf` of `/api/session`; every change carries it.",
    },
    "password": {"type": "http", "scheme": "basic", "description": "The page's password, under any user name."},
}
"""Security schemes of the OpenAPI description; the name of the cookie is the page's own."""
