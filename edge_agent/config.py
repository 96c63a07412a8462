"""`agent.toml` → validated settings. Every problem is reported at once, with the nearest name and what to do."""

import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from edge_agent.capture.address import STREAM_SCHEMES, is_device, is_stream
from edge_agent.consistency import problems_across, problems_laid_out
from edge_agent.counting import Rules
from edge_agent.regions import grid_quads
from edge_agent.shelf import ConfigError, Quad, Shelf, Slot
from edge_agent.validation import validate

Id = Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")]
Share = Annotated[float, Field(ge=0, le=1)]
Corner = tuple[Share, Share]
Corners = tuple[Corner, Corner, Corner, Corner]
DAY_S = 86400


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class BrokerSection(_Section):
    """`[broker]`: where counts and alerts go."""

    host: str = Field("127.0.0.1", description="Name or address of the MQTT broker.")
    port: int = Field(1883, ge=1, le=65535, description="Its port.")
    username: str | None = Field(None, description="User name, where the broker asks for one.")
    password_file: Path | None = Field(
        None, description="File that holds the password; `$CREDENTIALS_DIRECTORY` is understood."
    )
    protocol: Literal["auto", "5", "3.1.1"] = Field(
        "auto", description="MQTT version; `auto` tries 5 first, then 3.1.1."
    )
    tls: bool = Field(
        default=False, description="Whether the connection is encrypted (TLS); the port is then mostly 8883."
    )
    ca_file: Path | None = Field(
        None, description="Certificates (PEM) that vouch for the broker; without it, those that the system trusts."
    )
    cert_file: Path | None = Field(
        None, description="This device's own certificate (PEM), for a broker that asks for one (mutual TLS)."
    )
    key_file: Path | None = Field(
        None, description="The private key of `cert_file`; `$CREDENTIALS_DIRECTORY` is understood."
    )
    delivery: Literal["broker", "end-to-end"] = Field(
        "broker",
        description="When an event leaves the outbox: when the `broker` has acknowledged it, or (`end-to-end`) when a"
        " consumer says on `…/ack` that it has stored it. See [Delivery](mqtt.md#delivery).",
    )

    @model_validator(mode="after")
    def _password_of_somebody(self) -> Self:
        if self.password_file is not None and self.username is None:
            raise ValueError("there is a password_file, but no username; add it, or remove password_file")
        return self

    @model_validator(mode="after")
    def _files_of_tls(self) -> Self:
        if not self.tls and (named := [key for key in ("ca_file", "cert_file", "key_file") if getattr(self, key)]):
            raise ValueError(f"there is a {named[0]}, but tls is off; set tls = true, or remove {named[0]}")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together; add the other one, or remove both")
        return self


class ModelSection(_Section):
    """`[model]`: the bundle that shelf-convert wrote."""

    bundle: Path = Field(description="Directory or zip of the model bundle.")
    signed_by: Path | None = Field(
        None,
        description="Public key (PEM) that must have signed the bundle; without it, unsigned ones are taken as well.",
    )
    runtime: Literal["auto", "litert", "tflite-runtime"] = Field(
        "auto", description="TFLite runtime; `auto` takes LiteRT where it is installed."
    )
    threads: int | None = Field(
        None,
        ge=1,
        le=64,
        description="Processor threads for one batch of crops; without it, as many as there are cores for the agent.",
    )
    delegate: Literal["auto", "cpu", "edgetpu", "gpu"] = Field(
        "auto",
        description="Where the model runs. `auto` takes what the bundle has a build for and what is there, else the"
        " CPU; an accelerator that is named must be there. See [Accelerators](operations.md#accelerators).",
    )
    delegate_library: str | None = Field(
        None, min_length=1, description="The Edge TPU's library; without it, `libedgetpu.so.1` as it is installed."
    )

    @model_validator(mode="after")
    def _library_of_a_delegate(self) -> Self:
        if self.delegate_library is not None and self.delegate not in {"auto", "edgetpu"}:
            raise ValueError(
                f'delegate_library is the Edge TPU\'s, but delegate is "{self.delegate}"; remove delegate_library, or'
                ' set delegate = "edgetpu"'
            )
        return self


