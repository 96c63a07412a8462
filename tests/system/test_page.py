"""The device's page in a real browser: what a store operator does with it at 7 in the morning."""

import pytest

pytestmark = pytest.mark.system


def test_every_view_opens_without_a_complaint(demo_shop, looks):
    """Each view shows its heading, at a desk and on a phone."""
    for width in ("desk", "phone"):
        look = looks(demo_shop.url, width)
        look.page.goto("/")
        look.page.wait_for_selector("nav a")
        look.axe(width)
        look.fits(width)
