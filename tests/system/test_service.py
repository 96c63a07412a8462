"""The agent as a service of a real systemd, in a Debian of its own: killed, hung, stopped, listened to."""

import statistics
import time
from collections.abc import Iterator

import pytest
import requests

from benchmarks.faults import device, nspawn, unit
from benchmarks.faults.device import secrets_seen
from benchmarks.faults.unit import Bench
from benchmarks.parts import free_port, wait_for

pytestmark = [pytest.mark.system, pytest.mark.alone]


@pytest.fixture(scope="module")
def here() -> Iterator[Bench]:
    """The packaged agent, which counts the demo's shelves in its unit."""
    why = nspawn.missing()
    if why is not None:
        pytest.skip(why)
    with unit.bench() as bench:
        yield bench


@pytest.fixture(autouse=True)
def _at_work(here):
    """Before each test the agent runs, and afterwards its unit has not failed."""
    assert here.service.status[0] == "active (running)"
    yield
    assert not here.service.status[0].startswith("failed")


def test_it_counts_in_its_unit(here):
    """With all of the hardening the agent sees the camera, reads its shelves, and the broker gets the counts."""
    wait_for(lambda: [state for state in here.listener.of("/state") if state["quality"] == "good"], 30)


def test_it_is_ready_without_its_camera(here):
    """A camera that is dark at the start is said to be, and then the service is up: it does not wait for pictures."""
    here.camera.broken.set()
    began_s = time.monotonic()
    here.service.command("restart")
    wait_for(lambda: "offline" in unit.said_of_camera(here, began_s), 15)
    assert here.service.status[0] == "active (running)"
    here.camera.broken.clear()
    wait_for(lambda: unit.said_of_camera(here, began_s)[-1] == "online", 60)


def test_an_instance_counts_beside_it(here):
    """shelf-agent@east has its own configuration, secret and outbox, and both agents count."""
    root = here.service.machine.root
    device.configure(root, port=here.listener.port, source=here.camera.address, name="east")
    east = device.Service(here.service.machine, "shelf-agent@east")
    east.command("start")
    began_s = time.monotonic()
    for name in ("east", "agent"):
        wait_for(lambda name=name: here.listener.since(began_s, f"/{name}/shelf/drinks/state"), 15)
    assert (root / "var/lib/shelfwatch/east/outbox.db").is_file()
    checked = here.service.machine.run("shelf-agent", "check", "-c", "/etc/shelfwatch/east.toml", "--no-cameras")
    assert "broker: " in checked.stdout
    assert east.command("stop") < unit.STOPPED_S


def test_a_fault_that_an_operator_must_mend_is_not_tried_again(here):
    """A configuration that does not hold ends with 78, and systemd leaves it at that."""
    path = here.service.machine.root / "etc/shelfwatch/west.toml"
    path.write_text("nonsense = true\n", encoding="utf-8")
    path.chmod(0o644)
    west = device.Service(here.service.machine, "shelf-agent@west")
    here.service.machine.run("systemctl", "start", west.unit, check=False)
    wait_for(lambda: west.status[0] == "failed (failed)", 15)
    assert west.status[2] == 0
    wait_for(lambda: "status=78" in west.journal(), 30, "the log")


def test_twenty_times_killed_it_is_back_within_3_s(here):
    """A crash costs 3 s, however often it comes; on a machine that others use as well, one of them may take longer."""
    took_s = unit.after_kills(here.service, 20)
    print(  # noqa: T201
        f"\nback after SIGKILL: median {statistics.median(took_s):.2f} s, slowest {max(took_s):.2f} s of {len(took_s)}"
    )
    assert sorted(took_s)[-3] <= unit.KILLED_S
    assert max(took_s) <= 2 * unit.KILLED_S


def test_fifty_quick_crashes_do_not_end_it(here):
    """An agent that dies again and again before it is ready is started again each time, and then is there."""
    restarts = here.service.status[2]
    took_s = unit.after_crashes(here.service, 50)
    print(f"\nback after 50 quick crashes: {took_s:.2f} s")  # noqa: T201
    assert took_s <= unit.KILLED_S
    assert here.service.status[2] - restarts == 50


def test_an_agent_that_stands_still_is_replaced(here):
    """SIGSTOP of the main process: the watchdog finds it, and another one is ready 3 s later."""
    took_s = unit.after_stopping(here.service)
    print(f"\nback after SIGSTOP: {took_s:.2f} s, with WatchdogSec={unit.WATCHDOG_S}")  # noqa: T201
    assert took_s <= unit.HUNG_S


def test_an_inference_that_hangs_is_found(here):
    """The main thread is held inside LiteRT while all others go on: the watchdog finds it, and the log says where."""
    took_s = unit.after_hung_inference(here.service)
    print(f"\nback after a hung inference: {took_s:.2f} s, with WatchdogSec={unit.WATCHDOG_S}")  # noqa: T201
    assert took_s <= unit.HUNG_S
    wait_for(lambda: "in classify" in here.service.journal(), 30, "the log")