class CountingSection(_Section):
    """`[counting]`: when a look is believed."""

    min_confidence: Share = Field(0.8, description="Probability below which a slot is unread rather than counted.")
    window_s: float = Field(0.5, gt=0, le=60, description="Seconds of looks that vote on a slot.")
    agree: Annotated[float, Field(gt=0.5, le=1)] = Field(0.8, description="Share of these looks that must agree.")
    unknown_after_s: float = Field(
        30, gt=0, le=DAY_S, description="Seconds without a vote after which a slot is unknown (it never becomes 0)."
    )
    moving_fraction: Share = Field(0.03, description="Share of a slot that must change for it to count as moving.")
    dark_below: float = Field(12, ge=0, le=255, description="Mean grey level below which a slot is too dark to read.")


class AlertsSection(_Section):
    """`[alerts]`: when a person is told."""

    hold_s: float = Field(5, ge=0, le=DAY_S, description="Seconds that a level must last before it is an alert.")
    low_fraction: Share = Field(
        0.34, description="Share of the planned facings at or below which stock is low, where `low_at` says nothing."
    )


class PicturesSection(_Section):
    """`[pictures]`: when a camera's picture is not one to count in."""

    frozen_after_s: float = Field(
        6,
        ge=1,
        le=DAY_S,
        description="Seconds of exactly the same picture after which a camera is frozen. Raise it for a camera that"
        " repeats a still picture to save bandwidth (a smart codec).",
    )
    blurred_below: Share = Field(
        0.35, description="Share of the usual sharpness below which the picture is blurred; 0 never is."
    )
    moved_by: Share = Field(
        0.02,
        description="Share of the picture's width by which the view may shift before the camera counts as moved; 1:"
        " never.",
    )


class OutboxSection(_Section):
    """`[outbox]`: where events wait for the broker."""

    path: Path = Field(Path("/var/lib/shelfwatch/outbox.db"), description="SQLite file; its folder must exist.")
    max_mb: int = Field(64, ge=1, description="Megabytes that may wait; beyond it the oldest are dropped and reported.")
    max_age_days: float = Field(
        30, gt=0, le=3650, description="Days that an event may wait; older ones are dropped and reported."
    )
    ballast_mb: int = Field(
        8, ge=0, le=1024, description="Megabytes that are kept free for the outbox, for when the disk is full; 0: none."
    )


class CameraSection(_Section):
    """`[[cameras]]`: one per camera."""

    id: Id = Field(description="Name in topics: a-z, 0-9, _ and -.")
    source: str = Field(
        min_length=1,
        description="`/dev/v4l/by-id/…`, a number, `rtsp://…`, `http://…` (a stream or single pictures), or the path of"
        " a video file or of a folder of pictures.",
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


class SlotSection(_Section):
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


class GridSection(_Section):
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


class ShelfSection(_Section):
    """`[[shelves]]`: a row of slots that is counted and published as one."""

    id: Id = Field(description="Name in topics.")
    camera: str = Field(description="The id of the camera that sees it.")
    low_at: dict[str, Annotated[int, Field(ge=0)]] = Field(
        default_factory=dict, description="Count at or below which a product is low, by product."
    )
    slots: list[SlotSection] = Field(default_factory=list, description="Slots drawn one by one.")
    grid: GridSection | None = Field(None, description="Slots as rows × columns.")


class Settings(_Section):
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
    pictures: PicturesSection = Field(default_factory=PicturesSection)
    outbox: OutboxSection = Field(default_factory=OutboxSection)
    cameras: list[CameraSection] = Field(min_length=1)
    shelves: list[ShelfSection] = Field(min_length=1)

    @property
    def rules(self) -> Rules:
        """The counting rules."""
        return Rules(**self.counting.model_dump(), low_fraction=self.alerts.low_fraction)

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
    raw = read_toml(path)
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
    return Shelf(section.id, section.camera, tuple(slots), tuple(section.low_at.items()))


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
    files = {key: getattr(settings.broker, key) for key in ("password_file", "ca_file", "cert_file", "key_file")}
    found = {key: folder / os.path.expandvars(path) for key, path in files.items() if path is not None}
    broker = settings.broker.model_copy(update=found)
    return settings.model_copy(update={"model": model, "outbox": outbox, "cameras": cameras, "broker": broker})
