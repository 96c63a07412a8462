"""`shelf-agent check`: what the agent needs, whether it works, and what to do about each thing that doesn't."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from edge_agent import config
from edge_agent.broker import probe
from edge_agent.capture.address import is_device, is_stream, redacted
from edge_agent.capture.clips import clip_info
from edge_agent.capture.source import open_source
from edge_agent.collect import first_frame
from edge_agent.config import CameraSection, Settings
from edge_agent.engines import NAMES
from edge_agent.model import labels_or_error, load_model
from edge_agent.outlet import broker_of
from edge_agent.shelf import EMPTY, OCCLUDED, ShelfwatchError, SpoolError
from edge_agent.spool import Spool, SpoolInUseError


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what was found, or the error that stands in the way."""

    what: str
    found: str
    error: ShelfwatchError | None = None


def check(path: Path, *, cameras: bool = True, broker: bool = True) -> Iterator[Finding]:
    """Look at configuration, model, outbox, cameras and broker, in this order, each as it is found.

    Args:
        path: The configuration file.
        cameras: Whether to open the cameras.
        broker: Whether to connect to the broker.
    """
    labels, model_error = labels_or_error(path)
    finding, settings = _configuration(path, labels)
    yield finding
    if settings is None:
        if model_error is not None:
            yield Finding("model", "", model_error)
        return
    yield _look("model", lambda: _model(settings))
    yield _look("outbox", lambda: _outbox(settings))
    for camera in settings.cameras if cameras else ():
        yield _look(f"camera {camera.id}", lambda camera=camera: _camera(camera))  # type: ignore[misc]
    if broker:
        yield _look("broker", lambda: _broker(settings))


def _configuration(path: Path, labels: tuple[str, ...] | None) -> tuple[Finding, Settings | None]:
    try:
        settings = config.load(path, labels=labels)
    except ShelfwatchError as error:
        return Finding("configuration", "", error), None
    slots = sum(len(shelf.slots) for camera in settings.cameras for shelf in settings.shelves_of(camera.id))
    return Finding("configuration", f"{len(settings.shelves)} shelves with {slots} slots"), settings


def _look(what: str, at: Callable[[], str]) -> Finding:
    try:
        return Finding(what, at())
    except ShelfwatchError as error:
        return Finding(what, "", error)


def _model(settings: Settings) -> str:
    model = load_model(settings)
    labels = model.classifier.labels
    lacks = {EMPTY: "sees no gap", OCCLUDED: "takes an arm for a product"}
    hints = "".join(f'; without a label "{name}" it {what}' for name, what in lacks.items() if name not in labels)
    place = NAMES[model.classifier.plan.delegate]
    note = f". {model.note}" if model.note is not None else ""
    return (
        f"{model.info.id} knows {len(labels)} labels and runs in {model.classifier.runtime} on the {place}{hints}{note}"
    )


def _outbox(settings: Settings) -> str:
    path = settings.outbox.path
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise SpoolError(
            f"the outbox's folder {path.parent} is not there, or cannot be written."
            " Make it for the user that the agent runs as, or name another path under [outbox]."
        )
    if not path.exists():  # a file made here would belong to whoever checks, which need not be the agent's user
        return f"{path} is not there yet; the agent makes it when it starts"
    try:
        spool = Spool(path)
    except SpoolInUseError:
        return f"{path} is in use by a running agent"
    waiting = spool.depth()
    spool.close()
    return f"{path} holds {waiting} events that wait"


def _camera(camera: CameraSection) -> str:
    if not (is_stream(camera.source) or is_device(camera.source)):
        info = clip_info(Path(camera.source))
        return f"a clip of {info.frame_wh[0]} × {info.frame_wh[1]} at {info.fps:.3g} frames/s"
    source = open_source(camera.id, camera.source)
    try:
        height, width = first_frame(source, redacted(camera.source)).image.shape[:2]
    finally:
        source.close()
    return f"{redacted(camera.source)} gives pictures of {width} × {height}"


def _broker(settings: Settings) -> str:
    broker = broker_of(settings)
    protocol = probe(replace(broker, client_id=f"{broker.client_id}-check"))  # a running agent keeps its session
    return f"{broker.host}:{broker.port} speaks MQTT {protocol}"
