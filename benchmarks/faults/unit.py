"""The service in a real systemd: killed, hung and stopped, and what its hardening costs. See `bench_faults.py`."""

import json
import re
import signal
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from os import kill
from pathlib import Path

from benchmarks.asked import Figure, at_most, unmeasured
from benchmarks.faults import device
from benchmarks.faults.around import ShelfCamera, consumer
from benchmarks.faults.device import Service
from benchmarks.faults.hold import held_in
from benchmarks.faults.nspawn import Machine, debian, missing
from benchmarks.parts import REPO, Subscriber, wait_for
from edge_agent.demo.store import CAMERA

WATCHDOG_S = 4
"""Instead of the unit's 30 s, so that hangs are found within the patience of a test; by a drop-in, as on a device."""
KILLED_S, HUNG_S, STOPPED_S, CAPTURE_S = 3.0, WATCHDOG_S + 3.0, 5.0, 15.0
"""Back after a kill, back after a hang, stopped; and counting again after a camera's process hung."""
LITERT = "/ai_edge_litert/"
COST = 1.1
"""What inference may take in the unit, as a multiple of what it takes outside."""

MEASURE = """
import json, time
from pathlib import Path
from edge_agent import bundle as bundles, engines
from edge_agent.inference import TfliteClassifier
bundle = bundles.read(Path("/var/lib/shelfwatch/bundle"))
classifier = TfliteClassifier(bundle, plan=engines.plan_for_cpu(bundle, runtime="auto", threads=1))
import numpy as np
crops = np.random.default_rng(1).integers(0, 256, (24, classifier.size_px, classifier.size_px, 3), dtype=np.uint8)
took = []
for _ in range(150):
    began = time.perf_counter()
    classifier.classify(crops)
    took.append((time.perf_counter() - began) * 1000)
print(json.dumps(min(took)))
"""
"""24 crops in one batch on one thread, 150 times: the quickest in milliseconds, which other work disturbs least."""


@dataclass
class Bench:
    """The agent at work: its service, its camera, and whoever listens to it."""

    service: Service
    camera: ShelfCamera
    listener: Subscriber


@contextmanager
def bench() -> Iterator[Bench]:
    """A device on which the agent counts the demo's shelves.

    Raises:
        NoDebianError: There can be no Debian to boot here.
        AssertionError: The package cannot be built or installed.
    """
    with ExitStack() as stack:
        root = stack.enter_context(debian())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        device.install(root, device.package(folder, "1.0.0"))
        camera = ShelfCamera()
        stack.callback(camera.end)
        listener = stack.enter_context(consumer(folder))
        device.configure(root, port=listener.port, source=camera.address)
        device.drop_in(root, "shelf-agent", f"WatchdogSec={WATCHDOG_S}")
        machine = Machine(root)
        stack.callback(machine.stop)
        machine.start()
        service = Service(machine)
        service.command("start")
        yield Bench(service, camera, listener)


def after_kills(service: Service, times: int) -> list[float]:
    """Seconds until the agent is READY again, after each of so many SIGKILLs."""
    return [service.back_after(service.hit(signal.SIGKILL), 30) for _ in range(times)]


def after_crashes(service: Service, times: int) -> float:
    """Kill every new agent as soon as it is there; seconds until one is READY when that has ended."""
    last = service.hit(signal.SIGKILL)
    for _ in range(times - 1):
        wait_for(lambda last=last: service.status[1] not in {0, last}, 30)  # type: ignore[misc]
        last = service.hit(signal.SIGKILL)
    return service.back_after(last, 30)


def after_stopping(service: Service) -> float:
    """SIGSTOP the main process; seconds until another one is READY."""
    return service.back_after(service.hit(signal.SIGSTOP), 60)


def after_hung_inference(service: Service) -> float:
    """Hold the agent's main thread in the middle of LiteRT; seconds until another agent is READY."""
    inside, pid = service.status[1], service.pid
    with held_in(LITERT, pid) as held:
        began_s = time.monotonic()
        wait_for(held.gone, 60)
        service.back_after(inside, 60)
        return time.monotonic() - began_s


