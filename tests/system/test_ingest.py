"""The ingest with a real PostgreSQL and a real mosquitto: each event once, and what is acknowledged is stored."""

import json
import subprocess
import sys
import zlib
from dataclasses import dataclass, field

import pytest

from benchmarks.faults.services import Postgres, careful_mosquitto, ingest, rows
from benchmarks.parts import REPO, Mosquitto, leave, listen, wait_for

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def postgres():
    """A cluster of the tests."""
    with Postgres() as cluster:
        yield cluster


@dataclass
class Fleet:
    """Devices that publish what they are told to, and hear what is acknowledged to them."""

    port: int
    acks: dict = field(default_factory=dict)

    def __post_init__(self):
        acks = self.acks

        def take(message):
            acks[message.topic.split("/")[2]] = json.loads(message.payload)

        self.client = listen(self.port, take, "shelfwatch/+/+/ack")

    def send(self, device, *seqs, epoch="e1", **more):
        """Publish events of a device."""
        for seq in seqs:
            body = {"schema": "shelfwatch.event/1", "epoch": epoch, "seq": seq, "historical": False, "type": "counts"}
            self.raw(device, json.dumps(body | {"shelf": "a", "ts": "2026-11-23T07:27:08.168Z"} | more))

    def raw(self, device, payload):
        """Publish anything."""
        self.client.publish(f"shelfwatch/s/{device}/shelf/a/event", payload, qos=1).wait_for_publish(10)

    def acked(self, device, seq, epoch="e1"):
        """Wait until a device is acknowledged up to here."""
        wait_for(lambda: self.acks.get(device) == {"epoch": epoch, "seq": seq}, 20)

    def close(self):
        """Leave."""
        leave(self.client)
        del self.client


@dataclass
class Site:
    """A broker, a database, and a fleet."""

    conninfo: str
    broker: Mosquitto
    fleet: Fleet
    programs: list = field(default_factory=list)

    def ingest(self, **more):
        """Start an ingest, and wait until it reads."""
        program = ingest(self.broker, self.conninfo, **more)
        program.start()
        self.programs.append(program)
        wait_for(lambda: "reading" in program.log.read_text(), 20)
        return program

    def stored(self):
        """Device, epoch and seq of everything that is stored."""
        return rows(self.conninfo, "SELECT device, epoch, seq FROM shelf_event ORDER BY 1, 2, 3")


@pytest.fixture
def site(tmp_path, postgres, request):
    """A site of the test."""
    broker = careful_mosquitto(tmp_path)
    broker.start()
    name = "".join(letter for letter in request.node.name if letter.isalnum())[:50]
    made = Site(postgres.database(name), broker, Fleet(broker.port))
    yield made
    for program in made.programs:
        program.stop()
    made.fleet.close()
    broker.stop()


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_an_event_is_stored_once_and_acknowledged_without_a_gap(site, protocol):
    """Repeats change nothing; the watermark stops at a gap and goes on when it is closed."""
    site.ingest(protocol=protocol)
    site.fleet.send("d1", 1, 2, 2, 4, 5)
    site.fleet.acked("d1", 2)
    site.fleet.send("d1", 1, 3)
    site.fleet.acked("d1", 5)
    assert site.stored() == [("d1", "e1", seq) for seq in (1, 2, 3, 4, 5)]


def test_what_was_dropped_closes_its_gap_and_each_epoch_has_its_own(site):
    """A reported drop is not waited for; a new outbox begins anew; what is below `oldest_seq` will not come."""
    site.ingest()
    site.fleet.send("d1", 1, 6)
    site.fleet.acked("d1", 1)
    site.fleet.send("d1", 7, type="dropped", from_seq=2, to_seq=5, shelf=None)
    site.fleet.acked("d1", 7)
    site.fleet.send("d1", 1, epoch="e2")
    site.fleet.acked("d1", 1, epoch="e2")
    site.fleet.send("d2", 901, 902, oldest_seq=901)
    site.fleet.acked("d2", 902)
    site.fleet.send("d2", 2, epoch="e9", type="dropped", of_epoch="e1", from_seq=903, to_seq=950)
    wait_for(lambda: rows(site.conninfo, "SELECT seq FROM shelf_watermark WHERE epoch = 'e1' AND seq = 950"))


