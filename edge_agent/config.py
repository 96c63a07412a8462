"""`agent.toml` → validated settings. Every problem is reported at once, with the nearest name and what to do."""

import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from edge_agent.alerts.hours import Hours
from edge_agent.alerts.policy import Patience, Policy
from edge_agent.capture.address import STREAM_SCHEMES, is_device, is_stream
from edge_agent.consistency import problems_across, problems_laid_out
from edge_agent.counting import Rules
from edge_agent.regions import grid_quads
from edge_agent.sections import (
    DAY_S,
    AlertsSection,
    BrokerSection,
    CountingSection,
    DashboardSection,
    HistorySection,
    HomeAssistantSection,
    HoursSection,
    ModelSection,
    OutboxSection,
    PicturesSection,
    PrivacySection,
    ReviewSection,
    Section,
    Share,
)
from edge_agent.shelf import ConfigError, Quad, Shelf, Slot
from edge_agent.validation import validate

Id = Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")]
Corner = tuple[Share, Share]
Corners = tuple[Corner, Corner, Corner, Corner]


class CameraSection(Section):
    """`[[cameras]]`: one per camera."""

    id: Id = Field(description="Name in topics: a-z, 0-9, _ and -.")
    source: str = Field(
        min_length=1,
        description="`/dev/v4l/by-id/…`, a number, `rtsp://…`, `http://…` (a stream or single pictures), or the path of"
        " a video file or of a folder of pictures. A video file is for trials: the agent ends"
        " when it does, unless another camera goes on.",
    )
    fps: float = Field(5, ge=0.1, le=60, description="Looks per second.")
    key_frames: bool = Field(
        default=False,
        description="Decode the key frames of a stream only, which costs a fraction; they come every second or two.",
    )

    @field_validator("source", mode="before")
    @classmethod
    def _number(cls, value: object) -> object:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("source")
    @classmethod
    def _known_scheme(cls, value: str) -> str:
        scheme, mark, rest = value.strip().partition("://")
        if not mark:
            return value
        if not is_stream(scheme + mark):
            raise ValueError(f'scheme "{scheme}" is not one of {", ".join(STREAM_SCHEMES)}')
        if why := _unreadable(value.strip()):
            raise ValueError(why)
        return scheme.lower() + mark + rest


class SlotSection(Section):
    """`[[shelves.slots]]`: one facing, drawn by hand."""

    id: Id = Field(description="Name in events.")
    product: str | None = Field(None, description="What the planogram puts here: a label of the model.")
    corners: Corners = Field(
        description="Top left, top right, bottom right, bottom left, each [x, y] in 0..1 of the frame."
    )

    @field_validator("corners")
    @classmethod
    def _convex(cls, value: Corners) -> Corners:
        return _checked_quad(value)


class GridSection(Section):
    """`[shelves.grid]`: a rectangle (seen in perspective) of rows × columns of slots."""

    corners: Corners = Field(description="The whole grid's corners, in the order of a slot's.")
    rows: int = Field(1, ge=1, le=50, description="Rows of slots.")
    columns: int = Field(ge=1, le=200, description="Slots in a row.")
    products: str | list[str] | None = Field(
        None,
        description='One product for all slots, or one for each, row by row from the left; `""` leaves one without.',
    )

    @field_validator("corners")
    @classmethod
    def _convex(cls, value: Corners) -> Corners:
        return _checked_quad(value)

    @model_validator(mode="after")
    def _one_product_each(self) -> Self:
        if isinstance(self.products, list) and len(self.products) != self.rows * self.columns:
            raise ValueError(
                f"products names {len(self.products)} products for {self.rows} × {self.columns} slots;"
                f" name {self.rows * self.columns}, or a single one"
            )
        return self


class ShelfSection(Section):
    """`[[shelves]]`: a row of slots that is counted and published as one."""

    id: Id = Field(description="Name in topics.")
    camera: str = Field(description="The id of the camera that sees it.")
    low_at: dict[str, Annotated[int, Field(ge=0)]] = Field(
        default_factory=dict, description="Count at or below which a product is low, by product."
    )
    restocked_at: dict[str, Annotated[int, Field(ge=1)]] = Field(
        default_factory=dict, description="Count from which a product that was low or out is back, by product."
    )
    aisle: str | None = Field(
        None, min_length=1, max_length=40, description="Where it stands: alerts of one kind in one aisle are one."
    )
    slots: list[SlotSection] = Field(default_factory=list, description="Slots drawn one by one.")
    grid: GridSection | None = Field(None, description="Slots as rows × columns.")


