"""A real browser for the tests and the pictures of the device's page: one that complains about whatever is wrong.

Chromium is Debian's, or the one that `CHROMIUM` names, driven by Playwright. A `Look` is one window at the width of a
phone or of a desk: what the browser says of errors, refused content or answers that are not good is kept, and
`Look.close` raises it.
"""

import os
import re
import shutil
from types import TracebackType
from typing import Any, Literal, Self

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, Response, expect, sync_playwright

NAMES = ("chromium", "google-chrome", "google-chrome-stable")
"""Debian's package, and Chrome, which does on Ubuntu: its Chromium is a snap."""
ARGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run", "--disable-quic",
]  # fmt: skip
Width = Literal["phone", "desk"]
Theme = Literal["light", "dark"]
DEVICES: dict[Width, dict[str, Any]] = {
    "phone": {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True},
    "desk": {"viewport": {"width": 1280, "height": 800}},
}
PATIENCE_MS = 20_000
"""How long a page may take to show what is expected."""


class Chromium:
    """A browser. A context; its event loop runs in the thread that enters it, until it is left."""

    def __enter__(self) -> Self:
        """Start it.

        Raises:
            FileNotFoundError: It is not installed.
        """
        chromium = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
        if chromium is None:
            raise FileNotFoundError("there is no Chromium: run make test, or deploy/setup-system.sh test")
        expect.set_options(timeout=PATIENCE_MS)
        self._playwright = sync_playwright().start()
        self._browser = self._playwright.chromium.launch(executable_path=chromium, args=ARGS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self._browser.close()
        self._playwright.stop()

    def look(self, base: str, width: Width = "desk", theme: Theme = "light", *, scale: float = 1) -> "Look":
        """A window of its own, with no cookies, on the pages below `base`."""
        context = self._browser.new_context(
            base_url=base,
            color_scheme=theme,
            device_scale_factor=scale,
            locale="en-GB",
            reduced_motion="reduce",
            **DEVICES[width],
        )
        context.set_default_timeout(PATIENCE_MS)
        return Look(context)


class Look:
    """One window. `page` is Playwright's; `problems` is what the browser complained about."""

    def __init__(self, context: BrowserContext) -> None:
        """Listen to it."""
        self.context = context
        self.page: Page = context.new_page()
        self.problems: list[str] = []
        self._allowed: list[re.Pattern[str]] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self._problem(f"error in the page: {error}"))
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._answered)

    def allow(self, pattern: str) -> None:
        """Overlook problems in which a pattern is found: those that a test brings about itself."""
        self._allowed.append(re.compile(pattern))

    def axe(self, where: str = "") -> None:
        """Look for problems of accessibility.

        Raises:
            AssertionError: One is serious or critical; `where` says in which state of the page.
        """
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE_SCRIPT)
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        bad = [
            f"{one['id']} ({one['impact']}): {node['target']} {node['html'][:160]}\n      {node['failureSummary']}"
            for one in found["violations"]
            if one["impact"] in {"serious", "critical"}
            for node in one["nodes"]
        ]
        _raise(f"accessibility {where}", bad)

    def fits(self, where: str = "") -> None:
        """Nothing is wider than the window.

        Raises:
            AssertionError: Something is; it is named.
        """
        wide = self.page.evaluate(
            """() => { const most = document.documentElement.clientWidth;
            if (document.documentElement.scrollWidth <= most) return [];
            return [...document.querySelectorAll("body *")].filter((n) => n.getBoundingClientRect().right > most + 1)
              .map((n) => n.tagName + "." + n.getAttribute("class") + " " + n.textContent.slice(0, 60)); }"""
        )
        _raise(f"wider than the window {where}", wide[:8])

    def check(self) -> None:
        """Raise what the browser complained about.

        Raises:
            AssertionError: There was something.
        """
        _raise("the browser complained", self.problems)

    def close(self) -> None:
        """Close the window, and raise what the browser complained about.

        Raises:
            AssertionError: There was something.
        """
        self.context.close()
        self.check()

    def _problem(self, words: str) -> None:
        if not any(pattern.search(words) for pattern in self._allowed):
            self.problems.append(words)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self._problem(f"{message.type} in the console: {message.text} ({message.location.get('url', '')})")

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # a stream that is closed, a picture that a newer one replaced
            self._problem(f"{request.method} {request.url} failed: {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self._problem(f"{response.request.method} {response.url} was answered with {response.status}")


def _raise(what: str, found: list[str]) -> None:
    if found:
        raise AssertionError("\n  ".join([f"{what}:", *found]))
