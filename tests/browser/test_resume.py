"""Uploads that are interrupted go on where they stopped; nothing is sent twice that has arrived."""

import base64
import contextlib
import hashlib
import re
import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Error, Locator, Page, Playwright, Request, Route, expect

from tests.browser.conftest import FLAGS, Watched, chromium
from tests.browser.mill import Mill
from tests.cloud import wait_for

MIB = 2**20
#: Slow enough to be interrupted, fast enough to wait for.
SLOW = 24 * MIB
FAST = -1


class Ranges:
    """The chunks that a page sent, as (first byte, last byte + 1)."""

    def __init__(self, page: Page) -> None:
        self.sent: list[tuple[int, int]] = []
        page.on("request", self._note)

    def _note(self, request: Request) -> None:
        match = re.fullmatch(r"bytes (\d+)-(\d+)/\d+", request.headers.get("content-range", ""))
        if match and request.method == "PUT":
            self.sent.append((int(match[1]), int(match[2]) + 1))


class Line:
    """A page's line to the world, slow from the start."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)
        self._session.send("Network.enable")
        self.limit(SLOW)

    def limit(self, bytes_per_second: int) -> None:
        limits = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_per_second}
        self._session.send("Network.emulateNetworkConditions", limits)


def photograph_of(path: Path, side: int) -> Path:
    """Write a square TIFF of 3 · side² bytes that is a picture of noise."""
    random = np.random.default_rng(side)
    noise = random.integers(0, 255, (side // 10, side // 10, 3), np.uint8)
    Image.fromarray(np.kron(noise, np.ones((10, 10, 1), np.uint8))).save(path)
    return path


def fresh(folder: Path, name: str) -> Path:
    """Name a file that no job has been made of yet."""
    return folder / f"{uuid.uuid4().hex[:8]}-{name}"


def row_of(page: Page, path: Path) -> Locator:
    return page.locator(f'.transfer[data-name="{path.name}"]')


def action(row: Locator, name: str) -> Locator:
    return row.get_by_role("button", name=re.compile(f"^{name} "))


def sent_bytes(row: Locator) -> float:
    """How far the row's bar is."""
    return float(row.get_by_role("progressbar").evaluate("bar => bar.value"))


def on_its_way(page: Page, path: Path, share: float) -> Locator:
    """Choose a file and return its row when so much of it has gone out."""
    page.set_input_files("#files", path)
    row = row_of(page, path)
    wait_for(lambda: sent_bytes(row) >= share * path.stat().st_size, 120, f"{share:.0%} of {path.name}")
    return row


def assert_arrived(mill: Mill, path: Path) -> dict[str, Any]:
    """The object is there once, byte for byte; return its job."""
    jobs = wait_for(lambda: mill.jobs(path.name), what="a job")
    assert len(jobs) == 1
    blob = mill.cloud.uploads.get_blob(jobs[0]["object"])
    assert blob is not None
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()
    assert blob.size == path.stat().st_size
    assert base64.b64decode(blob.md5_hash) == digest
    return jobs[0]


@pytest.fixture
def profile(playwright: Playwright, watched: Watched, tmp_path: Path) -> Iterator[Callable[[], BrowserContext]]:
    """Opens a browser that remembers, as a person's own does; calling it again opens the same one anew."""
    opened: list[BrowserContext] = []

    def open_it() -> BrowserContext:
        context = playwright.chromium.launch_persistent_context(
            tmp_path / "profile", executable_path=chromium(), args=list(FLAGS), base_url=watched.url
        )
        opened.append(watched.watch(context))
        return context

    yield open_it
    opened[-1].close()


