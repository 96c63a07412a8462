"""The shop of the simulated week: sixty slots on eight shelves before three cameras, and its `agent.toml`.

All three cameras stand as the demo's does. Two see the whole of its shelf, three boards of eight facings; the third
counts the middle six of two boards. What is not said in the `agent.toml` is as it is by default.
"""

from dataclasses import dataclass
from pathlib import Path

from edge_agent.config import Settings, load
from edge_agent.demo.camera import COLUMNS, DEFAULT_POSE, ROWS, SLOTS
from edge_agent.demo.store import BUNDLE
from edge_agent.shelf import Shelf

OPENS_H, CLOSES_H = 7.0, 21.0
"""Opening hours, every day, in UTC."""
LAMPS_H = (6.5, 21.5)
"""The lamps are on a little longer."""
FPS = 5.0
"""Looks per second, the default."""


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera: its shelves by their names, what stands on each of the 24 places (None: it doesn't count that one).

    `seed` decides where its light comes from.
    """

    id: str
    shelves: tuple[str, ...]
    planned: tuple[str | None, ...]
    seed: int

    @property
    def watched(self) -> tuple[int, ...]:
        """The places (0..23) that it counts, in the order of its slots."""
        return tuple(place for place, product in enumerate(self.planned) if product is not None)

    @property
    def tags(self) -> tuple[str, ...]:
        """The products on the price tags of all 24 places."""
        return tuple(product or "still-water" for product in self.planned)


def _board(*facings: tuple[str, int], aside: int = 0) -> tuple[str | None, ...]:
    """A board from the left: products and how many facings of each; `aside` places at both ends are not counted."""
    edge: tuple[None, ...] = (None,) * aside
    return (*edge, *(product for product, many in facings for _ in range(many)), *edge)


CAMERAS = (
    Camera(
        "cold", ("soda", "water", "milk"),
        (*_board(("cola-can", 3), ("cola-zero-can", 2), ("orange-soda-can", 2), ("lemon-tea", 1)),
         *_board(("still-water", 3), ("sparkling-water", 2), ("lemon-tea", 3)),
         *_board(("milk-whole", 3), ("milk-skim", 2), ("orange-juice", 3))), 7,
    ),
    Camera(
        "dry", ("cereal", "jars", "pasta"),
        (*_board(("corn-flakes", 3), ("choco-flakes", 3), ("coffee", 2)),
         *_board(("tomato-soup", 2), ("bean-soup", 2), ("strawberry-jam", 2), ("apricot-jam", 2)),
         *_board(("penne", 3), ("fusilli", 2), ("coffee", 1), ("corn-flakes", 2))), 41,
    ),
    Camera(
        "till", ("cans", "snacks"),
        (*_board(("cola-can", 2), ("orange-soda-can", 1), ("still-water", 2), ("lemon-tea", 1), aside=1),
         *_board(("coffee", 1), ("choco-flakes", 2), ("penne", 1), ("cola-zero-can", 2), aside=1),
         *(None,) * COLUMNS), 3,
    ),
)  # fmt: skip
"""The cameras."""


def settings(folder: Path) -> Settings:
    """The settings of the shop, read from an `agent.toml` that is written into a folder."""
    path = folder / "agent.toml"
    path.write_text(_toml(), encoding="utf-8")
    return load(path)


def shelf_of_place(camera: Camera, place: int) -> str:
    """The name of the shelf that a place (0..23) belongs to."""
    return camera.shelves[place // COLUMNS]


def places_of(camera: Camera, shelf: Shelf) -> tuple[int, ...]:
    """The places (0..23) of a shelf's slots."""
    return tuple(place for place in camera.watched if shelf_of_place(camera, place) == shelf.id)


def _toml() -> str:
    parts = [
        f"""site = "week"
device = "shelf-1"
[model]
bundle = "{BUNDLE}"
[outbox]
path = "outbox.db"
[hours]
timezone = "UTC"
every_day = "{_clock(OPENS_H)}-{_clock(CLOSES_H)}"
"""
    ]
    for camera in CAMERAS:
        parts.append(f'[[cameras]]\nid = "{camera.id}"\nsource = "rtsp://127.0.0.1/{camera.id}"\n')
        for name in camera.shelves:
            parts.append(f'[[shelves]]\nid = "{name}"\ncamera = "{camera.id}"\naisle = "{camera.id}"\n')
            parts += [_slot(camera, place) for place in camera.watched if shelf_of_place(camera, place) == name]
    return "".join(parts)


def _clock(hour: float) -> str:
    return f"{int(hour):02d}:{round(hour % 1 * 60):02d}"


def _slot(camera: Camera, place: int) -> str:
    corners = [[round(x, 5), round(y, 5)] for x, y in DEFAULT_POSE.slot_quad(place)]
    return f'[[shelves.slots]]\nid = "p{place}"\nproduct = "{camera.planned[place]}"\ncorners = {corners}\n'


assert sum(len(camera.watched) for camera in CAMERAS) == 60  # noqa: S101 — the size of the shop
assert all(len(camera.planned) == SLOTS == ROWS * COLUMNS for camera in CAMERAS)  # noqa: S101
