"""`/api/live` and `/api/cameras`: each camera's picture, its slots and what they hold."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import Response, StreamingResponse

from edge_agent.dashboard.answers import PageError, Problem, Responses
from edge_agent.dashboard.behind import Behind
from edge_agent.dashboard.channel import Channel
from edge_agent.dashboard.door.sessions import AIM_S, session_of
from edge_agent.dashboard.moment import LiveView
from edge_agent.dashboard.pictures import Pictures
from edge_agent.messages import timestamp
from edge_agent.shelf import InputError, nearest

log = logging.getLogger(__name__)

UNKNOWN: Responses = {404: {"model": Problem, "description": "There is no such camera; the nearest name is told."}}


class AimView(BaseModel):
    """For how long this session may see the whole picture of a camera."""

    camera: str
    until: str
    for_s: int


def router(behind: Behind, pictures: Pictures) -> APIRouter:
    """The routes of this view."""
    routes = APIRouter(tags=["live"])
    alerting = behind.running.outlet.alerting
    _add_live(routes, Channel(behind, lambda: len(alerting.book.waiting)))
    _add_pictures(routes, behind, pictures)
    return routes


def _add_live(routes: APIRouter, channel: Channel) -> None:
    @routes.get("/live", summary="Everything at this moment", response_model=LiveView)
    async def live() -> Response:
        """Cameras, shelves, products and slots; put together at most twice a second, however many ask."""
        return Response(channel.newest(), media_type="application/json")

    @routes.get(
        "/live/stream",
        summary="The same, whenever something is new",
        response_class=StreamingResponse,
        responses={
            200: {"content": {"text/event-stream": {}}, "description": "Events `live` with the JSON of `/api/live`."},
            503: {"model": Problem, "description": "Too many look already."},
        },
    )
    async def stream(request: Request) -> StreamingResponse:
        """Server-sent events, at most two a second. It ends with the session and with the agent."""
        if channel.full:
            raise PageError(
                "too many pages look at this device already. Close one, or come again in a minute.",
                status=503,
                headers={"retry-after": "30"},
            )
        session = session_of(request)
        wanted = (lambda: True) if session is None else (lambda: session.lasts)
        return StreamingResponse(channel.follow(wanted), media_type="text/event-stream")


def _add_pictures(routes: APIRouter, behind: Behind, pictures: Pictures) -> None:
    @routes.get(
        "/cameras/{camera}/picture",
        summary="The newest picture of a camera",
        response_class=Response,
        responses={
            200: {"content": {"image/jpeg": {}}, "description": "At most 960 pixels wide, black outside the slots."},
            304: {"description": "It is the one that you have."},
            403: {"model": Problem, "description": "Whole pictures are for whoever aims the camera."},
            409: {"model": Problem, "description": "There is no picture yet."},
            **UNKNOWN,
        },
    )
    async def picture(
        request: Request,
        camera: str,
        *,
        whole: Annotated[bool, Query(description="Show what lies outside the slots too, while aiming.")] = False,
        frame: Annotated[str | None, Query(description="Not read: so that each picture has its own address.")] = None,
    ) -> Response:
        """It is made once for everybody who looks, and at most twice a second."""
        del frame
        _known(behind, camera)
        if whole and behind.running.settings.privacy.black_out:
            _may_aim(behind)
            session = session_of(request)
            if session is None or not session.aims_at(camera):
                raise PageError(
                    "the whole picture is shown only while the camera is aimed. Begin to aim, then ask again.",
                    status=403,
                    code="aim",
                )
        jpeg = await pictures.newest(camera, whole=whole or not behind.running.settings.privacy.black_out)
        if jpeg is None:
            raise PageError(f"camera {camera} has given no picture yet. See /api/live for the reason.", status=409)
        headers = {"etag": f'"{jpeg.id}"', "x-frame": jpeg.id}
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        return Response(jpeg.content, media_type="image/jpeg", headers=headers)

    _add_aiming(routes, behind)


def _add_aiming(routes: APIRouter, behind: Behind) -> None:
    may_not: Responses = {403: {"model": Problem, "description": "`[privacy] aiming` forbids it."}}

    @routes.post("/cameras/{camera}/aim", summary="Begin to aim a camera", responses={**UNKNOWN, **may_not})
    async def aim(request: Request, camera: str) -> AimView:
        """For ten minutes this session may see whole pictures of the camera. It is logged; nothing of it is kept."""
        _known(behind, camera)
        _may_aim(behind)
        session = session_of(request)
        if session is None:
            raise PageError("there is no session to aim in. Ask for /api/session first.", status=403, code="csrf")
        session.aim(camera)
        log.info("somebody at the page (%s) sees whole pictures of camera %s for ten minutes", session.address, camera)
        return AimView(camera=camera, until=timestamp(datetime.now(UTC) + timedelta(seconds=AIM_S)), for_s=int(AIM_S))

    @routes.delete("/cameras/{camera}/aim", summary="End it", status_code=204, responses=UNKNOWN)
    async def end(request: Request, camera: str) -> None:
        """Pictures are black outside the slots again."""
        _known(behind, camera)
        if (session := session_of(request)) is not None:
            session.aim(camera, for_s=0)


def _known(behind: Behind, camera: str) -> None:
    cameras = [feed.watch.camera for feed in behind.running.feeds]
    if camera not in cameras:
        raise InputError(f'there is no camera "{camera[:40]}"; {nearest(camera[:40], cameras)}.')


def _may_aim(behind: Behind) -> None:
    if not behind.running.settings.privacy.aiming:
        raise PageError(
            "whole pictures are not shown on this device ([privacy] aiming = false). Change it there, then restart"
            " or reload the agent.",
            status=403,
            code="aim",
        )