class Settings(Section):
    """The whole of `agent.toml`."""

    site: Id = Field(description="The store's name in topics.")
    device: Id = Field(description="This device's name in topics.")
    heartbeat_s: float = Field(
        60, gt=0, le=DAY_S, description="Seconds between states that say the same, and health messages."
    )
    model: ModelSection
    broker: BrokerSection = Field(default_factory=BrokerSection)
    counting: CountingSection = Field(default_factory=CountingSection)
    alerts: AlertsSection = Field(default_factory=AlertsSection)
    hours: HoursSection | None = None
    pictures: PicturesSection = Field(default_factory=PicturesSection)
    outbox: OutboxSection = Field(default_factory=OutboxSection)
    dashboard: DashboardSection = Field(default_factory=DashboardSection)
    home_assistant: HomeAssistantSection = Field(default_factory=HomeAssistantSection)
    privacy: PrivacySection = Field(default_factory=PrivacySection)
    history: HistorySection = Field(default_factory=HistorySection)
    review: ReviewSection = Field(default_factory=ReviewSection)
    cameras: list[CameraSection] = Field(min_length=1)
    shelves: list[ShelfSection] = Field(default_factory=list)

    @property
    def rules(self) -> Rules:
        """The counting rules."""
        return Rules(**self.counting.model_dump(), low_fraction=self.alerts.low_fraction)

    @property
    def policy(self) -> Policy:
        """When a person is told. Darkness is a fault only where it is known when there should be light."""
        said, hours = self.alerts, self.hours
        patience = Patience(
            stock_s=said.hold_s,
            misplaced_s=said.misplaced_hold_s,
            view_s=said.view_lost_hold_s,
            restocked_fraction=said.restocked_fraction,
            dark_is_lost=hours is not None,
        )
        return Policy(
            patience=patience,
            group_s=said.group_s,
            cool_down_s=said.cool_down_s,
            remind_after_s=said.remind_after_s,
            reminders=said.reminders,
            hours=None if hours is None else Hours(ZoneInfo(hours.timezone), hours.week, frozenset(hours.closed)),
            keep_days=said.keep_days,
        )

    def shelves_of(self, camera: str) -> tuple[Shelf, ...]:
        """The shelves that a camera sees, with their slots laid out."""
        return tuple(_shelf(section) for section in self.shelves if section.camera == camera)


def load(path: Path, *, labels: Sequence[str] | None = None) -> Settings:
    """Read and validate a configuration file.

    Args:
        path: The TOML file. Relative paths in it are relative to its folder.
        labels: The model's labels, so that products are checked too; see `edge_agent.model.labels_of`.

    Raises:
        ConfigError: It cannot be used; the error holds every problem.
    """
    return checked(read_toml(path), path, labels=labels)


def checked(raw: dict[str, Any], path: Path, *, labels: Sequence[str] | None = None) -> Settings:
    """Validate what a configuration file holds, or shall hold; as `load` does.

    Args:
        raw: The parsed file.
        path: The file.
        labels: The model's labels.

    Raises:
        ConfigError: It cannot be used; the error holds every problem.
    """
    settings, problems = validate(Settings, raw)
    problems += problems_across(raw, labels)
    if settings is not None and not problems:
        problems = problems_laid_out(shelf for camera in settings.cameras for shelf in settings.shelves_of(camera.id))
    if problems or settings is None:
        raise ConfigError(f"{path} has {len(problems)} problem{'s' if len(problems) != 1 else ''}:", problems)
    return _anchored(settings, path.resolve().parent)


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a configuration file without validating it.

    Raises:
        ConfigError: It is not there, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"there is no configuration at {path}. Copy deploy/agent.example.toml there and adapt it."
        ) from None
    except PermissionError:
        raise ConfigError(
            f"{path} may not be read by this user. On a device it is for the agent only: use sudo shelf-agent."
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} is not a configuration that can be read: {error}. Mend it there.") from error