def test_killed_tab(
    profile: Callable[[], BrowserContext], mill: Mill, tmp_path: Path, shot: Callable[[Page, str], None]
) -> None:
    """A 300 MB picture whose tab dies half-way goes on where it stopped when it is chosen again, and is processed."""
    path = photograph_of(fresh(tmp_path, "killed-tab.tif"), 10_000)
    size = path.stat().st_size
    assert size > 300_000_000
    context = profile()
    page = context.new_page()
    first = Ranges(page)
    page.goto("/upload")
    Line(page)
    on_its_way(page, path, 0.5)
    with page.expect_event("crash"), contextlib.suppress(Error):
        context.new_cdp_session(page).send("Page.crash", timeout=1000)  # a dead tab does not answer

    again = context.new_page()
    second = Ranges(again)
    again.goto("/upload")
    expect(again.locator("#unfinished")).to_contain_text(path.name)
    shot(again, "upload-unfinished")
    again.set_input_files("#files", path)
    row = row_of(again, path)
    expect(row).to_contain_text("Arrived", timeout=120_000)
    expect(again.locator("#unfinished")).to_be_hidden()
    acknowledged = first.sent[-1][0]  # the last chunk was on its way when the tab died
    assert acknowledged > 0.3 * size
    assert second.sent[0][0] >= acknowledged
    assert sum(end - start for start, end in second.sent) <= size - acknowledged
    job = assert_arrived(mill, path)

    mill.post("/runs", {"workers": 1})
    again.goto(f"/jobs/{job['id']}")
    expect(again.locator(".job-now")).to_contain_text("Done", timeout=120_000)
    expect(again.locator("#job")).to_contain_text("(100.0 megapixels)")


def test_killed_browser(profile: Callable[[], BrowserContext], mill: Mill, tmp_path: Path) -> None:
    """Not even a browser that is killed with -9 makes an upload start over."""
    path = photograph_of(fresh(tmp_path, "killed-browser.tif"), 4_000)
    context = profile()
    page = context.new_page()
    first = Ranges(page)
    page.goto("/upload")
    Line(page)
    on_its_way(page, path, 0.5)
    # The main process alone has no --type; it is found by its profile.
    main = next(
        process
        for process in psutil.process_iter(["cmdline"])
        if f"--user-data-dir={tmp_path / 'profile'}" in (process.info["cmdline"] or [])
        and not any(word.startswith("--type=") for word in process.info["cmdline"])
    )
    main.send_signal(signal.SIGKILL)
    main.wait(10)

    context = profile()
    page = context.new_page()
    second = Ranges(page)
    page.goto("/upload")
    expect(page.locator("#unfinished")).to_contain_text(path.name)
    page.set_input_files("#files", path)
    expect(row_of(page, path)).to_contain_text("Arrived", timeout=60_000)
    assert second.sent[0][0] >= first.sent[-1][0] > 0
    assert_arrived(mill, path)


def test_pause_and_resume(watched: Watched, mill: Mill, tmp_path: Path, shot: Callable[[Page, str], None]) -> None:
    """A paused upload sends nothing; resumed, it goes on where it was."""
    path = photograph_of(fresh(tmp_path, "paused.tif"), 4_000)
    page = watched.page("/upload")
    ranges = Ranges(page)
    Line(page)
    row = on_its_way(page, path, 0.4)
    shot(page, "upload-under-way")
    action(row, "Pause").click()
    expect(row).to_have_attribute("data-state", "paused")
    sent = len(ranges.sent)
    action(row, "Resume").click()
    expect(row).to_contain_text("Arrived", timeout=60_000)
    assert ranges.sent[sent][0] >= ranges.sent[sent - 1][0] > 0
    assert_arrived(mill, path)


def test_cancel(watched: Watched, mill: Mill, tmp_path: Path) -> None:
    """A cancelled upload leaves no object and no memory; retried, it starts anew."""
    path = photograph_of(fresh(tmp_path, "cancelled.tif"), 4_000)
    page = watched.page("/upload")
    ranges = Ranges(page)
    line = Line(page)
    row = on_its_way(page, path, 0.3)
    with page.expect_response(lambda response: response.request.method == "DELETE") as dropping:
        action(row, "Cancel").click()
    assert dropping.value.status == 499
    expect(row).to_contain_text("Cancelled")
    assert mill.jobs(path.name) == []
    line.limit(FAST)
    sent = len(ranges.sent)
    action(row, "Retry").click()
    expect(row).to_contain_text("Arrived", timeout=60_000)
    assert ranges.sent[sent][0] == 0
    assert_arrived(mill, path)
    page.reload()
    expect(page.locator("#unfinished")).to_be_hidden()
    watched.forgive("status of 499")  # what the storage answers to a cancel


