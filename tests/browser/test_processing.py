"""The processing page and the job page: what they show, and what can be done there."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, ViewportSize, expect
from sqlalchemy import text

from shared.models import Outcome
from tests.browser.conftest import PHONE, WIDE, Watched
from tests.browser.mill import Mill
from tests.cloud import wait_for

#: A picture of one pixel, for a thumbnail that is there at once.
PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs="


def row_of(page: Page, name: str) -> Locator:
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))


def change_answers(page: Page, address: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Let ``change`` alter what the API says at an address."""

    def answer(route: Route) -> None:
        headers = {name: value for name, value in route.request.headers.items() if name != "if-none-match"}
        body = route.fetch(headers=headers).json()
        change(body)
        route.fulfill(json=body)

    page.route(address, answer)


def test_filters_live_in_the_address(watched: Watched, mill: Mill) -> None:
    """Filters and search are in the address: reload, link and the back button show the same jobs."""
    kept, failed = mill.record(f"{mill.word}-kept.jpg", f"{mill.word}-failed.jpg")
    mill.fail(mill.take(failed), "This is no picture.")
    page = watched.page("/")
    page.get_by_role("searchbox").fill(f"{mill.word}-")
    expect(page.locator("#jobs tr")).to_have_count(2)
    page.locator("#counts").get_by_role("link", name="Failed").click()
    expect(page.locator("#jobs tr")).to_have_count(1)
    expect(row_of(page, f"{mill.word}-failed.jpg")).to_contain_text("This is no picture.")
    assert page.url.endswith(f"/?status=failed&q={mill.word}-")
    page.reload()
    expect(page.locator("#jobs tr")).to_have_count(1)
    expect(page.get_by_role("searchbox")).to_have_value(f"{mill.word}-")
    expect(page.locator("#counts").get_by_role("link", name="Failed")).to_have_attribute("aria-current", "true")
    page.go_back()
    expect(page.locator("#jobs tr")).to_have_count(2)
    page.get_by_role("combobox", name="Pipeline").select_option("image")
    assert page.url.endswith(f"/?pipeline=image&q={mill.word}-")
    page.get_by_role("searchbox").fill(f"{mill.word}-there is no such file")
    expect(page.locator("#jobs-empty")).to_contain_text("No job matches")
    page.get_by_role("link", name="Show all jobs").click()
    expect(row_of(page, f"{mill.word}-kept.jpg")).to_be_visible()
    assert mill.get(f"/jobs/{kept}")["status"] == "queued"


def test_typed_before_the_script(watched: Watched, mill: Mill) -> None:
    """Words that are typed while the page still loads count."""
    mill.record(f"{mill.word}-one.jpg", f"{mill.word}-two.jpg", "another.jpg")
    page = watched.context().new_page()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/js/filters.js", hold)
    page.goto("/", wait_until="commit")
    page.get_by_role("searchbox").fill(mill.word)
    wait_for(lambda: page.evaluate("true") and held, what="the page asks for the script")
    held[0].continue_()
    expect(page.locator("#jobs tr")).to_have_count(2)
    page.wait_for_url(f"**/?q={mill.word}")


def test_cancel_and_retry(watched: Watched, mill: Mill) -> None:
    """A queued job is cancelled and queued again from its row; nothing moves, and the keyboard keeps its place."""
    mill.record(f"{mill.word}-one.jpg", f"{mill.word}-two.jpg")
    page = watched.page(f"/?q={mill.word}-")
    row = row_of(page, f"{mill.word}-one.jpg")
    place = row.bounding_box()
    row.get_by_role("button", name=f"Cancel {mill.word}-one.jpg").click()
    expect(row).to_contain_text("Cancelled")
    said = page.get_by_role("status").filter(has_text=f"{mill.word}-one.jpg is cancelled.")
    expect(said).to_be_visible()
    assert row.bounding_box() == place
    page.get_by_role("button", name="Dismiss").focus()
    page.keyboard.press("Enter")
    expect(said).to_be_hidden()
    expect(row.get_by_role("button", name=f"Retry {mill.word}-one.jpg")).to_be_focused()
    assert row.bounding_box() == place
    row.get_by_role("button", name=f"Retry {mill.word}-one.jpg").click()
    expect(row).to_contain_text("Queued")
    expect(row.get_by_role("button", name=f"Cancel {mill.word}-one.jpg")).to_be_focused()


