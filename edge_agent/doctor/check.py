"""`shelf-agent check`: what the agent needs, whether it works, and what to do about each thing that doesn't."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from edge_agent import config
from edge_agent.capture.address import is_device, is_stream, redacted
from edge_agent.capture.clips import clip_info
from edge_agent.collect import first_frame
from edge_agent.config import CameraSection, Settings
from edge_agent.doctor.finding import Finding, doubtful, failed, fine, look, unseen
from edge_agent.doctor.page import look_at_page
from edge_agent.engines import NAMES
from edge_agent.model import labels_or_error, load_model
from edge_agent.mqtt.broker import broker_of
from edge_agent.mqtt.visit import probe
from edge_agent.outbox.errors import SpoolDamagedError
from edge_agent.outbox.look import set_aside, waiting
from edge_agent.running import open_cameras
from edge_agent.shelf import EMPTY, OCCLUDED, ShelfwatchError, SpoolError

NEARLY_FULL = 0.8
"""Share of the outbox's bound from which somebody should know."""


def check(path: Path, *, cameras: bool = True, broker: bool = True) -> Iterator[Finding]:
    """Look at configuration, model, outbox, page, cameras and broker, in this order, each as it is found.

    Args:
        path: The configuration file.
        cameras: Whether to open the cameras.
        broker: Whether to connect to the broker.
    """
    findings, settings = look_at_configuration(path)
    yield from findings
    if settings is None:
        return
    yield look_at_model(settings)
    yield look_at_outbox(settings)
    if settings.dashboard.enabled:
        yield look_at_page(settings)
    for camera in settings.cameras if cameras else ():
        yield look_at_camera(camera)
    if broker:
        yield look_at_broker(settings)


def look_at_configuration(path: Path) -> tuple[list[Finding], Settings | None]:
    """The file, and its settings where it can be used; else also what is wrong with the bundle that it names."""
    broken = None
    try:
        labels, broken = labels_or_error(path)
        settings = config.load(path, labels=labels)
    except OSError as error:
        return [failed("configuration", unseen(error))], None
    except ShelfwatchError as error:
        wrong = [failed("configuration", error)]
        return wrong + ([failed("model", broken)] if broken is not None else []), None
    slots = sum(len(shelf.slots) for camera in settings.cameras for shelf in settings.shelves_of(camera.id))
    found = [fine("configuration", f"{len(settings.shelves)} shelves with {slots} slots")]
    bare = [camera.id for camera in settings.cameras if not settings.shelves_of(camera.id)]
    return found + [doubtful("shelves", bare_words(camera)) for camera in bare], settings


def bare_words(camera: str) -> str:
    """What is to be done about a camera for which no shelf is drawn."""
    return (
        f'camera "{camera}" sees no shelf, so that nothing is counted in its picture. Draw its shelves on the page'
        " (Shelves), or add a [[shelves]] with its name."
    )


def look_at_model(settings: Settings) -> Finding:
    """Whether the bundle is whole and ours, and the network in it answers as it must where it is to run."""
    return look("model", lambda: _model(settings))


def look_at_outbox(settings: Settings) -> Finding:
    """Whether events can wait there, and how many do."""
    return look("outbox", lambda: _outbox(settings))


def look_at_camera(camera: CameraSection) -> Finding:
    """Whether a camera gives a picture."""
    return look(f"camera {camera.id}", lambda: _camera(camera))


def look_at_broker(settings: Settings) -> Finding:
    """Whether the broker takes us."""
    return look("broker", lambda: _broker(settings))


def _model(settings: Settings) -> str | Finding:
    model = load_model(settings)
    labels = model.classifier.labels
    lacks = {EMPTY: "sees no gap", OCCLUDED: "takes an arm for a product"}
    hints = "".join(f'; without a label "{name}" it {what}' for name, what in lacks.items() if name not in labels)
    place = NAMES[model.classifier.plan.delegate]
    words = f"{model.info.id} knows {len(labels)} labels and runs in {model.classifier.runtime} on the {place}{hints}"
    return words if model.note is None else doubtful("model", f"{words}. {model.note}")


def _outbox(settings: Settings) -> str | Finding:
    path, max_mb = settings.outbox.path, settings.outbox.max_mb
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise SpoolError(
            f"the outbox's folder {path.parent} is not there, or cannot be written."
            " Make it for the user that the agent runs as, or name another path under [outbox]."
        )
    if agent_runs(path):
        return _with_damaged(path, f"{path} is in use by a running agent")
    if not path.exists():
        return _with_damaged(path, f"{path} is not there yet; the agent makes it when it starts")
    if not os.access(path, os.R_OK | os.W_OK):
        raise SpoolError(
            f"the outbox {path} may not be written by this user. Give it to the user that the agent runs as"
            f" (sudo chown shelfwatch: {path}*)."
        )
    try:
        found = waiting(path)
    except SpoolDamagedError as error:
        return doubtful("outbox", str(error))
    words = f"{path} holds {found.events} events that wait"
    if found.oldest_ts is not None:
        words += f", the oldest since {found.oldest_ts}"
    if found.mb > NEARLY_FULL * max_mb:
        return doubtful("outbox", f"{words}: {found.mb:.1f} of {max_mb} MB. Soon the oldest are dropped: see broker.")
    return _with_damaged(path, words)


def _with_damaged(path: Path, words: str) -> str | Finding:
    """Point at damaged outboxes that were moved aside, for as long as they lie there."""
    aside = set_aside(path)
    if not aside:
        return words
    return doubtful(
        "outbox",
        f"{words}; {len(aside)} that were damaged lie beside it, the newest is {aside[-1].name}. What was whole in them"
        " was sent. Power that goes without warning, or a worn-out SD card, does that. Delete them when looked at.",
    )


def agent_runs(outbox: Path) -> bool:
    """Whether an agent works with an outbox: it holds the lock beside it."""
    try:
        fd = os.open(f"{outbox}.lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(fd)
    return False


def _camera(camera: CameraSection) -> str:
    shown = redacted(camera.source)
    if not (is_stream(camera.source) or is_device(camera.source) or Path(camera.source).is_dir()):
        info = clip_info(Path(camera.source))
        return (
            f"a clip of {info.frame_wh[0]} × {info.frame_wh[1]} at {info.fps:.3g} frames/s; the agent ends when it does"
        )
    source = open_cameras([camera])[camera.id]
    try:
        height, width = first_frame(source, shown).image.shape[:2]
    finally:
        source.close()
    return f"{shown} gives pictures of {width} × {height}"


def _broker(settings: Settings) -> str:
    broker = broker_of(settings)
    return f"{broker.where} speaks MQTT {probe(broker)}"