def test_chosen_twice(watched: Watched, mill: Mill, tmp_path: Path) -> None:
    """A file that has arrived and is chosen again makes no second job, unless the person wants one."""
    path = photograph_of(fresh(tmp_path, "twice.tif"), 500)
    page = watched.page("/upload")
    page.set_input_files("#files", path)
    expect(row_of(page, path)).to_contain_text("Arrived")
    page.reload()
    page.set_input_files("#files", path)
    expect(row_of(page, path)).to_contain_text("Already arrived")
    assert_arrived(mill, path)
    row_of(page, path).get_by_role("button", name="again").click()
    expect(row_of(page, path)).to_have_attribute("data-state", "arrived")
    wait_for(lambda: len(mill.jobs(path.name)) == 2, what="the second job")


def test_connection_lost(watched: Watched, mill: Mill, tmp_path: Path) -> None:
    """An upload whose connection breaks, because the storage is killed, goes on by itself where it was."""
    path = photograph_of(fresh(tmp_path, "cut.tif"), 4_000)
    page = watched.page("/upload")
    ranges = Ranges(page)
    Line(page)
    row = on_its_way(page, path, 0.4)
    sent = len(ranges.sent)
    mill.cloud.kill("gcs")
    expect(row).to_contain_text("Arrived", timeout=90_000)
    assert ranges.sent[sent][0] >= ranges.sent[sent - 1][0] > 0
    assert_arrived(mill, path)
    watched.forgive("net::ERR_")


def test_answer_lost(watched: Watched, mill: Mill, tmp_path: Path) -> None:
    """A file whose arrival is never confirmed, because the answer is lost, is stored once and shown as arrived."""
    path = photograph_of(fresh(tmp_path, "answer-lost.tif"), 500)
    page = watched.page("/upload")
    lost: list[str] = []

    def lose(route: Route) -> None:
        if route.request.method != "PUT" or lost:
            route.fallback()
            return
        lost.append(route.request.url)
        assert route.fetch(post_data=path.read_bytes()).status == 200  # of a file the route has no bytes
        route.abort()

    page.route(f"{mill.cloud.environment['STORAGE_EMULATOR_HOST']}/**", lose)
    page.set_input_files("#files", path)
    expect(row_of(page, path)).to_contain_text("Arrived")
    assert len(lost) == 1
    assert_arrived(mill, path)
    watched.forgive("Failed to load resource")


def test_answer_lost_and_a_taken_name_forbidden(watched: Watched, mill: Mill, tmp_path: Path) -> None:
    """A storage that forbids to replace what it has, before it looks at the precondition, has the file."""
    path = photograph_of(fresh(tmp_path, "taken.tif"), 500)
    page = watched.page("/upload")
    tries: list[str] = []
    asked: list[str] = []
    page.on("request", lambda r: asked.append(r.url) if r.method == "POST" and r.url.endswith("/uploads") else None)

    def lose_then_forbid(route: Route) -> None:
        if route.request.method != "PUT":
            route.fallback()
            return
        tries.append(route.request.url)
        if len(tries) == 1:
            assert route.fetch(post_data=path.read_bytes()).status == 200
            route.abort()
            return
        body = "<Error><Code>AccessDenied</Code></Error>"
        route.fulfill(status=403, body=body, headers={"Access-Control-Allow-Origin": "*"})

    page.route(f"{mill.cloud.environment['STORAGE_EMULATOR_HOST']}/**", lose_then_forbid)
    page.set_input_files("#files", path)
    expect(row_of(page, path)).to_contain_text("Arrived")
    assert len(tries) == 2
    assert len(asked) == 1
    assert_arrived(mill, path)
    watched.forgive("Failed to load resource")


def test_offline(watched: Watched, mill: Mill, tmp_path: Path) -> None:
    """Without a network new files wait; when it is back, they go on by themselves."""
    path = photograph_of(fresh(tmp_path, "offline.tif"), 500)
    page = watched.page("/upload")
    page.context.set_offline(True)
    page.set_input_files("#files", path)
    expect(row_of(page, path)).to_contain_text("Waits for the network")
    expect(page.locator("#banners")).to_contain_text("The connection is lost")
    page.context.set_offline(False)
    expect(row_of(page, path)).to_contain_text("Arrived")
    expect(page.locator("#banners")).not_to_contain_text("The connection is lost")
    assert_arrived(mill, path)
    watched.forgive("net::ERR_")


