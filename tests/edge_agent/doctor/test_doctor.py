"""`shelf-agent doctor`: each line, its level and its remedy; machines are shown to it as folders and values."""

import json
import os
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.config import load
from edge_agent.demo.store import write_config
from edge_agent.doctor import doctor as doctor_of_all
from edge_agent.doctor import network
from edge_agent.doctor.access import look_at_permissions
from edge_agent.doctor.check import agent_runs, check, look_at_outbox
from edge_agent.doctor.doctor import examine
from edge_agent.doctor.finding import doubtful, exit_status, failed, fine, look
from edge_agent.doctor.machine import look_at_clock, look_at_disk, look_at_heat, look_at_memory
from edge_agent.doctor.validity import look_at_certificates
from edge_agent.mqtt.broker import Broker
from edge_agent.mqtt.tls import Tls
from edge_agent.outbox.outbox import Outbox
from edge_agent.sensors import Disk
from edge_agent.shelf import BrokerError, ConfigError
from tests.certificates import Authority
from tests.conftest import free_port
from tests.edge_agent.test_sensors import write

NOW = datetime(2026, 12, 24, 12, 0, tzinfo=UTC)


def test_the_status_is_that_of_the_worst():
    """Warnings are 0, or 1 where they are to count; what is wrong has the status of its error."""
    warned = [fine("a", "well"), doubtful("b", "hm")]
    assert (exit_status(warned), exit_status(warned, strict=True)) == (0, 1)
    assert exit_status([*warned, failed("c", BrokerError("away"))], strict=True) == 69
    assert exit_status([failed("c", BrokerError("away")), failed("d", ConfigError("bad"))]) == 78
    assert exit_status([fine("a", "well")], strict=True) == 0


def test_a_clock_before_the_program_is_wrong():
    """A device that starts in 1970 is told so, with how to set its clock."""
    found = look_at_clock(lambda: datetime(1970, 1, 1, 0, 2, tzinfo=UTC), lambda: True)
    assert (found.level, found.status) == ("wrong", 78)
    assert "1970-01-01 00:02:00 UTC" in found.words
    assert "timedatectl set-ntp true" in found.words


@pytest.mark.parametrize(("held", "level"), [(True, "ok"), (False, "warn"), (None, "ok")])
def test_a_clock_that_nobody_holds_is_a_warning(held, level):
    """It shows a time that may be right, and will not stay so."""
    found = look_at_clock(lambda: NOW, lambda: held)
    assert found.level == level
    assert "2026-12-24 12:00:00 UTC" in found.words
    assert ("timesyncd" in found.words) == (held is False)


def test_little_memory_is_a_warning(tmp_path):
    """With the remedy."""
    plenty = write(tmp_path / "a", meminfo="MemTotal: 1024000 kB\nMemAvailable: 512000 kB\n")
    little = write(tmp_path / "b", meminfo="MemTotal: 1024000 kB\nMemAvailable: 51200 kB\n")
    assert look_at_memory(plenty) == fine("memory", "500 of 1000 MB can be had")
    assert look_at_memory(little).level == "warn"
    assert "sub-stream" in look_at_memory(little).words


def machine(folder, *, celsius, bits):
    """A folder like /sys of a Raspberry Pi."""
    zone, firmware = "class__thermal__thermal_zone0__temp", "devices__platform__soc__soc:firmware__get_throttled"
    return write(folder, **{zone: f"{celsius * 1000}\n", firmware: bits})


@pytest.mark.parametrize(
    ("celsius", "bits", "level", "words"),
    [
        (55, "0", "ok", "55 °C"),
        (84, "0", "warn", "84 °C: too hot: it is, or will be, slowed down. Give it air, a heat sink, or shade."),
        (60, "50000", "warn", "since it was started its supply's voltage was too low"),
        (60, "1", "warn", "its supply's voltage is too low. Give it the power supply that is made for it"),
        (70, "8", "warn", "it is near its limit of heat. Give it air"),
    ],
)
def test_heat_and_a_weak_supply_are_told(tmp_path, celsius, bits, level, words):
    """Both slow a small computer down without a word; each has its remedy."""
    found = look_at_heat(machine(tmp_path, celsius=celsius, bits=bits))
    assert found.level == level
    assert words in found.words


