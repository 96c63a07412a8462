"""What the page shows of the moment: values, a stream of them, and pictures that are black beside the slots."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from edge_agent.dashboard.moment import LiveView, live
from edge_agent.demo.store import CAMERA, SHELVES
from edge_agent.shelf import CameraError
from tests.conftest import wait_for
from tests.edge_agent.dashboard.serving import served

PICTURE = f"/api/cameras/{CAMERA}/picture"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page as it is on loopback: no password."""
    with served(tmp_path_factory.mktemp("live")) as page:
        wait_for(lambda: all(state.count for state in page.agent.running.feed(CAMERA).watch.states))
        yield page


def pixels(answer):
    """A JPEG as (height, width, 3)."""
    return cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)


def outside(page, image):
    """Where a picture lies well beside all slots: the margin and a block of JPEG away."""
    height, width = image.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    for quad in page.agent.running.feed(CAMERA).watch.plan.quads:
        cv2.fillConvexPoly(mask, np.round(np.asarray(quad) * (width, height)).astype(np.int32), 255)
    return cv2.dilate(mask, np.ones((49, 49), np.uint8)) == 0


def test_everything_of_the_moment_is_told_as_it_is_described(page):
    """Cameras with frame and pace, shelves with products, slots with what stands in them."""
    found = LiveView.model_validate(page.get("/api/live").json())
    (camera,) = found.cameras
    assert (camera.id, camera.status, camera.frame.wh) == (CAMERA, "online", (960, 540))
    assert camera.frame.age_s < 5
    assert [shelf.id for shelf in found.shelves] == list(SHELVES)
    for shelf in found.shelves:
        assert sum(item.count for item in shelf.items) == sum(slot.state == "ok" for slot in shelf.slots) == 8
        assert all(slot.label == slot.product == slot.seen for slot in shelf.slots)
    assert found.model.id == "demo-shelf"
    assert found.inference_ms.p50 > 0


def test_the_stream_tells_what_is_new_at_most_twice_a_second(page):
    """Each event is a whole state with a higher version; they come half a second apart."""
    came, versions = [], []
    with page.get("/api/live/stream", stream=True) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines(chunk_size=1):
            if line.startswith(b"data: "):
                came.append(time.monotonic())
                versions.append(LiveView.model_validate(json.loads(line[6:])).version)
            if len(came) == 4:
                break
    assert versions == sorted(set(versions))
    assert came[-1] - came[1] > 0.8  # two turns of half a second
    assert came[-1] - came[0] < 5


def test_pixels_beside_the_slots_are_black(page):
    """What lies between and beside the slots is not in the picture; what lies in them is."""
    image = pixels(page.get(PICTURE))
    beside = outside(page, image)
    assert image.shape == (540, 960, 3)
    assert beside.mean() > 0.05
    assert image[beside].max() == 0
    assert image[~beside].mean() > 40


def test_a_picture_is_made_once_however_many_look_and_not_at_all_for_nobody(page):
    """Ten viewers of the same moment cost one picture; half a second later the next is due; without them, none."""
    before = page.encoded
    with ThreadPoolExecutor(10) as viewers:
        found = {answer.content for answer in viewers.map(lambda _: page.get(PICTURE, page.browser()), range(10))}
    assert len(found) <= 2
    assert page.encoded - before <= 2
    rested, frames = page.encoded, page.agent.health.frames
    wait_for(lambda: page.agent.health.frames >= frames + 5)
    assert page.encoded == rested


def test_who_has_the_picture_gets_it_no_second_time(page):
    """The entity tag names the frame: with it, the answer is 304 without a body."""
    first = page.get(PICTURE)
    again = page.get(PICTURE, headers={"if-none-match": first.headers["etag"]})
    assert again.status_code in {304, 200}  # a new one may have come meanwhile
    assert (again.status_code == 304) == (again.headers["etag"] == first.headers["etag"])
    assert again.content == b"" or again.headers["etag"] != first.headers["etag"]


def test_an_unknown_camera_is_told_the_nearest(page):
    """404, with a sentence."""
    answer = page.get("/api/cameras/shelf-cm/picture")
    assert answer.status_code == 404
    assert f'nearest is "{CAMERA}"' in answer.json()["message"]


