"""What the machine says of itself, read from folders that look like the kernel's."""

import subprocess

import pytest

from edge_agent import sensors


def write(folder, **files):
    """Write files, with __ for each slash and - for each dot, below a folder, and return that."""
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_the_hottest_zone_counts(tmp_path):
    """Of several sensors the highest is told; one that is off, or gives nonsense, is left out."""
    zones = {0: "48312\n", 1: "61000\n", 2: "nonsense\n", 3: "-274000\n", 4: "655350\n"}
    for number, text in zones.items():
        write(tmp_path, **{f"class__thermal__thermal_zone{number}__temp": text})
    assert sensors.temperature_c(tmp_path) == 61.0


def test_a_machine_without_sensors_has_no_temperature(tmp_path):
    """None is not 0 °C."""
    assert sensors.temperature_c(tmp_path) is None
    assert sensors.throttled(tmp_path) is None


@pytest.mark.parametrize(
    ("bits", "now", "once"),
    [
        ("0\n", [], []),
        ("50000\n", [], ["its supply's voltage was too low", "it was slowed down"]),
        ("50005\n", ["its supply's voltage is too low", "it is slowed down"], 2 * [...]),
        ("80008\n", ["it is near its limit of heat"], []),
    ],
)
def test_a_raspberry_pi_tells_of_its_supply(tmp_path, bits, now, once):
    """Each flag becomes words: what is so now, and what has been since the start."""
    write(tmp_path, **{"devices__platform__soc__soc:firmware__get_throttled": bits})
    found = sensors.throttled(tmp_path)
    assert found is not None
    assert found[0] == now
    assert len(found[1]) == len(once)


def test_memory_is_what_can_be_had(tmp_path):
    """What the kernel would give up counts as available; a machine that does not say has none to tell of."""
    write(tmp_path, meminfo="MemTotal:  1024000 kB\nMemFree:  1000 kB\nMemAvailable:  512000 kB\nHugePages_Total:  0\n")
    assert sensors.memory_mb(tmp_path) == (500, 1000)
    assert sensors.memory_mb(tmp_path / "none") is None


HEADING = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
LAN = "eth0\t0002A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
OUT = "wlan0\t00000000\t0102A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"
NOWHERE = f"{'0' * 32} 00 {'0' * 32} 00 {'0' * 32} ffffffff 00000001 00000000 00200200 lo\n"
SIX = f"{'0' * 32} 00 {'0' * 32} 00 fe80{'0' * 27}1 00000400 00000001 00000000 00450003 eth1\n"


@pytest.mark.parametrize(
    ("four", "six", "found"),
    [
        (HEADING + LAN, NOWHERE, ()),
        (HEADING + LAN + OUT, NOWHERE, ("wlan0",)),
        (HEADING + OUT, SIX, ("wlan0", "eth1")),
        (HEADING, SIX, ("eth1",)),
    ],
)
def test_default_routes_are_told_by_interface(tmp_path, four, six, found):
    """Routes of a single network, and those that refuse, lead nowhere else."""
    assert sensors.default_routes(write(tmp_path, net__route=four, net__ipv6_route=six)) == found


def test_a_machine_without_a_network_has_no_route(tmp_path):
    """Missing files are no routes."""
    assert sensors.default_routes(tmp_path) == ()


def test_the_disk_is_what_df_says(tmp_path):
    """Free is what this user may still write."""
    free_mb = int(subprocess.check_output(["df", "-m", "--output=avail", tmp_path], text=True).split()[1])
    found = sensors.disk(tmp_path)
    assert abs(found.free_mb - free_mb) < 200
    assert found.total_mb > found.free_mb
    assert not found.read_only


def test_the_kernel_tells_whether_its_clock_is_held():
    """Here it does, one way or the other."""
    assert sensors.clock_synchronised() in (True, False)
