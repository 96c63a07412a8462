"""Whether a camera is back is asked without opening it, and a long pause ends when it is."""

import socket
import threading
import time
from contextlib import suppress

import pytest

from edge_agent.capture import live
from edge_agent.capture.live import LiveSource
from edge_agent.capture.probe import answers
from tests.conftest import free_port, wait_for


class Host:
    """A host on a loopback port: its kernel takes connections, and its server answers once it may."""

    def __init__(self, port: int) -> None:
        self.server = socket.create_server(("127.0.0.1", port))
        self.awake = threading.Event()
        self.heard: list[bytes] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            with connection, suppress(ConnectionError):  # whoever asked may have given up
                self.heard.append(connection.recv(1000))
                if self.awake.is_set():
                    connection.sendall(b"RTSP/1.0 401 Unauthorized\r\n\r\n")
                else:
                    connection.recv(1)  # until whoever asks has had enough


@pytest.fixture
def host():
    """A host whose server hangs at first."""
    made = Host(free_port())
    yield made
    made.server.close()


def test_a_port_that_nobody_serves_gives_no_sign(tmp_path):
    """Neither does a device that is not there, or a host that has no name."""
    assert not answers(f"rtsp://u:p@127.0.0.1:{free_port()}/x")
    assert not answers("http://no.such.host.invalid/x")
    assert not answers("http://127.0.0.1:99999/x")
    assert not answers("http://[::1/x")
    assert not answers("/dev/video77")
    assert answers(str(tmp_path / "clip.mp4"))


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_server_that_hangs_gives_no_sign_until_it_answers(host, scheme):
    """A connection alone is none; a refusal is one. The address, and its password, are not sent."""
    source = f"{scheme}://u:secret@127.0.0.1:{host.server.getsockname()[1]}/x"
    assert not answers(source, timeout_s=0.2)
    host.awake.set()
    wait_for(lambda: answers(source))
    assert not any(b"secret" in said for said in host.heard)


def test_a_camera_that_answers_is_opened_again_soon(monkeypatch, host):
    """One that answered all along may give pictures at any moment: openings begin ten seconds apart at most."""
    monkeypatch.setattr(live, "PROBE_S", 0.1)
    monkeypatch.setattr(live, "ANSWERS_S", 1.0)
    host.awake.set()
    source = LiveSource("cam1", f"rtsp://127.0.0.1:{host.server.getsockname()[1]}/x")
    source.close()
    source._stopping.clear()
    began_s = time.monotonic()
    source._rest(30.0, began_s)
    assert 0.9 < time.monotonic() - began_s < 15


def test_a_long_pause_ends_when_the_camera_shows_a_sign_of_life(monkeypatch):
    """After a long outage nobody waits for the rest of half a minute."""
    monkeypatch.setattr(live, "PROBE_S", 0.1)
    port = free_port()
    source = LiveSource("cam1", f"rtsp://127.0.0.1:{port}/x")
    source.close()
    source._stopping.clear()
    began_s = time.monotonic()
    resting = threading.Thread(target=source._rest, args=(30.0, time.monotonic()))
    resting.start()
    wait_for(lambda: time.monotonic() > began_s + 0.3)
    assert resting.is_alive()
    host = Host(port)
    host.awake.set()
    resting.join(20)
    host.server.close()
    assert not resting.is_alive()
