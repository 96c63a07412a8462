"""The demo as somebody starts it who has never seen it: it says where its page is, and the page is there."""

import re
import signal
import subprocess
import sys

import pytest
import requests

from tests.conftest import wait_for

pytestmark = pytest.mark.system
COMMAND = [sys.executable, "-m", "edge_agent.cli", "demo", "--port", "0"]


def started(*words: str) -> subprocess.Popen[str]:
    """The demo, as a process of its own."""
    return subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def ended(demo: subprocess.Popen[str]) -> str:
    """What else it says when it is interrupted."""
    demo.send_signal(signal.SIGINT)
    said, _ = demo.communicate(timeout=20)
    assert demo.returncode == 0
    return said


def address(demo: subprocess.Popen[str]) -> str:
    """Where the banner says that the page is."""
    line = next(each for each in demo.stdout if each.startswith("page "))
    return re.search(r"http://127\.0\.0\.1:\d+/", line)[0]


def counts(url: str) -> bool:
    """Whether the page shows a camera that gives pictures to count in."""
    return requests.get(f"{url}api/live", timeout=10).json()["cameras"][0]["status"] == "online"


def test_the_demo_has_a_page_and_a_second_one_takes_another_port():
    """The banner names its address; a port that is taken becomes a free one."""
    demos, urls = [], []
    try:
        for _ in range(2):
            demos.append(started())
            urls.append(address(demos[-1]))
        assert len(set(urls)) == 2
        for url in urls:
            assert "<!doctype html>" in requests.get(url, timeout=10).text.lower()
            wait_for(lambda url=url: counts(url), 30)
    finally:
        said = [ended(demo) for demo in demos]
    assert all("messages acknowledged" in words for words in said)


def test_the_demo_may_do_without():
    """`--no-dashboard` serves none."""
    demo = started("--no-dashboard", "--seconds", "2")
    said, _ = demo.communicate(timeout=60)
    assert demo.returncode == 0
    assert "MQTT" in said
    assert "http://" not in said
