"""The device's page in a real browser: what a store operator does with it at 7 in the morning."""

import json
import re

import pytest
import requests
from playwright.sync_api import expect

from benchmarks.parts import Subscriber
from benchmarks.shop import CAMERA, PLANNED, Shop
from edge_agent.dashboard.door import passwords
from edge_agent.demo.store import SHELVES
from edge_agent.shelf import CameraError
from tests.conftest import free_port, wait_for

pytestmark = pytest.mark.system

VIEWS = ("live", "alerts", "history", "review", "shelves", "health")
PASSWORD = "three shelves of eight"  # noqa: S105 (of the test)


@pytest.fixture(scope="module")
def guarded_shop(tmp_path_factory):
    """The same with a password, on a port that stays when the agent is started again."""
    folder = tmp_path_factory.mktemp("guarded")
    passwords.write(folder / "password", PASSWORD)
    more = f'[dashboard]\nenabled = true\nport = {free_port()}\npassword_file = "{folder / "password"}"\n'
    with Shop(folder, more) as shop:
        yield shop


@pytest.fixture
def shop(demo_shop):
    """The demo's shop, full again, its camera well, and every alert of the test before over."""
    camera = demo_shop.camera
    camera.fill()
    camera.arm(there=False)
    camera.gone(None)
    wait_for(lambda: all(shelf["status"] == "ok" for shelf in live(demo_shop)["shelves"]), 30, "full shelves")
    wait_for(
        lambda: not requests.get(f"{demo_shop.url}/api/alerts?state=open", timeout=5).json()["alerts"], 30, "peace"
    )
    return demo_shop


def live(shop: Shop) -> dict:
    """What the API says at this moment."""
    return requests.get(f"{shop.url}/api/live", timeout=5).json()


def test_an_operator_with_a_phone_sees_which_shelf_needs_a_hand_and_sees_to_it(shop, looks):
    """Counts appear, an alert opens, one tap acknowledges it, and when the shelf is filled it is over."""
    look = looks(shop.url, "phone")
    page = look.page
    page.goto("/")
    verdict = page.locator(".live-words")
    expect(verdict).to_have_text("Every shelf is fine")
    shop.camera.empty("cola-can")
    expect(verdict).to_have_text("drinks needs a hand")
    expect(page.locator(".live-shelf").first).to_contain_text("0 of 2 facings")
    expect(page.locator("#open-alerts")).to_contain_text("1")
    page.get_by_role("link", name="Alerts").tap()
    card = page.get_by_role("article")
    expect(card).to_contain_text("Cola-can is out of stock")
    expect(card.get_by_role("img")).to_have_count(2)
    expect(card).to_contain_text("cola-can → empty")
    look.axe("an open alert")
    look.fits("an open alert")
    card.get_by_role("button", name="I'm on it").tap()
    page.get_by_label("Your name").fill("Ana")
    page.get_by_label("Note").fill("from the store room")
    look.axe("acknowledging")
    card.get_by_role("button", name="I'm on it").tap()
    expect(card).to_contain_text("Ana is on it")
    expect(card).to_contain_text("from the store room")
    expect(page.locator("#open-alerts")).to_be_hidden()
    shop.camera.fill()
    expect(page.get_by_text("Nothing to see to")).to_be_visible()
    page.get_by_role("button", name="Over").tap()
    expect(card.first).to_contain_text("Ana saw to it")
    look.fits("alerts that are over")


def test_the_table_says_what_is_published(shop, looks):
    """Each product's facings and status in the table are those of the retained MQTT state."""
    shop.camera.put(None, [0, 8])
    shop.camera.put("penne", [23])
    page = looks(shop.url).page
    page.goto("/#live")
    rows = page.locator(".live-table tbody tr")
    expect(rows.filter(has_text="fusilli").first).to_contain_text("r1c8 holds penne")
    for product in ("cola-can", "milk-whole"):  # each stands on a shelf of its own
        expect(rows.filter(has_text=product)).to_contain_text("1 of 2 facings")
    subscriber = Subscriber(shop.mqtt_port)
    try:
        wait_for(lambda: len(subscriber.of("/state")) >= 3, 10, "the states")
        published = {
            (state["shelf"], item["sku"]): (item["count"], item["status"])
            for state in subscriber.of("/state")
            for item in state["items"]
        }
    finally:
        subscriber.close()
    shown = {}
    for sku, shelf, facings, status, *_ in rows.evaluate_all(
        "rows => rows.map(r => [...r.cells].map(c => c.innerText))"
    ):
        shown[shelf, sku] = int(facings.split()[0]), {"OK": "ok"}.get(status, status.lower())
    assert shown == published


