"""A morning of the real agent, for whatever reads what it says: on the broker, and in the ingest's database."""

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.faults.services import Postgres, ingest, rows
from benchmarks.parts import Mosquitto
from tests.conftest import wait_for
from tests.system.dashboards.staged import Heard, StagedCamera, agent_at_work, hearing, play


@dataclass(frozen=True)
class Morning:
    """What was said, and the database in which the ingest stored the events of it."""

    heard: Heard
    conninfo: str


@pytest.fixture(scope="session")
def morning():
    """Play it once, with the real mosquitto, PostgreSQL and ingest."""
    with tempfile.TemporaryDirectory() as folder, Postgres() as postgres, ExitStack() as ending:
        broker = Mosquitto(Path(folder))
        broker.start()
        ending.callback(broker.stop)
        program = ingest(broker, conninfo := postgres.database("shelfwatch"))
        program.start()
        ending.callback(program.stop)
        wait_for(lambda: "reading" in program.log.read_text(), 20)
        camera = StagedCamera()
        with hearing(broker.port) as heard:
            with agent_at_work(Path(folder), broker.port, camera):
                play(camera, heard)
            wait_for(lambda: any(payload == b"offline" for _, payload, _ in list(heard.messages)), what="offline")
            stored = "SELECT count(*) FROM shelf_event"
            wait_for(lambda: rows(conninfo, stored) == [(len(heard.of("/event")),)], what="the last event")
        yield Morning(heard, conninfo)
