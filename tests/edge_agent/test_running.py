"""A reload of what runs, camera by camera, without a broker: the files are real, the loop is the test's own hand."""

import threading

import pytest

from edge_agent.agent import Agent
from edge_agent.config import load
from edge_agent.demo.store import BUNDLE
from edge_agent.running import info_payload, let_go
from tests.conftest import free_port, wait_for
from tests.edge_agent.conftest import paint

HEAD = f"""
site = "lab"
device = "one"
[model]
bundle = "{BUNDLE}"
[broker]
port = {{port}}
[outbox]
path = "outbox.db"
ballast_mb = 0
"""
CAMERA = """
[[cameras]]
id = "{name}"
source = "{source}"
[[shelves]]
id = "shelf-{name}"
camera = "{name}"
[[shelves.slots]]
id = "s"
corners = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [{left}, 0.9]]
"""


class Shop:
    """An agent that is not running, and its configuration file."""

    def __init__(self, folder, clip):
        self.path, self.clip, self.port = folder / "agent.toml", clip, free_port()

    def write(self, **cameras):
        """Write a configuration: each camera with the left lower corner of its slot, and a source where it differs."""
        text = HEAD.format(port=self.port)
        for name, told in cameras.items():
            left, source = told if isinstance(told, tuple) else (told, self.clip)
            text += CAMERA.format(name=name, left=left, source=source)
        self.path.write_text(text)
        return self.path

    def reload(self, agent):
        """What the latest reload says in `info`."""
        agent.reloading.asked.set()
        said = self.info(agent)["reload"]

        def attended():
            agent.reloading.attend()
            return self.info(agent)["reload"] is not said

        wait_for(attended)
        return self.info(agent)["reload"]

    @staticmethod
    def info(agent):
        """What is retained there."""
        return agent.outlet.mqtt._parts.outgoing._retained[agent.outlet.topics.info]

    @staticmethod
    def cleared(agent):
        """Topics that are to be cleared."""
        return {
            topic.split("/", 3)[3] for topic, text in agent.outlet.mqtt._parts.outgoing._retained.items() if not text
        }


@pytest.fixture
def shop(tmp_path, write_clip):
    """A shop with a clip for its cameras."""
    return Shop(tmp_path, write_clip([paint("cola milk cola milk")] * 10))


@pytest.fixture
def agent(shop):
    """An agent with the cameras a, b, c and d."""
    made = Agent(load(shop.write(a=0.1, b=0.1, c=0.1, d=0.1)), path=shop.path)
    yield made
    let_go({feed.watch.camera: feed.source for feed in made.running.feeds})
    made.outlet.spool.close()


def parts(agent):
    """Each camera's counting and source."""
    return {feed.watch.camera: (feed.watch, feed.source) for feed in agent.running.feeds}


def test_a_change_concerns_the_cameras_that_it_is_about(shop, agent, write_clip):
    """One goes on untouched, one is counted anew from the same source, one gets another source, one goes, one comes."""
    before = parts(agent)
    other = write_clip([paint("milk cola milk cola")] * 10, name="other.mp4")
    shop.write(a=0.1, b=0.2, c=(0.1, other), e=0.1)
    said = shop.reload(agent)
    assert said["ok"], said
    assert said["message"] == "b counts anew; c is opened anew; e is new; d is gone; a goes on as it was"
    after = parts(agent)
    assert list(after) == ["a", "b", "c", "e"]
    assert after["a"] == before["a"]
    assert after["b"][0] is not before["b"][0]
    assert after["b"][1] is before["b"][1]
    assert after["c"][1] is not before["c"][1]
    assert shop.cleared(agent) == {"camera/d/status", "shelf/shelf-d/state"}
    assert agent.running.settings.cameras[-1].id == "e"


def test_a_camera_that_comes_back_is_not_cleared_any_more(shop, agent):
    """Its topics are ours again, at the end too."""
    shop.write(a=0.1, b=0.1, c=0.1)
    assert shop.reload(agent)["ok"]
    shop.write(a=0.1, b=0.1, c=0.1, d=0.1)
    assert shop.reload(agent)["ok"]
    agent.outlet.mqtt.retain(agent.outlet.topics.camera("d"), {"status": "online"})
    assert shop.cleared(agent) <= {"shelf/shelf-d/state"}  # until the first state of the shelf
    assert not agent.outlet.mqtt.cleared


def test_the_hash_of_the_configuration_tells_nothing_of_a_password(shop, agent):
    """It is published: whoever reads it could try passwords until the hash is right."""

    def hashed(address):
        settings = load(shop.write(a=(0.1, f"rtsp://{address}/stream")))
        return info_payload(settings, agent.running.model)["config_sha256"]

    assert hashed("viewer:one@cam.example") == hashed("viewer:two@cam.example")
    assert hashed("viewer:one@cam.example") != hashed("viewer:one@other.example")


def test_one_clip_that_is_missing_refuses_all_and_leaves_nothing_open(shop, agent):
    """What was opened before the fault was found is closed, and what ran goes on as it was."""
    before, threads = parts(agent), threading.active_count()
    shop.write(a=0.2, b=0.1, c=0.1, e=(0.1, "rtsp://127.0.0.1:9/none"), f=(0.1, "none.mp4"))
    said = shop.reload(agent)
    assert not said["ok"]
    assert "none.mp4" in said["problems"][0]
    assert parts(agent) == before
    wait_for(lambda: threading.active_count() <= threads)
    assert not shop.cleared(agent)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "problems"),
        ("site = ", "is not a configuration that can be read"),
        ("\x00\x01", "is not a configuration that can be read"),
        ('[model]\nbundle = "none"\n', "no bundle"),
        (None, "there is no configuration"),
    ],
)
def test_whatever_the_file_holds_what_runs_goes_on(shop, agent, text, words):
    """Empty, half written, of bytes, without its bundle, or gone: refused, with the reasons."""
    before = parts(agent)
    if text is None:
        shop.path.unlink()
    else:
        shop.path.write_text(text)
    said = shop.reload(agent)
    assert not said["ok"]
    assert words in " ".join([said["message"], *said["problems"]])
    assert parts(agent) == before


def test_a_fault_of_ours_is_a_refusal_too(shop, agent, monkeypatch):
    """Even then the counting goes on, and somebody is told."""

    def fault(_):
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr("edge_agent.control.reloading.read_bundle", fault)
    said = shop.reload(agent)
    assert said["problems"] == ["ZeroDivisionError: of ours"]


def test_a_second_reload_waits_its_turn(agent):
    """A command that comes while one is under way is answered at once, and a signal is not forgotten."""
    answers = []
    agent.reloading.ask(answers.append)
    agent.reloading.ask(answers.append)
    assert [answer.ok for answer in answers] == [False]
    assert "under way" in answers[0].message
    agent.reloading.asked.set()
    wait_for(lambda: agent.reloading.attend() or len(answers) == 2)
    assert answers[1].ok
    assert agent.reloading.asked.is_set()
    agent.reloading.attend()
    assert not agent.reloading.asked.is_set()


def test_an_agent_without_a_file_cannot_reload(shop):
    """The demo says so instead of guessing."""
    agent = Agent(load(shop.write(a=0.1)))
    assert "without a configuration file" in shop.reload(agent)["message"]
    let_go({"a": agent.running.feeds[0].source})
    agent.outlet.spool.close()
