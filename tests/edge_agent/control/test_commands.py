"""Commands over a real broker: each is answered, none stops the counting, none sends a picture or changes the model."""

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest

from edge_agent.agent import Agent
from edge_agent.config import load
from edge_agent.control.commands import Result, cameras_of, refused_verb
from edge_agent.demo.scene import Scene
from edge_agent.demo.store import CAMERA, SimulatedCamera, write_config
from tests.conftest import wait_for

ROOT = "shelfwatch/demo/shelf-1"


@dataclass(frozen=True)
class Still:
    """A scene in which nothing happens, but for the noise of a camera."""

    pictures: tuple

    def frame(self, at_s):
        """The first pictures, over and over."""
        return self.pictures[int(at_s * 15) % len(self.pictures)]


SCENE = Scene(7)
STILL = Still(tuple(SCENE.frame(n / 15) for n in range(4)))


@dataclass
class Store:
    """A running agent, its consumer, and the commands that it gets."""

    agent: Agent
    consumer: object
    path: Path
    asked: int = 0

    def ask(self, verb, payload=None):
        """Send a command and wait for its answer."""
        self.asked += 1
        text = payload if isinstance(payload, str) else json.dumps({**(payload or {}), "id": str(self.asked)})
        before = len(self.consumer.of("/cmd/result"))
        self.consumer.client.publish(f"{ROOT}/cmd/{verb}", text, qos=1)
        wait_for(lambda: len(self.consumer.of("/cmd/result")) > before)
        answer = self.consumer.of("/cmd/result")[-1]
        assert answer["schema"] == "shelfwatch.result/1"
        assert answer["command"] == verb
        return answer

    def counts_on(self):
        """Wait until some more frames are counted."""
        frames = self.agent.health.frames
        wait_for(lambda: self.agent.health.frames > frames + 3)

    def info(self):
        """The newest `info`."""
        return self.consumer.of("/info")[-1]


@pytest.fixture
def running(tmp_path, mosquitto, subscribe):
    """A function that runs an agent, with its three shelves counted."""

    @contextmanager
    def run():
        path = write_config(tmp_path, port=mosquitto.port, protocol="5")
        path.write_text(path.read_text().replace("fps = 5.0", "fps = 15") + "[counting]\nwindow_s = 0.2\n")
        consumer = subscribe(mosquitto.port)
        with Agent(load(path), sources={CAMERA: SimulatedCamera(STILL)}, path=path) as agent:
            thread = threading.Thread(target=agent.run)
            thread.start()
            try:
                wait_for(lambda: len({state["shelf"] for state in consumer.of("/state")}) == 3)
                yield Store(agent, consumer, path)
            finally:
                agent.stop.set()
                thread.join(60)
        assert not thread.is_alive()

    return run


def test_a_command_is_about_all_cameras_or_the_one_that_it_names():
    """No payload, or none of that key, means all; an id that goes with the answer is no obstacle."""
    assert cameras_of({}, ["a", "b"]) == ("a", "b")
    assert cameras_of({"id": "7"}, ["a", "b"]) == ("a", "b")
    assert cameras_of({"camera": "b", "id": "7"}, ["a", "b"]) == ("b",)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({"camera": "cam2"}, 'there is no camera "cam2"; nearest is "cam1"'),
        ({"camera": ["cam1"]}, "there is no camera"),
        ({"camera": 7}, 'there is no camera "7"'),
        ({"kamera": "cam1"}, 'a key "kamera"'),
        ({"x" * 5000: 1}, "a key"),
        ({"camera": "y" * 5000}, "there is no camera"),
    ],
)
def test_a_payload_that_means_nothing_is_refused(payload, said):
    """The answer says what was wrong, and doesn't repeat all of it."""
    refused = cameras_of(payload, ["cam1"])
    assert isinstance(refused, Result)
    assert not refused.ok
    assert said in refused.message
    assert len(refused.message) < 300


def test_the_model_is_not_changed_by_a_command():
    """The answer says how it is changed; what is no command at all is answered with the nearest that is."""
    assert "Copy the bundle to the device" in refused_verb("model").message
    assert 'nearest is "recount"' in refused_verb("recont").message
    assert not refused_verb("model").ok


def test_recount_says_the_counts_again_without_making_news_of_it(running):
    """States are published anew, from pictures that came after the command; what was counted before is no event."""
    with running() as store:
        stored, states = store.agent.outlet.spool.last_seq(), len(store.consumer.of("/state"))
        before = {state["shelf"]: state for state in store.consumer.of("/state")}
        answer = store.ask("recount", {"camera": CAMERA})
        assert answer["ok"]
        assert answer["cameras"] == [CAMERA]
        wait_for(lambda: {state["shelf"] for state in store.consumer.of("/state")[states:]} == before.keys())
        after = {state["shelf"]: state for state in store.consumer.of("/state")[states:]}
        assert {shelf: state["counts"] for shelf, state in after.items()} == {
            shelf: state["counts"] for shelf, state in before.items()
        }
        assert all(after[shelf]["frame_ts"] > before[shelf]["frame_ts"] for shelf in before)
        assert store.agent.outlet.spool.last_seq() == stored == 3  # events go into it before their states are told


