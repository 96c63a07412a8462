"""`/api/review`: crops are listed, shown, labelled, put away and taken back; nothing leaves but where it may."""

import io
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest

from edge_agent.review.crop import About, Guess, with_about
from tests.edge_agent.dashboard.serving import served

NOW = datetime.now(UTC)
PNG = cv2.imencode(".png", np.full((40, 30, 3), 80, np.uint8))[1].tobytes()


@pytest.fixture
def page(tmp_path):
    """A running agent with three crops."""
    with served(tmp_path, "", "[review]", "download = true") as page:
        for n, score in enumerate((0.5, 0.3, 0.7)):
            guesses = (Guess("cola-can", score), Guess("still-water", 0.2))
            about = About(
                "shelf-cam", "drinks", f"r1c{n}", "cola-can", NOW - timedelta(minutes=n), "tie", guesses, "9f"
            )
            page.agent.review.store.add(about, with_about(PNG, about))
        page.begin()
        yield page


def crops(page, **asked):
    """The names of crops."""
    return [crop["name"] for crop in page.get("/api/review/crops", params=asked).json()["crops"]]


def post(page, path, **body):
    """Ask for a change."""
    return page.http.post(f"{page.url}/api/review/{path}", json=body, timeout=10)


def test_a_crop_goes_from_waiting_to_its_class_and_back(page):
    """The most doubtful first; its picture is shown, it is labelled, and the label is taken back."""
    names = crops(page, order="doubt")
    assert [name.split("-")[3] for name in names] == ["r1c1", "r1c0", "r1c2"]
    assert crops(page) == sorted(names, key=lambda name: name.split("-")[3])
    picture = page.get(f"/api/review/crops/{names[0]}")
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")
    assert post(page, "label", crops=names[:2], label="oat milk").json()["crops"] == names[:2]
    figures = page.get("/api/review").json()
    assert (figures["waiting"], figures["by_label"]) == (1, {"oat milk": 2})
    assert {"oat milk", "empty", "cola-can"} <= set(figures["labels"])
    assert len(crops(page, state="labelled", label="oat milk")) == 2
    assert sorted(post(page, "undo").json()["crops"]) == sorted(names[:2])
    assert len(crops(page)) == 3


def test_the_picture_of_a_crop_comes_while_it_is_moved(page):
    """A browser fetches it in the moment in which it is labelled: it comes whole."""
    [name, *_], store = crops(page), page.agent.review.store
    done = threading.Event()

    def move():
        while not done.is_set():
            store.label([name], "cola-can")
            store.undo()

    with ThreadPoolExecutor(1) as pool:
        moving = pool.submit(move)
        try:
            seen = {page.get(f"/api/review/crops/{name}").content for _ in range(40)}
        finally:
            done.set()
        moving.result()
    assert seen == {store.png(name)}


def test_the_labelled_crops_can_be_taken_away_where_that_is_configured(page):
    """A zip of class folders; by default it is refused."""
    [name, *_] = crops(page)
    post(page, "label", crops=[name], label="cola-can")
    archive = zipfile.ZipFile(io.BytesIO(page.get("/api/review/labelled.zip").content))
    assert archive.namelist() == [f"cola-can/{name}"]
    assert archive.testzip() is None


def test_what_cannot_be_is_refused_with_a_remedy(page):
    """A label that is no folder, a crop that isn't there, a path instead of a name: each with its own status."""
    [name, *_] = crops(page)
    assert post(page, "label", crops=[name], label="a/b").status_code == 400
    assert post(page, "label", crops=["x.png"], label="cola-can").status_code == 404
    assert page.get("/api/review/crops/..%2f..%2fagent.toml").status_code == 404
    assert post(page, "discard", crops=[]).status_code == 422
    assert len(crops(page)) == 3


def test_no_picture_is_a_download_by_default(tmp_path):
    """Without the key in the configuration the answer says which it is; and where nothing is kept, that."""
    with served(tmp_path) as page:
        answer = page.get("/api/review/labelled.zip")
        assert answer.status_code == 409
        assert "download = true" in answer.json()["message"]
