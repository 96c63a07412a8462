"""Bad pictures are told and good ones are not; what is told is told in time, and taken back."""

from dataclasses import replace
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest

from edge_agent.demo.scene import Scene, slot_quads
from edge_agent.pictures import picture
from edge_agent.pictures.picture import Judging, begin, interrupted, judge
from edge_agent.shelf import Frame
from tests.edge_agent.conftest import paint

FRAME_WH = (480, 270)
SLOTS = slot_quads()
PERIOD_S = 0.5


@pytest.fixture(scope="module")
def scene():
    """A shop of its own, with shoppers, clouds, a lamp that fails now and then, and noise."""
    return Scene(7, FRAME_WH)


def noisy(image, seed, sigma=2.0):
    """A picture with a sensor's noise."""
    return np.clip(image + np.random.default_rng(seed).normal(0, sigma, image.shape), 0, 255).astype(np.uint8)


def turned(image, *, x=0.0, y=0.0, degrees=0.0):
    """The view of a camera that was knocked: shares of the width, and degrees."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    matrix[:, 2] += x * width, y * width
    return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)


def covered(image):
    """A hand right before the lens."""
    soft = cv2.resize(np.random.default_rng(5).uniform(60, 110, (2, 3)).astype(np.float32), image.shape[1::-1])
    return noisy(np.repeat(soft[..., None], 3, axis=2), int(image.sum()) % 2**31)


FAULTS = {
    "shifted by 2 %": ("moved", lambda image: turned(image, x=0.02)),
    "shifted by 5 %": ("moved", lambda image: turned(image, x=0.05)),
    "sunk by 3 %": ("moved", lambda image: turned(image, y=0.03)),
    "turned by 2°": ("moved", lambda image: turned(image, degrees=2)),
    "turned away": ("moved", lambda image: noisy(image[::-1, ::-1], int(image.sum()) % 2**31)),
    "blurred": ("blurred", lambda image: noisy(cv2.GaussianBlur(image, (0, 0), 3), int(image.sum()) % 2**31, 1.0)),
    "covered": ("blocked", covered),
    "dark": ("dark", lambda image: noisy(image * 0.02, int(image.sum()) % 2**31, 1.0)),
}


class Eye:
    """Judges one picture after the other."""

    def __init__(self, judging=None, *, view=None, slots=SLOTS):
        self.judging, self.slots = judging or Judging(), slots
        self.state, self.clock_s, self.seq = begin(view, slots), 100.0, 0

    def see(self, image, *, readable=1.0, period_s=PERIOD_S):
        """The state after one more picture."""
        self.clock_s, self.seq = self.clock_s + period_s, self.seq + 1
        frame = Frame("cam1", self.seq, datetime.now(UTC), self.clock_s, image)
        self.state = judge(self.state, frame, self.judging, self.slots, readable=readable)
        return self.state

    def watch(self, at, seconds, **more):
        """Pictures of `at`, a function of the seconds since now; what was said, and what was suspected, in order."""
        states = [self.see(at(n * PERIOD_S), **more) for n in range(round(seconds / PERIOD_S))]
        return [state.declared for state in states], [state.reason for state in states]


@pytest.fixture
def eye(scene):
    """A camera whose view has been learned."""
    found = Eye()
    found.watch(scene.frame, 6)
    assert found.state.viewpoint is not None
    return found


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_within_ten_seconds_and_taken_back(scene, eye, name):
    """Nothing is counted from the first bad picture on; it is said of the camera, and no longer once it is over."""
    reason, fault = FAULTS[name]
    said, suspected = eye.watch(lambda t_s: fault(scene.frame(6 + t_s)), 12)
    assert suspected[0] is not None
    assert None not in suspected
    assert set(said[round(10 / PERIOD_S) :]) == {reason}
    said, suspected = eye.watch(lambda t_s: scene.frame(18 + t_s), 5)
    assert (said[-1], suspected[-1]) == (None, None)


def test_a_day_in_the_shop_is_no_fault(scene, eye):
    """Shoppers, restocking, clouds and the lamps of two minutes lead to no word, and keep no picture from counting."""
    said, suspected = eye.watch(lambda t_s: scene.frame(6 + t_s), 120)
    assert set(said) == {None}
    assert set(suspected) == {None}


@pytest.mark.parametrize("gain", [0.35, 0.6, 1.6])
def test_light_and_exposure_move_nothing(scene, eye, gain):
    """A view in another light is the same view, and as sharp as before."""
    said, suspected = eye.watch(lambda t_s: cv2.convertScaleAbs(scene.frame(6 + t_s), alpha=gain), 6)
    assert set(said) == set(suspected) == {None}


def test_who_passes_by_is_not_said(scene, eye):
    """Something that hides the whole picture for three seconds is not counted in, and no fault of the camera."""
    said, suspected = eye.watch(lambda t_s: covered(scene.frame(6 + t_s)), 3)
    assert set(said) == {None}
    assert set(suspected) == {"blocked"}


def test_a_crowd_that_fills_the_view_has_not_moved_the_camera(eye):
    """Where nothing of the view is to be seen, but what is there keeps changing, nothing is said for half a minute."""
    rng = np.random.default_rng(1)
    crowd = [
        cv2.resize(rng.integers(0, 255, (27, 48, 3), np.uint8), FRAME_WH, interpolation=cv2.INTER_NEAREST)
        for _ in range(60)
    ]
    said, suspected = eye.watch(lambda t_s: crowd[round(t_s / PERIOD_S)], 30)
    assert set(said) == {None}
    assert None not in suspected


def test_the_same_picture_bit_for_bit_is_frozen(scene, eye):
    """A camera that repeats itself is frozen after the time allowed, and no longer with the next picture but two."""
    eye.judging = Judging(frozen_after_s=8)
    still = scene.frame(6.0)
    said, _ = eye.watch(lambda _: still, 12)
    assert said.index("frozen") == pytest.approx(8 / PERIOD_S, abs=1)
    assert set(said[said.index("frozen") :]) == {"frozen"}
    said, _ = eye.watch(lambda t_s: scene.frame(20 + t_s), 4)
    assert said[-1] is None


def test_a_still_picture_that_is_encoded_anew_is_frozen_too(scene, eye):
    """A camera whose sensor hangs sends, between two key frames, the same few pictures again and again."""
    eye.judging = Judging(frozen_after_s=8)
    group = [noisy(scene.frame(6.0), place, sigma=0.5) for place in range(5)]
    said, _ = eye.watch(lambda t_s: group[round(t_s / PERIOD_S) % 5], 14)
    assert said[-1] == "frozen"


def test_a_shelf_where_nothing_happens_is_not_frozen(scene, eye):
    """A sensor's noise is enough to tell a live picture from a frozen one."""
    still = scene.frame(6.0)
    said, _ = eye.watch(lambda t_s: noisy(still, round(t_s * 10), sigma=0.5), 40)
    assert set(said) == {None}


