"""The tables of `agent.toml` that stand alone: each key with its unit, its range and what it is for."""

import ipaddress
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from edge_agent.alerts.hours import DAYS, Span, spans

Share = Annotated[float, Field(ge=0, le=1)]
DAY_S = 86400
NAMED_TOPIC = r"^[^/+#$\s][^+#\s]*[^/+#\s]$"
"""A topic that can be published to, and does not begin or end with a slash."""


def is_loopback(host: str) -> bool:
    """Whether only programs on this device reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Section(BaseModel):
    """A table: a key that it doesn't know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class BrokerSection(Section):
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


class ModelSection(Section):
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


class CountingSection(Section):
    """`[counting]`: when a look is believed."""

    min_confidence: Share = Field(0.8, description="Probability below which a slot is unread rather than counted.")
    window_s: float = Field(0.5, gt=0, le=60, description="Seconds of looks that vote on a slot.")
    agree: Annotated[float, Field(gt=0.5, le=1)] = Field(0.8, description="Share of these looks that must agree.")
    unknown_after_s: float = Field(
        30, gt=0, le=DAY_S, description="Seconds without a vote after which a slot is unknown (it never becomes 0)."
    )
    moving_fraction: Share = Field(0.03, description="Share of a slot that must change for it to count as moving.")
    dark_below: float = Field(12, ge=0, le=255, description="Mean grey level below which a slot is too dark to read.")


class AlertsSection(Section):
    """`[alerts]`: when a person is told."""

    hold_s: float = Field(30, ge=0, le=DAY_S, description="Seconds that stock must be low, gone or back to be told.")
    misplaced_hold_s: float = Field(
        60, ge=0, le=DAY_S, description="Seconds that another product must stand in a slot, or no longer."
    )
    view_lost_hold_s: float = Field(
        300, ge=0, le=DAY_S, description="Seconds that slots must be unknown before their view counts as lost."
    )
    low_fraction: Share = Field(
        0.34, description="Share of the planned facings at or below which stock is low, where `low_at` says nothing."
    )
    restocked_fraction: Share = Field(
        0.5,
        description="Share of the planned facings from which a product that was low is back, where `restocked_at` says"
        " nothing.",
    )
    group_s: float = Field(
        15,
        ge=0,
        le=600,
        description="Seconds that an alert waits for others of its kind in its aisle (without `aisle`: of its camera):"
        " together they are one.",
    )
    cool_down_s: float = Field(
        3600,
        ge=0,
        le=DAY_S,
        description="An alert that is over and begins again within so many seconds is the same one: it is told again"
        " only if it lasts for a quarter of an hour.",
    )
    remind_after_s: float = Field(
        3600,
        ge=0,
        le=7 * DAY_S,
        description="Seconds after which an alert that nobody has acknowledged is told again; 0: never.",
    )
    reminders: int = Field(
        1,
        ge=0,
        le=100,
        description="How often it is told again, at most; what began again and lasts is told once in any case.",
    )
    evidence: Literal["off", "device", "mqtt"] = Field(
        "device",
        description="Two small pictures of the slot, before and after: kept on the `device`, sent with the event as"
        " well (`mqtt`), or not taken (`off`).",
    )
    evidence_mb: int = Field(16, ge=1, le=1024, description="Megabytes of such pictures that are kept.")
    keep_days: float = Field(14, gt=0, le=3650, description="Days that an alert is kept after it is over.")


class HoursSection(Section):
    """`[hours]`: when the store is open. Out of hours alerts are noted, and told at opening if they are still true."""

    timezone: str = Field(description="The store's time zone, such as `Europe/Berlin`.")
    every_day: str = Field(
        "00:00-24:00",
        description="Opening hours, such as `07:00-22:00`, or `08:00-12:30, 14:00-18:00`; empty: closed.",
    )
    monday: str | None = Field(None, description="Hours of this day, where they are others.")
    tuesday: str | None = Field(None, description="The same.")
    wednesday: str | None = Field(None, description="The same.")
    thursday: str | None = Field(None, description="The same.")
    friday: str | None = Field(None, description="The same.")
    saturday: str | None = Field(None, description="The same.")
    sunday: str | None = Field(None, description="The same.")
    closed: list[date] = Field(default_factory=list, description="Days on which the store is closed: `2026-12-25`.")

    @property
    def week(self) -> tuple[tuple[Span, ...], ...]:
        """The spans of each weekday, Monday first."""
        return tuple(spans(hours if (hours := getattr(self, day)) is not None else self.every_day) for day in DAYS)

    @field_validator("every_day", *DAYS)
    @classmethod
    def _readable(cls, value: str | None) -> str | None:
        if value is not None:
            spans(value)
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                f'there is no time zone "{value}" on this machine; give one such as "Europe/Berlin" or "UTC"'
                " (timedatectl list-timezones lists them; the package tzdata has them)"
            ) from None
        return value


class PicturesSection(Section):
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


