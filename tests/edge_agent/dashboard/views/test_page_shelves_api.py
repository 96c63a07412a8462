"""`/api/shelves`: what is saved is in force without a restart, and what is refused changes nothing."""

import copy
import json
import threading
import tomllib

import pytest
import requests

from benchmarks.shop import CAMERA, Shop
from edge_agent.demo.store import SHELVES
from edge_agent.regions import grid_quads
from tests.conftest import wait_for
from tests.edge_agent.dashboard.serving import served

QUAD = [[0.06, 0.37], [0.5, 0.375], [0.5, 0.625], [0.07, 0.63]]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of the demo's agent, for somebody who may change things."""
    with served(tmp_path_factory.mktemp("shelves"), "# the last comment") as page:
        wait_for(lambda: page.agent.health.ready)
        page.begin()
        yield page


@pytest.fixture
def path(page):
    """The configuration file; as it was when the test is over."""
    file, before = page.agent.reloading._path, page.agent.reloading._path.read_bytes()
    yield file
    if file.read_bytes() != before:
        file.write_bytes(before)
        assert put(page, *drawing(page)).ok


def drawing(page):
    """The shelves and their revision."""
    answer = page.get("/api/shelves")
    assert answer.ok, answer.text
    return answer.json()["shelves"], answer.json()["revision"]


def put(page, shelves, revision):
    """Save."""
    return page.http.put(f"{page.url}/api/shelves", json={"shelves": shelves, "revision": revision}, timeout=60)


def test_what_is_needed_to_draw_is_there(page, path):
    """Shelves as in the file, cameras with the size of their pictures, and the products; no address of a camera."""
    found = page.get("/api/shelves").json()
    assert [shelf["id"] for shelf in found["shelves"]] == list(SHELVES)
    assert found["shelves"] == tomllib.loads(path.read_text())["shelves"]
    assert found["cameras"] == [{"id": CAMERA, "wh": [960, 540]}]
    assert "cola-can" in found["labels"]
    assert "empty" not in found["labels"]
    assert {"low_at", "grid"} <= set(found["keys"])
    assert found["obstacle"] is None
    assert "simulated" not in json.dumps(found)


def test_a_change_is_in_force_at_once_and_the_comments_stay(page, path):
    """One threshold: one line of the file, the camera counts anew, and the old file is kept."""
    before = path.read_text()
    shelves, revision = drawing(page)
    shelves[0]["low_at"] = {"cola-can": 1}
    answer = put(page, shelves, revision)
    assert answer.json()["message"] == f"{CAMERA} counts anew"
    assert answer.json()["revision"] == drawing(page)[1] != revision
    after = path.read_text()
    assert after.replace("low_at = {cola-can = 1}\n", "") == before
    assert page.agent.running.settings.shelves[0].low_at == {"cola-can": 1}
    assert path.with_name("agent.toml.bak").read_text() == before


@pytest.mark.parametrize(
    ("change", "words", "shelf", "slot"),
    [
        (lambda s: s[1]["grid"].update(corners=QUAD[::-1]), "the corners cross", 1, None),
        (lambda s: s[2]["grid"]["products"].__setitem__(0, "tomato-sup"), 'nearest is "tomato-soup"', 2, None),
        (lambda s: s[0].update(slots=[{"id": "R 1", "was": None, "corners": QUAD}]), "an id is made of", 0, 0),
        (lambda s: s.append({**copy.deepcopy(s[0]), "was": None}), "two shelves have the id", 3, None),
        (lambda s: s[0].update(camera="elsewhere"), 'there is no camera "elsewhere"', 0, None),
        (lambda s: s[0].update(lowat=3), 'unknown key "lowat"; nearest is "low_at"', 0, None),
    ],
)  # fmt: skip
def test_a_bad_edit_changes_nothing_and_says_why_and_where(page, path, change, words, shelf, slot):
    """The check tells the place; saving is refused with the same words; file and agent stay as they were."""
    before, settings = path.read_bytes(), page.agent.running.settings
    shelves, revision = drawing(page)
    change(shelves)
    checked = page.http.post(f"{page.url}/api/shelves/check", json={"shelves": shelves}, timeout=10).json()
    [problem] = checked["problems"]
    assert words in problem["words"]
    assert (problem["shelf"], problem["slot"]) == (shelf, slot)
    refused = put(page, shelves, revision)
    assert refused.status_code == 400
    assert refused.json()["problems"] == [problem["words"]]
    assert path.read_bytes() == before
    assert page.agent.running.settings is settings


