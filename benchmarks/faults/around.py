"""What a device has around it: the demo's shelf as a camera that asks for a password, a real broker, a consumer."""

import base64
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.faults.nspawn import PATH
from edge_agent.demo.scene import Scene

USER, PASSWORD = "shelf", "broker-secret-4711"
VIEWER, CAMERA_PASSWORD = "viewer", "camera-secret-0815"
FPS = 5.0


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def until(condition: Callable[[], object], timeout_s: float) -> float:
    """Wait for a condition; return how long it took in seconds.

    Raises:
        AssertionError: It did not hold in time.
    """
    began_s = time.monotonic()
    while not condition():
        if time.monotonic() - began_s > timeout_s:
            raise AssertionError(f"it did not happen within {timeout_s:g} s")
        time.sleep(0.02)
    return time.monotonic() - began_s


class ShelfCamera(ThreadingHTTPServer):
    """The demo's shelf as an MJPEG camera that asks for a password. `broken` set: it sends nothing more."""

    daemon_threads = True

    def __init__(self) -> None:
        """Serve on a free port of the loopback."""
        super().__init__(("127.0.0.1", 0), _Viewer)
        self.scene, self.began_s = Scene(7), time.monotonic()
        self.broken = threading.Event()
        self._lock, self._drawn = threading.Lock(), (-1, b"")
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        """With user and password, as an operator writes it."""
        return f"http://{VIEWER}:{CAMERA_PASSWORD}@127.0.0.1:{self.server_address[1]}/shelf.mjpg"

    def end(self) -> None:
        """Serve nobody any more."""
        self.broken.set()
        self.shutdown()
        self.server_close()

    def jpeg(self) -> bytes:
        """The picture of now, drawn once for all who look."""
        tick = int((time.monotonic() - self.began_s) * FPS)
        with self._lock:
            if self._drawn[0] != tick:
                self._drawn = tick, cv2.imencode(".jpg", self.scene.frame(tick / FPS))[1].tobytes()
            return self._drawn[1]


class _Viewer(BaseHTTPRequestHandler):
    """Whoever looks through the camera."""

    server: ShelfCamera
    PASS = "Basic " + base64.b64encode(f"{VIEWER}:{CAMERA_PASSWORD}".encode()).decode()

    def do_GET(self) -> None:
        """One picture after the other, for as long as somebody looks."""
        if self.headers.get("Authorization") != self.PASS:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="shelf"')
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        try:
            while not self.server.broken.wait(1 / FPS):
                jpeg = self.server.jpeg()
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")
        except OSError:  # it looks no more
            return

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def broker(folder: Path) -> Iterator[int]:
    """A mosquitto on the loopback that asks for a password; its port."""
    port, config, passwords = free_port(), folder / "mosquitto.conf", folder / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, USER, PASSWORD], check=True)  # noqa: S603, S607
    config.write_text(
        f"listener {port} 127.0.0.1\npersistence false\nuser root\nallow_anonymous false\npassword_file {passwords}\n"
    )
    program = shutil.which("mosquitto", path=PATH)
    if program is None:
        raise AssertionError("mosquitto is missing: run deploy/setup-system.sh test")
    with subprocess.Popen([program, "-c", config], stderr=subprocess.DEVNULL) as process:  # noqa: S603
        try:
            until(lambda: _listens(port), 10)
            yield port
        finally:
            process.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Listener:
    """A consumer of everything that the broker passes on."""

    port: int
    heard: list[tuple[float, str, str]] = field(default_factory=list)
    """(monotonic seconds, topic, payload)"""

    def __post_init__(self) -> None:
        """Subscribe."""
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.username_pw_set(USER, PASSWORD)
        heard = self.heard
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_message = lambda _client, _data, message: heard.append(
            (time.monotonic(), message.topic, message.payload.decode(errors="replace"))
        )
        self._client.connect("127.0.0.1", self.port)
        self._client.loop_start()

    def since(self, moment_s: float, suffix: str) -> list[str]:
        """The payloads of topics that end so, after a moment of the monotonic clock."""
        return [text for when_s, topic, text in list(self.heard) if when_s >= moment_s and topic.endswith(suffix)]

    def counts(self, moment_s: float) -> list[dict[str, Any]]:
        """The states of shelves after a moment."""
        return [json.loads(text) for text in self.since(moment_s, "/state") if text]

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()
