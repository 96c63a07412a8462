"""`/api/shelves`: where the slots lie and what stands in them, to be drawn and saved."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from edge_agent.config import ShelfSection
from edge_agent.dashboard.answers import PageError, Problem, Responses
from edge_agent.dashboard.behind import Behind
from edge_agent.planogram.file import ChangedError, UnwritableError, obstacle
from edge_agent.planogram.places import placed
from edge_agent.planogram.saving import BusyError, Saving
from edge_agent.regions import grid_quads
from edge_agent.shelf import SPECIAL_LABELS, ConfigError

log = logging.getLogger(__name__)

SHELVES_AT_MOST, SLOTS_AT_MOST = 500, 2000
Point = tuple[float, float]
Corners = tuple[Point, Point, Point, Point]


class Draft(BaseModel):
    """What was drawn. Whether it can be used is for the validation of the whole configuration to say."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)


class SlotDraft(Draft):
    """A slot that was drawn by hand."""

    id: str
    was: str | None = Field(None, description="The id that it has in the file; null: it is new. Left away: the same.")
    product: str | None = None
    corners: Corners = Field(description="Top left, top right, bottom right, bottom left, in 0..1 of the picture.")


class GridDraft(Draft):
    """Slots as rows × columns."""

    corners: Corners = Field(description="Of the whole grid, in the order of a slot's.")
    rows: int = 1
    columns: int
    products: str | list[str] | None = Field(None, description="One for all slots, or one each, row by row.")


class ShelfDraft(Draft):
    """A shelf as `[[shelves]]` of the configuration has it; keys that are not named here are kept as they are."""

    id: str
    was: str | None = Field(None, description="The id that it has in the file; null: it is new. Left away: the same.")
    camera: str
    low_at: dict[str, int] = Field(default_factory=dict, description="Count at or below which a product is low.")
    slots: list[SlotDraft] = Field(default_factory=list, max_length=SLOTS_AT_MOST)
    grid: GridDraft | None = None


class DrawingRequest(BaseModel):
    """All shelves of the configuration, as they shall be."""

    shelves: list[ShelfDraft] = Field(max_length=SHELVES_AT_MOST)


class EditRequest(DrawingRequest):
    """The same, with the revision of the file that it was drawn from."""

    revision: str


class DrawnCameraView(BaseModel):
    """A camera that shelves can be drawn in; `wh` is the size of its pictures in pixels, null before the first."""

    id: str
    wh: tuple[int, int] | None


class PlanogramView(BaseModel):
    """The shelves as they stand in the configuration, and what is needed to draw."""

    shelves: list[dict[str, Any]] = Field(description="As `[[shelves]]` has them.")
    revision: str | None = Field(description="To be sent back with an edit; null where nothing can be saved.")
    obstacle: str | None = Field(description="Why nothing can be saved, and what to do; null where it can.")
    cameras: list[DrawnCameraView]
    labels: list[str] = Field(description="The products that the model knows.")
    keys: list[str] = Field(description="What a shelf may have.")
    low_fraction: float = Field(description="Share of the facings at or below which stock is low without `low_at`.")
    aiming: bool = Field(description="Whether whole pictures may be asked for.")


class PlacedProblemView(BaseModel):
    """What is wrong, and where: positions among the shelves that were sent, and among the slots of that one."""

    words: str
    shelf: int | None
    slot: int | None


class CheckedView(BaseModel):
    """Whether the configuration could be used with these shelves; it could where there is no problem."""

    problems: list[PlacedProblemView]


class SavedView(BaseModel):
    """What the agent says to the change, and the revision of the file now."""

    message: str
    revision: str


class GridRequest(BaseModel):
    """A grid to be laid out."""

    corners: Corners
    rows: int = Field(ge=1, le=50)
    columns: int = Field(ge=1, le=200)


class QuadsView(BaseModel):
    """The slots of a grid, row by row."""

    quads: list[Corners]


REFUSED: Responses = {
    400: {"model": Problem, "description": "The configuration could not be used so; nothing was changed."},
    409: {
        "model": Problem,
        "description": "`changed`: the file is another meanwhile. `busy`: something else changes it now. `unwritable`:"
        " it cannot be written, with the reason. Nothing was changed.",
    },
}


