"""The README's pictures of the demo, made from the demo itself: `python -m edge_agent.demo.pictures docs`."""

import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
from rich.console import Console

from edge_agent.annotate import draw_outcome
from edge_agent.config import load
from edge_agent.demo.scene import Scene
from edge_agent.demo.show import Screen
from edge_agent.demo.store import CAMERA, FPS, write_config
from edge_agent.model import load_model
from edge_agent.running import watch_of
from edge_agent.shelf import Frame

SEED, SHOWN_AT_S, FRAME_WH = 7, 166.4, (1280, 720)
BEGAN = datetime(2026, 1, 1, 7, 0, tzinfo=UTC)


def main(folder: Path) -> None:
    """Count for a while, and keep what is then seen: the annotated frame and the terminal."""
    with tempfile.TemporaryDirectory() as name:
        path = write_config(Path(name), port=1883)
        settings = load(path)
        model, watch = load_model(settings), watch_of(settings, CAMERA)
        scene, screen = Scene(SEED, FRAME_WH), Screen(1883, "shelfwatch/demo/shelf-1", Path("/tmp/demo/agent.toml"))  # noqa: S108
        for seq in range(round(SHOWN_AT_S * FPS)):
            t_s = seq / FPS
            frame = Frame(CAMERA, seq, BEGAN + timedelta(seconds=t_s), t_s, scene.frame(t_s))
            outcome = watch.take(frame, model.classifier)
            screen.take(watch.shelves, outcome)
    picture = draw_outcome(frame.image, watch.shelves, outcome)
    cv2.imwrite(str(folder / "demo.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
    console = Console(record=True, width=112, file=sys.stderr, force_terminal=True)
    console.print(screen.banner())
    console.print(screen.render())
    console.save_svg(str(folder / "terminal.svg"), title="make demo")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