def test_a_machine_without_sensors_is_not_hot(tmp_path):
    """Nothing is known, and nothing is wrong."""
    assert look_at_heat(tmp_path) == fine("heat", "there is no sensor")


@pytest.mark.parametrize(
    ("free_mb", "inodes", "read_only", "level", "words"),
    [
        (5000, 9999, False, "ok", "5000 of 9000 MB are free"),
        (5000, None, False, "ok", "5000 of 9000 MB are free"),
        (60, 9999, False, "warn", "lower max_mb"),
        (20, 9999, False, "wrong", "the disk is full"),
        (5000, 3, False, "wrong", "3 more files fit"),
        (5000, 9999, True, "wrong", "read-only"),
    ],
)
def test_a_disk_that_cannot_take_the_events_is_told(tmp_path, free_mb, inodes, read_only, level, words):
    """Full, nearly full, without inodes, read-only: each in its own words, with the status of the outbox."""
    disk = Disk(free_mb=free_mb, total_mb=9000, inodes_free=inodes, read_only=read_only)
    found = look_at_disk(tmp_path / "not" / "there", needed_mb=72, disk=lambda _: disk)
    assert found.level == level
    assert words in found.words
    assert found.status == (74 if level == "wrong" else 0)


@pytest.fixture
def store(tmp_path):
    """A function that writes the demo's configuration with another camera, at another broker."""

    def make(*, source="rtsp://viewer:secret@cam.example/stream", broker="127.0.0.1", port=1):
        path = write_config(tmp_path, port=port)
        text = path.read_text().replace('"simulated"', f'"{source}"')
        path.write_text(text.replace('host = "127.0.0.1"', f'host = "{broker}"'))
        path.chmod(0o640)
        return path

    return make


ADDRESSES = {"broker.example": ("192.0.2.10",), "cam.example": ("192.0.2.20", "2001:db8::20")}


def resolve(name):
    """A name server that knows two names."""
    if name not in ADDRESSES:
        raise OSError("Name or service not known")
    return ADDRESSES[name]


def test_a_network_with_a_way_to_everybody_is_fine(tmp_path, store):
    """The interface that leads out, and what the names mean."""
    settings = load(store(broker="broker.example"))
    proc = write(tmp_path, net__route="h\nwlan0 00000000 0102A8C0 0003 0 0 600 00000000 0 0 0\n")
    found, cut_off = network.look_at_network(settings, proc=proc, resolve=resolve, reach=lambda _: None)
    assert found == fine(
        "network", "wlan0 leads out; broker.example is 192.0.2.10; cam.example is 192.0.2.20, 2001:db8::20"
    )
    assert not cut_off


def test_a_name_that_nobody_knows_and_a_way_that_is_not_there_are_told_at_once(tmp_path, store):
    """Both with their remedy, and without the camera's password; what cannot be reached is named for the others."""
    path = store(broker="brokr.example")
    reach = {"192.0.2.20": "Network is unreachable", "2001:db8::20": "Network is unreachable"}.get
    found, cut_off = network.look_at_network(load(path), proc=tmp_path, resolve=resolve, reach=reach)
    assert (found.level, found.status, cut_off) == ("wrong", 69, {"broker", "camera shelf-cam"})
    assert "no default route" in found.words
    assert "the name brokr.example of the broker cannot be resolved (Name or service not known)" in found.words
    assert "no way leads to the camera shelf-cam at 192.0.2.20, 2001:db8::20 (Network is unreachable)" in found.words
    assert "secret" not in found.words


def test_one_address_of_several_is_enough(tmp_path, store):
    """A device without IPv6 reaches a camera that has both."""
    reach = {"2001:db8::20": "Network is unreachable"}.get
    found, _ = network.look_at_network(load(store()), proc=tmp_path, resolve=resolve, reach=reach)
    assert found.level == "ok"


