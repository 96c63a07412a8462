"""A camera is knocked while the agent runs: what a subscriber sees of it, over a real broker."""

import threading
import time
from datetime import UTC, datetime

import cv2
import pytest

from edge_agent.agent import Agent
from edge_agent.config import load
from edge_agent.demo.scene import Scene
from edge_agent.demo.store import CAMERA, write_config
from edge_agent.shelf import Frame
from tests.conftest import wait_for

pytestmark = [pytest.mark.system, pytest.mark.alone]


class KnockedCamera:
    """The simulated store before any shopper comes, seen by a camera that can be knocked and put back."""

    problem = None

    def __init__(self):
        self.scene, self.shift, self.seq = Scene(7, duration_s=0.001), 0.0, 0

    def read(self, _timeout_s):
        """The picture of now."""
        self.seq += 1
        image = self.scene.frame(self.seq / 5)
        height, width = image.shape[:2]
        matrix = cv2.getRotationMatrix2D((0, 0), 0, 1)
        matrix[0, 2] = self.shift * width
        image = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
        return Frame(CAMERA, self.seq, datetime.now(UTC), time.monotonic(), image)

    def close(self):
        """Nothing is held."""


def told(consumer):
    """What was said of the camera, in order: status and reason."""
    return [(state["status"], state["reason"]) for state in consumer.of("/camera/shelf-cam/status")]


def newest(consumer, what):
    """What the newest state of each shelf says of something, a value for each shelf."""
    return list({state["shelf"]: state[what] for state in consumer.of("/state")}.values())


def test_a_knocked_camera_is_published_and_never_counted(tmp_path, mosquitto, subscribe):
    """Knocked by a twelfth of the picture: degraded within 10 s, then unknown, never another count; good when back."""
    config = write_config(tmp_path, port=mosquitto.port)
    config.write_text(config.read_text() + "\n[counting]\nunknown_after_s = 8\n")
    consumer, camera = subscribe(mosquitto.port), KnockedCamera()
    with Agent(load(config), sources={CAMERA: camera}) as agent:
        thread = threading.Thread(target=agent.run)
        thread.start()
        try:
            wait_for((tmp_path / "views" / f"{CAMERA}.npz").is_file, 30)
            wait_for(lambda: newest(consumer, "quality") == ["good"] * 3)
            good = {state["shelf"]: state["counts"] for state in consumer.of("/state")}
            camera.shift = 1 / 12
            wait_for(lambda: told(consumer)[-1] == ("degraded", "moved"), 10)
            wait_for(lambda: newest(consumer, "quality") == ["moved"] * 3, 15)
            camera.shift = 0.0
            wait_for(lambda: newest(consumer, "quality") == ["good"] * 3, 15)
            wait_for(lambda: told(consumer)[-1] == ("online", None), 15)
        finally:
            agent.stop.set()
            thread.join()
    consumer.settle()
    assert told(consumer) == [("online", None), ("degraded", "moved"), ("online", None)]
    assert all(state["counts"] in (None, good[state["shelf"]]) for state in consumer.of("/state"))
    assert {event["type"] for event in consumer.of("/event")} <= {"counts", "view_lost", "view_restored"}
