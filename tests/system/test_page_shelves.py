"""The editor of shelves in a real browser: drawn with mouse, finger and keys, saved, and counted."""

import json
import tomllib

import pytest
import requests

from benchmarks.shop import CAMERA, Shop
from edge_agent.regions import grid_quads
from tests.conftest import wait_for

pytestmark = pytest.mark.system
TOP_ROW = ((0.05567, 0.04646), (0.94247, 0.0917), (0.93608, 0.33669), (0.0622, 0.31619))
"""Where the demo's drinks stand."""
MIDDLE = """(wanted) => { const box = document.querySelector(wanted).getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2]; }"""


@pytest.fixture
def shop(tmp_path):
    """A shop whose camera sees no shelf yet, as on the day of its installation."""
    made = Shop(tmp_path)
    text = made.path.read_text()
    made.path.write_text(
        text[: text.index("[[shelves]]")] + "# drawn on the page\n[dashboard]\nenabled = true\nport = 0\n"
    )
    with made:
        yield made


def opened(shop, looks, width="desk"):
    """The editor, with the camera's picture in it."""
    look = looks(shop.url, width)
    look.allow("/picture|status of 409")  # between a save and the next picture there is none
    look.page.goto("/#shelves")
    look.page.wait_for_selector(".shelves-drawing[viewBox]")
    until(look.page, "document.querySelector('.shelves-picture').naturalWidth > 0")
    return look


def until(page, script):
    """Wait until an expression holds in the page; its own policy forbids Playwright to poll there."""
    wait_for(lambda: page.evaluate(script), timeout_s=10)


def at(page, x, y):
    """A place of the picture in the window's pixels."""
    box = page.locator(".shelves-drawing").bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def drag(page, begin, end, *, steps=6):
    """Drag the mouse from one place of the picture to another."""
    page.mouse.move(*at(page, *begin))
    page.mouse.down()
    page.mouse.move(*at(page, *end), steps=steps)
    page.mouse.up()


def tool(page, name):
    """Take a tool."""
    page.get_by_role("group", name="Tool").get_by_role("button", name=name, exact=True).click()


def shelves(shop):
    """The shelves of the file."""
    return tomllib.loads(shop.path.read_text()).get("shelves", [])


def counts(shop, shelf):
    """What the running agent counts on a shelf now."""
    live = requests.get(f"{shop.url}/api/live", timeout=10).json()
    found = next((each for each in live["shelves"] if each["id"] == shelf), {"items": []})
    return {item["sku"]: item["count"] for item in found["items"]}


def test_an_installer_draws_a_shelf_with_the_mouse_and_it_is_counted(shop, looks):
    """Rectangle, corners, columns, products, save: the counts appear without a restart, and comments are kept."""
    look = opened(shop, looks)
    page = look.page
    page.get_by_role("button", name="Show the whole picture").click()
    tool(page, "Rectangle")
    drag(page, (0.1, 0.1), (0.9, 0.3))
    page.get_by_label("Columns").fill("8")
    page.get_by_label("Columns").press("Enter")
    for corner, place in enumerate(TOP_ROW):
        page.mouse.move(*page.evaluate(MIDDLE, f'[data-key="c{corner}"] .shelves-dot'))
        page.mouse.down()
        page.mouse.move(*at(page, *place), steps=4)
        page.mouse.up()
    page.get_by_label("Name").fill("drinks")
    products = ["cola-can", "cola-can", "cola-zero-can", "orange-soda-can", *["still-water"] * 2]
    for place, product in enumerate([*products, "sparkling-water", "lemon-tea"]):
        page.get_by_label(f"Row 1, slot {place + 1}: product").fill(product)
    look.axe("while drawing")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text(f"Saved: {CAMERA} counts anew.").wait_for()
    [shelf] = shelves(shop)
    assert shelf["id"] == "drinks"
    assert shelf["grid"]["columns"] == 8
    for drawn, wanted in zip(shelf["grid"]["corners"], TOP_ROW, strict=True):
        assert drawn == pytest.approx(wanted, abs=0.003)
    wait_for(lambda: counts(shop, "drinks").get("cola-can") == 2, timeout_s=20)
    assert "# drawn on the page" in shop.path.read_text()


def test_on_a_phone_a_finger_draws_four_corners(shop, looks):
    """At 360 pixels: four taps make a shelf, a corner follows the finger under a magnifier, and nothing is too wide."""
    look = opened(shop, looks, "phone")
    page = look.page
    tool(page, "4 corners")
    for place in (TOP_ROW[2], TOP_ROW[0], TOP_ROW[3], TOP_ROW[1]):
        page.touchscreen.tap(*at(page, *place))
    page.wait_for_selector(".shelves-handle")
    handle = page.locator('[data-key="c2"] .shelves-touch').bounding_box()
    assert min(handle["width"], handle["height"]) >= 44
    finger = page.context.new_cdp_session(page)

    def touch(kind, *place):
        points = [{"x": place[0], "y": place[1]}] if place else []
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", *at(page, TOP_ROW[2][0] - 0.03, TOP_ROW[2][1]))  # beside the corner, so that it can be seen
    touch("touchMove", *at(page, TOP_ROW[2][0] - 0.05, TOP_ROW[2][1] + 0.1))
    touch("touchMove", *at(page, TOP_ROW[2][0] - 0.03, TOP_ROW[2][1] + 0.2))
    assert page.locator(".shelves-loupe").is_visible()
    touch("touchEnd")
    assert page.locator(".shelves-loupe").is_hidden()
    look.axe("on a phone")
    look.fits("on a phone")
    page.get_by_role("button", name="Save now").click()
    page.get_by_text("Saved:").wait_for()
    [shelf] = shelves(shop)
    assert shelf["grid"]["corners"][0] == pytest.approx(TOP_ROW[0], abs=0.01)
    assert shelf["grid"]["corners"][2] == pytest.approx((TOP_ROW[2][0], TOP_ROW[2][1] + 0.2), abs=0.02)


