"""The demo's store: its camera as a frame source, and its configuration as an `agent.toml` like any other."""

import time
from datetime import UTC, datetime
from pathlib import Path

from edge_agent.demo.scene import COLUMNS, Scene, planogram, row_corners
from edge_agent.shelf import CameraError, Frame

BUNDLE = Path(__file__).parent / "bundle"
"""The model that `make bundle` trained on drawings of the demo's products."""
CAMERA = "shelf-cam"
SHELVES = ("drinks", "breakfast", "pantry")
FPS = 5.0


class SimulatedCamera:
    """A scene as a live camera: the frame of this moment, whenever it is asked for."""

    def __init__(self, scene: Scene) -> None:
        """Open the shop now."""
        self.scene = scene
        self.problem: CameraError | None = None
        self._began_s, self._seq = time.monotonic(), 0

    def read(self, timeout_s: float) -> Frame | None:  # noqa: ARG002 — a frame is there at once
        """The picture of now."""
        now_s = time.monotonic()
        self._seq += 1
        return Frame(CAMERA, self._seq, datetime.now(UTC), now_s, self.scene.frame(now_s - self._began_s))

    def close(self) -> None:
        """Nothing is held."""


def write_config(
    folder: Path, *, port: int, protocol: str = "3.1.1", heartbeat_s: float = 60, page: int | None = None
) -> Path:
    """Write the demo's `agent.toml` into a folder, with the outbox beside it, and return its path.

    `port` is that of the broker, `page` that of the device's page; None serves none.
    """
    dashboard = f"\n[dashboard]\nenabled = true\nport = {page}\n" if page is not None else ""
    shelves = "".join(
        f"""
[[shelves]]
id = "{shelf}"
camera = "{CAMERA}"
[shelves.grid]
corners = {[[round(x, 5), round(y, 5)] for x, y in row_corners(row)]}
columns = {COLUMNS}
products = {list(products)}
"""
        for row, (shelf, products) in enumerate(zip(SHELVES, planogram(), strict=True))
    ).replace("'", '"')
    path = folder / "agent.toml"
    path.write_text(
        f"""# The configuration of the demo: three shelves of eight slots, seen by a simulated camera.
site = "demo"
device = "shelf-1"
heartbeat_s = {heartbeat_s}

[model]
bundle = "{BUNDLE}"

[broker]
host = "127.0.0.1"
port = {port}
protocol = "{protocol}"

[outbox]
path = "outbox.db"
{dashboard}
[alerts]
misplaced_hold_s = 5
view_lost_hold_s = 5
group_s = 1
cool_down_s = 30
hold_s = 3

[[cameras]]
id = "{CAMERA}"
source = "simulated" # the demo puts its drawn shelf here
fps = {FPS}
{shelves}""",
        encoding="utf-8",
    )
    return path
