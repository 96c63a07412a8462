"""The reference views of the cameras, kept from run to run: one that is knocked while the agent is off is seen too.

One file per camera, `views/<camera>.npz` beside the outbox, written as a whole or not at all. It holds for one source
and one drawing of the shelves: where either is another, or the file cannot be read, the view is learned anew. Losing
one costs a few seconds of learning, so that nothing here stops the counting.
"""

import hashlib
import io
import logging
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_agent.capture.address import redacted
from edge_agent.files import write_whole
from edge_agent.pictures.viewpoint import Viewpoint
from edge_agent.shelf import Shelf

log = logging.getLogger(__name__)

FOLDER = "views"
SIDE_MAX_PX = 4096
"""No small picture is larger; a file that says so is not ours."""
BROKEN = (OSError, ValueError, KeyError, EOFError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)
"""What reading a damaged file may end in."""


@dataclass(frozen=True, slots=True)
class ViewFile:
    """Where the reference view of a camera is kept, and what it holds for."""

    path: Path
    key: str

    def load(self) -> Viewpoint | None:
        """The view; None where there is none, or none that holds."""
        try:
            with np.load(io.BytesIO(self.path.read_bytes()), allow_pickle=False) as stored:
                if str(stored["key"]) != self.key:
                    return None
                return _checked(stored["grey"], stored["figures"], stored["frame_wh"])
        except FileNotFoundError:
            return None
        except BROKEN as error:
            log.warning("the reference view %s cannot be read (%s); it is learned anew", self.path, error)
            return None

    def keep(self, view: Viewpoint | None) -> None:
        """Store a view in the place of an older one, or forget it."""
        try:
            if view is None:
                self.path.unlink(missing_ok=True)
            else:
                self._write(view)
        except OSError as error:
            log.warning("the reference view %s cannot be stored (%s); the next start learns it anew", self.path, error)

    def _write(self, view: Viewpoint) -> None:
        figures = np.asarray([view.sharpness, view.structure, *view.shift], dtype=np.float64)
        packed = io.BytesIO()
        np.savez_compressed(
            packed, key=np.asarray(self.key), grey=view.grey, figures=figures, frame_wh=np.asarray(view.frame_wh)
        )
        write_whole(self.path, packed.getvalue())


def view_file(folder: Path, camera: str, source: str, shelves: Iterable[Shelf]) -> ViewFile:
    """Where the view of a camera is kept: `folder` is that of the outbox.

    What it holds for is a hash of the source, without its password, and of where the slots lie: another product in a
    slot is no other view.
    """
    slots = [(shelf.id, slot.id, slot.quad) for shelf in shelves for slot in shelf.slots]
    key = hashlib.sha256(repr((redacted(source), slots)).encode()).hexdigest()
    return ViewFile(folder / FOLDER / f"{camera}.npz", key)


def _checked(grey: np.ndarray, figures: np.ndarray, frame_wh: np.ndarray) -> Viewpoint:
    """A view of what a file says.

    Raises:
        ValueError: It is none.
    """
    if grey.dtype != np.uint8 or grey.ndim != 2 or not 0 < min(grey.shape) <= max(grey.shape) <= SIDE_MAX_PX:
        raise ValueError(f"its picture is {grey.dtype} {grey.shape}")
    if figures.shape != (4,) or not np.isfinite(figures).all() or frame_wh.shape != (2,):
        raise ValueError(f"its figures are {figures.tolist()} and {frame_wh.tolist()}")
    sharpness, structure, x, y = (float(figure) for figure in figures)
    return Viewpoint(np.asarray(grey), sharpness, structure, (int(frame_wh[0]), int(frame_wh[1])), (x, y))
