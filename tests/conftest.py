"""Real parts for the tests: a mosquitto on a loopback port, a subscriber, clips, and the shared photographs."""

import json
import os
import shutil
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

REPO = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with the real photographs, clip and weights; elsewhere than here, name it in SHELFWATCH_DATA."""
    path = Path(os.environ.get("SHELFWATCH_DATA", REPO.parent / "shared"))
    if not (path / "data").is_dir():
        pytest.skip(f"no photographs at {path}; set SHELFWATCH_DATA")
    return path


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):  # noqa: ARG001 — pytest names them
    """In CI a skip is a failure, unless it names hardware that no test machine has."""
    report = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if "hardware:" not in reason:
            report.outcome = "failed"
            report.longrepr = f"skipped in CI: {reason}"
    return report


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@dataclass
class Mosquitto:
    """A real broker on a loopback port."""

    folder: Path
    port: int
    password: str | None = None
    acl: str | None = None
    options: tuple[str, ...] = ()
    process: subprocess.Popen | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        lines = [f"listener {self.port} 127.0.0.1", *self.options]
        lines += ["persistence false", "user root"]  # user: ignored unless we are
        if self.password is None:
            lines.append("allow_anonymous true")
        else:
            passwords = self.folder / "passwords"
            subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "shelf", self.password], check=True)
            lines += ["allow_anonymous false", f"password_file {passwords}"]
        if self.acl is not None:
            acl = self.folder / "acl"
            acl.write_text(self.acl)
            lines.append(f"acl_file {acl}")
        config = self.folder / "mosquitto.conf"
        config.write_text("\n".join(lines) + "\n")
        program = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin")
        assert program, "mosquitto is missing: run make test, or deploy/setup-system.sh test"
        self.process = subprocess.Popen([program, "-c", config], stderr=subprocess.DEVNULL)
        wait_for(self._listens)

    def _listens(self) -> bool:
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=10)
            self.process = None


def _read(message: paho.MQTTMessage) -> tuple[str, Any, bool]:
    """Topic, payload and whether it was retained."""
    text = message.payload.decode()
    return message.topic, json.loads(text) if text.startswith("{") else text, message.retain


@dataclass
class Subscriber:
    """A consumer that keeps every message, in order."""

    port: int
    username: str | None = None
    password: str | None = None
    messages: list[tuple[str, Any, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ready = threading.Event()
        self.client = paho.Client(CallbackAPIVersion.VERSION2)
        if self.username:
            self.client.username_pw_set(self.username, self.password)
        self.client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        ready = self.ready
        self.client.on_subscribe = lambda *_: ready.set()
        messages = self.messages  # not self: the client must not keep its owner alive
        self.client.on_message = lambda _client, _userdata, message: messages.append(_read(message))
        self.client.connect("127.0.0.1", self.port)
        self.client.loop_start()
        assert self.ready.wait(10)

    def of(self, suffix: str) -> list[Any]:
        """The payloads of all topics that end so."""
        return [payload for topic, payload, _ in list(self.messages) if topic.endswith(suffix)]

    def close(self) -> None:
        """Leave."""
        self.client.disconnect()
        self.client.loop_stop()
        del self.client  # paho closes its sockets when it is let go, and only then


def wait_for(condition, timeout_s: float = 15.0) -> None:
    """Wait until a condition holds; fail if it doesn't in time."""
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        threading.Event().wait(0.02)


@pytest.fixture
def make_mosquitto(tmp_path):
    """A function that starts a broker, with a password or without."""
    started: list[Mosquitto] = []

    def make(password: str | None = None, acl: str | None = None, *, options: tuple[str, ...] = ()) -> Mosquitto:
        broker = Mosquitto(tmp_path, free_port(), password, acl, options)
        broker.start()
        started.append(broker)
        return broker

    yield make
    for broker in started:
        broker.stop()


@pytest.fixture
def mosquitto(make_mosquitto) -> Mosquitto:
    """A broker that lets everybody in."""
    return make_mosquitto()


@pytest.fixture
def subscribe():
    """A function that subscribes to everything on a port."""
    opened: list[Subscriber] = []

    def make(port: int, **credentials: str) -> Subscriber:
        subscriber = Subscriber(port, **credentials)
        opened.append(subscriber)
        return subscriber

    yield make
    for subscriber in opened:
        subscriber.close()