def test_a_clip_may_stand_still(scene, eye):
    """Where pictures come from files nothing is ever frozen."""
    eye.judging = Judging(frozen_after_s=np.inf)
    still = scene.frame(6.0)
    assert set(eye.watch(lambda _: still, 60)[0]) == {None}


@pytest.mark.parametrize("off", [{"moved_by": 1.0}, {"blurred_below": 0.0}])
def test_a_verdict_can_be_switched_off(scene, eye, off):
    """What the configuration sets to its limit is never said."""
    eye.judging = Judging(**off)
    fault = FAULTS["shifted by 5 %" if "moved_by" in off else "blurred"][1]
    assert set(eye.watch(lambda t_s: fault(scene.frame(6 + t_s)), 8)[0]) == {None}


def test_a_camera_that_was_knocked_while_the_agent_was_off_is_seen(scene, eye):
    """The view of an earlier run is what the first pictures are held against."""
    later = Eye(view=eye.state.viewpoint)
    said, suspected = later.watch(lambda t_s: turned(scene.frame(50 + t_s), x=0.03), 6)
    assert suspected[0] == "moved"
    assert said[-1] == "moved"


def test_nothing_is_learned_while_the_slots_cannot_be_read(scene):
    """A view in which somebody stands before the shelf, so that most slots are hidden, is no reference."""
    found = Eye()
    found.watch(scene.frame, 6, readable=0.2)
    assert found.state.viewpoint is None
    found.watch(scene.frame, 6, readable=0.9)
    assert found.state.viewpoint is not None