def test_signed_out(watched: Watched, mill: Mill, tmp_path: Path, shot: Callable[[Page, str], None]) -> None:
    """When the sign-in runs out, the upload under way goes on, the page asks to sign in, and the next file waits."""
    path = photograph_of(fresh(tmp_path, "signed-out.tif"), 4_000)
    later = photograph_of(fresh(tmp_path, "later.tif"), 400)
    page = watched.page("/upload")
    Line(page)
    row = on_its_way(page, path, 0.2)
    page.route("**/api/v1/**", lambda route: route.fulfill(status=401, content_type="text/html", body="Sign in"))
    page.set_input_files("#files", later)
    expect(row_of(page, later)).to_have_attribute("data-state", "signed-out")
    expect(page.locator("#banners")).to_contain_text("sign in again")
    shot(page, "upload-signed-out")
    expect(row).to_contain_text("Arrived", timeout=60_000)
    page.unroute("**/api/v1/**")
    expect(row_of(page, later)).to_contain_text("Arrived", timeout=60_000)
    expect(page.locator("#banners")).not_to_contain_text("sign in again")
    assert_arrived(mill, path)
    assert_arrived(mill, later)
    watched.forgive("Failed to load resource")


def test_signed_url_expired(watched: Watched, mill: Mill, tmp_path: Path) -> None:
    """A permission that ran out before the upload began is asked for again."""
    path = photograph_of(fresh(tmp_path, "expired.tif"), 500)
    page = watched.page("/upload")
    asked: list[str] = []

    def refuse_once(route: Route) -> None:
        if route.request.method != "PUT" or asked:
            route.fallback()
            return
        asked.append(route.request.url)
        route.fulfill(
            status=400, body="<Error><Code>ExpiredToken</Code></Error>", headers={"Access-Control-Allow-Origin": "*"}
        )

    page.route(f"{mill.cloud.environment['STORAGE_EMULATOR_HOST']}/**", refuse_once)
    page.set_input_files("#files", path)
    expect(row_of(page, path)).to_contain_text("Arrived")
    assert len(asked) == 1
    assert_arrived(mill, path)
    watched.forgive("Failed to load resource")


def test_dead_session(watched: Watched, mill: Mill, tmp_path: Path) -> None:
    """An upload whose session is gone starts anew instead of failing."""
    path = photograph_of(fresh(tmp_path, "dead-session.tif"), 4_000)
    page = watched.page("/upload")
    with page.expect_response(lambda answer: answer.status == 201 and "location" in answer.headers) as began:
        line = Line(page)
        row = on_its_way(page, path, 0.3)
    action(row, "Pause").click()
    assert page.request.delete(began.value.headers["location"]).status == 499
    line.limit(FAST)
    action(row, "Resume").click()
    expect(row).to_contain_text("Arrived", timeout=60_000)
    assert_arrived(mill, path)
    watched.forgive("Failed to load resource")


def test_file_that_changed(watched: Watched, tmp_path: Path) -> None:
    """A file that was changed after it was chosen is not sent half old, half new: the row says what to do."""
    path = photograph_of(fresh(tmp_path, "changed.tif"), 4_000)
    page = watched.page("/upload")
    Line(page)
    row = on_its_way(page, path, 0.3)
    action(row, "Pause").click()
    path.write_bytes(b"something else")
    action(row, "Resume").click()
    expect(row).to_contain_text("Choose it again")
    watched.forgive("net::ERR_")


def test_empty_file(watched: Watched, tmp_path: Path) -> None:
    """An empty file is refused before anything is asked of the server."""
    path = tmp_path / "empty.jpg"
    path.write_bytes(b"")
    page = watched.page("/upload")
    page.set_input_files("#files", path)
    expect(row_of(page, path)).to_contain_text("The file is empty.")
    expect(row_of(page, path).get_by_role("button")).to_have_count(0)  # nothing that one could do would help


def test_many_files(watched: Watched, mill: Mill, tmp_path: Path) -> None:
    """Three hundred files at once all arrive, each with its own row."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(300):
        Image.new("RGB", (8, 8), (number % 256, 0, 0)).save(folder / f"many-{number:03}.png")
    page = watched.page("/upload")
    page.set_input_files("#files", sorted(folder.iterdir()))
    expect(page.locator("#totals-count")).to_have_text("300 of 300 files arrived", timeout=120_000)
    expect(page.locator(".transfer")).to_have_count(300)
    wait_for(lambda: mill.get("/queue")["counts"]["queued"] >= 300, 60, "300 jobs")
