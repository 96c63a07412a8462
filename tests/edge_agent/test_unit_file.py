"""The unit, judged by systemd's own tools, and the agent's side of what it promises: sd_notify."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from edge_agent.demo.scene import Scene
from edge_agent.demo.store import write_config

REPO = Path(__file__).resolve().parents[2]
UNIT = REPO / "systemd" / "shelf-agent.service"


@pytest.fixture
def unit(tmp_path) -> Path:
    """The unit with a program that is there on any machine."""
    copy = tmp_path / UNIT.name
    copy.write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={sys.executable}", UNIT.read_text(), flags=re.MULTILINE))
    return copy


def systemd_analyze(*words: str | Path) -> subprocess.CompletedProcess:
    """Run systemd-analyze, which needs no running systemd for this."""
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False, timeout=60)


def test_systemd_knows_every_line(unit):
    """A key that is misspelt, or stands in the wrong section, is a warning of systemd's and fails here."""
    found = systemd_analyze("verify", unit)
    said = [line for line in found.stderr.splitlines() if UNIT.name in line]
    assert (found.returncode, said) == (0, [])


def test_exposure_is_low(unit):
    """What a fault in the agent could reach stays at or below 1.5 of 10 by systemd's measure."""
    found = systemd_analyze("security", "--offline=true", "--threshold=15", unit)
    assert found.returncode == 0, found.stdout


def test_every_setting_is_explained():
    """Each group of settings stands below a comment; none comes after an empty line without one."""
    lines = UNIT.read_text().splitlines()
    for before, line in pairwise(lines):
        assert "=" not in line or line.startswith("#") or before, line


def test_the_agent_tells_systemd_how_it_fares(tmp_path, write_clip):
    """READY=1 when the first step is complete, WATCHDOG=1 with the next ones, STOPPING=1 at SIGTERM, and status 0."""
    scene = Scene(7)
    clip = write_clip([scene.frame(n / 5) for n in range(25)], fps=5)
    path = write_config(tmp_path, port=9)  # nobody listens there: the agent counts without a broker
    path.write_text(path.read_text(encoding="utf-8").replace('"simulated"', f'"{clip}"'), encoding="utf-8")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(0.5)
        environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")}
        command = [sys.executable, "-m", "edge_agent.cli", "run", "-c", path]
        with subprocess.Popen(command, cwd=REPO, env=environment, stderr=subprocess.PIPE, text=True) as agent:
            try:
                said = [heard(systemd, agent) for _ in range(3)]
                agent.send_signal(signal.SIGTERM)
                while said[-1] != "STOPPING=1":
                    said.append(heard(systemd, agent))
                assert agent.wait(30) == 0
            finally:
                agent.kill()
    assert said[:3] == ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]


def heard(systemd: socket.socket, agent: subprocess.Popen) -> str:
    """The next thing that the agent says, or a failure that shows why it says nothing more."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            return systemd.recv(64).decode()
        except TimeoutError:
            if agent.poll() is not None:
                break
    agent.kill()
    pytest.fail(f"the agent is silent: {agent.communicate()[1]}")