def router(behind: Behind) -> APIRouter:
    """The routes of this view."""
    routes = APIRouter(tags=["shelves"])
    saving = Saving(behind.path, behind.reloading, behind.errands)

    @routes.get("/shelves", summary="The shelves of the configuration", responses={400: REFUSED[400]})
    def shelves() -> PlanogramView:
        """As they stand in the file, which may be newer than what is in force."""
        return _planogram(behind, saving)

    @routes.put("/shelves", summary="Save the shelves and put them in force", responses=REFUSED)
    def save(edit: EditRequest) -> SavedView:
        """The whole configuration is validated, written with its comments, and reloaded; or nothing changes."""
        with _refused():
            saved = saving.save(_tables(edit), edit.revision)
        return SavedView(message=saved.message, revision=saved.revision)

    @routes.post("/shelves/check", summary="Say what would be wrong, and change nothing", responses=REFUSED)
    def check(drawing: DrawingRequest) -> CheckedView:
        """For messages while somebody draws: each problem with the shelf and the slot that it is about."""
        tables = _tables(drawing)
        try:
            saving.check(tables)
        except ConfigError as error:
            return CheckedView(problems=_problems(error, tables))
        return CheckedView(problems=[])

    @routes.post("/shelves/grid", summary="Lay a grid out")
    def grid(wanted: GridRequest) -> QuadsView:
        """Where the slots of a grid lie in the picture: evenly spaced on the shelf, through its perspective."""
        return QuadsView(quads=grid_quads(wanted.corners, rows=wanted.rows, columns=wanted.columns))

    return routes


def _planogram(behind: Behind, saving: Saving) -> PlanogramView:
    settings, seen = behind.running.settings, behind.running.seen
    why = obstacle(behind.path)
    if behind.path is None:
        tables, revision = [shelf.model_dump(mode="json", exclude_unset=True) for shelf in settings.shelves], None
    else:
        kept, tables = saving.look()
        revision = kept.revision
    return PlanogramView(
        shelves=tables,
        revision=revision,
        obstacle=why,
        cameras=[DrawnCameraView(id=camera.id, wh=_size(seen.get(camera.id))) for camera in settings.cameras],
        labels=[label for label in behind.running.model.classifier.labels if label not in SPECIAL_LABELS],
        keys=list(ShelfSection.model_fields),
        low_fraction=settings.alerts.low_fraction,
        aiming=settings.privacy.aiming,
    )


def _size(outcome: Any) -> tuple[int, int] | None:
    """Width and height of the newest picture, where there was one."""
    height, width = outcome.frame.image.shape[:2] if outcome is not None else (0, 0)
    return (width, height) if width and height else None


def _tables(drawing: DrawingRequest) -> list[dict[str, Any]]:
    """Shelves as tables of the file; what is empty is left away."""
    found = []
    for shelf in drawing.shelves:
        table = shelf.model_dump(exclude_unset=True, mode="python")
        found.append({key: _lists(value) for key, value in table.items() if key == "id" or value not in ({}, [])})
    return found


def _lists(value: Any) -> Any:
    """Tuples as lists, which is how TOML has them."""
    if isinstance(value, dict):
        return {key: _lists(inner) for key, inner in value.items()}
    return [_lists(inner) for inner in value] if isinstance(value, list | tuple) else value


@contextmanager
def _refused() -> Iterator[None]:
    """A refusal that is not about what was drawn, as the page wants to know it."""
    codes: Sequence[tuple[type[ConfigError], str]] = (
        (ChangedError, "changed"),
        (BusyError, "busy"),
        (UnwritableError, "unwritable"),
    )
    try:
        yield
    except ConfigError as error:
        for kind, code in codes:
            if isinstance(error, kind):
                raise PageError(str(error), status=409, code=code) from error
        raise


def _problems(error: ConfigError, tables: Sequence[dict[str, Any]]) -> list[PlacedProblemView]:
    words: Iterable[str] = dict.fromkeys(error.problems or (error.headline,))
    places = [placed(problem, tables) for problem in words]
    return [PlacedProblemView(words=place.words, shelf=place.shelf, slot=place.slot) for place in places]