def test_all_shown(watched: Watched, mill: Mill) -> None:
    """All jobs that a filter shows are cancelled, and all that it finds are retried, after one question."""
    names = [f"{mill.word}-{number}.jpg" for number in range(12)]
    mill.record(*names)
    page = watched.page(f"/?status=queued&q={mill.word}-")
    expect(page.locator("#jobs tr")).to_have_count(12)
    page.get_by_role("button", name="Cancel all shown").click()
    dialog = page.get_by_role("dialog", name="Cancel 12 jobs?")
    dialog.get_by_role("button", name="Go back").click()
    expect(page.locator("#jobs tr")).to_have_count(12)
    page.get_by_role("button", name="Cancel all shown").click()
    dialog.get_by_role("button", name="Cancel them").click()
    expect(page.locator("#jobs-empty")).to_be_visible()
    page.locator("#counts").get_by_role("link", name="Cancelled").click()
    expect(page.locator("#jobs tr")).to_have_count(12)
    page.get_by_role("button", name="Retry all 12 cancelled").click()
    page.get_by_role("dialog").get_by_role("button", name="Retry").click()
    expect(page.locator("#jobs-empty")).to_be_visible()
    assert {job["status"] for job in mill.jobs(f"{mill.word}-")} == {"queued"}


def test_more_jobs(watched: Watched, mill: Mill) -> None:
    """More than one page of jobs comes on request, and the focus goes to the first new one."""
    mill.record(*(f"{mill.word}-{number:03}.jpg" for number in range(70)))
    page = watched.page(f"/?q={mill.word}-")
    expect(page.locator("#jobs tr")).to_have_count(50)
    page.get_by_role("button", name="Load more").click()
    expect(page.locator("#jobs tr")).to_have_count(70)
    expect(page.get_by_role("button", name="Load more")).to_be_hidden()
    expect(page.locator("#jobs tr").nth(50).get_by_role("link")).to_be_focused()


def test_back_to_the_same_place(watched: Watched, mill: Mill) -> None:
    """Back from a job, or from another filter, shows as many jobs as before and the same place among them."""
    mill.record(*(f"{mill.word}-{number:03}.jpg" for number in range(110)))
    page = watched.page("/")
    page.get_by_role("searchbox").fill(f"{mill.word}-")
    page.wait_for_url(f"**/?q={mill.word}-")
    page.get_by_role("button", name="Load more").click()
    rows = page.locator("#jobs tr")
    expect(rows).to_have_count(100)
    last = rows.nth(99).get_by_role("link")
    last.scroll_into_view_if_needed()
    top = page.evaluate("scrollY")
    assert top > 3000
    last.click()
    page.get_by_role("heading", name="The file").wait_for()
    page.go_back()
    expect(rows).to_have_count(100)
    wait_for(lambda: page.evaluate("scrollY") == top, what=f"scrolled to {top}")

    page.locator("#counts").get_by_role("link", name="Failed").evaluate("link => link.click()")
    expect(page.locator("#jobs-empty")).to_be_visible()
    page.go_back()
    expect(rows).to_have_count(100)
    wait_for(lambda: page.evaluate("scrollY") == top, what=f"scrolled to {top}")


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_rows_are_equally_high(watched: Watched, mill: Mill, viewport: ViewportSize) -> None:
    """A row is as high with a thumbnail as without, and whatever it says: the list does not creep while jobs finish."""
    ids = mill.record(*(f"{mill.word}-{number}.jpg" for number in range(4)))
    mill.commit(mill.take(ids[0]), {"width": 640, "height": 480, "format": "jpeg"})
    mill.fail(mill.take(ids[1]), "This picture was cut off, which the camera should have told. " * 3)
    mill.progress(mill.take(ids[2]), 0.5, "Rendering in every size that anybody could ever want to see on any screen")

    def add_thumbnail(answer: dict[str, Any]) -> None:
        for job in answer["jobs"]:
            job["thumbnail_url"] = PIXEL if job["status"] == "succeeded" else None

    page = watched.context(viewport=viewport).new_page()
    change_answers(page, "**/api/v1/jobs?*", add_thumbnail)
    page.goto(f"/?q={mill.word}-")
    expect(page.locator("#jobs img")).to_have_count(1)
    heights = page.locator("#jobs tr").evaluate_all("rows => rows.map(row => row.getBoundingClientRect().height)")
    assert len(heights) == 4
    assert len(set(heights)) == 1
    above, below = page.locator(".c-thumb:has(img)").evaluate("""cell => {
        const [outer, inner] = [cell.getBoundingClientRect(), cell.querySelector("img").getBoundingClientRect()];
        return [inner.top - outer.top, outer.bottom - inner.bottom];
    }""")
    assert abs(above - below) <= 1


