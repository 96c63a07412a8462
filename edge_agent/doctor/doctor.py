"""`shelf-agent doctor`: everything that `check` looks at, and the machine below it, a line each with its remedy.

It changes nothing, works for any user, and beside a running agent: what that holds (the outbox, a USB camera, an Edge
TPU) is left alone.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge_agent.capture.address import is_device
from edge_agent.config import Settings
from edge_agent.doctor import check
from edge_agent.doctor.access import look_at_permissions
from edge_agent.doctor.finding import Finding, doubtful, failed
from edge_agent.doctor.hearsay import finding_of, heard
from edge_agent.doctor.machine import look_at_clock, look_at_disk, look_at_heat, look_at_memory
from edge_agent.doctor.network import look_at_network
from edge_agent.doctor.page import look_at_address, look_at_page
from edge_agent.doctor.validity import look_at_certificates
from edge_agent.engines import NAMES
from edge_agent.messages import Topics
from edge_agent.mqtt.broker import broker_of
from edge_agent.shelf import BrokerError, CameraError, ShelfwatchError


def examine(path: Path, *, cameras: bool = True, broker: bool = True) -> Iterator[Finding]:
    """Look at everything, each as it is found: first what is quick, then what has to be asked.

    Args:
        path: The configuration file.
        cameras: Whether to open the cameras.
        broker: Whether to connect to the broker.
    """
    findings, settings = check.look_at_configuration(path)
    yield from findings
    yield look_at_clock()
    yield look_at_memory()
    yield look_at_heat()
    if settings is None:
        return
    yield look_at_permissions(path, settings)
    outbox = settings.outbox
    yield look_at_disk(outbox.path.parent, needed_mb=still_needed_mb(settings))
    at_work = check.agent_runs(outbox.path)
    yield check.look_at_outbox(settings)
    if settings.dashboard.enabled:
        yield look_at_page(settings)
        yield look_at_address(settings.dashboard, at_work=at_work)
    yield _model(settings, at_work=at_work)
    network, cut_off = look_at_network(settings)
    yield network
    held = [camera.id for camera in settings.cameras if at_work and is_device(camera.source)] if cameras else []
    said = _said(settings, held) if broker and held and "broker" not in cut_off else {}
    for camera in settings.cameras if cameras else ():
        what = f"camera {camera.id}"
        if what in cut_off:
            yield failed(what, CameraError("it cannot be reached: see network.", reason="not_found"))
        elif camera.id in held:
            yield finding_of(what, camera.source, said.get(camera.id))
        else:
            yield check.look_at_camera(camera)
    if broker:
        yield from _broker(settings, cut_off="broker" in cut_off)


def still_needed_mb(settings: Settings) -> float:
    """Megabytes that the outbox may still take, ballast included."""
    return max(0.0, settings.outbox.max_mb + settings.outbox.ballast_mb - _taken_bytes(settings.outbox.path) / 2**20)


def _taken_bytes(outbox: Path) -> int:
    """What an outbox takes on the disk, as far as we may see it; files beside it come and go while the agent runs."""
    taken = 0
    with contextlib.suppress(OSError):
        for file in outbox.parent.glob(f"{outbox.name}*"):
            with contextlib.suppress(OSError):
                taken += file.stat().st_size
    return taken


def _model(settings: Settings, *, at_work: bool) -> Finding:
    found = check.look_at_model(settings)
    if at_work and found.level != "ok" and NAMES["edgetpu"] in found.words:
        return doubtful("model", f"{found.words} But an agent is running, and an Edge TPU serves one program only.")
    return found


def _broker(settings: Settings, *, cut_off: bool) -> Iterator[Finding]:
    if cut_off:
        yield failed("broker", BrokerError(f"{settings.broker.host} cannot be reached: see network."))
        return
    yield check.look_at_broker(settings)
    with contextlib.suppress(ShelfwatchError):  # what is wrong with its files was told
        certificates = look_at_certificates(broker_of(settings))
        if certificates is not None:
            yield certificates


def _said(settings: Settings, cameras: list[str]) -> dict[str, dict[str, Any]]:
    """What the running agent has said of its cameras, as far as the broker tells."""
    try:
        return heard(broker_of(settings), Topics(settings.site, settings.device), cameras)
    except ShelfwatchError:
        return {}