def test_what_cannot_be_read_is_said_with_its_reason_and_what_to_do(shop, looks):
    """An arm in the way and a camera that is gone are told in words; neither empties a shelf."""
    look = looks(shop.url)
    page = look.page
    page.goto("/")
    expect(page.locator(".live-words")).to_have_text("Every shelf is fine")
    shop.camera.arm(there=True)
    expect(page.locator(".live-shelf").filter(has_text="can't be read").first).to_contain_text(
        "count from before holds"
    )
    shop.camera.arm(there=False)
    shop.camera.gone(CameraError("no answer", reason="timeout"))
    expect(page.locator(".live-troubles")).to_contain_text(f"{CAMERA}: no picture comes", timeout=20_000)
    expect(page.locator(".live-troubles")).to_contain_text("No answer.")  # what the agent says of it, as in Health
    look.axe("without a camera")
    expect(page.locator(".badge", has_text="Out")).to_have_count(0)
    page.goto("/#health")
    expect(page.get_by_role("listitem").first).to_contain_text(f"camera {CAMERA}")
    expect(page.get_by_role("listitem").first).to_contain_text("Act now")
    page.goto("/#live")
    shop.camera.gone(None)
    expect(page.locator(".live-troubles")).to_be_empty(timeout=20_000)


def test_by_keyboard_alone(shop, looks):
    """From the first key: skip link, navigation, an alert, its acknowledgement; the focus is never lost."""
    shop.camera.empty("coffee")
    page = looks(shop.url).page
    page.goto("/#health")
    expect(page.locator("h1")).to_have_text("Health")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    for _ in range(8):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.hash") == "#alerts":
            break
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_be_focused()
    expect(page.get_by_role("article")).to_contain_text("Coffee is out of stock")
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="I'm on it")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Your name")).to_be_focused()
    page.keyboard.type("Bo")
    page.keyboard.press("Enter")
    expect(page.get_by_role("article")).to_contain_text("Bo is on it")
    expect(page.get_by_role("heading", name="Coffee is out of stock")).to_be_focused()


@pytest.mark.parametrize(("width", "theme"), [("phone", "dark"), ("desk", "light")])
def test_every_view_is_accessible_and_fits(shop, looks, width, theme):
    """Each view shows its heading, is titled, has no serious problem of accessibility, and fits the window."""
    shop.camera.put(None, [0, 1, 8])
    shop.camera.put("penne", [23])
    look = looks(shop.url, width, theme)
    look.page.goto("/")
    expect(look.page.locator(".live-words")).to_contain_text("need")
    for view in VIEWS:
        look.page.goto(f"/#{view}")
        expect(look.page).to_have_title(re.compile(view, re.IGNORECASE))
        expect(look.page.locator("h1")).to_be_visible()
        look.page.wait_for_load_state("networkidle") if view != "live" else None
        look.axe(view)
        look.fits(view)


def test_the_theme_is_switched_and_kept(demo_shop, looks):
    """The switch goes over the system's wish, and is there after a reload."""
    page = looks(demo_shop.url, theme="light").page
    page.goto("/#health")
    page.get_by_role("button", name="Dark colours").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.get_by_role("button", name="Light colours")).to_be_visible()


def test_a_page_in_the_background_asks_for_nothing(demo_shop, looks):
    """The stream ends when nobody looks, and comes back with them."""
    page = looks(demo_shop.url).page
    hide = """hidden => { Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
        document.dispatchEvent(new Event("visibilitychange")); }"""
    with page.expect_request("**/api/live/stream"):
        page.goto("/")
    with page.expect_event("requestfailed", lambda request: request.url.endswith("/stream")):
        page.evaluate(hide, arg=True)
    with page.expect_request("**/api/live/stream"):
        page.evaluate(hide, arg=False)


def test_nothing_but_our_own_scripts_runs(demo_shop, looks):
    """The content-security policy refuses an inline script, an inline style and a foreign address."""
    look = looks(demo_shop.url)
    look.allow("(?i)content security policy|csp")
    look.page.goto("/#health")
    refused = look.page.evaluate("""async () => {
        const found = new Set(), seen = new Promise(done => addEventListener("securitypolicyviolation", event => {
          found.add(event.effectiveDirective); if (found.size === 3) done(); }));
        document.body.append(Object.assign(document.createElement("script"), {textContent: "window.bad = 1"}));
        document.body.append(Object.assign(document.createElement("style"), {textContent: "body { color: red }"}));
        document.body.append(Object.assign(new Image(), {src: "http://127.0.0.1:9/x.png"}));
        await seen;
        return [...found].sort().concat(String(window.bad)); }""")
    assert refused == ["img-src", "script-src-elem", "style-src-elem", "undefined"]


