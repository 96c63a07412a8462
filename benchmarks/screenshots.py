"""The README's pictures of the page, by a real browser: `python benchmarks/screenshots.py docs`.

Half a minute. The shop is the demo's; its history is made up, all else is what the agent counted.
"""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import cv2
import numpy as np
from playwright.sync_api import Page, expect

from benchmarks.browser import Chromium, Theme, Width
from benchmarks.parts import wait_for
from benchmarks.shop import CAMERA, Shop
from edge_agent.demo.scene import PLANOGRAM
from edge_agent.demo.store import SHELVES
from edge_agent.history.tables import Point, begin_run, connect, write
from edge_agent.sqlite import transaction

QUALITY = 82
SETTLE_MS = 700
"""For pictures that are still being decoded when all words are there."""
MAX_BYTES = 250_000
DAY_MS = 86_400_000


def main(folder: Path) -> None:
    """Stage what is shown, and take the pictures."""
    with tempfile.TemporaryDirectory() as name, _shop(Path(name)) as shop, Chromium() as chromium:

        def take(file: str, view: str, until: str, *, width: Width = "desk", theme: Theme = "light") -> None:
            look = chromium.look(shop.url, width, theme, scale=2 if width == "phone" else 1)
            look.page.goto(f"/#{view}")
            expect(look.page.locator(until).first).to_be_visible()
            if view == "shelves":
                look.page.locator(".shelves-item").first.click()
            look.page.wait_for_timeout(SETTLE_MS)
            _store(look.page, folder / file)
            look.close()

        _stage(shop)
        take("page-live.jpg", "live", ".live-picture img")
        take("page-alerts.jpg", "alerts", ".alerts-card img", width="phone", theme="dark")
        take("page-shelves.jpg", "shelves", ".view-shelves svg")
        take("page-history.jpg", "history", ".view-history svg")
        take("page-health.jpg", "health", ".health-list li", theme="dark")


def _shop(folder: Path) -> Shop:
    """The shop, with a day behind it: sold in the morning and after work, filled up at noon."""
    shop, rng = Shop(folder), np.random.default_rng(7)
    now_ms = int(time.time() * 1000)
    db = connect(folder / "history.db")
    with transaction(db):
        run = begin_run(db, now_ms - DAY_MS)
        for shelf, products in zip(SHELVES, PLANOGRAM, strict=True):
            for product in dict.fromkeys(products):
                planned = products.count(product)
                sold_h = sorted(float(hour) for hour in rng.uniform(2, 23, planned + 1))
                left, rows = planned, [Point(now_ms - DAY_MS, shelf, CAMERA, product, planned, planned, "ok", "counts")]
                for hour in sold_h:
                    left = planned if left == 0 else left - 1
                    status = "out" if left == 0 else "ok"
                    at_ms = now_ms - DAY_MS + int(hour * 3_600_000)
                    rows.append(Point(at_ms, shelf, CAMERA, product, left, planned, status, "counts"))
                write(db, run, rows, alive_ms=now_ms - 60_000)
    db.close()
    return shop


def _stage(shop: Shop) -> None:
    """One product is out, of one a facing is empty, one stands in the wrong place."""
    time.sleep(2)
    shop.camera.empty("cola-can")
    shop.camera.put(None, [8])
    shop.camera.put("penne", [23])
    wait_for(lambda: len(shop.agent.outlet.alerting.book.open) >= 2, 30, "the alerts")
    time.sleep(3)


def _store(page: Page, path: Path) -> None:
    """A JPEG, no larger than a README should load."""
    png = np.frombuffer(page.screenshot(), np.uint8)
    image = cv2.imdecode(png, cv2.IMREAD_COLOR)
    if image is None:
        raise AssertionError(f"the browser gave no picture for {path}")
    cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY, cv2.IMWRITE_JPEG_OPTIMIZE, 1])
    if path.stat().st_size > MAX_BYTES:
        raise AssertionError(f"{path} has {path.stat().st_size} bytes, more than {MAX_BYTES}; lower QUALITY")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