def test_stopping_in_words(watched: Watched, mill: Mill) -> None:
    """VMs are ordered only while a run goes on; a stopping one says what happens, and how long it takes."""
    run = {"state": "running", "stop_mode": None, "workers": 2, "jobs_done": 0, "cost_usd": None, "problem": None}
    queue = mill.get("/queue")
    queue |= {"workers": {"target": 2, "instances": []}, "run": run | {"started_at": "2026-01-01T00:00:00Z"}}
    page = watched.context().new_page()
    page.route("**/api/v1/queue", lambda route: route.fulfill(json=queue))
    page.goto("/")
    expect(page.locator(".worker-ordered")).to_have_count(2)
    queue["run"] |= {"state": "stopping", "stop_mode": "now"}
    expect(page.locator("#run-line")).to_contain_text("within a minute")
    expect(page.locator("#workers-gone")).to_be_visible()
    expect(page.locator(".worker-ordered")).to_have_count(0)
    queue["run"] = None
    expect(page.locator("#run-state")).to_have_text("At rest")
    expect(page.locator("#no-workers")).to_be_visible()
    expect(page.locator(".worker-ordered")).to_have_count(0)
    expect(page.locator("#fleet-sum")).to_be_empty()


def test_progress_by_itself(watched: Watched, mill: Mill, shot: Callable[[Page, str], None]) -> None:
    """Stage and progress move by themselves; the focus and the row stay where they are."""
    (job,) = mill.record(f"{mill.word}-one.jpg")
    page = watched.page(f"/?q={mill.word}-")
    row = row_of(page, f"{mill.word}-one.jpg")
    row.get_by_role("link").focus()
    top = row.bounding_box()
    hold = mill.take(job)
    mill.progress(hold, 0.25, "Rendering")
    expect(row).to_contain_text("Rendering")
    expect(row).to_contain_text("25 %")
    assert row.bounding_box() == top
    mill.progress(hold, 0.75, "Writing")
    expect(row).to_contain_text("75 %")
    shot(page, "processing-progress")
    mill.commit(hold, {"width": 640, "height": 480, "format": "jpeg"})
    expect(row).to_contain_text("Done")
    expect(row).to_contain_text("640")
    expect(row.get_by_role("link")).to_be_focused()


def test_attempts(watched: Watched, mill: Mill, shot: Callable[[Page, str], None]) -> None:
    """On a job's page preempted and lost attempts are told apart from failures, and the saved work is shown."""
    (job,) = mill.record("attempts.jpg")
    mill.release(mill.take(job, "spotmill-workers-aaaa/1"), Outcome.PREEMPTED)
    mill.release(mill.take(job, "spotmill-workers-bbbb/2"), Outcome.LOST)
    mill.fail(mill.take(job, "spotmill-workers-cccc/3"), "The picture is cut off after 12 % of its lines.")
    page = watched.page(f"/jobs/{job}")
    attempts = page.locator(".attempt")
    expect(attempts).to_have_count(3)
    expect(attempts.nth(0)).to_contain_text("Failed")
    expect(attempts.nth(0)).to_contain_text("cut off after 12 %")
    expect(attempts.nth(1)).to_contain_text("Lost")
    expect(attempts.nth(1)).to_contain_text("not a failure")
    expect(attempts.nth(2)).to_contain_text("Preempted")
    expect(attempts.nth(2)).to_contain_text("not a failure")
    expect(page.locator(".job-head .problem")).to_contain_text("cut off")
    page.get_by_role("button", name="Retry").click()
    expect(page.locator(".job-now")).to_contain_text("Queued")
    mill.commit(mill.take(job), {"width": 10, "height": 20, "format": "png", "exif": {"FocalLength": 35}})
    expect(page.locator(".job-now")).to_contain_text("Done")
    expect(attempts.nth(0)).to_contain_text("42 s of work saved")
    expect(page.get_by_role("row", name="Focal length")).to_contain_text("35")
    shot(page, "job-attempts")


def test_done_counts_the_work_of_all_attempts(watched: Watched, mill: Mill) -> None:
    """The heading says how long the file took in all, not how long the last attempt did."""
    (job,) = mill.record("long.jpg")
    mill.release(mill.take(job), Outcome.PREEMPTED)
    mill.release(mill.take(job), Outcome.LOST)
    mill.commit(mill.take(job), {})
    took = text("""UPDATE attempts SET started_at = ended_at - make_interval(secs => :took)
                   WHERE job_id = :job AND attempt = :attempt""")
    with mill.cloud.engine.begin() as connection:
        for attempt, seconds in enumerate((67, 5, 3), start=1):
            connection.execute(took, {"took": seconds, "job": job, "attempt": attempt})
    page = watched.page(f"/jobs/{job}")
    expect(page.locator(".job-now")).to_contain_text("in 1 min 15 s")