def test_a_password_is_asked_for_and_the_way_out_is_out(guarded_shop, looks):
    """Nothing is shown before; a wrong password is told so; after logging out the page asks again."""
    look = looks(guarded_shop.url, "phone")
    look.allow("401")
    page = look.page
    page.goto("/#alerts")
    look.axe("the login")
    look.fits("the login")
    page.get_by_label("Password").fill("open sesame")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).not_to_be_empty()
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Alerts")
    page.get_by_role("button", name="Log out").tap()
    expect(page.get_by_label("Password")).to_be_focused()
    page.reload()
    expect(page.get_by_label("Password")).to_be_visible()


def test_a_device_that_is_away_is_told_and_comes_back_by_itself(guarded_shop, looks):
    """The banner says that what is seen is old; when the agent is there again, so is the page."""
    look = looks(guarded_shop.url)
    look.allow("401|ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE|ERR_CONNECTION_RESET")
    page = look.page
    page.goto("/")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator(".live-words")).to_be_visible()
    guarded_shop.stop()
    expect(page.locator("#lost")).to_contain_text("can't be reached")
    guarded_shop.start()
    expect(page.locator("#lost")).to_be_empty()
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator(".live-words")).to_be_visible()


@pytest.mark.parametrize("width", ["phone", "desk"])
def test_long_names_and_a_second_camera_that_is_gone_fit(demo_shop, looks, width):
    """Names of sixty letters wrap, and what is wrong with a camera stands above everything else."""

    def altered(route):
        answer = route.fetch()
        state = answer.json()
        gone = state["cameras"][0] | {"id": "entrance", "status": "offline", "reason": "timeout", "frame": None}
        state["cameras"].append(gone | {"shelves": []})
        text = json.dumps(state).replace("cola-can", "organic-cold-pressed-sparkling-elderflower-lemonade-330ml-can")
        route.fulfill(response=answer, body=text.replace('"drinks"', '"aisle-7-left-cold-drinks-and-juices-upper"'))

    look = looks(demo_shop.url, width)
    look.page.route("**/api/live", altered)
    look.page.route("**/api/live/stream", lambda route: route.abort())
    look.allow("live/stream")
    look.page.goto("/#live")
    expect(look.page.locator(".live-troubles")).to_contain_text("entrance: no picture comes")
    look.fits("long names")
    look.axe("long names")
    heights = look.page.locator(".live-table tbody tr").evaluate_all("rows => rows.map(row => row.offsetHeight)")
    assert max(heights) < 260, heights


@pytest.fixture(scope="module")
def aisle_shop(tmp_path_factory):
    """The shop with all its shelves in one aisle; a single can is low stock, and what is unread is soon unknown."""
    shop = Shop(tmp_path_factory.mktemp("aisle"), "\n[counting]\nunknown_after_s = 2\n")
    text = shop.path.read_text().replace("[shelves.grid]", 'aisle = "4"\n[shelves.grid]')
    shop.path.write_text(text.replace('id = "drinks"', 'id = "drinks"\nlow_at = { cola-can = 1 }'))
    with shop:
        yield shop


def test_alerts_of_every_kind_are_cards_with_the_groups_of_an_aisle_together(aisle_shop, looks):
    """Low stock, a misplaced product and lost views have words of their own; what came together in an aisle is one."""
    look = looks(aisle_shop.url, "phone", "dark")
    look.page.goto("/#alerts")
    cards = look.page.get_by_role("article")
    aisle_shop.camera.put(None, [PLANNED.index("cola-can")])
    low = cards.filter(has_text="Cola-can is low")
    expect(low.get_by_role("listitem")).to_contain_text(["cola-can → empty", "still cola-can"])
    aisle_shop.camera.put("penne", [PLANNED.index("fusilli")])  # which has this one facing
    expect(cards.filter(has_text="Penne stands in slot")).to_have_count(1)
    aisle_shop.camera.gone(CameraError("no answer", reason="timeout"))
    together = cards.filter(has_text="3 together")
    expect(together).to_contain_text("aisle 4", timeout=20_000)
    for shelf in SHELVES:
        expect(together).to_contain_text(f"shelf {shelf}")
    assert {*cards.locator(".badge").all_inner_texts()} == {"Out of stock", "Low", "Can't be read", "Misplaced"}
    look.axe("alerts of every kind")
    look.fits("alerts of every kind")


def test_a_stream_that_is_silent_is_not_believed(shop, looks):
    """After 15 s without a word the device is asked anew, though the stream says that it stands, and it is reopened."""
    page = looks(shop.url).page
    page.clock.install()
    page.goto("/#live")
    expect(page.locator(".live-words")).to_have_text("Every shelf is fine")
    with page.expect_response("**/api/live"):
        page.clock.fast_forward(15_100)
    shop.camera.empty("cola-can")
    with page.expect_request("**/api/live/stream"):
        page.clock.fast_forward(5_100)
    expect(page.locator(".live-words")).to_have_text("drinks needs a hand")
