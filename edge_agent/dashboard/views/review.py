"""`/api/review`: crops that the model was not sure of, to be labelled."""

import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, Field

from edge_agent.dashboard.answers import PageError, Problem, Responses
from edge_agent.dashboard.behind import Behind
from edge_agent.review.store import DISCARDED, WAITING, Crop, Move, Store
from edge_agent.shelf import DataError, InputError

AT_ONCE = 200
"""Crops that may be labelled by one request."""
State = Literal["waiting", "labelled", "discarded"]
Order = Literal["newest", "doubt"]


class GuessView(BaseModel):
    """A label, and the probability (0..1) that the model gave it."""

    label: str
    score: float


class CropView(BaseModel):
    """A crop. What is null isn't known of it; `label` is null until a person gives one."""

    name: str
    label: str | None
    state: State
    camera: str | None
    shelf: str | None
    slot: str | None
    planned: str | None
    taken_at: datetime | None
    why: str | None = Field(description="unsure, tie or unknown.")
    guesses: list[GuessView]
    model: str | None = Field(description="The SHA-256 of the model that was in doubt.")


class CropsView(BaseModel):
    """A page of crops; `total` is how many fit the question."""

    total: int
    crops: list[CropView]


class FiguresView(BaseModel):
    """How much there is, and which labels there are to give."""

    enabled: bool
    waiting: int = 0
    labelled: int = 0
    discarded: int = 0
    by_label: dict[str, int] = Field(default_factory=dict)
    size_bytes: int = 0
    max_bytes: int = 0
    today: int = Field(0, description="Crops that were kept today.")
    per_day: int = 0
    full: bool = Field(default=False, description="Labelled crops take the whole quota: no more are kept.")
    download: bool = False
    folder: str = ""
    labels: list[str] = Field(default_factory=list, description="Of the model, and those that were given before.")


class LabelRequest(BaseModel):
    """Which crops show what."""

    crops: list[str] = Field(min_length=1, max_length=AT_ONCE)
    label: str = Field(min_length=1, max_length=200)


class DiscardRequest(BaseModel):
    """Which crops show nothing of use."""

    crops: list[str] = Field(min_length=1, max_length=AT_ONCE)


class MovedView(BaseModel):
    """Which crops were moved."""

    crops: list[str]


class UndoneView(BaseModel):
    """What was undone; nothing where there was nothing to undo."""

    what: str | None
    crops: list[str]


Text = Annotated[str | None, Query()]
ERRORS: Responses = {
    400: {"model": Problem, "description": "The label cannot be one."},
    404: {"model": Problem, "description": "There is no such crop."},
    409: {"model": Problem, "description": "No crops are kept, or they may not be taken away."},
}


def router(behind: Behind) -> APIRouter:
    """The routes of this view."""
    routes = APIRouter(prefix="/review", tags=["review"], responses=ERRORS)

    @routes.get("", summary="How many crops there are, and which labels there are to give")
    def figures() -> FiguresView:
        settings = behind.running.settings.review
        if behind.review is None:
            return FiguresView(enabled=False)
        store = behind.review.store
        found = store.figures(datetime.now(UTC))
        known = set(behind.running.model.classifier.labels) | set(found.labels)
        return FiguresView(
            enabled=True,
            waiting=found.waiting,
            labelled=sum(found.labels.values()),
            discarded=found.discarded,
            by_label=found.labels,
            size_bytes=found.size_bytes,
            max_bytes=found.max_bytes,
            today=found.today,
            per_day=found.per_day,
            full=found.full,
            download=settings.download,
            folder=str(store.root),
            labels=sorted(known),
        )

    @routes.get("/crops", summary="Crops, a page at a time")
    def crops(
        state: State = "waiting",
        label: Text = None,
        shelf: Text = None,
        why: Text = None,
        order: Order = "newest",
        offset: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=AT_ONCE)] = 50,
    ) -> CropsView:
        wanted = [crop for crop in _store(behind).crops() if _fits(crop, state, label, shelf, why)]
        if order == "doubt":
            wanted.sort(key=lambda crop: crop.about.doubt if crop.about is not None else 0.0, reverse=True)
        return CropsView(total=len(wanted), crops=[_crop(crop) for crop in wanted[offset : offset + limit]])

    @routes.get(
        "/crops/{name}",
        summary="The picture of a crop",
        response_class=Response,
        responses={200: {"content": {"image/png": {}}, "description": "As it was cut from the picture."}},
    )
    def picture(name: str) -> Response:
        headers = {"cache-control": "private, max-age=3600", "x-content-type-options": "nosniff"}
        return Response(_store(behind).png(name), media_type="image/png", headers=headers)

    _moving(routes, behind)
    _taking_away(routes, behind)
    return routes