def test_whole_pictures_are_for_the_session_that_aims(page, caplog):
    """It begins with a change of its own, is logged, holds for this browser and camera only, and can be ended."""
    aiming, other = page.begin(page.browser()), page.begin(page.browser())
    assert page.get(f"{PICTURE}?whole=1", aiming).status_code == 403
    with caplog.at_level("INFO", "edge_agent.dashboard.views.live"):
        begun = aiming.post(f"{page.url}/api/cameras/{CAMERA}/aim", timeout=10)
    assert begun.json()["for_s"] == 600
    assert "sees whole pictures" in caplog.text
    image = pixels(page.get(f"{PICTURE}?whole=1", aiming))
    assert image[outside(page, image)].mean() > 8
    assert pixels(page.get(PICTURE, aiming))[outside(page, image)].max() == 0
    assert page.get(f"{PICTURE}?whole=1", other).json()["code"] == "aim"
    assert aiming.delete(f"{page.url}/api/cameras/{CAMERA}/aim", timeout=10).status_code == 204
    assert page.get(f"{PICTURE}?whole=1", aiming).status_code == 403


def test_a_camera_that_is_gone_leaves_nothing_that_looks_like_empty(page):
    """Its slots cannot be read, say why, and keep what stood in them until that is unknown."""
    running = page.agent.running
    page.camera.problem = CameraError("camera shelf-cam is unplugged. Plug it in.", reason="unplugged")
    try:
        wait_for(lambda: running.feed(CAMERA).said == "unplugged")
        found = live(running, number=1)
        assert (found.cameras[0].status, found.cameras[0].words) == ("offline", str(page.camera.problem))
        slots = [slot for shelf in found.shelves for slot in shelf.slots]
        assert {(slot.state, slot.unread, slot.seen) for slot in slots} == {("unread", "stale", None)}
        assert {slot.words for slot in slots} == {"the camera gives no picture"}
        health = {each["what"]: each for each in page.get("/api/health").json()["findings"]}
        assert health[f"camera {CAMERA}"]["level"] == "wrong"
    finally:
        page.camera.problem = None
    wait_for(lambda: running.feed(CAMERA).said is None)


def test_health_says_what_the_doctor_would(page):
    """Every part has a line; without a broker it is said that nothing is lost."""
    found = page.get("/api/health").json()
    lines = {each["what"]: each for each in found["findings"]}
    assert list(lines) == [
        f"camera {CAMERA}", "model", "broker", "outbox", "disk", "clock", "heat", "memory", "page",
    ]  # fmt: skip
    assert lines["broker"]["level"] == found["level"] == "wrong"
    assert "Nothing is lost" in lines["broker"]["words"]
    assert "only programs on this device" in lines["page"]["words"]
    assert found["vitals"]["frames"] > 0


def test_settings_may_forbid_aiming_or_show_everything(tmp_path):
    """`aiming = false` refuses whole pictures to all; `black_out = false` shows them to all, after a reload too."""
    with served(tmp_path, "", "[privacy]\naiming = false") as page:
        page.begin()
        assert page.http.post(f"{page.url}/api/cameras/{CAMERA}/aim", timeout=10).status_code == 403
        path = page.agent.reloading._path
        path.write_text(path.read_text().replace("aiming = false", "black_out = false"))
        page.agent.reloading.asked.set()
        wait_for(lambda: not page.agent.running.settings.privacy.black_out)
        image = pixels(page.get(PICTURE))
        assert image[outside(page, image)].mean() > 8


def test_stuck_viewers_do_not_hold_up_the_end(tmp_path):
    """An agent with a viewer of the stream, and one that takes nothing of what it asked for, ends within 2 s."""
    with served(tmp_path) as page, socket.socket() as stuck, page.get("/api/live/stream", stream=True) as stream:
        next(stream.iter_lines(chunk_size=1))
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.connect(("127.0.0.1", page.agent.page.port))
        stuck.sendall(f"GET {PICTURE} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 50)
        connections = page.agent.page._server.server_state.connections
        wait_for(lambda: any(getattr(each.flow, "write_paused", False) for each in list(connections)))
        began_s = time.monotonic()
        page.agent.page.__exit__(None, None, None)
        assert time.monotonic() - began_s < 2
        assert not page.agent.page._thread.is_alive()
