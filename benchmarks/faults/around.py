"""What a device has around it: the demo's shelf as a camera that asks for a password, and a real broker."""

import base64
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2

from benchmarks.parts import Mosquitto, Subscriber
from edge_agent.demo.scene import Scene

USER, PASSWORD = "shelf", "broker-secret-4711"
VIEWER, CAMERA_PASSWORD = "viewer", "camera-secret-0815"
FPS = 5.0


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
def consumer(folder: Path) -> Iterator[Subscriber]:
    """A mosquitto that asks for a password, and somebody who hears all that it passes on."""
    mosquitto = Mosquitto(folder, PASSWORD)
    mosquitto.start()
    try:
        with closing(Subscriber(mosquitto.port, USER, PASSWORD)) as listener:
            yield listener
    finally:
        mosquitto.stop()
