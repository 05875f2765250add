"""A spent budget as people see it: on every page, and between an admin and Run."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, ViewportSize, expect
from sqlalchemy import text

from tests.browser.conftest import PHONE, WIDE, Watched
from tests.browser.mill import Mill
from tests.budget import notify
from tests.cloud import wait_for

SAID = "100.01 of 100.00 USD. Workers start again in a new period or with a larger budget."


@pytest.fixture(autouse=True)
def _unspent(mill: Mill) -> Iterator[None]:
    yield
    with mill.cloud.engine.begin() as connection:
        connection.execute(text("DELETE FROM budgets"))


@pytest.mark.parametrize(("viewport", "scheme"), [(WIDE, "light"), (WIDE, "dark"), (PHONE, "light"), (PHONE, "dark")])
def test_on_every_page(
    watched: Watched, mill: Mill, shot: Callable[[Page, str], None], viewport: ViewportSize, scheme: str
) -> None:
    """It is in the page from the start, comes to an open page by itself, and goes with the next period."""
    (job,) = mill.record(f"{mill.word}.jpg")
    context = watched.context(viewport=viewport, color_scheme=scheme)
    page = context.new_page()
    notify(mill.cloud, 100.01)
    for path, name in (("/upload", "upload"), (f"/jobs/{job}", "job"), (f"/?q={mill.word}", "processing")):
        page.goto(path)
        banner = page.locator("#banners").get_by_role("status")
        expect(banner).to_contain_text(SAID)
        expect(banner).to_have_count(1)
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        shot(page, f"budget-{name}-{viewport['width']}-{scheme}")
    expect(page.locator("#run-line")).to_contain_text("but the budget is spent. You are asked before workers start.")
    notify(mill.cloud, 1.0, minutes=60)
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(banner).to_have_count(0)
    expect(page.locator("#run-line")).to_have_text("1 job waits for a run.")


def test_an_admin_is_asked(watched: Watched, mill: Mill, shot: Callable[[Page, str], None]) -> None:
    """Run asks first; after a yes workers start, and the run says that it is beyond the budget."""
    mill.record(f"{mill.word}.jpg")
    notify(mill.cloud, 100.01)
    page = watched.page(f"/?q={mill.word}")
    page.get_by_role("button", name="Run").click()
    dialog = page.get_by_role("dialog", name="The budget is spent. Start workers all the same?")
    shot(page, "budget-question")
    dialog.get_by_role("button", name="Go back").click()
    assert mill.get("/queue")["run"] is None
    page.get_by_role("button", name="Run").click()
    dialog.get_by_role("button", name="Start them").click()
    run = wait_for(lambda: mill.get("/queue")["run"], what="the run")
    assert run["beyond_budget"]
    expect(page.locator("#run-line")).to_contain_text("beyond the budget")


def test_others_cannot_start(watched: Watched, mill: Mill) -> None:
    """Who is no admin finds Run closed, and why."""
    mill.record(f"{mill.word}.jpg")
    notify(mill.cloud, 100.01)
    page = watched.context().new_page()
    page.add_init_script("document.addEventListener('readystatechange', () => delete document.body?.dataset.admin)")
    page.goto(f"/?q={mill.word}")
    expect(page.locator("#run-line")).to_contain_text("Only an admin can start workers.")
    expect(page.get_by_role("button", name="Run")).to_be_disabled()