def test_by_keyboard_alone(shop, looks):
    """Add, go to a corner, move it by pixels, go back and forth, double, delete, save: no pointer is needed."""
    look = opened(shop, looks)
    page = look.page
    page.get_by_role("button", name="Add shelf").press("Enter")
    until(page, "document.activeElement.dataset.focus === 'id'")
    page.keyboard.type("soups")
    page.locator('[data-key="s1"]').focus()
    page.keyboard.press("Enter")
    until(page, "document.activeElement.dataset.key === 'c0'")
    for key in ("ArrowRight", "Shift+ArrowRight", "Shift+ArrowDown", "ArrowUp"):
        page.keyboard.press(key)
    page.locator('[data-key="c0"]').press("Escape")

    def corner():
        return page.evaluate("document.querySelector('.shelves-grid').getAttribute('points').split(' ')[0]")

    assert corner() == "107.0016,225.00180000000003" or corner().startswith("107.0")
    page.locator('[data-key="s1"]').press("Control+z")
    until(page, "document.querySelector('.shelves-grid').getAttribute('points').startsWith('96,216')")
    page.locator('[data-key="s1"]').press("Control+y")
    until(page, "document.querySelector('.shelves-grid').getAttribute('points').startsWith('107')")
    page.locator('[data-key="s1"]').press("Enter")
    page.keyboard.press("Control+d")
    until(page, "document.querySelectorAll('.shelves-item').length === 2")
    page.locator('[data-key="s1"]').press("Delete")
    until(page, "document.querySelectorAll('.shelves-item').length === 1")
    page.keyboard.press("Control+s")
    page.get_by_text("Saved:").wait_for()
    assert [shelf["id"] for shelf in shelves(shop)] == ["soups-1"]


def test_a_bad_edit_changes_nothing_and_is_shown_where_it_is(demo_shop, looks):
    """A product that the model doesn't know: refused, the shelf says why and has the focus; undone, all is well."""
    before = demo_shop.path.read_text()
    look = opened(demo_shop, looks)
    look.allow("/api/shelves|status of 400")
    page = look.page
    page.locator(".shelves-item", has_text="breakfast").click()
    page.get_by_label("Row 1, slot 2: product").fill("milk-hole")
    page.keyboard.press("Control+s")
    page.get_by_text("Nothing was saved").wait_for()
    until(page, "document.activeElement.textContent.includes('nearest is \"milk-whole\"')")
    assert page.locator(".shelves-item", has_text="breakfast").get_by_text("1 problem").is_visible()
    wrong = page.get_by_label("Row 1, slot 2: product")
    assert (wrong.input_value(), wrong.get_attribute("aria-invalid")) == ("milk-hole", "true")
    look.axe("with a problem")
    assert demo_shop.path.read_text() == before
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("1 problem").wait_for(state="detached")
    assert page.get_by_role("button", name="Save", exact=True).get_attribute("aria-disabled") == "true"


def test_a_file_that_was_changed_by_hand_is_not_overwritten(demo_shop, looks):
    """Somebody edits the file meanwhile: the page says so, and loads it anew when asked to."""
    look = opened(demo_shop, looks)
    look.allow("/api/shelves|status of 409")
    page = look.page
    page.locator(".shelves-item", has_text="pantry").click()
    page.get_by_label("Name").fill("pantry-2")
    demo_shop.path.write_text(demo_shop.path.read_text() + "# by hand\n")
    page.keyboard.press("Control+s")
    page.get_by_text("was changed by somebody else").wait_for()
    page.get_by_role("button", name="Load it anew").click()
    until(page, "[...document.querySelectorAll('.shelves-item')].some(i => i.textContent.startsWith('pantry8'))")
    assert demo_shop.path.read_text().endswith("# by hand\n")


def test_nobody_leaves_an_unsaved_drawing_without_being_asked(demo_shop, looks):
    """Another view waits for an answer; "stay" stays."""
    page = opened(demo_shop, looks).page
    page.locator(".shelves-item").first.click()
    page.get_by_role("button", name="Copy shelf drinks").click()
    page.get_by_role("link", name="Live").click()
    page.get_by_role("button", name="Stay").click()
    assert page.url.endswith("#shelves")
    page.get_by_role("link", name="Live").click()
    page.get_by_role("button", name="Leave").click()
    page.wait_for_url("**/#live")


@pytest.mark.parametrize("corners", [TOP_ROW, ((0.1, 0.1), (0.9, 0.1), (0.9, 0.8), (0.1, 0.8))])
def test_the_page_lays_a_grid_out_as_the_agent_does(demo_shop, looks, corners):
    """What is seen while drawing is what is cut from the picture, to a thousandth of a pixel."""
    page = opened(demo_shop, looks).page
    quads = page.evaluate(
        "async (corners) => (await import('/views/shelves/geometry.js')).gridQuads(JSON.parse(corners), 3, 7)",
        json.dumps(corners),
    )
    wanted = grid_quads(corners, rows=3, columns=7)
    assert len(quads) == len(wanted)
    for quad, theirs in zip(quads, wanted, strict=True):
        for point, other in zip(quad, theirs, strict=True):
            assert point == pytest.approx(other, abs=1e-6)
