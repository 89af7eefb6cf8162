"""A real browser for the boards' pages: Debian's Chromium, driven by playwright.

`pages()` opens it; every page it hands out remembers what a stranger would stumble over: errors
in the console, scripts that threw, requests that leave the board.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, Request

CHROMIUM = "/usr/bin/chromium"
PHONE = (360, 740)
DESKTOP = (1200, 800)
# Chromium of itself looks for news, and would be the one who calls a host.
_QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
Scheme = Literal["light", "dark"]


class Visit:
    """One page as somebody sees it, with all that went wrong on it and all it asked for.

    `requests` are (method, path); `most_at_once`: calls of the API in flight together.
    """

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.origin = urlsplit(url).netloc
        self.errors: list[str] = []
        self.strangers: list[str] = []
        self.requests: list[tuple[str, str]] = []
        self.most_at_once = 0
        self._open: set[Request] = set()
        self.context = context
        self.page: Page = context.new_page()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", self._dialog)
        self.page.on("request", self._asked)
        self.page.on("requestfinished", self._answered)
        self.page.on("requestfailed", self._answered)
        self.page.goto(url)

    def _console(self, line: ConsoleMessage) -> None:
        if line.type in ("error", "warning"):
            self.errors.append(line.text)

    def _dialog(self, dialog: Dialog) -> None:
        self.errors.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def _asked(self, request: Request) -> None:
        where = urlsplit(request.url)
        self.requests.append((request.method, where.path))
        if where.scheme != "data" and where.netloc != self.origin:
            self.strangers.append(request.url)
        if where.path.startswith("/api/"):
            self._open.add(request)
        self.most_at_once = max(self.most_at_once, len(self._open))

    def _answered(self, request: Request) -> None:
        self._open.discard(request)

    def assert_sound(self, *expected: str) -> None:
        """No sideways scroll, nothing off the board, no error but those with an expected text."""
        wide = self.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide[0] <= wide[1], f"scrolls sideways: {wide[0]} in {wide[1]} px"
        assert not self.strangers, f"asks elsewhere: {self.strangers}"
        errors = [line for line in self.errors if not any(text in line for text in expected)]
        assert not errors, errors

    def small_targets(self, least: int = 44) -> list[str]:
        """What can be pressed and is lower than `least` px; a tick counts with its label."""
        return self.page.evaluate(
            """least => [...document.querySelectorAll("a, button, input, select, summary")]
              .map(e => e.type == "checkbox" ? e.closest("label") : e)
              .filter(e => e.offsetParent && e.getBoundingClientRect().height < least)
              .map(e => e.outerHTML)""",
            least,
        )


class Pages:
    """Opens pages in one browser; `shots` is where the pictures go, None for none."""

    def __init__(self, browser: Browser, shots: Path | None) -> None:
        self._browser = browser
        self._shots = shots
        self._count = itertools.count(1)

    def open(
        self,
        url: str,
        *,
        size: tuple[int, int] = PHONE,
        scheme: Scheme = "light",
        script: bool = True,
    ) -> Visit:
        context = self._browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,
            reduced_motion="reduce",
            java_script_enabled=script,
        )
        context.set_default_timeout(15_000)
        return Visit(context, url)

    def shot(self, visit: Visit, name: str) -> None:
        """A picture of the whole page."""
        if self._shots:
            file = self._shots / f"{next(self._count):02}-{name}.png"
            visit.page.screenshot(path=file, full_page=True)


@contextmanager
def pages(shots: Path | None = None) -> Iterator[Pages]:
    """A browser for as long as it lasts. DSMRCTL_SHOTS=directory keeps pictures too."""
    from playwright.sync_api import sync_playwright

    kept = os.environ.get("DSMRCTL_SHOTS")
    if shots is None and kept:
        shots = Path(kept)
        shots.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=CHROMIUM, chromium_sandbox=False, args=list(_QUIET)
        )
        try:
            yield Pages(browser, shots)
        finally:
            browser.close()