def test_all_that_is_wrong_is_told_at_once(page, path):  # noqa: ARG001 — it is put back
    """Three problems, three places."""
    shelves, _ = drawing(page)
    shelves[0]["id"] = "A!"
    shelves[1]["grid"]["products"][0] = "x"
    shelves[2]["camera"] = "y"
    answer = page.http.post(f"{page.url}/api/shelves/check", json={"shelves": shelves}, timeout=10)
    assert sorted(each["shelf"] for each in answer.json()["problems"]) == [0, 1, 2]


def test_a_file_that_was_edited_meanwhile_is_not_overwritten(page, path):
    """409, and what to do."""
    shelves, revision = drawing(page)
    path.write_text(path.read_text() + "# by hand\n")
    shelves[0]["low_at"] = {"cola-can": 1}
    answer = put(page, shelves, revision)
    assert (answer.status_code, answer.json()["code"]) == (409, "changed")
    assert "Load it anew" in answer.json()["message"]
    assert path.read_text().endswith("# by hand\n")


def test_what_the_reload_refuses_is_taken_back(page, path):
    """Somebody changed the broker in the file, which takes a restart: the shelves aren't saved, and it says so."""
    path.write_text(path.read_text().replace("heartbeat_s = 60", "heartbeat_s = 61"))
    before = path.read_bytes()
    shelves, revision = drawing(page)
    shelves[0]["low_at"] = {"cola-can": 1}
    answer = put(page, shelves, revision)
    assert answer.status_code == 400
    assert "The file is as it was" in answer.json()["message"]
    assert "takes a restart" in answer.json()["problems"][0]
    assert path.read_bytes() == before


def test_a_link_is_not_saved_into(page, path):
    """The page knows beforehand, and saving says why."""
    shelves, revision = drawing(page)
    real = path.rename(path.with_name("real.toml"))
    path.symlink_to(real)
    try:
        assert "is a link to" in page.get("/api/shelves").json()["obstacle"]
        answer = put(page, shelves, revision)
        assert (answer.status_code, answer.json()["code"]) == (409, "unwritable")
    finally:
        path.unlink()
        real.rename(path)


def test_of_two_who_save_at_once_one_wins(page, path):  # noqa: ARG001 — it is put back
    """The other one is told that the file has changed, or that somebody is saving."""
    shelves, revision = drawing(page)
    answers = []
    edits = [[{**shelves[0], "low_at": {"cola-can": level}}, *shelves[1:]] for level in (1, 2)]
    threads = [threading.Thread(target=lambda edit=edit: answers.append(put(page, edit, revision))) for edit in edits]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200, 409]


def test_a_grid_is_laid_out_as_it_is_counted(page):
    """The same quadrilaterals as the agent's."""
    answer = page.http.post(f"{page.url}/api/shelves/grid", json={"corners": QUAD, "rows": 2, "columns": 3}, timeout=10)
    wanted = grid_quads(tuple(map(tuple, QUAD)), rows=2, columns=3)
    for quad, theirs in zip(answer.json()["quads"], wanted, strict=True):
        for point, other in zip(quad, theirs, strict=True):
            assert point == pytest.approx(other)


def test_nobody_else_may_save(page, path):
    """Without the token of the session nothing is changed."""
    shelves, revision = drawing(page)
    before = path.read_bytes()
    answer = page.browser().put(
        f"{page.url}/api/shelves", json={"shelves": shelves[1:], "revision": revision}, timeout=10
    )
    assert answer.status_code in {401, 403}
    assert path.read_bytes() == before


def test_a_camera_without_shelves_gets_its_first_and_its_counts_are_published(tmp_path, mosquitto, subscribe):
    """The day of the installation: the agent runs with a camera and a model alone; a shelf is saved, and counted."""
    shop = Shop(tmp_path, broker=mosquitto.port)
    text = shop.path.read_text()
    shelf = tomllib.loads(text)["shelves"][0]
    begin = text.index("[[shelves]]")
    rest = text[text.index("[dashboard]", begin) :] if "[dashboard]" in text[begin:] else ""
    shop.path.write_text(text[:begin] + rest)
    heard = subscribe(mosquitto.port)
    with shop:
        wait_for(lambda: CAMERA in shop.agent.running.seen)
        http = requests.Session()
        http.headers["X-CSRF-Token"] = http.get(f"{shop.url}/api/session", timeout=10).json()["csrf"]
        assert http.get(f"{shop.url}/api/cameras/{CAMERA}/picture", timeout=10).ok
        found = http.get(f"{shop.url}/api/shelves", timeout=10).json()
        assert found["shelves"] == []
        edit = {"shelves": [shelf], "revision": found["revision"]}
        saved = http.put(f"{shop.url}/api/shelves", json=edit, timeout=30)
        assert saved.json()["message"] == f"{CAMERA} counts anew"
        topic = f"/shelf/{shelf['id']}/state"
        wait_for(lambda: any(state["counts"] and state["counts"]["cola-can"] == 2 for state in heard.of(topic)))