class OutboxSection(Section):
    """`[outbox]`: where events wait for the broker."""

    path: Path = Field(Path("/var/lib/shelfwatch/outbox.db"), description="SQLite file; its folder must exist.")
    max_mb: int = Field(64, ge=1, description="Megabytes that may wait; beyond it the oldest are dropped and reported.")
    max_age_days: float = Field(
        30, gt=0, le=3650, description="Days that an event may wait; older ones are dropped and reported."
    )
    ballast_mb: int = Field(
        8, ge=0, le=1024, description="Megabytes that are kept free for the outbox, for when the disk is full; 0: none."
    )


class DashboardSection(Section):
    """`[dashboard]`: the device's own web page."""

    enabled: bool = Field(
        default=False, description="Whether the page is served; `shelf-agent run --dashboard` serves it once."
    )
    host: str = Field(
        "127.0.0.1", min_length=1, description="Address that it listens on; anything but loopback needs a password."
    )
    port: int = Field(8089, ge=0, le=65535, description="Its port; 0 takes a free one.")
    password_file: Path | None = Field(
        None,
        description="File that `shelf-agent password` wrote; `$CREDENTIALS_DIRECTORY` is understood. Without it, or"
        " where it is empty, the page asks nobody, and listens on loopback only.",
    )
    names: list[str] = Field(
        default_factory=list,
        description="Names and addresses, besides the device's own, under which browsers may ask for the page: that of"
        " a proxy, or one that only the store's name server knows.",
    )
    cert_file: Path | None = Field(
        None, description="Certificate (PEM) with which the page is served encrypted (https)."
    )
    key_file: Path | None = Field(
        None, description="The private key of `cert_file`; `$CREDENTIALS_DIRECTORY` is understood."
    )

    @model_validator(mode="after")
    def _certificate_and_key(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together; add the other one, or remove both")
        return self

    @model_validator(mode="after")
    def _password_beyond_loopback(self) -> Self:
        if self.enabled and not is_loopback(self.host) and self.password_file is None:
            raise ValueError(
                f'the page listens on "{self.host}", beyond this device, without a password. Name a password_file that'
                ' `shelf-agent password` wrote, or set host = "127.0.0.1"'
            )
        return self


class PrivacySection(Section):
    """`[privacy]`: what of the pictures people may see, and what of them is kept."""

    black_out: bool = Field(
        default=True,
        description="Whether everything beside the slots is made black in every picture that is shown or kept.",
    )
    keep_view: bool = Field(
        default=True,
        description="Whether the view by which a moved camera is recognised outlives a restart: a grey picture of 400"
        " pixels, the median of several, which stays in a file for the agent alone. Without it, it is learned anew.",
    )
    aiming: bool = Field(
        default=True,
        description="Whether somebody at the page may see whole pictures for ten minutes, to aim a camera and to draw"
        " the slots; it is written to the log, and nothing of it is kept.",
    )


class HistorySection(Section):
    """`[history]`: counts and alerts of the past days, for the page; `history.db` beside the outbox."""

    enabled: bool = Field(default=True, description="Whether counts and alerts are kept for the page.")
    days: float = Field(30, gt=0, le=3650, description="Days that they are kept.")
    max_mb: int = Field(64, ge=8, le=65536, description="Megabytes that the file may take; the oldest go first.")


class ReviewSection(Section):
    """`[review]`: crops that the model was not sure of, to be labelled; the folder `review` beside the outbox."""

    enabled: bool = Field(
        default=True,
        description="Whether such crops are kept. They stay on the device; who is signed in at its page sees them.",
    )
    max_mb: int = Field(
        128, ge=1, le=65536, description="Megabytes that they may take; the oldest without a label go first."
    )
    per_day: int = Field(200, ge=1, le=100_000, description="Crops that are kept in a day at most.")
    days: float = Field(30, gt=0, le=3650, description="Days that a crop waits for a label.")
    download: bool = Field(
        default=False, description="Whether the page offers the labelled crops as a file to take away."
    )


class HomeAssistantSection(Section):
    """`[home_assistant]`: this device in Home Assistant, by itself."""

    enabled: bool = Field(
        default=True,
        description="Whether the device, with a sensor for each product, shelf and camera, is announced on the broker."
        " A broker that does not allow it does no harm.",
    )
    prefix: str = Field(
        "homeassistant",
        pattern=NAMED_TOPIC,
        description="What Home Assistant has as its discovery prefix.",
    )
    birth_topic: str | None = Field(
        None,
        pattern=NAMED_TOPIC,
        description="Where Home Assistant says that it is `online`; without it, `<prefix>/status`.",
    )

    @property
    def birth(self) -> str:
        """The topic of its birth message."""
        return self.birth_topic or f"{self.prefix}/status"

    @field_validator("prefix", "birth_topic")
    @classmethod
    def _not_ours(cls, value: str | None) -> str | None:
        if value is not None and value.split("/", maxsplit=1)[0] == "shelfwatch":
            raise ValueError(f'"{value}" is among our own topics; give the one that is set in Home Assistant')
        return value
