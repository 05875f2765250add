"""Messages that no worker could take, as an admin sees them and decides on them."""

import re
import uuid
from collections.abc import Callable, Iterator

import pytest
from google.pubsub_v1 import PubsubMessage
from playwright.sync_api import Page, ViewportSize, expect
from sqlalchemy import text

from shared.messages import JobMessage
from tests.browser.conftest import PHONE, WIDE, Watched
from tests.browser.mill import Mill
from tests.cloud import wait_for
from tests.dead_letters import undeliverable


@pytest.fixture(autouse=True)
def _none_left(mill: Mill) -> Iterator[None]:
    yield
    with mill.cloud.engine.begin() as connection:
        connection.execute(text("DELETE FROM dead_letters"))


def give_up(mill: Mill, *jobs: str) -> None:
    """Have Pub/Sub give up the messages about these jobs, and one that is none of ours."""
    messages = [PubsubMessage(data=JobMessage(job_id=uuid.UUID(job)).encode()) for job in jobs]
    undeliverable(mill.cloud, *messages, PubsubMessage(data=b'{"song": "of somebody else"}'))
    wait_for(lambda: mill.get("/queue")["dead_letters"] == len(jobs) + 1, 30, "they are kept")


def test_replay_and_discard(watched: Watched, mill: Mill) -> None:
    """Each message says what it is and why it probably came to this; one is replayed, one discarded."""
    (job,) = mill.record(f"{mill.word}.jpg")
    give_up(mill, job)
    page = watched.page(f"/?q={mill.word}")
    letters = page.locator(".letter")
    expect(letters).to_have_count(2)
    mine = letters.filter(has_text=f"{mill.word}.jpg")
    expect(mine).to_contain_text("Its job still waits. Workers received the message 5 times")
    expect(mine).to_contain_text("5 deliveries by trial-")
    mine.get_by_role("button", name=f"Replay the message of {mill.word}.jpg").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="on its way again")).to_be_visible()
    expect(letters).to_have_count(1)
    expect(letters.get_by_role("button", name="Replay")).to_be_focused()
    expect(letters).to_contain_text('{"song": "of somebody else"}')
    letters.get_by_role("button", name="Discard").click()
    page.get_by_role("dialog", name="Discard the message of No job?").get_by_role("button", name="Discard").click()
    expect(page.locator("#undelivered")).to_be_hidden()
    assert mill.get(f"/jobs/{job}")["status"] == "queued"


@pytest.mark.parametrize(("viewport", "scheme"), [(WIDE, "light"), (WIDE, "dark"), (PHONE, "light"), (PHONE, "dark")])
def test_all(
    watched: Watched, mill: Mill, shot: Callable[[Page, str], None], viewport: ViewportSize, scheme: str
) -> None:
    """All are replayed or discarded at once; nothing sticks out to the side on a phone."""
    jobs = mill.record(f"{mill.word}-one.jpg", f"{mill.word}-{'long-' * 20}name.jpg", f"{mill.word}-done.jpg")
    give_up(mill, *jobs)
    mill.commit(mill.take(jobs[2]), {})
    page = watched.context(viewport=viewport, color_scheme=scheme).new_page()
    page.goto(f"/?q={mill.word}")
    expect(page.locator(".letter")).to_have_count(4)
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    page.locator("#undelivered").scroll_into_view_if_needed()
    shot(page, f"undelivered-{viewport['width']}-{scheme}")
    page.get_by_role("button", name="Replay all").click()
    expect(
        page.get_by_role("status").filter(has_text="3 messages on the way again. 1 cannot be replayed.")
    ).to_be_visible()
    expect(page.locator(".letter")).to_have_count(1)
    expect(page.locator(".letter")).to_contain_text("Its job is over (succeeded)")
    expect(page.get_by_role("button", name="Replay all")).to_be_hidden()
    page.get_by_role("button", name="Discard all").click()
    page.get_by_role("dialog").get_by_role("button", name="Discard all").click()
    expect(page.locator("#undelivered")).to_be_hidden()
    expect(page.get_by_role("heading", name=re.compile("Run"))).to_be_visible()
