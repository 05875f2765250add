"""Pictures: a grid, and one at a time by mouse or keys."""

import uuid

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, Watched
from tests.cloud import Cloud, wait_for
from tests.finished_media import picture


def holds(page: Page, what: str) -> None:
    """Wait until something is true of the page; Playwright's own way is against the Content-Security-Policy."""
    wait_for(lambda: page.evaluate(what), what=what)


@pytest.fixture
def word(cloud: Cloud) -> str:
    """Three pictures whose names have this word."""
    word = f"g{uuid.uuid4().hex[:8]}"
    for number in range(3):
        picture(cloud, f"{word}-{number}.jpg", hue=number)
    return word


def test_pictures_are_looked_at_one_after_the_other(watched: Watched, word: str) -> None:
    """A click shows a large one; arrows go on, and Escape leads back to where one was."""
    page = watched.page(f"/gallery?q={word}")
    expect(page.locator(".picture")).to_have_count(3)
    holds(page, "[...document.querySelectorAll('.picture img')].every(i => i.naturalWidth === 320)")
    page.locator(".picture").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#viewer-name")).to_have_text(f"{word}-2.jpg")
    expect(page.locator("#viewer-place")).to_have_text("1 of 3")
    expect(page.locator("#viewer-back")).to_be_disabled()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_alt_text(f"{word}-1.jpg")).to_be_visible()
    holds(page, "document.getElementById('viewer-picture').naturalWidth === 1600")
    page.locator("#viewer-next").click()
    expect(page.locator("#viewer-place")).to_have_text("3 of 3")
    expect(page.locator("#viewer-next")).to_be_disabled()
    page.keyboard.press("Escape")
    expect(page.locator(".picture").last).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Details").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{word}-0.jpg")


def test_a_phone_shows_pictures_in_full(watched: Watched, word: str) -> None:
    """Nothing is cut off at 360 pixels, in the grid and one at a time."""
    page = watched.page(f"/gallery?q={word}", viewport=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator(".picture").nth(1).click()
    holds(page, "document.getElementById('viewer-picture').naturalWidth === 1600")
    box = page.locator("#viewer-picture").bounding_box()
    assert box
    assert box["width"] <= PHONE["width"]
    assert box["height"] / box["width"] == pytest.approx(2 / 3, rel=0.02)


def test_without_script_a_picture_leads_to_its_job(watched: Watched, word: str) -> None:
    """The grid is made of links."""
    page = watched.page(f"/gallery?q={word}", java_script_enabled=False)
    page.locator(".picture").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{word}-2.jpg")