def test_a_capture_that_hangs_is_replaced_without_a_restart(here):
    """SIGSTOP of a camera's process: the agent says that the camera is gone, makes another process, and counts on."""
    took_s = unit.after_hung_capture(here)
    print(f"\ncounting again after a hung capture: {took_s:.2f} s")  # noqa: T201
    assert took_s <= unit.CAPTURE_S


def test_stopping_takes_less_than_5_s_and_says_offline(here):
    """Whoever stops it waits 5 s at most, and dashboards know at once, also while a camera's process hangs."""
    took_s = unit.to_stop(here), unit.to_stop(here, hung=True)
    print(f"\nstopped: {took_s[0]:.2f} s; while a camera's process hangs: {took_s[1]:.2f} s")  # noqa: T201
    assert max(took_s) < unit.STOPPED_S


def test_a_reload_keeps_the_process(here):
    """`systemctl reload` is SIGHUP: the same agent goes on, also where the new configuration has a fault."""
    path = here.service.machine.root / "etc/shelfwatch/agent.toml"
    good = path.read_text(encoding="utf-8")
    before = here.service.status
    for text in (good, good + "\n[misspelt]\n", good):
        path.write_text(text, encoding="utf-8")
        here.service.command("reload")
        now_s = time.monotonic()
        wait_for(lambda now_s=now_s: here.listener.since(now_s, "/state"), 15)
        assert here.service.status == before
    wait_for(lambda: "misspelt" in here.service.journal(), 30, "the log")


def test_the_page_is_served_in_the_unit(here):
    """Beyond loopback it needs a password: root writes it, systemd hands over its hash, and nobody else can read it."""
    root, port = here.service.machine.root, free_port()
    path = root / "etc/shelfwatch/agent.toml"
    good = path.read_text(encoding="utf-8")
    page = f"""
[dashboard]
enabled = true
host = "0.0.0.0"
port = {port}
password_file = "${{CREDENTIALS_DIRECTORY}}/page-password"
"""
    asked = "printf 'four words in a row\\nfour words in a row\\n' | shelf-agent password"
    here.service.machine.run("sh", "-c", asked)
    stored = root / "etc/shelfwatch/page-password"
    assert (stored.stat().st_mode & 0o777, stored.stat().st_uid) == (0o600, 0)
    path.write_text(good + page, encoding="utf-8")
    try:
        here.service.command("restart")
        with requests.Session() as http:
            url = f"http://127.0.0.1:{port}/api"
            assert http.get(f"{url}/live", timeout=10).status_code == 401
            assert http.post(f"{url}/session", json={"password": "four words in a row"}, timeout=10).ok
            picture = f"{url}/cameras/shelf-cam/picture"
            wait_for(lambda: http.get(picture, timeout=10).headers["content-type"] == "image/jpeg", 15)
            health = {each["what"]: each["level"] for each in http.get(f"{url}/health", timeout=10).json()["findings"]}
            assert health["camera shelf-cam"] == health["broker"] == health["model"] == "ok"
            assert health["page"] == "warn"  # not encrypted
            _shelves_are_saved(http, url, path)
    finally:
        path.write_text(good, encoding="utf-8")
        here.service.command("restart")


def _shelves_are_saved(http, url, path):
    """Into a file of root's that the agent's group may write: it stays the same file, and nothing is made beside it."""
    before, names = path.stat(), sorted(each.name for each in path.parent.iterdir())
    found = http.get(f"{url}/shelves", timeout=10).json()
    assert found["obstacle"] is None
    found["shelves"][0]["low_at"] = {"cola-can": 1}
    edit = {"shelves": found["shelves"], "revision": found["revision"]}
    http.headers["X-CSRF-Token"] = http.get(f"{url}/session", timeout=10).json()["csrf"]
    saved = http.put(f"{url}/shelves", json=edit, timeout=60)
    assert saved.json()["message"] == "shelf-cam counts anew", saved.text
    text, after = path.read_text(encoding="utf-8"), path.stat()
    assert "low_at = {cola-can = 1}" in text
    assert text.startswith("# The configuration of the demo")
    assert (after.st_ino, after.st_mode, after.st_uid) == (before.st_ino, before.st_mode, 0)
    assert sorted(each.name for each in path.parent.iterdir()) == names
    path.chmod(0o640)
    assert "chmod g+w" in http.get(f"{url}/shelves", timeout=10).json()["obstacle"]
    assert http.put(f"{url}/shelves", json=edit, timeout=10).status_code == 409
    path.chmod(0o660)


def test_inference_in_the_unit_is_as_fast_as_outside(here):
    """All of the hardening together takes at most a tenth of the speed."""
    cost = unit.hardening_costs(here.service, 3)
    print(f"\ninference in the unit ÷ outside: {cost:.3f}")  # noqa: T201
    assert cost <= unit.COST


def test_no_secret_can_be_read(here):
    """After an outage, which is logged with the camera's address, no password is in environment, arguments or log."""
    here.camera.broken.set()
    wait_for(lambda: f"{here.camera.server_address[1]}/shelf.mjpg" in here.service.journal(), 60)
    here.camera.broken.clear()
    assert secrets_seen(here.service.machine) == []
    assert "***" in here.service.journal()
