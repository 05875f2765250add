"""A Chromium, pages that are watched for errors, and the local cloud behind them."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    ViewportSize,
    expect,
    sync_playwright,
)

from tests.browser.mill import Mill
from tests.cloud import Cloud

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
WIDE: ViewportSize = {"width": 1280, "height": 860}
PHONE: ViewportSize = {"width": 360, "height": 740}
#: Long enough for two slow cores that do other things, too.
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)


def chromium() -> str:
    """Find the browser as ``chromium.sh`` does."""
    names = (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    assert found, "no Chromium: run tests/browser/chromium.sh"
    return found


class Watched:
    """Opens contexts and pages of one cloud and keeps what their consoles complain about."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.url = url
        self.complaints: list[str] = []
        self._browser = browser
        self._contexts: list[BrowserContext] = []

    def context(self, **options: Any) -> BrowserContext:
        """Open a profile of its own: nothing is remembered from elsewhere."""
        context = self._browser.new_context(**({"base_url": self.url, "viewport": WIDE} | options))
        self._contexts.append(context)
        return self.watch(context)

    def page(self, path: str, **options: Any) -> Page:
        """Open a page in a profile of its own."""
        page = self.context(**options).new_page()
        page.goto(path)
        return page

    def watch(self, context: BrowserContext) -> BrowserContext:
        """Listen to everything that pages of a context say."""
        context.set_default_timeout(PATIENCE_MS)
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        return context

    def forgive(self, words: str) -> None:
        """Forget complaints that a test brought about itself."""
        self.complaints = [complaint for complaint in self.complaints if words not in complaint]

    def close(self) -> None:
        for context in self._contexts:
            context.close()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text}")


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
    yield browser
    browser.close()


@pytest.fixture
def watched(browser: Browser, cloud: Cloud) -> Iterator[Watched]:
    """Pages that may complain about nothing: no script error, no violation of the Content-Security-Policy."""
    watched = Watched(browser, cloud.web_url)
    yield watched
    watched.close()
    assert watched.complaints == []


@pytest.fixture
def mill(cloud: Cloud) -> Iterator[Mill]:
    """The cloud as the API shows it; a run that a test leaves behind is stopped, queued jobs are cancelled."""
    mill = Mill(cloud)
    yield mill
    mill.rest()


@pytest.fixture
def shot(request: pytest.FixtureRequest) -> Callable[[Page, str], None]:
    """Keep a picture of a page under ``test-results``, for people to look at."""
    folder = Path(request.config.rootpath) / "test-results"

    def keep(page: Page, name: str) -> None:
        folder.mkdir(exist_ok=True)
        page.screenshot(path=folder / f"{name}.png")

    return keep
