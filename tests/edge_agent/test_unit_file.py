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
UNITS = {unit.name: unit for unit in (REPO / "systemd").glob("*.service")}
ALONE, EACH = "shelf-agent.service", "shelf-agent@.service"


@pytest.fixture(params=[ALONE, EACH])
def unit(request, tmp_path) -> Path:
    """A unit with a program that is there on any machine; of the one for many, an instance."""
    copy = tmp_path / request.param.replace("@", "@east")
    text = UNITS[request.param].read_text()
    copy.write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={sys.executable}", text, flags=re.MULTILINE))
    return copy


def systemd_analyze(*words: str | Path) -> subprocess.CompletedProcess:
    """Run systemd-analyze, which needs no running systemd for this."""
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False, timeout=60)


def settings(name: str) -> list[str]:
    """The lines of a unit that systemd reads."""
    return [line for line in UNITS[name].read_text().splitlines() if line and not line.startswith("#")]


def test_systemd_knows_every_line(unit):
    """A key that is misspelt, or stands in the wrong section, is a warning of systemd's and fails here."""
    found = systemd_analyze("verify", unit)
    said = [line for line in found.stderr.splitlines() if unit.name in line]
    assert (found.returncode, said) == (0, [])


def test_exposure_is_low(unit):
    """What a fault in the agent could reach stays at or below 1.5 of 10 by systemd's measure."""
    found = systemd_analyze("security", "--offline=true", "--threshold=15", unit)
    assert found.returncode == 0, found.stdout


def test_every_setting_is_explained():
    """Each group of settings stands below a comment; none comes after an empty line without one."""
    lines = UNITS[ALONE].read_text().splitlines()
    for before, line in pairwise(lines):
        assert "=" not in line or line.startswith("#") or before, line


def test_an_instance_differs_in_whose_it_is_only():
    """Both units hold the same lines; an instance has its own configuration, state and secrets, and nothing else."""
    own = {
        " over MQTT": " over MQTT (%i)",
        "/etc/shelfwatch/agent.toml": "/etc/shelfwatch/%i.toml",
        "StateDirectory=shelfwatch": "StateDirectory=shelfwatch/%i",
        ":/etc/shelfwatch/broker-": ":/etc/shelfwatch/%i.broker-",
        ":/etc/shelfwatch/page-": ":/etc/shelfwatch/%i.page-",
    }
    expected = settings(ALONE)
    for alone, each in own.items():
        assert any(alone in line for line in expected), alone
        expected = [line.replace(alone, each) for line in expected]
    assert settings(EACH) == expected


def test_every_secret_is_a_credential():
    """What systemd hands over has an empty stand-in, so that a device without that secret starts as well."""
    text = UNITS[ALONE].read_text()
    loaded, empty = (re.findall(rf"^{key}=([^:]+):", text, re.MULTILINE) for key in ("LoadCredential", "SetCredential"))
    assert loaded == empty == ["broker-password", "broker-key", "page-password", "page-key"]


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
