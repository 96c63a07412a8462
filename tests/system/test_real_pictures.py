"""The judge of pictures on a real shelf: nothing is said of the clip, and every fault made from it is found."""

import json
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest

from edge_agent.capture.clips import replay
from edge_agent.pictures.picture import Judging, begin, judge
from edge_agent.shelf import Frame

pytestmark = [pytest.mark.system, pytest.mark.data]

FPS = 5
CLIP_FPS = 29.83


@pytest.fixture(scope="module")
def film(shared_data):
    """The slots and five frames a second of the clip."""
    folder = shared_data / "data" / "shelf-clip"
    truth = json.loads((folder / "truth.json").read_text())
    slots = tuple(((a, b), (c, b), (c, d), (a, d)) for a, b, c, d in truth["slots_xyxy_normalized"].values())
    return slots, [frame.image for frame in replay("clip", folder / "bottles.mp4")][:: round(CLIP_FPS / FPS)]


def turned(*, x=0.0, degrees=0.0):
    """A camera that was knocked."""

    def fault(image):
        height, width = image.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
        matrix[0, 2] += x * width
        return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)

    return fault


FAULTS = {
    "shifted by 2 %": ("moved", turned(x=0.02)),
    "shifted by 3 %": ("moved", turned(x=0.03)),
    "shifted by 5 %": ("moved", turned(x=0.05)),
    "turned by 2°": ("moved", turned(degrees=2)),
    "blurred": ("blurred", lambda image: cv2.GaussianBlur(image, (0, 0), 4)),
    "covered": (
        "blocked",
        lambda image: cv2.resize(cv2.resize(image, (4, 3)), image.shape[1::-1], interpolation=cv2.INTER_CUBIC),
    ),
    "dark": ("dark", lambda image: (image * 0.03).astype(np.uint8)),
}


def judged(slots, pictures):
    """What is suspected and what is said after each picture."""
    state, found = begin(None, slots), []
    for n, image in enumerate(pictures):
        frame = Frame("clip", n, datetime.now(UTC), n / FPS, image)
        state = judge(state, frame, Judging(), slots, readable=1.0)
        found.append((state.reason, state.declared))
    return found


def test_nothing_is_said_of_a_real_shelf(film):
    """Hands that take bottles and put them back, three times over, are no fault of the camera."""
    slots, frames = film
    assert set(judged(slots, [*frames, *frames[::-1], *frames])) == {(None, None)}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_a_real_picture_is_found(film, name):
    """It is not counted in from the next judged picture on, and said of the camera within ten seconds."""
    (slots, frames), (reason, fault) = film, FAULTS[name]
    good = frames[: 6 * FPS]
    found = judged(slots, [*good, *map(fault, frames[6 * FPS : 17 * FPS])])[len(good) :]
    assert all(suspected == reason for suspected, _ in found[FPS:])
    assert found[10 * FPS][1] == reason