def test_a_camera_that_is_still_being_turned_is_not_learned(scene):
    """Good pictures make a view only when they show the same."""
    found = Eye()
    found.watch(lambda t_s: turned(scene.frame(t_s), x=0.03 * t_s), 8)
    assert found.state.viewpoint is None
    found.watch(scene.frame, 6)
    assert found.state.viewpoint is not None


def test_a_picture_with_too_little_in_it_is_never_moved():
    """Painted areas without a corner give no landmarks, and without landmarks there is no verdict."""
    found = Eye(slots=((((0.1, 0.1), (0.4, 0.1), (0.4, 0.9), (0.1, 0.9))),))
    found.watch(lambda t_s: noisy(paint("cola cola cola milk"), round(t_s * 10)), 6)
    assert found.state.viewpoint is not None
    said, suspected = found.watch(lambda t_s: noisy(paint("milk empty cola cola"), round(t_s * 10)), 20)
    assert set(said) == set(suspected) == {None}


def test_an_outage_is_no_time_in_which_a_picture_was_bad(scene, eye):
    """What was suspected before the camera went away is not held against the first picture when it is back."""
    eye.watch(lambda t_s: covered(scene.frame(6 + t_s)), 2)
    eye.state = interrupted(eye.state)
    eye.clock_s += 3600
    assert eye.see(covered(scene.frame(20.0))).declared is None


def test_sharpness_is_compared_at_one_size_only(scene, eye):
    """A camera that changes to a coarser stream is not blurred by that."""
    coarse = [cv2.resize(scene.frame(6 + n * PERIOD_S), (160, 90), interpolation=cv2.INTER_AREA) for n in range(16)]
    said, _ = eye.watch(lambda t_s: coarse[round(t_s / PERIOD_S)], 8)
    assert set(said) == {None}


def test_a_shelf_that_has_changed_is_learned_again_and_remembers_where_it_was(scene, eye, monkeypatch):
    """Each hour a view that is in place but looks otherwise is renewed; a camera that creeps is seen all the same."""
    monkeypatch.setattr(picture, "RENEW_BELOW", 1.01)  # as if the shelf had changed
    for hour in range(1, 6):
        eye.clock_s += 3600
        said, _ = eye.watch(lambda t_s, hour=hour: turned(scene.frame(6 + t_s), x=0.006 * hour), 8)
        if hour == 1:
            assert eye.state.viewpoint.shift[0] == pytest.approx(0.006, abs=0.002)
            assert said[-1] is None
    assert said[-1] == "moved"


def test_most_frames_are_not_looked_at(scene, eye):
    """Between two pictures that are judged the state stays the same object."""
    before = eye.see(scene.frame(6.0))
    assert eye.see(np.zeros((270, 480, 3), np.uint8), period_s=0.2) is before


def test_judging_reads_nothing_but_its_arguments(scene, eye):
    """The same state and picture give the same verdict again."""
    frame = Frame("cam1", 1, datetime.now(UTC), eye.clock_s + 1, turned(scene.frame(9.0), x=0.03))
    first = judge(eye.state, frame, eye.judging, SLOTS, readable=1.0)
    again = judge(
        eye.state, replace(frame, captured_at=datetime(1970, 1, 1, tzinfo=UTC)), eye.judging, SLOTS, readable=1.0
    )
    assert (first.wrong, first.wrong_s, first.declared) == (again.wrong, again.wrong_s, again.declared)
