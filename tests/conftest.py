"""Fixtures for all tests: real parts of `benchmarks/parts.py`, and the shared photographs."""

import os
from pathlib import Path

import pytest

from benchmarks.parts import REPO, Mosquitto, Subscriber, free_port, wait_for

__all__ = ["REPO", "free_port", "wait_for"]


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


@pytest.fixture
def make_mosquitto(tmp_path):
    """A function that starts a broker, with a password or without."""
    started: list[Mosquitto] = []

    def make(password: str | None = None, acl: str | None = None, *, options: tuple[str, ...] = ()) -> Mosquitto:
        broker = Mosquitto(tmp_path, password, acl, options)
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
