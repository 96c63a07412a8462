"""The example configuration, and what the installer makes of it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent import config
from edge_agent.demo.products import PRODUCTS

REPO = Path(__file__).resolve().parents[2]
DEPLOY = REPO / "deploy"
LABELS = (*PRODUCTS, "empty", "occluded")


def install(prefix: Path, what: str = "install", *more: str, release: Path = REPO, status: int = 0) -> str:
    """A dry installation below `prefix`, or what else install.sh does; all that it says."""
    command = [release / "deploy/install.sh", what, *more, "--prefix", prefix, "--no-venv"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def newer(tmp_path) -> Path:
    """The release after this one, unpacked."""
    release = tmp_path / "newer"
    for folder in ("deploy", "docs", "systemd"):
        shutil.copytree(REPO / folder, release / folder)
    (release / "VERSION").write_text("9.0.0\n")
    unit = release / "systemd/shelf-agent.service"
    unit.write_text(unit.read_text() + "# newer\n")
    return release


def everything(prefix: Path) -> set[str]:
    """What there is below a folder."""
    return {str(path.relative_to(prefix)) for path in prefix.rglob("*")}


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
    assert installed.stat().st_mode & 0o777 == 0o660  # its group is the agent's, which saves shelves into it
    assert (tmp_path / "etc/shelfwatch/broker-password").stat().st_mode & 0o007 == 0
    assert (tmp_path / "var/lib/shelfwatch").is_dir()


def test_the_installer_puts_unit_command_and_documentation_in_place(tmp_path):
    """The unit is the one of the repository, the command can be run, and the last words are the next three steps."""
    said = install(tmp_path)
    for unit in ("shelf-agent.service", "shelf-agent@.service"):
        assert (tmp_path / "etc/systemd/system" / unit).read_bytes() == (REPO / "systemd" / unit).read_bytes()
    command = tmp_path / "usr/local/bin/shelf-agent"
    assert os.access(command, os.X_OK)
    subprocess.run(["sh", "-n", command], check=True)
    assert (tmp_path / "opt/shelfwatch/current/docs/operations.md").is_file()
    assert [line.strip()[:2] for line in said.splitlines() if line.startswith("  ") and line[2].isdigit()] == [
        "1.",
        "2.",
        "3.",
    ]


@pytest.mark.parametrize("config", ["..", "/etc/shelfwatch/..", ".", "/etc/shelfwatch/a b.toml", "x/../..", "a.b.toml"])
def test_a_configuration_without_a_plain_name_makes_root_touch_nothing(tmp_path, config):
    """It names a folder below /run, which must never be /run itself."""
    tools = {"id": "echo 0", "install": f"echo $* >> {tmp_path}/touched", "runuser": f"echo $* >> {tmp_path}/touched"}
    for name, line in tools.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    called = ["sh", REPO / "deploy" / "shelf-agent", "check", "--config", config]
    done = subprocess.run(
        called, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "error: " in done.stderr
    assert not (tmp_path / "touched").exists()


def test_an_update_keeps_what_an_operator_wrote(tmp_path):
    """Installing again changes neither configuration nor password."""
    install(tmp_path)
    kept = {tmp_path / "etc/shelfwatch/agent.toml": "mine", tmp_path / "etc/shelfwatch/broker-password": "secret"}
    for path, text in kept.items():
        path.write_text(text, encoding="utf-8")
    install(tmp_path)
    assert {path: path.read_text(encoding="utf-8") for path in kept} == kept


def test_a_second_installation_changes_nothing(tmp_path):
    """Whoever runs it twice has what one run made."""
    install(tmp_path / "device")
    before = everything(tmp_path / "device")
    install(tmp_path / "device", "upgrade")
    assert everything(tmp_path / "device") == before


def test_an_upgrade_is_taken_back_by_a_rollback(tmp_path, newer):
    """Link and unit are the newer release's, then the older one's, and after another rollback the newer one's again."""
    device = tmp_path / "device"
    install(device)
    here, unit = device / "opt/shelfwatch", device / "etc/systemd/system/shelf-agent.service"
    old = str((here / "current").readlink())
    install(device, "upgrade", release=newer)
    seen = [(str((here / "current").readlink()), "# newer" in unit.read_text())]
    for _ in range(2):
        install(device, "rollback", release=here / "current")
        seen.append((str((here / "current").readlink()), "# newer" in unit.read_text()))
    assert seen == [("9.0.0", True), (old, False), ("9.0.0", True)]


def test_the_release_before_the_last_is_removed(tmp_path, newer):
    """A device holds two releases: the one in use, and the one to go back to."""
    device = tmp_path / "device"
    install(device)
    for version in ("9.0.0", "9.1.0"):
        (newer / "VERSION").write_text(version + "\n")
        install(device, release=newer)
    kept = sorted(path.name for path in (device / "opt/shelfwatch").iterdir())
    assert kept == ["9.0.0", "9.1.0", "current", "previous"]


def test_an_installed_release_is_not_installed_again(tmp_path):
    """What lies in /opt/shelfwatch is no source of an installation: the answer says what is one."""
    install(tmp_path)
    before = everything(tmp_path)
    assert "unpack" in install(tmp_path, release=tmp_path / "opt/shelfwatch/current", status=66)
    assert everything(tmp_path) == before


def test_there_may_be_nothing_to_go_back_to_or_to_upgrade(tmp_path):
    """Both are told apart from a success, with what is missing and what to do."""
    assert "install.sh install" in install(tmp_path, "upgrade", status=66)
    install(tmp_path)
    assert "no release to go back to" in install(tmp_path, "rollback", status=66)


def test_uninstalling_keeps_what_is_the_operators(tmp_path):
    """Configuration, secrets and outbox stay, and go with --purge; then not a single file is left."""
    install(tmp_path)
    (tmp_path / "var/lib/shelfwatch/outbox.db").touch()
    install(tmp_path, "uninstall")
    kept = {path for path in everything(tmp_path) if (tmp_path / path).is_file()}
    assert kept == {"etc/shelfwatch/agent.toml", "etc/shelfwatch/broker-password", "var/lib/shelfwatch/outbox.db"}
    install(tmp_path, "uninstall", "--purge")
    assert not [path for path in everything(tmp_path) if not (tmp_path / path).is_dir() or "shelf" in path]


@pytest.mark.parametrize("words", [["--prefx", "x"], ["--prefix"], ["rollback", "upgrade"], ["install", "--purge"]])
def test_the_installer_refuses_what_it_does_not_know(words):
    """A mistyped option changes nothing and is answered with status 2."""
    found = subprocess.run([DEPLOY / "install.sh", *words], capture_output=True, text=True, check=False, timeout=60)
    assert found.returncode == 2
    assert "--prefix" in found.stderr
