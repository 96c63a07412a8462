"""Real parts for the system tests: an RTSP server, and the programs as a user runs them."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import REPO, free_port


@pytest.fixture(autouse=True)
def _is_system(request):
    """Every test below this folder is a system test."""
    assert request.node.get_closest_marker("system"), "mark it: pytestmark = pytest.mark.system"


def command(program: str, *args: object, timeout_s: float = 600, **more) -> subprocess.CompletedProcess:
    """Run one of our programs as a user does, and return what it printed."""
    module = {"shelf-agent": "edge_agent.cli", "shelf-train": "trainer.cli", "shelf-convert": "converter.cli"}[program]
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, args)],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        cwd=more.pop("cwd", REPO),
        check=False,
        **more,
    )


@dataclass
class RtspServer:
    """A real RTSP server that can be killed and started again on the same port, and told what to send."""

    port: int
    process: subprocess.Popen | None = None

    @property
    def address(self) -> str:
        """Where it serves."""
        return f"rtsp://127.0.0.1:{self.port}/shelf"

    def start(self, *login: str) -> None:
        """Start it, for everybody or for one user and password, and wait until it serves."""
        script = Path(__file__).with_name("rtsp_server.py")
        self.process = subprocess.Popen(
            ["/usr/bin/python3", script, str(self.port), *login],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout.readline() == "serving\n"

    def send(self, mode: str) -> None:
        """Change what it sends: see `rtsp_server.py`."""
        print(mode, file=self.process.stdin, flush=True)

    def signal(self, number: int) -> None:
        """Stop it, or let it go on."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()
            self.process = None


@pytest.fixture
def rtsp_server():
    """A server that serves."""
    server = RtspServer(free_port())
    server.start()
    yield server
    server.kill()
