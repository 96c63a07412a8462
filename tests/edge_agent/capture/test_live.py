"""Live cameras in processes of their own: what is wrong has a reason, nothing is left behind, no password gets out."""

import base64
import contextlib
import hashlib
import os
import re
import signal
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_agent.capture import live, process
from edge_agent.capture.live import LiveSource
from tests.conftest import free_port, wait_for

BASIC = "Basic " + base64.b64encode("ü:p@€".encode()).decode()


class Camera(BaseHTTPRequestHandler):
    """A web camera: pictures at /snap, MJPEG at /mjpeg, text at /text; /secret and /digest want ü:p@€."""

    def do_GET(self):
        """Answer."""
        if self.path == "/secret" and self.headers.get("Authorization") != BASIC:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/digest" and not self._knows():
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Digest realm="r", nonce="abc", qop="auth"')
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/mjpeg":
            self._mjpeg()
        elif self.path in {"/snap", "/secret", "/digest", "/text"}:
            content = b"hello" if self.path == "/text" else self.server.picture()
            self._head("text/html" if self.path == "/text" else "image/jpeg", len(content))
            self.wfile.write(content)
        else:
            self.send_error(404)

    def _knows(self):
        """Whether the answer to the challenge (RFC 7616) is that of ü and p@€."""
        sent = self.headers.get("Authorization", "").encode("latin-1").decode()
        said = dict(re.findall(r'(\w+)="?([^",]+)', sent))
        first, second = (hashlib.md5(text.encode()).hexdigest() for text in ("ü:r:p@€", "GET:/digest"))  # noqa: S324
        text = f"{first}:abc:{said.get('nc')}:{said.get('cnonce')}:auth:{second}"
        return said.get("username") == "ü" and said.get("response") == hashlib.md5(text.encode()).hexdigest()  # noqa: S324

    def _head(self, kind, length=None):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _mjpeg(self):
        self._head("multipart/x-mixed-replace; boundary=--shot")
        with contextlib.suppress(OSError):
            while not self.server.stopping.wait(0.05):
                content = self.server.picture()
                self.wfile.write(b"--shot\r\nContent-Type: image/jpeg\r\n\r\n" + content + b"\r\n")

    def log_message(self, *_):
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """The web server of that camera; every picture is another one, of the size that is set."""

    daemon_threads = True
    shape = (60, 80, 3)
    pictures = 0
    asked_s: tuple[float, ...] = ()
    torn = False

    def picture(self):
        """The next JPEG; if it is torn, its second half is missing but for the end marker."""
        self.pictures += 1
        self.asked_s += (time.monotonic(),)
        image = np.random.default_rng(self.pictures).integers(0, 255, self.shape, np.uint8)
        whole = cv2.imencode(".jpg", image)[1].tobytes()
        return whole[: len(whole) // 2] + b"\xff\xd9" if self.torn else whole


@pytest.fixture
def camera():
    """Its address is `http://127.0.0.1:{server_port}`."""
    server = Server(("127.0.0.1", 0), Camera)
    server.stopping = threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.stopping.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def watch(monkeypatch):
    """A function that opens a camera; all are closed at the end."""
    monkeypatch.setattr(live, "BACK_OFF_S", (0.01, 0.01))
    opened = []

    def make(source, **more):
        opened.append(LiveSource("cam1", source, **more))
        return opened[-1]

    yield make
    for source in opened:
        source.close()


def frame_of(source):
    """The next frame."""
    found = []
    wait_for(lambda: found.append(source.read(0.5)) or found[-1] is not None)
    return found[-1]


@pytest.mark.parametrize("path", ["snap", "mjpeg"])
def test_pictures_over_http_come_single_or_as_mjpeg(camera, watch, path):
    """What the answer says it is decides; frames follow each other, are dated, and may change their size."""
    source = watch(f"http://127.0.0.1:{camera.server_port}/{path}", period_s=0.1)
    first, second = frame_of(source), frame_of(source)
    assert first.image.shape == (60, 80, 3)
    assert second.seq > first.seq
    assert 0 < second.clock_s - first.clock_s < 5
    assert second.captured_at.tzinfo is not None
    camera.shape = (120, 160, 3)
    wait_for(lambda: frame_of(source).image.shape == (120, 160, 3))
    assert source.problem is None


@pytest.mark.parametrize("path", ["snap", "mjpeg"])
def test_a_torn_picture_is_none(camera, watch, monkeypatch, capfd, path):
    """It would be half grey. What libjpeg prints of it is read, and doesn't fill the log."""
    monkeypatch.setattr(live, "SILENT_S", 1.5)
    camera.torn = True
    source = watch(f"http://127.0.0.1:{camera.server_port}/{path}", period_s=0.1)

    def told():
        assert source.read(0.1) is None
        return source.problem is not None and source.problem.reason == "decode"

    wait_for(told)
    camera.torn = False
    assert frame_of(source).image[-8:].std() > 50
    assert capfd.readouterr() == ("", "")


def test_a_single_picture_is_fetched_once_per_period(camera, watch):
    """A camera is not asked more often than is needed."""
    source = watch(f"http://127.0.0.1:{camera.server_port}/snap", period_s=0.3)
    frame_of(source)
    wait_for(lambda: len(camera.asked_s) >= 5)
    assert camera.asked_s[4] - camera.asked_s[0] >= 4 * 0.3


@pytest.mark.parametrize(
    ("address", "reason", "words"),
    [
        ("http://u:p%40ss@127.0.0.1:{port}/nothing", "not_found", "HTTP 404"),
        ("http://u:wrong@127.0.0.1:{port}/secret", "auth", "user name"),
        ("http://127.0.0.1:{port}/text?pwd=wrong", "not_found", "HTTP 404"),
        ("http://127.0.0.1:{port}/text", "decode", "text"),
        ("rtsp://u:wrong@127.0.0.1:{free}/x", "not_found", "refuses the connection"),
        ("http://u:wrong@[::1/x", "timeout", "fault of the agent's (ValueError)"),
        ("/dev/video77", "not_found", "no /dev/video77"),
        ("77", "not_found", "by-id"),
    ],
)
def test_every_outage_has_a_reason_and_a_remedy_and_no_password(camera, watch, address, reason, words):
    """What is wrong is told by what the camera says, in words that name what to do."""
    source = watch(address.format(port=camera.server_port, free=free_port()))
    wait_for(lambda: source.problem is not None)
    assert source.read(0) is None
    assert source.problem.reason == reason
    assert words in str(source.problem)
    assert "wrong" not in str(source.problem)


@pytest.mark.parametrize("path", ["secret", "digest"])
def test_a_password_is_in_neither_arguments_nor_environment(camera, watch, path):
    """The process is told the address over a socket; whatever letters it has, basic and digest authentication work."""
    source = watch(f"http://%C3%BC:p%40%E2%82%AC@127.0.0.1:{camera.server_port}/{path}")
    assert frame_of(source).image.shape == (60, 80, 3)
    process = Path("/proc") / str(source.pid)
    assert b"edge_agent.capture.child" in (process / "cmdline").read_bytes()
    for name in ("cmdline", "environ"):
        assert b"p%40" not in (process / name).read_bytes()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP])
