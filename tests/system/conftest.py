"""Fixtures for the system tests: an RTSP server, and the programs as a user runs them."""

import subprocess
import sys

import pytest

from benchmarks.parts import REPO, RtspServer


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


@pytest.fixture
def rtsp_server():
    """A server that serves."""
    server = RtspServer()
    server.start()
    yield server
    server.kill()