def test_routes_and_names_are_looked_up_for_real():
    """This machine leads to itself and knows its own name; a name that cannot exist is an error."""
    assert network.unreachable("127.0.0.1") is None
    assert "127.0.0.1" in network.resolved("localhost")
    with pytest.raises(OSError, match=r"not known|failure|no answer|not be found|associated"):
        network.resolved("no-such-host.invalid")


def test_permissions_say_who_looks(store):
    """And which groups that user is in."""
    found = look_at_permissions(store(source="rtsp://cam.example/stream"), load(store(source="rtsp://cam.example/s")))
    assert found.level == "ok"
    assert found.words.startswith("you are ")
    assert "group" in found.words


def test_a_secret_that_everybody_may_read_is_a_warning(store):
    """The file, what it holds, and the command that closes it."""
    path = store()
    assert look_at_permissions(path, load(path)).level == "ok"
    path.chmod(0o644)
    found = look_at_permissions(path, load(path))
    assert found.level == "warn"
    assert f"{path} holds the password of a camera" in found.words
    assert f"sudo chmod 0640 {path}" in found.words


@pytest.mark.parametrize(
    ("query", "level"), [("?user=admin&pwd=tlJw", "warn"), ("/password=tlJw&x=1", "warn"), ("?channel=1", "ok")]
)
def test_a_password_among_the_parameters_of_a_camera_is_a_secret_too(store, query, level):
    """Some cameras take it there; a channel is none."""
    path = store(source=f"http://cam.example/video{query}")
    path.chmod(0o644)
    found = look_at_permissions(path, load(path))
    assert found.level == level
    assert "tlJw" not in found.words


def test_a_camera_of_another_group_is_wrong_with_the_group_to_join(store):
    """Whoever is not in group video is told which group it takes, and the command."""
    path = store(source="/dev/null")
    found = look_at_permissions(path, load(path), may_use=lambda _: False)
    group = Path("/dev/null").group()
    assert found.status == 78
    assert f"/dev/null is for group {group}: sudo usermod -aG {group} " in found.words
    assert look_at_permissions(path, load(path), may_use=lambda _: True).level == "ok"


def test_root_is_told_that_it_sees_too_little(store, tmp_path):
    """What the service's user may not do is not seen by somebody who may do everything."""
    path = store(source="/dev/null")
    if os.geteuid() == 0:
        os.chown(tmp_path, 65534, 65534)
    found = look_at_permissions(path, load(path), uid=0)
    assert found.level == "warn"
    assert "sudo shelf-agent doctor" in found.words


