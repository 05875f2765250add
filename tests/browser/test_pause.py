"""The pause of the whole queue as people see it: who pressed it, on every page, at once where somebody looks."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, WIDE, Watched
from tests.browser.mill import Mill

SAID = re.compile(r"The queue is paused by you@localhost since .*\d\d:\d\d.*nothing new starts")


@pytest.fixture(autouse=True)
def _moves_again(mill: Mill) -> Iterator[None]:
    yield
    mill.post("/queue/resume")


def test_pause_and_resume(watched: Watched, mill: Mill, shot: Callable[[Page, str], None]) -> None:
    """By keyboard, after a question; the banner comes and goes on an open page, and the focus stays on the button."""
    mill.record(f"{mill.word}-one.jpg")
    page = watched.page(f"/?q={mill.word}-")
    pause = page.get_by_role("button", name="Pause…")
    pause.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Pause the queue?")
    dialog.get_by_role("button", name="Pause").click()
    banner = page.locator("#banners").get_by_role("status")
    expect(banner).to_have_text(SAID)
    expect(page.locator("#run-state")).to_have_text("Paused")
    expect(page.locator("#run-line")).to_have_text("1 job waits until an admin resumes the queue.")
    expect(page.locator("#jobs")).to_contain_text("Waits for the queue to be resumed")
    resume = page.get_by_role("button", name="Resume")
    expect(resume).to_be_focused()
    shot(page, "pause-wide")
    page.keyboard.press("Enter")
    expect(banner).to_have_count(0)
    expect(page.get_by_role("button", name="Pause…")).to_be_focused()
    expect(page.locator("#run-line")).to_have_text("1 job waits for a run.")


def test_paused_in_a_run(watched: Watched, mill: Mill, shot: Callable[[Page, str], None]) -> None:
    """Nothing is said of time left or of a Run to press, while a run is open and the queue stands still."""
    mill.record(f"{mill.word}-one.jpg")
    mill.post("/queue/pause")
    mill.post("/runs", {"workers": 1})
    try:
        page = watched.page(f"/?q={mill.word}-")
        expect(page.locator("#run-state")).to_have_text("Paused")
        expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
        expect(page.locator("#no-workers-yet")).to_be_hidden()
        expect(page.locator("#run-estimate")).not_to_contain_text("left")
        shot(page, "pause-run")
    finally:
        mill.post("/runs/current/stop", {"mode": "now"})


@pytest.mark.parametrize(("viewport", "scheme"), [(WIDE, "dark"), (PHONE, "light"), (PHONE, "dark")])
def test_on_every_page(
    watched: Watched, mill: Mill, shot: Callable[[Page, str], None], viewport: dict[str, int], scheme: str
) -> None:
    """It is in the page from the start, stays while scripts look, and moves nothing when they do."""
    (job,) = mill.record(f"{mill.word}.jpg")
    mill.post("/queue/pause")
    context = watched.context(viewport=viewport, color_scheme=scheme)
    page = context.new_page()
    for path, name in ((f"/?q={mill.word}", "processing"), ("/upload", "upload"), (f"/jobs/{job}", "job")):
        page.goto(path)
        banner = page.locator("#banners").get_by_role("status")
        expect(banner).to_have_count(1)
        expect(banner).to_have_text(SAID)
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        shot(page, f"pause-{name}-{viewport['width']}-{scheme}")
