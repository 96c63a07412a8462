"""The loop: frames when they are due, outages with their reason, and nobody who waits for anybody."""

import re
import threading
import time
from datetime import UTC, datetime

import numpy as np
import pytest

from edge_agent import loop
from edge_agent.alerts.policy import Patience
from edge_agent.counting import Rules
from edge_agent.health import Health
from edge_agent.inference import ScriptedClassifier
from edge_agent.pictures import picture
from edge_agent.pictures.picture import Judging
from edge_agent.pipeline import CameraPlan
from edge_agent.shelf import CameraError, Frame
from edge_agent.watch import Watch
from tests.conftest import REPO
from tests.edge_agent.conftest import COLOURS, by_colour, paint

CLASSIFIER = ScriptedClassifier(tuple(COLOURS), 32, by_colour)


class Passing(threading.Event):
    """The stop of a loop, and its clock: time passes while the loop waits, and a little with each look at the clock."""

    now_s = 1000.0

    def wait(self, timeout=None):
        """So much later."""
        self.now_s += timeout
        return self.is_set()

    def monotonic(self):
        """Seconds."""
        self.now_s += 0.0002
        return self.now_s


@pytest.fixture
def clock(monkeypatch):
    """The clock of the loop, which no other program on this machine makes late."""
    passing = Passing()
    monkeypatch.setattr(loop, "time", passing)
    return passing


class Sink:
    """Keeps what is said of the cameras and how often each was counted; may end the loop."""

    def __init__(self, ended=lambda _sink: False, stop=None):
        self.said, self.outcomes, self.stop, self._ended = [], [], stop or threading.Event(), ended

    def deliver(self, _shelves, outcome):
        """A step."""
        self.outcomes.append(outcome)
        if self._ended(self):
            self.stop.set()

    def camera(self, camera, problem):
        """A camera came, went, or is bad."""
        self.said.append((camera, None if problem is None else problem.reason))
        if self._ended(self):
            self.stop.set()


class DeadCamera:
    """A source that gives nothing, and finds out later why."""

    def __init__(self, known_after=None):
        self.problem, self.asked, self.waited_s, self._known_after = None, 0, 0.0, known_after

    def read(self, timeout_s):
        """Nothing, however long one waits; after a while it is known why."""
        self.asked += 1
        self.waited_s += timeout_s
        if self._known_after is not None and self.asked > self._known_after:
            self.problem = CameraError("not plugged in", reason="not_found")
        threading.Event().wait(timeout_s)

    def close(self):
        """Nothing is held."""


class Camera:
    """A source with a picture at each of the given ages (seconds), then the end of the clip."""

    problem = None

    def __init__(self, camera, *, ages, image=None, clock=time):
        self._camera, self._ages, self._image, self._clock = camera, iter(enumerate(ages)), image, clock

    def read(self, _timeout_s):
        """The next picture, as old as it is to be."""
        seq, age_s = next(self._ages, (None, None))
        if seq is None:
            raise EOFError
        image = paint("cola cola cola milk") if self._image is None else self._image(seq)
        return Frame(self._camera, seq, datetime.now(UTC), self._clock.monotonic() - age_s, image)

    def close(self):
        """Nothing is held."""


class SteadyCamera(Camera):
    """A camera with a rhythm of its own: one picture at a time, and one that nobody fetched is lost."""

    def __init__(self, camera, *, fps, seconds, clock):
        super().__init__(camera, ages=[], clock=clock)
        self._fps, self._end, self._taken, self._began_s = fps, round(seconds * fps), -1, clock.monotonic()

    def read(self, _timeout_s):
        """The newest picture that was not fetched yet."""
        seq = int((self._clock.monotonic() - self._began_s) * self._fps)
        if seq >= self._end:
            raise EOFError
        if seq == self._taken:
            return None
        self._taken = seq
        taken_s = self._began_s + seq / self._fps
        return Frame(self._camera, seq, datetime.now(UTC), taken_s, paint("cola cola cola milk"))


@pytest.fixture
def _soon(monkeypatch):
    """Pictures are judged five times as often, and what is wrong is said five times as soon."""
    monkeypatch.setattr(picture, "JUDGE_EVERY_S", 0.1)
    monkeypatch.setattr(picture, "GOOD_AFTER_S", 0.4)
    monkeypatch.setitem(picture.BAD_AFTER_S, "dark", 0.4)


@pytest.fixture
def watch(shelf):
    """A function that makes the counting of a camera."""

    def make(camera="cam1", judging=None):
        return Watch(CameraPlan(camera, (shelf,), Rules(), Patience(1.0, 1.0, 1.0), judging))

    return make


def run(feeds, sink, health=None, **more):
    """Run the loop until the sink or the cameras end it."""
    loop.run(feeds, CLASSIFIER, sink, health or Health(lambda _: None), stop=sink.stop, **more)


def test_the_reason_of_an_outage_is_corrected_when_it_is_known(watch):
    """A camera that went silent is first said to time out; when its device turns out to be gone, that is said."""
    sink = Sink(lambda sink: len(sink.said) == 2)
    run([loop.Feed(watch(), DeadCamera(known_after=12), period_s=0.01, blind_s=0.05)], sink)
    assert sink.said == [("cam1", "timeout"), ("cam1", "not_found")]


