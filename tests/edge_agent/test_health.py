"""What the agent says of itself: to systemd, and in its health message."""

import socket

import pytest

from edge_agent import health
from edge_agent.health import Health, notify_systemd


def test_systemd_is_told(tmp_path, monkeypatch):
    """The first step is `READY=1`, each further one feeds the watchdog."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        fares = Health(lambda _: None)
        fares.beat(looks=1, unread=0)
        fares.alive()
        assert [manager.recv(100), manager.recv(100)] == [b"READY=1", b"WATCHDOG=1"]


def test_a_service_manager_that_does_not_listen_holds_nobody_up(tmp_path, monkeypatch):
    """Its queue is full after some messages; what is said then is lost, and counting goes on."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        monkeypatch.setattr(health, "NOTIFY_S", 0.001)
        told = [notify_systemd("WATCHDOG=1") for _ in range(2000)]
        assert not all(told)


def test_that_we_are_ready_is_said_until_it_is_heard(tmp_path, monkeypatch):
    """A queue that is full at the first step would else end the agent: systemd waits for `READY=1`, and no longer."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.setblocking(False)  # noqa: FBT003 — as in `socket`
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        monkeypatch.setattr(health, "NOTIFY_S", 0.001)
        while notify_systemd("WATCHDOG=1"):
            pass
        fares = Health(lambda _: None)
        fares.alive()
        assert not fares.ready
        while manager.recv(100, socket.MSG_PEEK) == b"WATCHDOG=1":
            manager.recv(100)
            fares.alive()
        assert fares.ready
        assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "/nonexistent/notify", "@nobody-listens-here"])
def test_a_service_manager_that_is_gone_stops_nothing(monkeypatch, address):
    """An address that leads nowhere, as a shell may have inherited it, is no error."""
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    fares = Health(lambda _: None)
    fares.alive()
    assert fares.ready


def test_the_rate_is_that_of_the_last_interval(monkeypatch):
    """A camera that fell silent an hour after the start shows in the next message, not in the mean of a day."""
    now_s, said = [0.0], []
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setattr(health.time, "monotonic", lambda: now_s[0])
    fares = Health(said.append, every_s=10)
    for second in range(1, 11):
        now_s[0] = float(second)
        for _ in range(5):
            fares.beat(looks=1, unread=0)
    for second in range(11, 35):
        now_s[0] = float(second)
        fares.alive()
    assert [message["frames_per_s"] for message in said] == [4.6, 0.4, 0.0]
    assert [message["uptime_s"] for message in said] == [10, 20, 30]
