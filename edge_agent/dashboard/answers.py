"""What the API answers when something is wrong: a sentence for a person, and a status for a program."""

import logging
from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from edge_agent.shelf import (
    BrokerError,
    CameraError,
    ConfigError,
    InputError,
    ShelfwatchError,
    SpoolError,
)

log = logging.getLogger(__name__)

STATUSES: dict[type[ShelfwatchError], int] = {
    InputError: 404,
    ConfigError: 400,
    CameraError: 503,
    BrokerError: 503,
    SpoolError: 503,
}
BUSY = "the agent is in the middle of a step that takes long; nothing was changed. Try again."
Responses = dict[int | str, dict[str, Any]]
"""Answers of a route beside its usual one, as FastAPI takes them: status → what it means."""


class Problem(BaseModel):
    """What was wrong."""

    message: str
    problems: list[str] = []
    code: str | None = None


UNFIT: Responses = {422: {"model": Problem, "description": "The request is not as described here; `problems`: where."}}


class PageError(ShelfwatchError):
    """The page cannot do what it was asked for; `status` is that of HTTP, `code` a word for the page itself."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        problems: Iterable[str] = (),
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.status, self.problems, self.code, self.headers = status, tuple(problems), code, headers
        super().__init__(message)


def answer_to(error: Exception) -> JSONResponse:
    """An error as it is answered; one that nobody foresaw is written to the log."""
    if isinstance(error, PageError):
        return problem(str(error), error.status, problems=error.problems, code=error.code, headers=error.headers)
    if isinstance(error, ConfigError):
        return problem(error.headline, STATUSES[ConfigError], problems=error.problems)
    if isinstance(error, ShelfwatchError):
        return problem(str(error), next((code for kind, code in STATUSES.items() if isinstance(error, kind)), 400))
    if isinstance(error, TimeoutError):
        return problem(BUSY, 503, headers={"retry-after": "2"})
    log.error("a request to the page failed, which is a fault of the agent's", exc_info=error)
    return problem(f"it failed unexpectedly ({type(error).__name__}). The agent's log says more.", 500)


def problem(
    message: str,
    status: int,
    *,
    problems: Iterable[str] = (),
    code: str | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """An error as JSON."""
    body: dict[str, Any] = {"message": message}
    if problems := list(problems):
        body["problems"] = problems
    if code is not None:
        body["code"] = code
    return JSONResponse(body, status, headers=headers)


def answer_errors(app: FastAPI) -> None:
    """Have every error of an application answered so."""

    async def ours(_: Request, error: Exception) -> JSONResponse:
        return answer_to(error)

    async def http(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101 — it is registered for these
        status = error.status_code
        words = {404: "there is nothing at this address", 405: "this address does not take that method"}
        said = words.get(status, error.detail)
        return problem(f"{said}. See /api/openapi.json for what there is.", status, headers=dict(error.headers or {}))

    async def unfit(_: Request, error: Exception) -> JSONResponse:
        found = error.errors() if isinstance(error, RequestValidationError) else []
        problems = [f"{_place(each['loc'])}: {each['msg']}" for each in found]
        return problem("the request is not as it must be. See /api/openapi.json.", 422, problems=problems)

    for kind in (ShelfwatchError, TimeoutError):
        app.add_exception_handler(kind, ours)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, unfit)


def _place(loc: Iterable[Any]) -> str:
    return ".".join(str(part) for part in loc if part not in {"body", "query", "path"}) or "the body"
