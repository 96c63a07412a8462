"""The loop: frames when they are due, outages with their reason."""

import threading

from edge_agent import loop
from edge_agent.counting import Rules
from edge_agent.health import Health
from edge_agent.inference import ScriptedClassifier
from edge_agent.pipeline import CameraPlan, Watch
from edge_agent.shelf import CameraError
from tests.edge_agent.conftest import COLOURS, by_colour


class DeadCamera:
    """A source that gives nothing, and finds out later why."""

    def __init__(self):
        self.problem, self.asked = None, 0

    def read(self, timeout_s):
        """Nothing; from the fourth time on it is known why."""
        self.asked += 1
        if self.asked > 3:
            self.problem = CameraError("not plugged in", reason="not_found")
        threading.Event().wait(timeout_s)

    def close(self):
        """Nothing is held."""


def test_the_reason_of_an_outage_is_corrected_when_it_is_known(shelf, monkeypatch):
    """A camera that went silent is first said to time out; when its device turns out to be gone, that is said."""
    monkeypatch.setattr(loop, "BLIND_S", 0.0)
    stop, said, classifier = threading.Event(), [], ScriptedClassifier(tuple(COLOURS), 32, by_colour)

    class Sink:
        def deliver(self, shelves, outcome):
            pass

        def camera(self, _camera, problem):
            said.append(problem.reason)
            if problem.reason == "not_found":
                stop.set()

    plan = CameraPlan("cam1", (shelf,), Rules(), 1.0)
    feed = loop.Feed(Watch(plan), DeadCamera(), period_s=0.01)
    loop.run([feed], classifier, Sink(), Health(print), stop=stop)
    assert said == ["timeout", "not_found"]