def test_a_process_that_dies_or_hangs_is_replaced(camera, watch, monkeypatch, how):
    """A crash, a kill and a hang are alike: another process opens the camera, and the number of frames goes on."""
    monkeypatch.setattr(live, "SILENT_S", 1.0)
    source = watch(f"http://127.0.0.1:{camera.server_port}/mjpeg", period_s=0.1)
    before, pid = frame_of(source), source.pid
    os.kill(pid, how)
    camera.torn = True  # there is no good picture before the problem was looked at
    wait_for(lambda: source.problem is not None)
    wait_for(lambda: source.pid not in {pid, None})
    assert not Path(f"/proc/{pid}").exists()
    camera.torn = False
    wait_for(lambda: source.problem is None)
    assert frame_of(source).seq > before.seq


def test_beside_a_process_that_cannot_be_killed_none_is_started(watch, monkeypatch):
    """One that waits in a driver for ever is kept, and said; when it is gone at last, the camera is opened again."""
    monkeypatch.setattr(live, "STARTING_S", 0.3)
    monkeypatch.setattr(process, "LAST_WORDS_S", 0.05)
    monkeypatch.setattr(process, "ENDING_S", 0.05)
    started = []

    class InItsDriver(subprocess.Popen):
        def __init__(self, _command, **more):
            super().__init__(["sleep", "60"], **more)
            started.append(self)

        def kill(self):
            """It doesn't come through."""

    monkeypatch.setattr(process.subprocess, "Popen", InItsDriver)
    source = watch("/dev/video77")
    wait_for(lambda: source.problem is not None)
    assert "hangs in its driver" in str(source.problem)
    end_s = time.monotonic() + 1
    wait_for(lambda: time.monotonic() > end_s)
    assert (source.opens, len(started)) == (1, 1)
    os.kill(started[0].pid, signal.SIGKILL)
    wait_for(lambda: len(started) == 2)
    source._stopping.set()
    source._thread.join(5)
    for one in started:
        one.send_signal(signal.SIGKILL)
        one.wait(5)


def test_whatever_a_process_says_another_one_is_started(camera, watch, monkeypatch):
    """A fault of ours in taking in what comes costs one opening, and neither the camera nor the agent."""
    real, broken = live.LiveSource._offered, [True]

    def offered(source, offer):
        if broken:
            camera.torn = True  # the next process has no picture before the problem was looked at
            raise RuntimeError(broken.pop())
        real(source, offer)

    monkeypatch.setattr(live.LiveSource, "_offered", offered)
    source = watch(f"http://127.0.0.1:{camera.server_port}/snap")
    wait_for(lambda: source.opens == 2)
    assert "RuntimeError" in str(source.problem)
    camera.torn = False
    assert frame_of(source).seq >= 0


def test_closing_is_quick_and_leaves_nothing_behind(camera, watch):
    """No process, no file handle, no memory with a name, even of one that hangs."""
    handles = len(list(Path("/proc/self/fd").iterdir()))
    source = watch(f"http://127.0.0.1:{camera.server_port}/snap")
    frame_of(source)
    pid = source.pid
    os.kill(pid, signal.SIGSTOP)
    source.close()
    assert not Path(f"/proc/{pid}").exists()
    wait_for(lambda: len(list(Path("/proc/self/fd").iterdir())) <= handles)