def doctor(*args, **more):
    """Run `shelf-agent doctor` as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "edge_agent.cli", "doctor", *map(str, args)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **more,
    )


def test_a_device_that_is_well_gets_a_line_for_everything(tmp_path, mosquitto, write_clip):
    """Everything that `check` looks at is there too, and each thing once; warnings do not fail it."""
    clip = write_clip([np.full((64, 64, 3), 90, np.uint8)] * 3)
    path = write_config(tmp_path, port=mosquitto.port)
    path.write_text(path.read_text().replace('"simulated"', f'"{clip}"'))
    done = doctor("-c", path)
    assert done.returncode == 0, done.stdout
    told = [line.split(":")[0].split(maxsplit=1) for line in done.stdout.splitlines()]
    assert [what for _, what in told] == [
        *("configuration", "clock", "memory", "heat", "permissions", "disk", "outbox", "model", "network"),
        *("camera shelf-cam", "broker"),
    ]
    assert {level for level, _ in told} <= {"ok", "warn"}


def test_doctor_works_beside_a_running_agent_and_for_programs(tmp_path):
    """The outbox that an agent holds is left alone; as JSON each finding has what, level and words."""
    path = write_config(tmp_path, port=free_port())
    outbox = Outbox(tmp_path / "outbox.db")
    try:
        assert agent_runs(tmp_path / "outbox.db")
        done = doctor("-c", path, "--json", "--no-cameras")
    finally:
        outbox.close()
    assert not agent_runs(tmp_path / "outbox.db")
    told = json.loads(done.stdout)
    assert told["schema"] == "shelfwatch.doctor/1"
    assert told["status"] == done.returncode == 69
    found = {each["what"]: each for each in told["findings"]}
    assert found["broker"]["level"] == "wrong"
    assert "Check host and port" in found["broker"]["words"]
    assert "in use by a running agent" in found["outbox"]["words"]


@pytest.mark.parametrize(
    ("said", "level", "words", "protocol"),
    [
        ({"status": "online", "since": "then"}, "ok", "says: online, since then", "5"),
        ({"status": "online", "since": "then"}, "ok", "says: online, since then", "3.1.1"),
        ({"status": "degraded", "reason": "moved"}, "warn", "says: degraded (moved)", "auto"),
        ({"status": "offline", "reason": "unplugged"}, "wrong", "says: offline (unplugged)", "5"),
        (None, "warn", "does not tell how it fares", "5"),
    ],
)
def test_a_camera_that_the_agent_holds_is_told_by_what_that_said(tmp_path, mosquitto, said, level, words, protocol):
    """A USB camera serves one program: the broker's retained state stands for a look at it."""
    path = write_config(tmp_path, port=mosquitto.port, protocol=protocol)
    path.write_text(path.read_text().replace('"simulated"', '"/dev/null"'))
    if said is not None:
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.connect("127.0.0.1", mosquitto.port)
        client.loop_start()
        topic = "shelfwatch/demo/shelf-1/camera/shelf-cam/status"
        client.publish(topic, json.dumps(said), qos=1, retain=True).wait_for_publish(10)
        client.disconnect()
        client.loop_stop()
        del client
    with closing(Outbox(tmp_path / "outbox.db", ballast_bytes=0)):
        found = {each.what: each for each in examine(path)}
    assert found["camera shelf-cam"].level == level
    assert words in found["camera shelf-cam"].words
    assert found["broker"].level == "ok"


def test_a_configuration_that_cannot_be_read_does_not_keep_the_machine_from_being_looked_at(tmp_path):
    """Clock, memory and heat are told; strict or not, the status is that of the configuration."""
    done = doctor("-c", tmp_path / "none.toml", "--strict")
    assert done.returncode == 78
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["configuration:", "clock:", "memory:", "heat:"]


CLOSED = """
import os, sys
from pathlib import Path
from edge_agent.config import load
from edge_agent.doctor import check, doctor, machine
settings = load(Path(sys.argv[1]))
settings.outbox.path.parent.parent.chmod(0)
if os.geteuid() == 0:
    os.setuid(65534)
needed_mb = doctor.still_needed_mb(settings)
print(machine.look_at_disk(settings.outbox.path.parent, needed_mb=needed_mb))
print(check.look_at_outbox(settings))
"""


def test_what_is_not_for_this_user_is_a_line_of_its_own(tmp_path):
    """The doctor is for any user, and goes on with the next line; the remedy is to come as another one."""
    path = write_config(tmp_path, port=1)
    path.write_text(path.read_text().replace('"outbox.db"', '"closed/east/outbox.db"'))
    (tmp_path / "closed" / "east").mkdir(parents=True)
    done = subprocess.run([sys.executable, "-c", CLOSED, path], capture_output=True, text=True, check=False)
    (tmp_path / "closed").chmod(0o700)
    assert done.returncode == 0, done.stderr
    disk, outbox = done.stdout.splitlines()
    assert "this user may not look there" in disk
    assert "sudo shelf-agent" in disk
    assert "cannot be written" in outbox


def test_a_file_that_goes_while_it_is_looked_at_ends_nothing(tmp_path):
    """The outbox of a running agent has files that come and go."""

    def looking():
        return str((tmp_path / "outbox.db-wal").stat().st_size)

    found = look("outbox", looking)
    assert (found.level, found.status) == ("wrong", 66)
    assert "outbox.db-wal" in found.words
    (tmp_path / "outbox.db.mark.new").symlink_to("gone")
    (tmp_path / "outbox.db").write_bytes(b"x" * 2**20)
    assert doctor_of_all._taken_bytes(tmp_path / "outbox.db") == 2**20