def model_path(path: Path, key: Literal["bundle", "signed_by"]) -> Path | None:
    """A path under `[model]` of a configuration, even if other parts of that are wrong; None where there is none."""
    model = read_toml(path).get("model")
    named = model.get(key) if isinstance(model, dict) else None
    return path.resolve().parent / named if isinstance(named, str) else None


def _unreadable(address: str) -> str | None:
    """Why an address cannot be taken apart, or does not say where to connect to; None where it can and does."""
    try:
        parts = urlsplit(address)
        if parts.hostname and parts.port != 0:
            return None
    except ValueError:
        return (
            "the address cannot be read; write its port as a number up to 65535, an IPv6 address in [ ], and in a"
            " password @ as %40, / as %2F, # as %23, ? as %3F"
        )
    return "the address has port 0; leave it away, or name the camera's" if parts.hostname else "it names no host"


def _shelf(section: ShelfSection) -> Shelf:
    """A shelf with its grid laid out."""
    slots = [Slot(slot.id, slot.corners, slot.product) for slot in section.slots]
    if section.grid is not None:
        slots += _grid_slots(section.grid)
    low_at, restocked_at = tuple(section.low_at.items()), tuple(section.restocked_at.items())
    return Shelf(section.id, section.camera, tuple(slots), low_at, restocked_at, section.aisle)


def _grid_slots(grid: GridSection) -> list[Slot]:
    """Slots of a grid, named `r1c1`, `r1c2`, …, evenly spaced on the shelf, not in the picture."""
    quads = grid_quads(grid.corners, rows=grid.rows, columns=grid.columns)
    products: list[str | None] = (
        [sku or None for sku in grid.products] if isinstance(grid.products, list) else [grid.products] * len(quads)
    )
    return [
        Slot(f"r{place // grid.columns + 1}c{place % grid.columns + 1}", quad, product)
        for place, (quad, product) in enumerate(zip(quads, products, strict=True))
    ]


def _checked_quad(corners: Quad) -> Quad:
    """Refuse corners that cross, are out of order or enclose nothing."""
    turns = []
    for place in range(4):
        (ax, ay), (bx, by), (cx, cy) = (corners[(place + step) % 4] for step in range(3))
        turns.append((bx - ax) * (cy - by) - (by - ay) * (cx - bx))
    if not all(turn > 1e-9 for turn in turns):
        raise ValueError(
            "the corners cross, turn inward or enclose nothing; give top left, top right, bottom right, bottom left"
        )
    return corners


def _anchored(settings: Settings, folder: Path) -> Settings:
    """Relative paths are relative to the configuration file."""
    library = settings.model.delegate_library
    if library is not None and "/" in library:  # a mere name is for the system's loader to find
        library = str(folder / library)
    key = settings.model.signed_by and folder / settings.model.signed_by
    anchored = {"bundle": folder / settings.model.bundle, "signed_by": key, "delegate_library": library}
    model = settings.model.model_copy(update=anchored)
    outbox = settings.outbox.model_copy(update={"path": folder / settings.outbox.path})
    cameras = [
        camera
        if is_stream(camera.source) or is_device(camera.source)
        else camera.model_copy(update={"source": str(folder / camera.source)})
        for camera in settings.cameras
    ]
    broker = settings.broker.model_copy(
        update=_found(settings.broker, folder, ("password_file", "ca_file", "cert_file", "key_file"))
    )
    page = settings.dashboard.model_copy(
        update=_found(settings.dashboard, folder, ("password_file", "cert_file", "key_file"))
    )
    anchors = {"model": model, "outbox": outbox, "cameras": cameras, "broker": broker, "dashboard": page}
    return settings.model_copy(update=anchors)


def _found(section: Section, folder: Path, keys: Sequence[str]) -> dict[str, Path]:
    """The files that a table names, where they lie."""
    named = {key: getattr(section, key) for key in keys}
    return {key: folder / os.path.expandvars(path) for key, path in named.items() if path is not None}