def test_a_snapshot_stays_on_the_device(running):
    """The answer names the file and its size; the picture is there, with everything drawn in, and on no topic."""
    with running() as store:
        answer = store.ask("snapshot")
        assert answer["ok"], answer
        (stored,) = answer["pictures"]
        path = Path(stored["path"])
        assert path == store.path.parent / "snapshots" / f"{CAMERA}.jpg"
        assert stored["bytes"] == path.stat().st_size
        height, width = cv2.imread(str(path)).shape[:2]
        assert stored["frame_wh"] == [width, 540]
        assert height > 540  # with a line of words below
        assert [other.name for other in path.parent.iterdir()] == [path.name]
        again = store.ask("snapshot", {"camera": CAMERA})
        assert again["pictures"][0]["frame_ts"] > stored["frame_ts"]
        ours = [payload for topic, payload, _ in store.consumer.messages if topic.startswith("shelfwatch/")]
        assert all(len(str(payload)) < 5000 for payload in ours)


def test_a_snapshot_that_cannot_be_stored_is_an_answer(running):
    """Whatever the disk says, the counting goes on."""
    with running() as store:
        (store.path.parent / "snapshots").write_text("in the way")
        answer = store.ask("snapshot")
        assert not answer["ok"]
        assert "cannot be stored" in answer["message"]
        store.counts_on()


def test_whatever_comes_is_answered_and_the_counting_goes_on(running):
    """Unknown verbs, other cameras, JSON of another kind and no JSON at all."""
    with running() as store:
        assert 'nearest is "snapshot"' in store.ask("snapshots")["message"]
        assert "Copy the bundle" in store.ask("model", {"url": "http://192.0.2.66/evil"})["message"]
        assert 'there is no camera "x"' in store.ask("recount", {"camera": "x"})["message"]
        assert not store.ask("recount", "[1, 2]")["ok"]
        assert not store.ask("snapshot", "no JSON at all")["ok"]
        assert not store.ask("a/b/c")["ok"]
        store.counts_on()


def test_a_reload_is_refused_as_a_whole_with_its_reasons(running):
    """Every reason is in the answer and in `info`; nothing is taken over, and the counting goes on."""
    with running() as store:
        before, config = store.info(), store.path.read_text()
        store.path.write_text(config.replace("hold_s = 3", "hold_s = 9").replace("columns = 8", "columns = 7", 1))
        answer = store.ask("reload")
        assert not answer["ok"]
        assert "1 problem" in answer["message"]
        assert any("products names 8 products" in problem for problem in answer["problems"])
        wait_for(lambda: store.info()["reload"] is not None)
        assert store.info()["config_sha256"] == before["config_sha256"]
        assert store.info()["reload"]["problems"] == answer["problems"]
        assert store.agent.running.settings.alerts.hold_s == 3
        store.counts_on()
        store.path.write_text(config.replace('"demo"', '"shop"').replace("hold_s = 3", "hold_s = 9"))
        answer = store.ask("reload")
        assert answer["problems"] == [
            "site: demo became shop, which takes a restart (sudo systemctl restart shelf-agent)"
        ]
        assert store.agent.running.settings.alerts.hold_s == 3
        store.counts_on()


def test_a_reload_takes_over_what_is_good(running):
    """A shelf that is gone has its topic cleared, the others are counted anew, the camera stays open."""
    with running() as store:
        before, camera = store.info(), store.agent.running.feed(CAMERA).source
        config = store.path.read_text()
        store.path.write_text(config[: config.index('[[shelves]]\nid = "pantry"')])
        answer = store.ask("reload")
        assert answer["ok"], answer
        assert answer["message"] == f"{CAMERA} counts anew"
        wait_for(lambda: store.consumer.of("/shelf/pantry/state")[-1] == "")
        wait_for(lambda: store.info()["config_sha256"] != before["config_sha256"])
        assert store.info()["reload"]["ok"]
        assert store.agent.running.feed(CAMERA).source is camera
        wait_for(lambda: len(store.consumer.of("/drinks/state")) > 1)
        store.path.write_text(config)
        assert store.ask("reload")["ok"]
        wait_for(lambda: store.consumer.of("/shelf/pantry/state")[-1] != "")


def test_a_reload_without_a_change_changes_nothing(running):
    """Counts, votes and alerts stay as they are."""
    with running() as store:
        watch = store.agent.running.feed(CAMERA).watch
        answer = store.ask("reload")
        assert answer["ok"]
        assert answer["message"] == "nothing has changed; all cameras go on as they were"
        assert store.agent.running.feed(CAMERA).watch is watch


def test_a_bundle_that_was_replaced_in_its_place_is_loaded_by_a_reload(running, tmp_path):
    """A new one is taken, with its id in `info`; a broken one is refused, and the old one counts on."""
    with running() as store:
        bundle = tmp_path / "bundle"
        bundle.mkdir()
        original = store.agent.running.settings.model.bundle
        for file in original.iterdir():
            (bundle / file.name).write_bytes(file.read_bytes())
        store.path.write_text(store.path.read_text().replace(str(original), str(bundle)))
        assert store.ask("reload")["message"] == f"the model is demo-shelf; {CAMERA} counts anew"
        manifest = bundle / "manifest.json"
        manifest.write_text(manifest.read_text().replace('"demo-shelf"', '"demo-2"'))
        assert store.ask("reload")["message"] == f"the model is demo-2; {CAMERA} counts anew"
        wait_for(lambda: store.info()["model"]["id"] == "demo-2")
        wait_for(lambda: any(state["model"]["id"] == "demo-2" for state in store.consumer.of("/state")))
        model = bundle / "model.tflite"
        model.write_bytes(model.read_bytes()[:-1] + b"?")
        answer = store.ask("reload")
        assert not answer["ok"]
        assert "model.tflite" in answer["message"]
        store.counts_on()
        assert store.agent.running.model.info.id == "demo-2"
