"""Cameras that fail, 100 times in one run: real RTSP servers, real processes, the agent's own loop.

Several cameras fail at the same time, each in its turn in every way, while one is left alone: it must not notice. The
wall clock is drawn into the pictures, so that the true age of each that is counted can be read back.
"""

import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.asked import Figure, at_most
from benchmarks.parts import RtspServer, wait_for
from edge_agent import loop
from edge_agent.alerts.policy import Patience
from edge_agent.capture.live import LiveSource
from edge_agent.counting import Rules
from edge_agent.health import Health
from edge_agent.inference import ScriptedClassifier
from edge_agent.outcome import Outcome
from edge_agent.pictures.picture import Judging
from edge_agent.pipeline import CameraPlan
from edge_agent.shelf import CameraError, Shelf, Slot
from edge_agent.watch import Watch

FAULTS, CAMERAS = 100, 5
PERIOD_S = 0.2
STALE_S, DETECTED_S, BACK_S = 2.0, 10.0, 15.0
LASTS_S = 5.0
"""A fault goes on for up to so long after it was detected."""
LONG_EVERY, LONG_S = 9, 45.0
"""But one in so many, of each kind in its turn, goes on for so long: the pauses between two openings grow meanwhile."""
GIVE_UP_S = 40.0
LOGIN = ("shelf", "s3cret-of-the-server")


@dataclass(frozen=True, slots=True)
class Fault:
    """A way to fail: how it begins and ends, and which reason must be published. None: the camera goes on counting."""

    name: str
    reason: str | None
    begin: Callable[[RtspServer], None]
    end: Callable[[RtspServer], None]


def _restart(*login: str) -> Callable[[RtspServer], None]:
    def restart(server: RtspServer) -> None:
        server.kill()
        server.start(*login)

    return restart


def _mode(mode: str) -> Callable[[RtspServer], None]:
    return lambda server: server.send(mode)


KINDS = (
    Fault("killed", "not_found", RtspServer.kill, RtspServer.start),
    Fault("stopped", "timeout", lambda s: s.signal(signal.SIGSTOP), lambda s: s.signal(signal.SIGCONT)),
    Fault("slowed to 1 frame/s", None, _mode("slow"), _mode("normal")),
    Fault("frozen", "frozen", _mode("frozen"), _mode("normal")),
    Fault("black", "dark", _mode("black"), _mode("normal")),
    Fault("another size", None, _mode("size"), _mode("normal")),
    Fault("garbage bytes", "decode", _mode("garbage"), _mode("normal")),
    Fault("wrong password", "auth", _restart(*LOGIN), _restart()),
)


@dataclass(slots=True, eq=False)
class Harm:
    """One fault of one camera, and what came of it; seconds since it began, or since it ended."""

    camera: str
    fault: Fault
    lasts_s: float
    detected_s: float | None = None
    back_s: float | None = None


@dataclass(slots=True, eq=False)
class Camera:
    """A camera of the run: its server, what was last said of it, and when it was counted."""

    name: str
    server: RtspServer
    said: list[str | None] = field(default_factory=list)
    counted_s: list[float] = field(default_factory=list)
    """Monotonic instants of the pictures in which was counted."""
    stale: int = 0
    unsuspected: int = 0
    """Pictures of a camera that had frozen, counted before anybody could know."""
    unreadable: int = 0
    fault: Fault | None = None


class Sink:
    """Keeps what is published of the cameras."""

    def __init__(self, cameras: dict[str, Camera]) -> None:
        self._cameras = cameras

    def deliver(self, _shelves: object, _outcome: object) -> None:
        """Counts are not looked at here."""

    def camera(self, camera: str, problem: CameraError | None) -> None:
        """A camera came, went, or is bad."""
        self._cameras[camera].said.append(None if problem is None else problem.reason)


def age_s(image: NDArray[np.uint8]) -> float | None:
    """The true age of a picture (height, width, 3) of the test's server; None where its clock cannot be read."""
    scale = image.shape[1] // 320
    blocks = image[20 * scale, 5 * scale : 320 * scale : 10 * scale, 0]
    if np.any((blocks > 80) & (blocks < 180)):
        return None
    ticks = int("".join("1" if level > 128 else "0" for level in blocks), 2)
    late = (int(time.time() * 100) - ticks) % 2**32
    return (late if late < 2**31 else late - 2**32) / 100


def harm(faults: int, *, cameras: int = CAMERAS, kinds: tuple[Fault, ...] = KINDS) -> tuple[list[Harm], list[Camera]]:
    """Run the loop over `cameras` that fail so often in all, and over one that doesn't, which comes last."""
    all_cameras = [Camera(f"cam{n}", RtspServer()) for n in range(cameras + 1)]
    by_name = {camera.name: camera for camera in all_cameras}
    plan = [
        [Harm(camera.name, kinds[m % len(kinds)], _lasts_s(m)) for m in range(n, faults, cameras)]
        for n, camera in enumerate(all_cameras[:-1])
    ]
    stop = threading.Event()
    for camera in all_cameras:
        camera.server.start()
    feeds = [_feed(camera) for camera in all_cameras]
    threads = [
        threading.Thread(target=_suffer, args=(camera, harms, stop))
        for camera, harms in zip(all_cameras[:-1], plan, strict=True)
    ]

    def watched() -> None:
        for thread in threads:
            thread.join()
        stop.set()

    for thread in (*threads, ending := threading.Thread(target=watched)):
        thread.start()
    try:
        classifier = ScriptedClassifier(("cola", "empty"), 32, lambda crops: ["cola"] * len(crops))
        on_step = _note(by_name)
        loop.run(feeds, classifier, Sink(by_name), Health(lambda _: None), stop=stop, on_step=on_step)
    finally:
        stop.set()
        for feed, camera in zip(feeds, all_cameras, strict=True):
            feed.source.close()
            camera.server.kill()
        ending.join()
    return [harm for harms in plan for harm in harms], all_cameras


