"""The Debian package, from a fresh system to a fresh system: installed, configured, upgraded, taken back, purged."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.faults import device, nspawn
from benchmarks.faults.around import ShelfCamera, consumer
from benchmarks.faults.device import Service
from benchmarks.faults.nspawn import Machine
from benchmarks.parts import Subscriber, wait_for

pytestmark = [pytest.mark.system, pytest.mark.alone]
PASSING = ("var/log", "var/cache", "var/lib/apt", "var/lib/dpkg", "var/lib/systemd", "var/tmp", "tmp", "root")
"""Where a Debian writes by itself."""


@pytest.fixture(scope="module")
def packages(tmp_path_factory) -> dict[str, Path]:
    """Two releases for this machine."""
    if (why := nspawn.missing()) is not None:
        pytest.skip(why)
    out = tmp_path_factory.mktemp("packages")
    return {version: device.package(out, version) for version in ("1.0.0", "1.1.0")}


@dataclass
class Shop:
    """A fresh Debian that runs, and what is around it."""

    machine: Machine
    camera: ShelfCamera
    listener: Subscriber

    def apt(self, what: str, *words: str) -> str:
        """Run apt-get as an operator does."""
        return self.machine.run("apt-get", what, "--yes", "--quiet", *words).stdout

    def install(self, package: Path) -> str:
        """Bring a package there, and install it."""
        place = self.machine.root / "var/cache" / package.name
        place.write_bytes(package.read_bytes())
        return self.apt("install", f"/var/cache/{package.name}")

    def files(self) -> set[str]:
        """What there is on its disk."""
        found = (str(path.relative_to(self.machine.root)) for path in self.machine.root.rglob("*"))
        return {path for path in found if not path.startswith(PASSING)}

    def users(self) -> list[str]:
        """Its users and groups."""
        texts = ((self.machine.root / "etc" / name).read_text() for name in ("passwd", "group", "shadow", "gshadow"))
        return sorted(line for text in texts for line in text.splitlines())


@pytest.fixture
def shop(packages) -> Iterator[Shop]:
    """A Debian that has never heard of the agent."""
    del packages  # what cannot be built need not be booted for
    with ExitStack() as stack:
        root = stack.enter_context(nspawn.debian())
        camera = ShelfCamera()
        stack.callback(camera.end)
        listener = stack.enter_context(consumer(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        machine = Machine(root)
        stack.callback(machine.stop)
        machine.start()
        yield Shop(machine, camera, listener)


def in_use(shop: Shop) -> str:
    """The version of the agent that is running and counts."""
    began_s = time.monotonic()
    wait_for(lambda: shop.listener.since(began_s, "/state"), 15)
    program = Path(f"/proc/{Service(shop.machine).pid}/cmdline").read_bytes().decode().split("\0")[0]
    assert program.startswith("/opt/shelfwatch/")
    return program.split("/")[3]


def test_from_a_fresh_system_to_counts_and_back_to_a_fresh_system(shop, packages):
    """Install, edit, check, start, count, upgrade, go back, purge: each step holds, and the last leaves nothing."""
    files, users = shop.files(), shop.users()
    said = shop.install(packages["1.0.0"])
    service = Service(shop.machine)
    assert service.status[0] == "inactive (dead)", said  # the example is nobody's shop: an operator starts it

    path = device.configure(shop.machine.root, port=shop.listener.port, source=shop.camera.address)
    edited = path.read_text()
    checked = shop.machine.run("shelf-agent", "check").stdout
    assert [line.split()[0] for line in checked.splitlines()] == ["ok"] * 5, checked
    service.command("enable")
    service.command("start")
    assert in_use(shop) == "1.0.0"

    shop.install(packages["1.1.0"])
    assert (in_use(shop), path.read_text()) == ("1.1.0", edited)
    rollback = "/opt/shelfwatch/current/deploy/install.sh"
    shop.machine.run(rollback, "rollback")
    assert (in_use(shop), path.read_text()) == ("1.0.0", edited)
    shop.machine.run(rollback, "rollback")
    assert in_use(shop) == "1.1.0"
    refused = shop.machine.run(rollback, "uninstall", check=False)
    assert refused.returncode == 69
    assert "apt purge" in refused.stderr

    gone_s = time.monotonic()
    shop.apt("remove", "shelf-agent")
    assert "offline" in shop.listener.since(gone_s, "/agent/status")
    assert path.read_text() == edited
    shop.apt("purge", "shelf-agent")
    assert shop.files() ^ files == set()
    assert shop.users() == users


def test_a_package_for_arm_is_made_as_well(tmp_path):
    """The arm64 package holds wheels for that processor, each of the lock, no configuration file, and little else."""
    why = nspawn.missing()
    if why is not None:
        pytest.skip(why)
    package = device.package(tmp_path, "1.0.0", "arm64")
    fields = subprocess.run(["dpkg-deb", "--field", package], capture_output=True, text=True, check=True).stdout
    assert "Architecture: arm64" in fields
    assert "python3 (>= 3.11), python3 (<< 3.12)" in fields
    listing = subprocess.run(["dpkg-deb", "--contents", package], capture_output=True, text=True, check=True).stdout
    paths = [line.split()[5].removeprefix("./") for line in listing.splitlines()]
    assert all("usr/share/shelf-agent/".startswith(path) or "/shelf-agent/" in path for path in paths), paths
    wheels = [path.rsplit("/", 1)[1] for path in paths if path.endswith(".whl")]
    foreign = [wheel for wheel in wheels if not wheel.endswith(("_aarch64.whl", "-none-any.whl"))]
    assert foreign == []
    assert {"ai_edge_litert", "numpy", "opencv_python_headless", "shelfwatch"} <= {w.split("-")[0] for w in wheels}
