"""Real parts of a shop on the loopback: programs that can be killed, a broker, whoever listens to it, a camera.

Tests and the benchmarks of faults share them. Imports point one way: the tests import the benchmarks, never the other
way round, so that a figure can be measured without pytest.
"""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

REPO = Path(__file__).resolve().parent.parent
MOSQUITTO = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin")
"""Where the broker is; None where it is not installed."""


PORTS = range(10_000, 32_768)
"""Below those that the kernel gives to whoever asks for any, for either end of a connection."""
_RESERVED: list[socket.socket] = []


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, nor will before this process ends, but who is told of it.

    A port that the kernel chose and we let go of may be somebody's a moment later. So this one is taken where it
    chooses none, under a name that only one process of the tests can hold.
    """
    while True:
        port = random.SystemRandom().choice(PORTS)
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0shelfwatch-port-{port}")
            with socket.socket() as sock:
                sock.bind(("127.0.0.1", port))
        except OSError:
            name.close()
            continue
        _RESERVED.append(name)
        return port


def wait_for(condition: Callable[[], object], timeout_s: float = 60.0, what: str = "it") -> float:
    """Wait until a condition holds; return how long that took in seconds.

    A machine that does other things as well may take very long: waiting costs nothing where all is well.

    Raises:
        AssertionError: It doesn't in time; `what` names it.
    """
    began_s = time.monotonic()
    while not condition():
        if time.monotonic() - began_s > timeout_s:
            raise AssertionError(f"{what} did not come within {timeout_s:g} s")
        time.sleep(0.02)
    return time.monotonic() - began_s


class Program:
    """A process of ours that can be started, stopped and killed, again and again."""

    def __init__(self, command: list[str], log: Path) -> None:
        """Prepare it; what it says is added to `log`."""
        self.command, self.log = command, log
        self.process: subprocess.Popen[bytes] | None = None
        self.kills = 0

    def start(self) -> None:
        """Start it."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, cwd=REPO, stdout=log, stderr=log, stdin=subprocess.DEVNULL)  # noqa: S603 (ours)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)
        self.kills += 1

    def stop(self) -> None:
        """End it as it likes to be ended."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(60)
            self.process = None


class Mosquitto(Program):
    """A real broker on a free port, which lets everybody in, or only the user `shelf` with a password."""

    def __init__(
        self, folder: Path, password: str | None = None, acl: str | None = None, options: tuple[str, ...] = ()
    ) -> None:
        """Prepare it, with its files in `folder`; `options` are lines of its configuration.

        Raises:
            FileNotFoundError: It is not installed.
        """
        if MOSQUITTO is None:
            raise FileNotFoundError("mosquitto is missing: run make test, or deploy/setup-system.sh test")
        self.folder, self.port = folder, free_port()
        self.password, self.acl, self.options = password, acl, options
        self._file = folder / f"mosquitto-{self.port}.conf"
        super().__init__([MOSQUITTO, "-c", str(self._file)], self._file.with_suffix(".log"))

    def start(self) -> None:
        """Start it as it is configured now, and wait until it listens."""
        lines = [f"listener {self.port} 127.0.0.1", *self.options, "user root"]  # user: ignored unless we are
        if self.password is None:
            lines.append("allow_anonymous true")
        else:
            passwords = self._file.with_suffix(".passwords")
            subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "shelf", self.password], check=True)  # noqa: S603, S607 (ours)
            lines += ["allow_anonymous false", f"password_file {passwords}"]
        if self.acl is not None:
            rights = self._file.with_suffix(".acl")
            rights.write_text(self.acl)
            lines.append(f"acl_file {rights}")
        self._file.write_text("\n".join(lines) + "\n")
        super().start()
        wait_for(self._listens, what="mosquitto")

    def _listens(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError(
                f"mosquitto ended with status {self.process.returncode}: {self.log.read_text()[-500:]}"
            )
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0


def listen(
    port: int,
    take: Callable[[paho.MQTTMessage], None],
    *topics: str,
    login: tuple[str, str | None] | None = None,
    protocol: MQTTProtocolVersion = paho.MQTTv311,
) -> paho.Client:
    """Give `take` every message of `topics` from now on. `leave()` ends it; `take` must not keep its owner alive."""
    ready = threading.Event()
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=protocol)
    if login is not None:
        client.username_pw_set(*login)
    client.on_connect = lambda client, *_: client.subscribe([(topic, 1) for topic in topics])
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = lambda _client, _userdata, message: take(message)
    client.connect("127.0.0.1", port)
    client.loop_start()
    if not ready.wait(60):
        raise AssertionError(f"the broker on port {port} did not confirm {', '.join(topics)} within 60 s")
    return client


def leave(client: paho.Client) -> None:
    """Disconnect. paho closes its sockets when the client is let go, and only then."""
    client.disconnect()
    client.loop_stop()


@dataclass
class Subscriber:
    """A consumer that keeps every message, in order."""

    port: int
    username: str | None = None
    password: str | None = None
    messages: list[tuple[str, Any, bool]] = field(default_factory=list)
    """Topic, payload (what JSON says, or text), and whether it was retained."""

    def __post_init__(self) -> None:
        """Subscribe to everything."""
        messages, self._came_s = self.messages, list[float]()  # not self: the client must not keep its owner alive
        came_s = self._came_s

        def take(message: paho.MQTTMessage) -> None:
            text = message.payload.decode(errors="replace")
            came_s.append(time.monotonic())
            messages.append((message.topic, json.loads(text) if text.startswith("{") else text, message.retain))

        login = (self.username, self.password) if self.username else None
        self.client = listen(self.port, take, "#", login=login)

    def of(self, suffix: str) -> list[Any]:
        """The payloads of all topics that end so."""
        return self.since(0, suffix)

    def since(self, moment_s: float, suffix: str) -> list[Any]:
        """The payloads of topics that end so, from a moment of the monotonic clock on."""
        heard = zip(list(self._came_s), list(self.messages), strict=False)  # the newest may have its time alone
        return [payload for came_s, (topic, payload, _) in heard if came_s >= moment_s and topic.endswith(suffix)]

    def settle(self) -> None:
        """Wait until all has come that the broker had for us up to now: it sends in order, and this comes last."""
        fence = f"fence/{time.monotonic_ns()}"
        self.client.publish(fence, "", qos=1)
        wait_for(lambda: any(topic == fence for topic, _, _ in list(self.messages)), what="the fence")

    def close(self) -> None:
        """Leave."""
        leave(self.client)
        del self.client


class RtspServer:
    """A real RTSP server that can be killed and started again on the same port, and told what to send."""

    def __init__(self) -> None:
        """Find it a port."""
        self.port = free_port()
        self.process: subprocess.Popen[str] | None = None

    @property
    def address(self) -> str:
        """Where it serves."""
        return f"rtsp://127.0.0.1:{self.port}/shelf"

    def start(self, *login: str) -> None:
        """Start it, for everybody or for one user and password, and wait until it serves."""
        command = ["/usr/bin/python3", str(Path(__file__).with_name("rtsp_server.py")), str(self.port), *login]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 (ours)
        assert self.process.stdout is not None  # noqa: S101 (it has a pipe)
        if self.process.stdout.readline() != "serving\n":
            raise AssertionError("the RTSP server does not serve: run deploy/setup-system.sh test")

    def send(self, mode: str) -> None:
        """Change what it sends: see `rtsp_server.py`."""
        assert self.process is not None  # noqa: S101 (it was started)
        print(mode, file=self.process.stdin, flush=True)

    def signal(self, number: int) -> None:
        """Stop it, or let it go on."""
        assert self.process is not None  # noqa: S101 (it was started)
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        if self.process is not None:
            self.process.kill()
            with self.process:  # waits for it, and closes its pipes
                pass
            self.process = None
