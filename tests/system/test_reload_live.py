"""The service's command with its signals: a reload never stops the counting, and a stop waits for nobody."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import cv2
import pytest

from edge_agent.agent import Agent
from edge_agent.config import load
from edge_agent.demo.scene import Scene
from edge_agent.demo.store import write_config
from tests.conftest import wait_for

pytestmark = [pytest.mark.system, pytest.mark.alone]  # a camera of which nothing comes for 5 s is offline

FPS, SECONDS = 5, 60
SHELVES = 3


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A minute of the simulated store, as a clip."""
    path = tmp_path_factory.mktemp("film") / "store.mp4"
    scene = Scene(7)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, scene.frame_wh)
    pictures = [scene.frame(n / FPS) for n in range(FPS)]
    for n in range(SECONDS * FPS):
        writer.write(pictures[n % FPS])
    writer.release()
    return path


@pytest.fixture
def store(tmp_path, film):
    """A function that writes the demo's configuration for the clip, with a health message every half second."""

    def write(port):
        path = write_config(tmp_path, port=port, protocol="5", heartbeat_s=0.5)
        path.write_text(path.read_text().replace('"simulated"', f'"{film}"'))
        return path

    return write


@contextmanager
def service(path, tmp_path):
    """`shelf-agent run` as systemd starts it, and what it notifies."""
    address, notified = str(tmp_path / "notify"), []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        threading.Thread(target=listen, args=(manager, notified), daemon=True).start()
        command = [sys.executable, "-m", "edge_agent.cli", "run", "-c", path]
        with subprocess.Popen(command, env={"NOTIFY_SOCKET": address}, stderr=subprocess.PIPE, text=True) as process:
            try:
                yield process, notified
            finally:
                process.kill()
                process.stderr.read()
                manager.shutdown(socket.SHUT_RDWR)


def listen(manager, notified):
    """Keep what is said to the service manager, until its socket is closed."""
    while text := manager.recv(1000).decode():
        notified.append(text)


def told(notified, beginning):
    """Wait for a notification that begins so, and forget those before it."""
    wait_for(lambda: any(text.startswith(beginning) for text in notified), timeout_s=30)
    while not (text := notified.pop(0)).startswith(beginning):
        pass
    return text


def counts_on(consumer):
    """Wait until the health messages tell of more frames."""
    frames = consumer.of("/health")[-1]["frames"]
    wait_for(lambda: consumer.of("/health")[-1]["frames"] > frames + FPS)


def test_a_bad_file_is_refused_and_a_good_one_taken_over_while_it_counts(store, tmp_path, mosquitto, subscribe):
    """SIGHUP with a broken file, then with a good one: systemd, `info` and the shelves are told; frames go on."""
    consumer, path = subscribe(mosquitto.port), store(mosquitto.port)
    with service(path, tmp_path) as (process, notified):
        told(notified, "READY=1")
        wait_for(lambda: len(consumer.of("/state")) >= SHELVES and consumer.of("/health"))
        config, before = path.read_text(), consumer.of("/info")[-1]

        path.write_text(config.replace("columns = 8", "columns = 7", 1))
        process.send_signal(signal.SIGHUP)
        assert "MONOTONIC_USEC=" in told(notified, "RELOADING=1")
        told(notified, "READY=1")
        wait_for(lambda: consumer.of("/info")[-1]["reload"] is not None)
        refused = consumer.of("/info")[-1]
        assert not refused["reload"]["ok"]
        assert "products names 8 products for 1 × 7 slots" in refused["reload"]["problems"][0]
        assert refused["config_sha256"] == before["config_sha256"]
        counts_on(consumer)

        path.write_text(config[: config.index('[[shelves]]\nid = "pantry"')])
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: consumer.of("/info")[-1]["reload"]["ok"])
        assert consumer.of("/info")[-1]["config_sha256"] != before["config_sha256"]
        wait_for(lambda: consumer.of("/shelf/pantry/state")[-1] == "")
        counts_on(consumer)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    wait_for(lambda: consumer.of("shelf-1/status")[-1] == "offline")
    assert {camera["status"] for camera in consumer.of("/shelf-cam/status")} == {"online"}


def test_a_stop_takes_less_than_systemd_allows_even_if_the_broker_hangs(store, tmp_path, mosquitto, subscribe):
    """With a broker that is stopped in the middle of everything the agent is gone in less than 5 s."""
    consumer = subscribe(mosquitto.port)
    with service(store(mosquitto.port), tmp_path) as (process, notified):
        told(notified, "READY=1")
        wait_for(lambda: len(consumer.of("/state")) >= SHELVES)
        mosquitto.process.send_signal(signal.SIGSTOP)
        try:
            began_s = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
            took_s = time.monotonic() - began_s
        finally:
            mosquitto.process.send_signal(signal.SIGCONT)
    print(f"stopped in {took_s:.1f} s while the broker hung")  # noqa: T201
    assert took_s < 5
    wait_for(lambda: consumer.of("shelf-1/status")[-1] == "offline")


CAMERA = """
[[cameras]]
id = "{name}"
source = "{address}"
fps = {fps}
[[shelves]]
id = "shelf-{name}"
camera = "{name}"
[[shelves.slots]]
id = "s"
corners = [[0.1, 0.3], [0.9, 0.3], [0.9, 0.9], [0.1, 0.9]]
"""


def write_two(folder, address, port, *, fps):
    """Two cameras at one address; the second is asked `fps` times a second."""
    path = write_config(folder, port=port, protocol="5", heartbeat_s=0.5)
    head = path.read_text().split("[[cameras]]")[0]
    cameras = [CAMERA.format(name=name, address=address, fps=each) for name, each in (("left", 5), ("right", fps))]
    path.write_text(head + "".join(cameras))
    return path


def test_a_camera_that_a_reload_does_not_concern_keeps_its_process(tmp_path, rtsp_server, mosquitto, subscribe):
    """Over ten reloads the one is never closed and always online; the other one's processes do not pile up."""
    consumer = subscribe(mosquitto.port)
    path = write_two(tmp_path, rtsp_server.address, mosquitto.port, fps=5)
    with Agent(load(path), path=path) as agent:
        thread = threading.Thread(target=agent.run)
        thread.start()
        try:
            for name in ("left", "right"):
                wait_for(lambda name=name: consumer.of(f"camera/{name}/status"), timeout_s=30)
            left = agent.running.feed("left")
            pid, watch, pids = left.source.pid, left.watch, {agent.running.feed("right").source.pid}
            for n in range(10):
                told = len(consumer.of("/info"))
                write_two(tmp_path, rtsp_server.address, mosquitto.port, fps=2 + n % 2)
                agent.reloading.asked.set()
                wait_for(lambda told=told: len(consumer.of("/info")) > told)
                assert consumer.of("/info")[-1]["reload"]["ok"]
                wait_for(lambda: agent.running.feed("right").seen_s is not None, timeout_s=30)
                pids.add(agent.running.feed("right").source.pid)
            assert (left.source.pid, agent.running.feed("left").watch) == (pid, watch)
            assert len(pids) > 5
            assert {camera["status"] for camera in consumer.of("camera/left/status")} == {"online"}
            wait_for(lambda: processes_of_ours() == {left.source.pid, agent.running.feed("right").source.pid})
        finally:
            agent.stop.set()
            thread.join(10)
    wait_for(lambda: not processes_of_ours())


def processes_of_ours():
    """The processes of cameras that are children of this one."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
            words = stat.with_name("cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == os.getpid() and b"capture" in words:
            found.add(int(stat.parent.name))
    return found
