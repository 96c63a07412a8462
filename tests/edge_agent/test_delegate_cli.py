"""What a user sees of delegates: the exit status, the line in the log, and what is said in `info` and by `check`."""

import re
import signal
import subprocess
import sys

import numpy as np
import pytest

from edge_agent import bundle
from edge_agent.config import load
from edge_agent.model import load_model
from edge_agent.running import info_payload
from tests.conftest import free_port, wait_for
from tests.edge_agent.tiny_networks import build_mock, edgetpu_network, float_network, write_bundle

pytestmark = pytest.mark.system  # the whole program each time, in a process of its own

CONFIG = """
site = "store-1"
device = "dev-1"
[model]
bundle = "bundle"
{model}
[broker]
port = {port}
[outbox]
path = "outbox.db"
[[cameras]]
id = "cam1"
source = "clip.mp4"
[[shelves]]
id = "a1"
camera = "cam1"
[[shelves.slots]]
id = "s1"
product = "red"
corners = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]
"""


@pytest.fixture
def store(tmp_path, write_clip):
    """A function that writes a configuration, a bundle with builds for all targets, and a clip of something red.

    It stands before a chequered wall: a picture without any edge would be one of a camera that is covered.
    """
    rows, columns = np.indices((64, 64)) // 3
    picture = np.repeat(((rows + columns) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)
    picture[7:57, 7:57] = (0, 0, 200)
    write_clip([picture] * 20)
    builds = {"model_edgetpu": edgetpu_network(), "model_float": float_network()}
    write_bundle(tmp_path / "bundle", **builds)

    def write(model: str = "", *, port: int = 1):
        path = tmp_path / "agent.toml"
        path.write_text(CONFIG.format(model=model, port=port))
        return path

    return write


@pytest.fixture
def mock(tmp_path):
    """The mock delegate, as `delegate_library` of a configuration."""
    return f'delegate_library = "{build_mock(tmp_path, "ANSWERS")}"'


def agent(*args):
    """Run shelf-agent as a user does."""
    command = [sys.executable, "-m", "edge_agent.cli", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_check_shows_where_the_model_runs(store, mock):
    """With a delegate that answers `check` names it; without one it says why, and warns that it counts all the same."""
    quiet = ("--no-cameras", "--no-broker")
    done = agent("check", "-c", store(mock), *quiet)
    assert done.returncode == 0, done.stdout
    assert "colours knows 3 labels and runs in litert on the Edge TPU" in done.stdout
    assert "is not used" not in done.stdout
    done = agent("check", "-c", store('delegate_library = "none.so"'), *quiet)
    assert done.returncode == 0, done.stdout
    assert re.search(
        r"warn +model: .*runs in litert on the CPU.*\. The Edge TPU is not used: .*none\.so is m", done.stdout
    )


@pytest.mark.parametrize("command", ["check", "run", "replay"])
def test_a_delegate_that_is_asked_for_and_missing_is_status_3(store, tmp_path, command):
    """Whatever is to be done with the model, it ends with the cause and the remedy, and counts nothing."""
    path = store('delegate = "edgetpu"\ndelegate_library = "none.so"')
    clip = [tmp_path / "clip.mp4"] if command == "replay" else []
    more = ["--no-broker"] if command == "check" else []
    done = agent(command, *clip, "-c", path, *more)
    assert done.returncode == 3
    assert re.search(
        r"library .*none\.so is missing.*Install libedgetpu.*Or set delegate = \"auto\"", done.stdout + done.stderr
    )
    assert "Traceback" not in done.stderr


def test_info_says_where_the_model_runs_and_why_not_elsewhere(store, mosquitto, subscribe):
    """A consumer of `info` learns of a fallback, the log has one line of it, and the counts go on."""
    consumer = subscribe(mosquitto.port)
    path = store('delegate_library = "none.so"', port=mosquitto.port)
    command = [sys.executable, "-m", "edge_agent.cli", "run", "-c", path]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: consumer.of("/state"), timeout_s=30)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
        said = process.stderr.read()
    info = consumer.of("/info")[0]
    assert info["delegate"] == "cpu"
    assert "The Edge TPU is not used: the Edge TPU's library" in info["delegate_note"]
    assert said.count("is not used") == 1
    assert re.search(r"^WARNING The Edge TPU is not used: ", said, re.MULTILINE)
    assert consumer.of("/state")[0]["counts"] == {"red": 1}


def test_messages_name_the_file_that_runs(store, mock, tmp_path):
    """The sha256 in states, events and `info` is that of the build in use, so a count leads to the right file."""
    settings = load(store(mock, port=free_port()))
    model = load_model(settings)
    info = info_payload(settings, model)
    assert (info["delegate"], info["model"]["quantization"]) == ("edgetpu", "int8")
    assert info["model"]["sha256"] == bundle.sha256((tmp_path / "bundle" / bundle.EDGETPU_FILE).read_bytes())
    assert "delegate_note" not in info
    model = load_model(load(store('delegate = "cpu"', port=free_port())))
    assert model.info.sha256 == bundle.sha256((tmp_path / "bundle" / bundle.MODEL_FILE).read_bytes())