def _moving(routes: APIRouter, behind: Behind) -> None:
    """What a person does with crops."""

    @routes.post("/label", summary="Say what crops show")
    def label(asked: LabelRequest) -> MovedView:
        try:
            return MovedView(crops=_store(behind).label(asked.crops, asked.label))
        except DataError as error:
            raise PageError(str(error)) from error
        except OSError as error:
            raise _unwritable(error) from error

    @routes.post("/discard", summary="Put crops away that show nothing of use")
    def discard(asked: DiscardRequest) -> MovedView:
        try:
            return MovedView(crops=_store(behind).discard(asked.crops))
        except OSError as error:
            raise _unwritable(error) from error

    @routes.post("/undo", summary="Take back what was last labelled or discarded")
    def undo() -> UndoneView:
        try:
            move = _store(behind).undo() or Move("", ())
        except OSError as error:
            raise _unwritable(error) from error
        return UndoneView(what=move.what or None, crops=[name for name, _ in move.before])


def _taking_away(routes: APIRouter, behind: Behind) -> None:
    """The labelled crops as a file."""

    @routes.get("/labelled.zip", summary="The labelled crops, to train on", response_class=StreamingResponse)
    def download() -> StreamingResponse:
        if not behind.running.settings.review.download:
            raise PageError(
                "no picture leaves the device through this page. Set download = true under [review] and restart the"
                " agent, or copy the folder over SSH.",
                status=409,
            )
        headers = {"content-disposition": 'attachment; filename="labelled.zip"', "cache-control": "no-store"}
        return StreamingResponse(zipped(_store(behind)), media_type="application/zip", headers=headers)


class _Pipe:
    """What a zip file is written into, a piece at a time; it cannot be gone back in."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes, /) -> int:
        """Take a piece."""
        self._pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is open."""

    def take(self) -> bytes:
        """What was written since the last time."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def zipped(store: Store) -> Iterator[bytes]:
    """The labelled crops as a zip file, a crop at a time; one that is moved meanwhile is left out."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:
        for crop in store.crops():
            if crop.label is not None:
                try:
                    png = store.png(crop.name)
                except (OSError, InputError):
                    continue
                archive.writestr(f"{crop.label}/{crop.name}", png)
                yield pipe.take()
    yield pipe.take()


def _fits(crop: Crop, state: State, label: str | None, shelf: str | None, why: str | None) -> bool:
    """Whether a crop is asked for; None is any."""
    about = crop.about
    return (
        _state(crop) == state
        and label in (None, crop.label)
        and shelf in (None, about and about.shelf)
        and why in (None, about and about.why)
    )


def _store(behind: Behind) -> Store:
    if behind.review is None:
        raise PageError(
            "no crops are kept on this device. Set enabled = true under [review] and restart the agent.", status=409
        )
    return behind.review.store


def _state(crop: Crop) -> State:
    return "waiting" if crop.folder == WAITING else "discarded" if crop.folder == DISCARDED else "labelled"


def _crop(crop: Crop) -> CropView:
    about = crop.about
    return CropView(
        name=crop.name,
        label=crop.label,
        state=_state(crop),
        camera=about and about.camera,
        shelf=about and about.shelf,
        slot=about and about.slot,
        planned=about and about.planned,
        taken_at=about and about.taken_at,
        why=about and about.why,
        guesses=[GuessView(label=g.label, score=g.score) for g in about.guesses] if about else [],
        model=about and about.model,
    )


def _unwritable(error: OSError) -> PageError:
    return PageError(
        f"the crop could not be moved ({error}); it is where it was. Check that the disk has space.", status=503
    )