def test_a_slow_camera_is_gone_before_the_watchdog_bites(watch):
    """Until a lone camera is declared gone nothing feeds the watchdog, whose time is that of the unit."""
    for unit in (REPO / "systemd").glob("shelf-agent*.service"):
        watchdog_s = float(re.search(r"^WatchdogSec=(\d+)$", unit.read_text(), re.MULTILINE)[1])
        slowest = loop.Feed(watch(), DeadCamera(), period_s=1 / 0.1)
        assert slowest.period_s < slowest.blind_s <= watchdog_s - 10


def test_a_dead_camera_takes_nothing_from_the_others(watch, clock):
    """Beside three cameras that never give a picture, one with 20 a second has at least 95 % of them counted."""
    seconds, fps = 4.0, 20
    dead = [loop.Feed(watch(f"dead{n}"), DeadCamera(), period_s=1 / fps) for n in range(3)]
    alive = loop.Feed(watch(), SteadyCamera("cam1", fps=fps, seconds=seconds, clock=clock), period_s=1 / fps)
    sink = Sink(stop=clock)
    counted = []

    def end_with_the_clip():
        if alive.ended:
            sink.stop.set()

    run([*dead, alive], sink, on_step=lambda watch, _: counted.append(watch.camera), chores=end_with_the_clip)
    assert counted.count("cam1") >= 0.95 * seconds * fps
    assert sum(feed.source.waited_s for feed in dead) == 0


def test_frames_that_are_too_old_are_never_counted(watch, clock):
    """A picture that was taken more than two seconds ago is dropped and counted as such, and is no look."""
    feed = loop.Feed(watch(), Camera("cam1", ages=[0.1, 2.1, 60, 1.9, 0.2], clock=clock), period_s=0.01)
    sink = Sink(stop=clock)
    run([feed], sink)
    assert [outcome.frame.seq for outcome in sink.outcomes] == [0, 3, 4]
    assert feed.stale == 2


def test_a_camera_with_old_pictures_only_is_gone(watch):
    """Frames that are all too old are no sign of life."""
    sink = Sink(lambda sink: bool(sink.said))
    run([loop.Feed(watch(), Camera("cam1", ages=[30] * 1000), period_s=0.01, blind_s=0.1)], sink)
    assert sink.said == [("cam1", "timeout")]
    assert all(look.unread == "stale" for outcome in sink.outcomes for look in outcome.observations)


@pytest.mark.usefixtures("_soon")
def test_a_bad_picture_is_a_step_but_no_look(watch, clock):
    """A camera in the dark is said to be dark, feeds the watchdog all the same, and is good again by itself."""
    dark, bright = np.zeros((180, 320, 3), np.uint8), paint("cola cola cola milk")
    feed = loop.Feed(
        watch(judging=Judging()),
        Camera("cam1", ages=[0] * 130, image=lambda seq: dark if 20 <= seq < 70 else bright, clock=clock),
        period_s=0.02,
    )
    sink, health = Sink(stop=clock), Health(lambda _: None)
    run([feed], sink, health)
    assert sink.said == [("cam1", None), ("cam1", "dark"), ("cam1", None)]
    assert health.frames == 130
    assert 40 <= feed.bad <= 100
    while_dark = [outcome for outcome in sink.outcomes if outcome.bad]
    assert {look.unread for outcome in while_dark for look in outcome.observations} == {"dark"}


@pytest.mark.usefixtures("_soon")
def test_what_is_learned_of_the_view_is_handed_out_to_be_kept(watch, clock):
    """The reference view is passed on once it is there, and again, as nothing, when an operator has it forgotten."""
    kept = []
    camera = Camera("cam1", ages=[0] * 400, clock=clock)
    feed = loop.Feed(watch(judging=Judging()), camera, period_s=0.02, keep=kept.append)

    def recount_once():
        if len(kept) == 1:
            feed.watch.recount()

    run([feed], Sink(lambda _: len(kept) == 2, clock), chores=recount_once)
    assert kept[0].grey.shape == (180, 320)
    assert kept[1] is None


def test_chores_are_done_between_steps_and_may_change_the_cameras(watch, clock):
    """Something to do in the loop's thread is done at least 20 times a second, and can replace a camera by another."""
    at, threads, feeds = [], set(), [loop.Feed(watch("old"), DeadCamera(), period_s=10)]
    sink = Sink(stop=clock)

    def chores():
        at.append(clock.now_s)
        threads.add(threading.get_ident())
        if len(at) == 10:
            feeds[:] = [loop.Feed(watch("new"), Camera("new", ages=[0, 0, 0], clock=clock), period_s=0.1)]

    run(feeds, sink, chores=chores)
    assert sink.said == [("new", None)]
    assert threads == {threading.get_ident()}
    assert np.diff(at).max() <= 0.051


def test_the_first_step_or_a_declared_outage_makes_ready(watch):
    """Nothing is told to the service manager before a camera was counted, or is known to be gone."""
    told = []

    class Told(Health):
        def alive(self):
            told.append(len(sink.outcomes))

    sink = Sink(lambda sink: len(sink.outcomes) == 3)
    run([loop.Feed(watch(), DeadCamera(), period_s=0.01, blind_s=0.1)], sink, Told(lambda _: None))
    assert told == [1, 2, 3]
