"""The example configuration, and what the installer makes of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent import config
from edge_agent.demo.products import PRODUCTS

REPO = Path(__file__).resolve().parents[2]
DEPLOY = REPO / "deploy"
LABELS = (*PRODUCTS, "empty", "occluded")


def install(prefix: Path) -> subprocess.CompletedProcess:
    """A dry installation below `prefix`."""
    command = [DEPLOY / "install.sh", "--prefix", prefix, "--no-venv"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)


def test_the_example_is_accepted_in_a_checkout():
    """Somebody who has just cloned the project finds a configuration that holds, and check leaves nothing behind."""
    before = sorted(DEPLOY.iterdir())
    command = [sys.executable, "-m", "edge_agent.cli", "check", "--no-cameras", "--no-broker", "-c"]
    found = subprocess.run(
        [*command, "deploy/agent.example.toml"], cwd=REPO, capture_output=True, text=True, check=False, timeout=60
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert "2 shelves with 10 slots" in found.stdout
    assert sorted(DEPLOY.iterdir()) == before


def test_the_example_shows_a_usb_camera_that_holds_too(tmp_path):
    """Whoever takes the comment signs off the second camera, and gives it a shelf, has a valid configuration."""
    text = (DEPLOY / "agent.example.toml").read_text(encoding="utf-8")
    lines = text.splitlines()
    first = lines.index("# [[cameras]]")
    lines[first : first + 4] = [line.removeprefix("# ") for line in lines[first : first + 4]]
    path = tmp_path / "agent.toml"
    breakfast = lines.index('id = "breakfast"')
    lines[breakfast + 1] = 'camera = "cam2"'
    path.write_text("\n".join(lines), encoding="utf-8")
    assert [camera.id for camera in config.load(path, labels=LABELS).cameras] == ["cam1", "cam2"]


def test_the_installer_copies_the_example_with_the_paths_of_a_device(tmp_path):
    """What is installed finds bundle and outbox in the agent's own folder, and is closed to other users."""
    install(tmp_path)
    installed = tmp_path / "etc/shelfwatch/agent.toml"
    settings = config.load(installed, labels=LABELS)
    assert settings.model.bundle == Path("/var/lib/shelfwatch/bundle")
    assert settings.outbox.path == Path("/var/lib/shelfwatch/outbox.db")
    assert installed.stat().st_mode & 0o007 == 0
    assert (tmp_path / "etc/shelfwatch/broker-password").stat().st_mode & 0o007 == 0
    assert (tmp_path / "var/lib/shelfwatch").is_dir()


def test_the_installer_puts_unit_command_and_documentation_in_place(tmp_path):
    """The unit is the one of the repository, the command can be run, and the last words are the next three steps."""
    said = install(tmp_path).stdout
    unit = tmp_path / "etc/systemd/system/shelf-agent.service"
    assert unit.read_bytes() == (REPO / "systemd/shelf-agent.service").read_bytes()
    command = tmp_path / "usr/local/bin/shelf-agent"
    assert os.access(command, os.X_OK)
    subprocess.run(["sh", "-n", command], check=True)
    assert (tmp_path / "opt/shelfwatch/docs/operations.md").is_file()
    assert [line.strip()[:2] for line in said.splitlines() if line.startswith("  ") and line[2].isdigit()] == [
        "1.",
        "2.",
        "3.",
    ]


def test_an_update_keeps_what_an_operator_wrote(tmp_path):
    """Installing again changes neither configuration nor password."""
    install(tmp_path)
    kept = {tmp_path / "etc/shelfwatch/agent.toml": "mine", tmp_path / "etc/shelfwatch/broker-password": "secret"}
    for path, text in kept.items():
        path.write_text(text, encoding="utf-8")
    install(tmp_path)
    assert {path: path.read_text(encoding="utf-8") for path in kept} == kept


@pytest.mark.parametrize("words", [["--prefx", "x"], ["--prefix"]])
def test_the_installer_refuses_what_it_does_not_know(words):
    """A mistyped option changes nothing and is answered with status 2."""
    found = subprocess.run([DEPLOY / "install.sh", *words], capture_output=True, text=True, check=False, timeout=60)
    assert found.returncode == 2
    assert "--prefix" in found.stderr