def test_errors_in_words(watched: Watched, mill: Mill) -> None:
    """What the server refuses is said in its words; a lost connection is said, and mended by itself."""
    mill.record(f"{mill.word}.jpg")
    page = watched.page(f"/?q={mill.word}")
    said = {"title": "Not now", "status": 503, "detail": "The budget is used up; an admin can raise it."}

    def refuse(route: Route) -> None:
        route.fulfill(status=409, content_type="application/problem+json", body=json.dumps(said))

    page.route("**/api/v1/jobs/*/cancel", refuse)
    row_of(page, f"{mill.word}.jpg").get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("alert")).to_contain_text("The budget is used up")
    page.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    page.route("**/api/v1/**", lambda route: route.abort())
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator("#banners")).to_contain_text("The connection is lost")
    page.unroute("**/api/v1/**")
    expect(page.locator("#banners")).not_to_contain_text("The connection is lost")
    watched.forgive("Failed to load resource")


def test_server_in_trouble(watched: Watched, mill: Mill) -> None:
    """A server that answers but cannot do its work is no lost connection: its own words are shown while that lasts."""
    mill.record(f"{mill.word}.jpg")
    page = watched.page(f"/?q={mill.word}")
    row = row_of(page, f"{mill.word}.jpg")
    expect(row).to_be_visible()
    banners = page.locator("#banners")
    problem = {"title": "The database does not answer", "status": 503, "detail": "It is being mended."}
    answer = {"status": 503, "content_type": "application/problem+json", "body": json.dumps(problem)}
    page.route("**/api/v1/**", lambda route: route.fulfill(**answer))
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(banners).to_contain_text("The database does not answer. It is being mended.")
    expect(banners).not_to_contain_text("connection is lost")
    row.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("alert")).to_contain_text("It is being mended.")
    page.get_by_role("button", name="Dismiss").click()
    answer |= {"status": 502, "content_type": "text/html", "body": "<h1>Bad gateway</h1>"}
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(banners).to_contain_text("server does not answer just now (502).")
    page.unroute("**/api/v1/**")
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(banners).to_be_empty()
    assert mill.jobs(mill.word)[0]["status"] == "queued"
    watched.forgive("Failed to load resource")


def test_hidden_tab_asks_nothing(watched: Watched, mill: Mill) -> None:
    """A tab that nobody sees asks nothing, and asks at once when it is seen again."""
    mill.record(f"{mill.word}.jpg")
    context = watched.context()
    page = context.new_page()
    page.clock.install()
    page.goto(f"/?q={mill.word}")
    expect(row_of(page, f"{mill.word}.jpg")).to_be_visible()
    asked: list[str] = []
    see = "yes => { Object.defineProperty(document, 'hidden', { value: !yes, configurable: true });"
    see += " document.dispatchEvent(new Event('visibilitychange')); }"
    page.clock.run_for(1000)
    page.evaluate(see, False)
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(60_000)
    assert asked == []
    with page.expect_request(re.compile("/api/v1/queue")):
        page.evaluate(see, True)


def test_page_not_there(watched: Watched) -> None:
    """An address that leads nowhere says so and shows the way back."""
    page = watched.page("/jobs/00000000-0000-4000-8000-000000000000")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.get_by_role("link", name="Go to the processing page").click()
    expect(page.get_by_role("heading", name="Run")).to_be_visible()
    watched.forgive("404")


def test_retry_everything_that_failed(watched: Watched, mill: Mill, shot: Callable[[Page, str], None]) -> None:
    """More failed jobs than are listed are all retried by one button, which keeps the focus until they are queued."""
    for hold in [mill.take(job) for job in mill.record(*(f"{mill.word}-{number:03}.jpg" for number in range(60)))]:
        mill.fail(hold, "This is no picture.")
    count = mill.get("/queue")["counts"]["failed"]
    page = watched.page("/?status=failed")
    expect(page.locator("#jobs tr")).to_have_count(50)
    button = page.get_by_role("button", name=f"Retry all {count} failed")
    button.focus()
    shot(page, "retry-all")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name=f"Retry {count} jobs?")
    expect(dialog.get_by_role("button", name="Go back")).to_be_focused()
    shot(page, "retry-all-question")
    page.keyboard.press("Escape")
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("status").filter(has_text="jobs queued again.")).to_be_visible()
    expect(page.locator("#jobs-empty")).to_be_visible()
    expect(page.locator("#jobs-title")).to_be_focused()
    assert {job["status"] for job in mill.jobs(f"{mill.word}-")} == {"queued"}
