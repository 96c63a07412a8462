"""Fixtures for the system tests: an RTSP server, and the programs as a user runs them."""

import subprocess
import sys

import pytest

from benchmarks.browser import Chromium
from benchmarks.parts import REPO, RtspServer
from benchmarks.shop import Shop


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


@pytest.fixture(scope="module")
def chromium():
    """A real browser. Not for the session: while it runs, nothing else in this thread may run an event loop."""
    with Chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def demo_shop(tmp_path_factory):
    """The demo's agent with its page and its broker; what its camera sees is staged by the test."""
    with Shop(tmp_path_factory.mktemp("shop")) as shop:
        yield shop


@pytest.fixture
def looks(chromium):
    """A function that opens a window at a phone's or a desk's width; whatever the browser complains about fails."""
    opened = []

    def make(base: str, width="desk", theme="light"):
        opened.append(chromium.look(base, width, theme))
        return opened[-1]

    yield make
    problems = []
    for one in opened:
        try:
            one.close()
        except AssertionError as error:
            problems.append(str(error))
    assert not problems, "\n".join(problems)