def _lasts_s(number: int) -> float:
    return LONG_S if number % LONG_EVERY == LONG_EVERY - 1 else random.uniform(0, LASTS_S)


def _feed(camera: Camera) -> loop.Feed:
    slot = Slot("s1", ((0.1, 0.5), (0.9, 0.5), (0.9, 0.95), (0.1, 0.95)), "cola")
    plan = CameraPlan(camera.name, (Shelf("a", camera.name, (slot,)),), Rules(), Patience(), Judging())
    return loop.Feed(Watch(plan), LiveSource(camera.name, camera.server.address, period_s=PERIOD_S), PERIOD_S)


def _note(cameras: dict[str, Camera]) -> loop.OnStep:
    """Notes each picture in which was counted, and its true age."""

    def on_step(watch: Watch, outcome: Outcome) -> None:
        camera = cameras[watch.camera]
        if outcome.bad is not None:
            return
        age = age_s(outcome.frame.image)
        frozen = camera.fault is not None and camera.fault.name == "frozen"
        if age is None:
            camera.unreadable += 1
        elif age > STALE_S:
            unsuspected = frozen and camera.said[-1] != "frozen"
            camera.unsuspected += unsuspected
            camera.stale += not unsuspected
        else:
            camera.counted_s.append(time.monotonic())

    return on_step


def _suffer(camera: Camera, harms: list[Harm], stop: threading.Event) -> None:
    """One fault after the other, each after the camera is back from the one before."""
    _came(lambda: bool(camera.counted_s) and camera.said[-1:] == [None], stop)
    for harm in harms:
        if stop.wait(random.uniform(0.5, 1.5)):
            return
        told, counted = len(camera.said), len(camera.counted_s)
        camera.fault = harm.fault
        began_s = time.monotonic()
        harm.fault.begin(camera.server)
        if harm.fault.reason is None:
            stop.wait(6.0)
            _came(lambda counted=counted: len(camera.counted_s) >= counted + 4, stop)  # type: ignore[misc]
            harm.detected_s = 0.0 if len(camera.said) == told else None  # nothing was to be said
        else:
            wanted = harm.fault.reason
            if _came(lambda told=told, wanted=wanted: wanted in camera.said[told:], stop):  # type: ignore[misc]
                harm.detected_s = time.monotonic() - began_s
        stop.wait(harm.lasts_s)
        harm.fault.end(camera.server)
        ended_s = time.monotonic()
        if _came(lambda: camera.said[-1] is None and camera.counted_s[-1] > ended_s, stop):  # noqa: B023
            harm.back_s = camera.counted_s[-1] - ended_s
        camera.fault = None


def _came(condition: Callable[[], bool], stop: threading.Event) -> bool:
    """Wait for something, until it is given up or the run ends; whether it came."""
    try:
        wait_for(lambda: stop.is_set() or condition(), GIVE_UP_S)
    except AssertionError:
        return False
    return not stop.is_set()


def run(scale: float) -> list[Figure]:
    """Fail 100 times, as a multiple, and print a line for each kind."""
    began_s = time.monotonic()
    harms, cameras = harm(max(len(KINDS), round(FAULTS * scale)))
    table = Table("fault", "times", "reason", "detected, s (median, worst)", "back, s (median, worst)")
    for kind in KINDS:
        of = [harm for harm in harms if harm.fault is kind]
        table.add_row(kind.name, str(len(of)), kind.reason or "none", _spread(of, "detected_s"), _spread(of, "back_s"))
    Console().print(table)
    return figures(harms, cameras, time.monotonic() - began_s)


def figures(harms: list[Harm], cameras: list[Camera], took_s: float) -> list[Figure]:
    """Asked and seen."""
    spared = np.diff(cameras[-1].counted_s)
    unread = sum(camera.unreadable for camera in cameras)
    long = sum(harm.lasts_s == LONG_S for harm in harms)
    note = f"{len(harms)} faults of {len(cameras) - 1} cameras in {took_s:.0f} s, {long} of them of {LONG_S:.0f} s"
    frozen = sum(camera.unsuspected for camera in cameras)
    left_out = f"without {frozen} pictures of frozen cameras, from the time before that could be known"
    return [
        at_most("a fault is detected, with its reason", _worst(harms, "detected_s"), DETECTED_S, "{:.1f} s", note=note),
        at_most("a camera is back after its source", _worst(harms, "back_s"), BACK_S, "{:.1f} s"),
        at_most("stale pictures counted", sum(camera.stale for camera in cameras), 0, "{:.0f}", note=left_out),
        at_most("pictures counted whose clock is damaged", unread, 0, "{:.0f}"),
        at_most("the camera without faults: longest time between two counts", float(spared.max()), 1.0, "{:.2f} s"),
    ]


def _seconds(harms: list[Harm], what: str) -> list[float]:
    return [GIVE_UP_S if (seen := getattr(harm, what)) is None else seen for harm in harms]


def _worst(harms: list[Harm], what: str) -> float:
    return max(_seconds(harms, what))


def _spread(harms: list[Harm], what: str) -> str:
    seconds = _seconds(harms, what)
    return f"{np.median(seconds):.1f}, {max(seconds):.1f}" if seconds else "–"