def after_hung_capture(bench: Bench) -> float:
    """SIGSTOP the processes of the camera; seconds until its outage is over.

    Raises:
        AssertionError: The agent has no process for its camera, or was itself started anew.
    """
    hung, before = bench.service.children(), bench.service.status
    if not hung:
        raise AssertionError("the agent has no process for its camera")
    began_s = time.monotonic()
    for pid in hung:
        kill(pid, signal.SIGSTOP)
    wait_for(lambda: {"offline", "online"} <= set(said := said_of_camera(bench, began_s)) and said[-1] == "online", 60)
    took_s = time.monotonic() - began_s
    if bench.service.status != before or set(hung) & set(bench.service.children()):
        raise AssertionError(f"{before} with {hung} became {bench.service.status} with {bench.service.children()}")
    return took_s


def said_of_camera(bench: Bench, since_s: float) -> list[str]:
    """What was said of the camera since then."""
    said = bench.listener.since(since_s, f"/camera/{CAMERA}/status")
    return [status["status"] for status in said if status]


def to_stop(bench: Bench, *, hung: bool = False) -> float:
    """Seconds that `systemctl stop` takes, perhaps while a camera's process hangs. Afterwards it is started again.

    Raises:
        AssertionError: `offline` was not published meanwhile.
    """
    for pid in bench.service.children() if hung else ():
        kill(pid, signal.SIGSTOP)
    began_s = time.monotonic()
    took_s = bench.service.command("stop")
    wait_for(lambda: "offline" in bench.listener.since(began_s, "/agent/status"), 1)
    bench.service.command("start")
    return took_s


def hardening_costs(service: Service, rounds: int) -> float:
    """What a batch takes in the unit, as a multiple of what it takes outside, in turns; the quickest of each."""
    machine = service.machine
    (machine.root / "opt/measure.py").write_text(MEASURE)
    unit = (REPO / "systemd/shelf-agent.service").read_text(encoding="utf-8")
    python = "/opt/shelfwatch/current/venv/bin/python"
    unit = re.sub(r"^(ExecReload|WatchdogSec|Restart\w*|NotifyAccess)=.*\n", "", unit, flags=re.MULTILINE)
    unit = unit.replace(
        "Type=notify", "Type=oneshot\nStandardOutput=truncate:/opt/measured.json\nStandardError=journal"
    )
    unit = re.sub(r"^ExecStart=.*", f"ExecStart={python} /opt/measure.py", unit, flags=re.MULTILINE)
    (machine.root / "etc/systemd/system/measure.service").write_text(unit, encoding="utf-8")
    machine.run("systemctl", "stop", service.unit)
    machine.run("systemctl", "daemon-reload")
    inside, outside = [], []
    for _ in range(rounds):
        machine.run("systemctl", "start", "measure")
        inside.append(float(json.loads((machine.root / "opt/measured.json").read_text())))
        outside.append(float(machine.run("runuser", "-u", "shelfwatch", "--", python, "/opt/measure.py").stdout))
    service.command("start")
    return min(inside) / min(outside)


def run(scale: float = 1.0) -> list[Figure]:
    """Harm the service as often as was asked for, times `scale`, and say what was seen."""
    why = missing()
    if why is not None:
        return [unmeasured("the service in a real systemd", "back within 3 s", why)]
    kills, crashes = max(1, round(20 * scale)), max(1, round(50 * scale))
    with bench() as here:
        service = here.service
        killed = after_kills(service, kills)
        return [
            at_most(f"back after a SIGKILL, the slowest of {kills}", max(killed), KILLED_S, "{:.2f} s"),
            at_most("the same, the median", statistics.median(killed), KILLED_S, "{:.2f} s"),
            at_most(f"back after {crashes} quick crashes", after_crashes(service, crashes), KILLED_S, "{:.2f} s"),
            at_most("back after a SIGSTOP", after_stopping(service), HUNG_S, "{:.2f} s"),
            at_most("back after a hung inference", after_hung_inference(service), HUNG_S, "{:.2f} s"),
            at_most("counting again after a hung capture", after_hung_capture(here), CAPTURE_S, "{:.2f} s"),
            at_most("systemctl stop, with offline published", to_stop(here), STOPPED_S, "{:.2f} s"),
            at_most("the same, while a camera's process hangs", to_stop(here, hung=True), STOPPED_S, "{:.2f} s"),
            at_most("inference in the unit ÷ outside", hardening_costs(service, 5), COST, "{:.3f} ×"),
            at_most("places where a secret can be read", len(device.secrets_seen(service.machine)), 0, "{:.0f}"),
        ]
