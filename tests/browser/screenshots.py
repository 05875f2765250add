"""Takes the pictures of the README and the docs: ``python -m tests.browser.screenshots``. Not a test."""

import tempfile
from pathlib import Path
from typing import Literal

import click
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from tests.browser.conftest import FLAGS, PATIENCE_MS, PHONE, chromium
from tests.browser.drops import drop
from tests.browser.mill import Mill
from tests.cloud import Cloud, running, wait_for
from tests.films import film
from tests.finished_media import recording
from tests.photos import large_photographs, photographs
from tests.speech_media import call

FOLDER = Path(__file__).parents[2] / "docs" / "img"
SIZE: ViewportSize = {"width": 1280, "height": 900}
#: How many jobs are done when the picture of the processing page is taken.
DONE = 31


def photographs_of_a_day(folder: Path) -> Path:
    """Write a folder as a person would drop it: photographs of a camera's size, small ones, and one mistake."""
    folder.mkdir()
    for number, path in enumerate(large_photographs(folder, 28, (3000, 2000))):
        path.rename(folder / f"harbour-{number + 1:03}.jpg")
    for path in photographs():
        (folder / path.name.replace("_", "-")).write_bytes(path.read_bytes())
    (folder / "viewing-notes.jpg").write_text("Ask the owner about the roof.", encoding="utf-8")
    return folder


def take(page: Page, name: str) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=FOLDER / f"{name}.png")
    click.echo(FOLDER / f"{name}.png")


def take_recordings(cloud: Cloud, browser: Browser) -> None:
    """Take pictures of a recording's page, with two of three speakers named, and of a search in what was said."""
    mill = Mill(cloud)
    job = recording(cloud, "council-meeting.mp3")
    for label, name in (("S1", "Ada"), ("S2", "Grace")):
        mill.put(f"/jobs/{job}/speakers/{label}", {"name": name})
    sizes: tuple[tuple[ViewportSize, Literal["light", "dark"], int, str], ...] = (
        (SIZE, "light", 1, "recording"),
        (PHONE, "dark", 2, "recording-phone-dark"),
    )
    for viewport, scheme, scale, name in sizes:
        context = browser.new_context(
            base_url=cloud.web_url, viewport=viewport, color_scheme=scheme, device_scale_factor=scale
        )
        page = context.new_page()
        page.goto(f"/jobs/{job}#t=17.4")
        expect(page.locator(".w-heard")).to_have_count(1)
        page.wait_for_load_state("networkidle")
        take(page, name)
        context.close()
    page = browser.new_page(base_url=cloud.web_url, viewport=SIZE)
    page.goto("/search?q=crane+or+budget")
    take(page, "search")
    page.close()


def take_film(cloud: Cloud, browser: Browser, scratch: Path) -> None:
    """Send a film through the mill, photographs and a real telephone call, and take a picture of its page."""
    sound, _ = call()
    path = film(
        scratch / "call-by-the-harbour.mp4",
        seconds=30,
        size=(1280, 720),
        sound=("-i", str(sound)),
        numbered=False,
    )
    mill = Mill(cloud)
    page = browser.new_page(base_url=cloud.web_url, viewport=SIZE)
    page.goto("/upload")
    drop(page, path)
    wait_for(lambda: mill.jobs(path.stem), 60, "the film is a job")
    mill.post("/runs", {"workers": 1})
    wait_for(lambda: mill.jobs(path.stem)[0]["status"] == "succeeded", 300, "the film is done", pause_seconds=1)
    page.goto(f"/jobs/{mill.jobs(path.stem)[0]['id']}#t=9.5")
    wait_for(lambda: page.evaluate("document.querySelector('.player')?.readyState === 4"), what="the film is loaded")
    page.locator(".player").evaluate("media => (media.textTracks[0].mode = 'showing')")
    expect(page.locator(".w-heard")).to_have_count(1)
    page.wait_for_load_state("networkidle")
    take(page, "film")
    page.close()


def main() -> None:
    """Start a cloud, do a day's work in it, and take a picture of each page."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        running(Path(scratch) / "data") as cloud,
        sync_playwright() as started,
    ):
        day = photographs_of_a_day(Path(scratch) / "harbour")
        count = len(list(day.iterdir()))
        mill = Mill(cloud)
        browser = started.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        context = browser.new_context(base_url=cloud.web_url, viewport=SIZE)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.goto("/upload")
        drop(page, day)
        wait_for(lambda: page.locator(".transfer[data-state=arrived]").count() > count // 4, 60, "some have arrived")
        take(page, "upload")
        expect(page.locator("#totals-count")).to_have_text(f"{count} of {count} files arrived", timeout=120_000)
        wait_for(lambda: sum(mill.get("/queue")["counts"].values()) == count, 60, "every job is there")

        mill.post("/runs", {"workers": 2})
        page.goto("/")
        finished = page.locator("#counts .count-succeeded strong")
        wait_for(lambda: int(finished.inner_text()) >= DONE, 300, "most are done")
        take(page, "processing")
        expect(page.locator("#counts .count-running strong")).to_have_text("0", timeout=120_000)

        job = mill.jobs("harbour-007")[0]["id"]
        page.goto(f"/jobs/{job}")
        page.wait_for_function("document.querySelector('.preview')?.naturalWidth > 0")
        take(page, "job")
        schemes: tuple[tuple[Literal["light", "dark"], str], ...] = (("light", "phone"), ("dark", "phone-dark"))
        for scheme, name in schemes:
            phone = browser.new_context(
                base_url=cloud.web_url, viewport=PHONE, color_scheme=scheme, device_scale_factor=2
            )
            page = phone.new_page()
            page.goto("/?q=harbour")
            page.wait_for_load_state("load")
            take(page, name)
        take_recordings(cloud, browser)
        take_film(cloud, browser, Path(scratch))
        page = browser.new_page(base_url=cloud.web_url, viewport={"width": 1280, "height": 480})
        page.goto("/gallery")
        page.wait_for_load_state("networkidle")
        take(page, "gallery")
        browser.close()


if __name__ == "__main__":
    main()
