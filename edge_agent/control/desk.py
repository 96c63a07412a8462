"""Where commands are taken and answered, between two steps. What takes long is done beside the counting."""

import logging
import queue
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2

from edge_agent.annotate import draw_outcome
from edge_agent.control.commands import SHOWN, Result, acknowledgement_of, cameras_of, refused_verb
from edge_agent.control.reloading import Reloading
from edge_agent.files import write_whole
from edge_agent.messages import timestamp
from edge_agent.mqtt.inbox import Command
from edge_agent.outcome import Outcome
from edge_agent.privacy import black_out
from edge_agent.running import Running
from edge_agent.shelf import Shelf

log = logging.getLogger(__name__)

JPEG_QUALITY = 90
FOLDER = "snapshots"
"""Beside the outbox. One picture per camera: the newest."""


class Desk:
    """Answers every command, whatever it is; `attend` is called in the loop's thread and takes one at a time."""

    def __init__(self, running: Running, reloading: Reloading) -> None:
        """Answer for what runs."""
        self._running, self._reloading, self._mqtt = running, reloading, running.outlet.mqtt
        self._drawing = threading.Lock()

    def attend(self) -> None:
        """Take the command that has waited longest, if there is one."""
        try:
            command = self._mqtt.commands.get_nowait()
        except queue.Empty:
            return
        log.info("command %r", command.verb[:SHOWN])
        try:
            self._obey(command)
        except Exception as error:  # noqa: BLE001 — nothing that comes over the network may end the counting
            self._answer(command, Result(ok=False, message=f"it failed unexpectedly ({type(error).__name__}: {error})"))

    def _obey(self, command: Command) -> None:
        match command.verb:
            case "recount":
                self._answer(command, self._recount(command.payload))
            case "snapshot":
                self._snapshot(command)
            case "acknowledge":
                self._answer(command, self._acknowledge(command.payload))
            case "reload" if not command.payload.keys() - {"id"}:
                self._reloading.ask(lambda result: self._answer(command, result))
            case "reload":
                self._answer(command, Result(ok=False, message="reload takes no payload but an id; send it without"))
            case _:
                self._answer(command, refused_verb(command.verb))

    def _answer(self, command: Command, result: Result) -> None:
        if not result.ok and command.verb != "reload":  # which says it itself, also where a signal asked for it
            log.warning("the command %r is refused: %s", command.verb[:SHOWN], result.message)
        self._mqtt.answer(command, result.payload(ts=datetime.now(UTC)))

    def _cameras(self) -> list[str]:
        return [feed.watch.camera for feed in self._running.feeds]

    def _recount(self, payload: Mapping[str, Any]) -> Result:
        cameras = cameras_of(payload, self._cameras())
        if isinstance(cameras, Result):
            return cameras
        self._running.recount(cameras)
        return Result(
            ok=True,
            message=f"{', '.join(cameras)}: counted anew from the next picture on",
            facts={"cameras": list(cameras)},
        )

    def _acknowledge(self, payload: Mapping[str, Any]) -> Result:
        wanted = acknowledgement_of(payload)
        if isinstance(wanted, Result):
            return wanted
        alert, by, note = wanted
        done = self._running.outlet.delivery.acknowledge(alert, by=by, note=note)
        if isinstance(done, str):
            return Result(ok=False, message=done)
        seen_to = done.acknowledged
        words = f"{seen_to.by if seen_to is not None else by} sees to it: {done.message}"
        return Result(ok=True, message=words, facts={"alert": done.id})

    def _snapshot(self, command: Command) -> None:
        """Draw and store beside the counting: it takes longer than a step."""
        cameras = cameras_of(command.payload, self._cameras())
        if isinstance(cameras, Result):
            self._answer(command, cameras)
            return
        wanted = {camera: self._running.seen.get(camera) for camera in cameras}
        if dark := [camera for camera, outcome in wanted.items() if outcome is None]:
            words = f"{', '.join(dark)}: there is no picture yet. See camera/<id>/status for the reason."
            self._answer(command, Result(ok=False, message=words))
            return
        if not self._drawing.acquire(blocking=False):
            self._answer(command, Result(ok=False, message="a snapshot is under way already; send the command again"))
            return
        todo = [(self._running.feed(camera).watch.shelves, outcome) for camera, outcome in wanted.items() if outcome]
        threading.Thread(target=self._draw, args=(command, todo), name="snapshot", daemon=True).start()

    def _draw(self, command: Command, todo: Sequence[tuple[Sequence[Shelf], Outcome]]) -> None:
        """The thread: pictures into files, and the answer."""
        folder = self._running.settings.outbox.path.parent / FOLDER
        try:
            whole = not self._running.settings.privacy.black_out
            stored = [store(folder, shelves, outcome, whole=whole) for shelves, outcome in todo]
            words = ", ".join(f"{picture['path']} (taken at {picture['frame_ts']})" for picture in stored)
            result = Result(ok=True, message=f"stored on the device: {words}", facts={"pictures": stored})
        except Exception as error:  # noqa: BLE001 — a full disk or a fault of ours: it is the answer, and no more
            result = Result(ok=False, message=f"the picture cannot be stored in {folder} ({error})")
        finally:
            self._drawing.release()
        self._answer(command, result)


def store(folder: Path, shelves: Sequence[Shelf], outcome: Outcome, *, whole: bool = False) -> dict[str, Any]:
    """Draw what was read into a picture and store it as `<camera>.jpg`; an older one is replaced as a whole.

    The picture is black outside the slots, unless it is to be `whole`.

    Raises:
        OSError: It cannot be written.
    """
    image = outcome.frame.image
    if not whole:
        image = black_out(image, (slot.quad for shelf in shelves for slot in shelf.slots))
    picture = draw_outcome(image, shelves, outcome)
    encoded, jpeg = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
    if not encoded:
        raise OSError("it could not be encoded")
    path = folder / f"{outcome.frame.camera}.jpg"
    write_whole(path, jpeg.tobytes())
    return {
        "camera": outcome.frame.camera,
        "path": str(path),
        "bytes": len(jpeg),
        "frame_wh": [outcome.frame.image.shape[1], outcome.frame.image.shape[0]],
        "frame_ts": timestamp(outcome.frame.captured_at),
    }