POISON = [
    "not json",
    "[1, 2]",
    '{"schema": "another/1"}',
    '{"schema": "shelfwatch.event/1", "epoch": "e1", "seq": 0, "type": "counts"}',
    '{"schema": "shelfwatch.event/1", "epoch": "e1", "seq": 99999999999999999999, "type": "counts"}',
    '{"schema": "shelfwatch.event/1", "epoch": "e1\\u0000", "seq": 3, "type": "counts"}',
    '{"schema": "shelfwatch.event/1", "epoch": "e1", "seq": 3, "type": "counts", "x": "\\u0000"}',
    '{"schema": "shelfwatch.event/1", "epoch": "e1", "seq": 3, "type": "counts", "x": "\\ud800"}',
    '{"schema": "shelfwatch.event/1", "epoch": "e1", "seq": 3, "type": "counts", "x": NaN}',
    '{"schema": "shelfwatch.event/1", "epoch": "e1", "seq": 3, "type": "counts", "x": 1e9999999}',
    "[" * 60_000,
    b"\xff\xfe",
    "x" * 100_000,
]


def test_a_message_that_is_no_event_is_put_aside_and_holds_up_nothing(site):
    """Each kind of poison ends up in `shelf_rejected` with its reason, and is not sent again."""
    program = site.ingest()
    for payload in POISON:
        site.fleet.raw("d1", payload)
    site.fleet.send("d1", 1, 2)
    site.fleet.acked("d1", 2)
    found = rows(site.conninfo, "SELECT reason FROM shelf_rejected")
    assert len(found) == len(POISON)
    assert all(reason for (reason,) in found)
    program.stop()
    program.start()
    site.fleet.send("d1", 3)
    site.fleet.acked("d1", 3)
    assert rows(site.conninfo, "SELECT count(*) FROM shelf_rejected") == [(len(POISON),)]


def test_while_the_database_is_away_nothing_is_acknowledged_and_nothing_lost(site, postgres):
    """The broker keeps what comes; when PostgreSQL is back everything is stored, unaided."""
    program = site.ingest()
    site.fleet.send("d1", 1)
    site.fleet.acked("d1", 1)
    postgres.stop()
    site.fleet.send("d1", *range(2, 60))
    wait_for(lambda: "does not take events" in program.log.read_text(), 20)
    assert site.fleet.acks["d1"]["seq"] == 1
    postgres.start()
    site.fleet.acked("d1", 59)
    assert len(site.stored()) == 59


def test_two_ingests_share_the_devices_and_keep_one_watermark(site):
    """On MQTT 5 each gets some of the events of a device; the watermark is of both together."""
    site.ingest(name="i1")
    site.ingest(name="i2")
    for first in range(1, 401, 10):
        site.fleet.send("d1", *range(first, first + 10))
    wait_for(lambda: len(site.stored()) == 400, 20)
    wait_for(lambda: rows(site.conninfo, "SELECT seq FROM shelf_watermark") == [(400,)], 20)
    both = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'SET synchronous%%'"
    # what each does last when it has stored something
    wait_for(lambda: rows(site.conninfo, both) == [(2,)], what="the last of both ingests")


def test_on_3_1_1_each_partition_takes_its_own_devices(site):
    """One takes its share and nothing else; together they take every device."""
    site.ingest(protocol="3.1.1", name="a", partition="1/2")
    devices = {f"d{nth}" for nth in range(8)}
    mine = {device for device in devices if zlib.crc32(f"s/{device}".encode()) % 2 == 0}
    assert 0 < len(mine) < len(devices)
    for device in sorted(devices, key=lambda name: name in mine):  # ours come last, so the others have been passed by
        site.fleet.send(device, 1)
    wait_for(lambda: {device for device, _, _ in site.stored()} >= mine, 20)
    assert {device for device, _, _ in site.stored()} == mine
    site.ingest(protocol="3.1.1", name="b", partition="2/2")
    for device in devices:
        site.fleet.send(device, 1, 2)
    wait_for(lambda: len(site.stored()) == 2 * len(devices), 20)


def test_settings_that_cannot_be_used_are_all_told_at_once(tmp_path):
    """Exit status 78, each problem with its remedy, and no password in arguments or conninfo."""
    path = tmp_path / "ingest.toml"
    path.write_text(
        '[broker]\nprot = "5"\nport = "x"\nprotocol = "4"\npassword_file = "/nowhere"\n'
        '[database]\nconninfo = "password=x"\n[ingest]\npartition = "3/2"\n[more]\n'
    )
    done = subprocess.run(
        [sys.executable, REPO / "deploy/ingest/ingest.py", path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 78
    for words in ("broker.prot ", "broker.port ", "protocol", "/nowhere", "holds a password", "partition", "[more]"):
        assert words in done.stderr