def outbox_of(path):
    """What the doctor, and `check`, say of the outbox of a configuration."""
    return look_at_outbox(load(path))


def test_an_outbox_says_how_much_waits_and_since_when(tmp_path):
    """Nothing is changed by looking, and no file is left behind."""
    path = write_config(tmp_path, port=1)
    with closing(Outbox(tmp_path / "outbox.db")) as outbox:
        outbox.put([("a/event", {"ts": "2026-11-23T03:12:08.900Z"}), ("a/event", {"ts": "2026-11-23T04:00:00.000Z"})])
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    found = outbox_of(path)
    assert found.level == "ok"
    assert found.words.endswith("holds 2 events that wait, the oldest since 2026-11-23T03:12:08.900Z")
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_an_outbox_that_is_nearly_full_is_a_warning(tmp_path):
    """Before anything is dropped."""
    path = write_config(tmp_path, port=1)
    path.write_text(path.read_text().replace("[outbox]\n", "[outbox]\nmax_mb = 1\n"))
    with closing(Outbox(tmp_path / "outbox.db")) as outbox:
        outbox.put([("a/event", {"text": "x" * 900_000})])
    assert outbox_of(path).level == "warn"
    assert "0.9 of 1 MB" in outbox_of(path).words


def test_an_outbox_without_its_mark_is_damaged_for_the_doctor_too(tmp_path):
    """What the agent will do with it when it starts is said before."""
    path, file = write_config(tmp_path, port=1), tmp_path / "outbox.db"
    with closing(Outbox(file)) as outbox:
        outbox.put([("a/event", {"type": "counts"})])
    Path(f"{file}.mark").unlink()
    assert "its mark is not there" in outbox_of(path).words


def test_a_damaged_outbox_is_a_warning_and_so_is_one_that_was(tmp_path):
    """The agent mends it by itself; somebody should know why it had to."""
    path, file = write_config(tmp_path, port=1), tmp_path / "outbox.db"
    with closing(Outbox(file)) as outbox:
        outbox.put([("a/event", {"n": n}) for n in range(50)])
    whole = file.read_bytes()
    file.write_bytes(whole[:100] + b"\xff" * 200 + whole[300:])
    assert outbox_of(path).level == "warn"
    assert "is damaged" in outbox_of(path).words
    Outbox(file).close()
    assert outbox_of(path).level == "warn"
    assert "1 that were damaged lie beside it" in outbox_of(path).words


def test_an_outbox_that_nobody_may_write_is_wrong(tmp_path):
    """With the status of the outbox."""
    path = write_config(tmp_path, port=1)
    path.write_text(path.read_text().replace('"outbox.db"', '"none/outbox.db"'))
    assert outbox_of(path).status == 74


@pytest.mark.parametrize(("days", "level"), [(200, "ok"), (10, "warn"), (-2, "wrong")])
def test_a_certificate_of_our_own_is_told_before_it_expires(tmp_path, days, level):
    """In time, with the date, and as wrong when it is too late."""
    files = Authority(tmp_path).sign("device", from_days=-30, to_days=days)
    found = look_at_certificates(Broker("127.0.0.1", free_port(), tls=Tls(None, files.cert, files.key)))
    assert found is not None
    assert found.level == level
    assert f"this device's own is valid until {datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}" in found.words


def test_a_connection_without_encryption_has_no_certificates():
    """There is no line for what there isn't."""
    assert look_at_certificates(Broker("127.0.0.1")) is None


def test_a_camera_without_a_shelf_is_a_warning(store):
    """The day of the installation: all else is looked at, and what to do is said."""
    path = store()
    text = path.read_text()
    path.write_text(text[: text.index("[[shelves]]")])
    found = {each.what: each for each in check(path, cameras=False, broker=False)}
    assert found["configuration"].level == "ok"
    assert found["shelves"].level == "warn"
    assert 'camera "shelf-cam" sees no shelf' in found["shelves"].words
