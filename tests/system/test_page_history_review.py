"""History and review in a real browser: an alert's mark is seen, the file is fetched, crops are labelled."""

import csv
from datetime import UTC, datetime, timedelta

import cv2
import pytest

from benchmarks.shop import CAMERA
from edge_agent.regions import rectified
from edge_agent.review.crop import About, Guess, with_about
from tests.conftest import wait_for
from trainer.photos.data import catalogue
from trainer.photos.layout import parts

pytestmark = pytest.mark.system


def doubts(shop, count):
    """Put crops of the shop's own shelf among those that wait, each with guesses."""
    running = shop.agent.running
    image = running.seen[CAMERA].frame.image
    slots = [(shelf.id, slot) for shelf in running.settings.shelves_of(CAMERA) for slot in shelf.slots]
    for n, (shelf, slot) in enumerate(slots[:count]):
        guesses = (Guess(slot.product, 0.5), Guess("coffee", 0.4 - n / 100), Guess("empty", 0.05))
        at = datetime.now(UTC) - timedelta(minutes=n)
        about = About(CAMERA, shelf, slot.id, slot.product, at, "tie", guesses, "9f" * 32)
        png = cv2.imencode(".png", rectified(image, slot.quad))[1].tobytes()
        assert shop.agent.review.store.add(about, with_about(png, about))


def test_an_alert_is_marked_in_the_history_and_the_file_says_the_same(demo_shop, looks, tmp_path):
    """A product is sold out: the chart has a mark that says so, the table a line, and the CSV file a row."""
    wait_for(lambda: CAMERA in demo_shop.agent.running.seen)
    demo_shop.camera.empty("cola-can")
    look = looks(demo_shop.url)
    page = look.page
    wait_for(lambda: demo_shop.agent.outlet.delivery.alerts > 0)
    page.goto("/#history/drinks")
    page.get_by_role("button", name="Hour").click()
    mark = page.locator("section[aria-label='cola-can on drinks'] .history-alert").first
    mark.wait_for()
    mark.focus()
    assert "cola-can" in mark.get_attribute("aria-label")
    said = page.locator("section[aria-label='cola-can on drinks'] .history-said")
    assert said.inner_text() == mark.get_attribute("aria-label")
    look.axe("history")
    page.get_by_role("button", name="Show as table").click()
    page.get_by_role("row").filter(has_text="Alert").first.wait_for()
    look.axe("history as table")
    with page.expect_download() as fetched:
        page.get_by_role("link", name="CSV file").click()
    fetched.value.save_as(tmp_path / "history.csv")
    with (tmp_path / "history.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["sku"] == "cola-can"]
    assert {"low_stock", "out_of_stock"} & {row["event"] for row in rows}
    assert rows[-1]["count"] == "0"
    demo_shop.camera.fill()


def test_the_history_fits_a_phone(demo_shop, looks):
    """Charts one below the other, nothing wider than the window, in the dark too."""
    look = looks(demo_shop.url, "phone", "dark")
    look.page.goto("/#history")
    look.page.locator(".history-svg").first.wait_for()
    look.axe("history on a phone")
    look.fits("history on a phone")


@pytest.mark.parametrize("width", ["desk", "phone"])
def test_crops_are_labelled_by_click_and_by_key_and_the_trainer_reads_them(demo_shop, looks, width):
    """A guess by click, one by key, one as another product, one taken back: each file lies where its label says."""
    store = demo_shop.agent.review.store
    for crop in store.crops():
        store._delete(crop)
    doubts(demo_shop, 6)
    look = looks(demo_shop.url, width)
    page = look.page
    page.goto("/#review")
    first = page.locator(".review-one img")
    first.wait_for()

    def after(act):
        source = first.get_attribute("src")
        act()
        page.wait_for_function(
            "old => document.querySelector('.review-one img').getAttribute('src') !== old", arg=source
        )
        return source.rsplit("/", 1)[1]

    look.axe("review")
    look.fits("review")
    clicked = after(page.locator(".review-guesses .button").first.click)
    keyed = after(lambda: page.keyboard.press("2"))
    page.get_by_label("Another product").fill("oat drink")
    typed = after(lambda: page.get_by_role("button", name="Label", exact=True).click())
    page.locator("h1").click()
    after(lambda: page.keyboard.press("e"))
    after(lambda: page.keyboard.press("u"))
    after(lambda: page.keyboard.press("ArrowRight"))
    look.axe("review after labels")

    labels, photos = catalogue(store.root)
    found = {photo.path.name: labels[photo.label_index] for photo in photos}
    assert found.keys() == {clicked, keyed, typed}
    assert found[keyed] == "coffee"
    assert found[typed] == "oat drink"
    assert list(parts(store.root)) == ["train"]
    assert store.figures(datetime.now(UTC)).waiting == 3
    page.get_by_role("button", name="Many").click()
    page.get_by_role("button", name="Choose all").click()
    look.axe("review of many")
    look.fits("review of many")
    page.get_by_label("They show").fill("empty")
    page.get_by_role("button", name="Label", exact=True).click()
    page.get_by_role("heading", name="All done").wait_for()
    assert set(catalogue(store.root)[0]) >= {"coffee", "empty", "oat drink"}
