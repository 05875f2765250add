"""Browsers without script: everything works, one page at a time."""

from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import PHONE, Watched
from tests.browser.mill import Mill, named_photographs
from tests.cloud import wait_for


def test_form_upload(watched: Watched, mill: Mill, tmp_path: Path) -> None:
    """Without script a plain form takes a photograph, and refuses what is none, in words."""
    (path,) = named_photographs(tmp_path, mill.word, 1)
    page = watched.page("/upload", java_script_enabled=False)
    page.locator("input[name=file]").set_input_files(path)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("status").first).to_contain_text("stored")
    wait_for(lambda: mill.jobs(mill.word), what="the job")

    wrong = tmp_path / f"{mill.word}-wrong.jpg"
    wrong.write_text("no picture at all")
    page.goto("/upload")
    page.locator("input[name=file]").set_input_files(wrong)
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("main")).to_contain_text("no intact JPEG image")
    assert mill.jobs(wrong.name) == []
    watched.forgive("422")


def test_processing_page(watched: Watched, mill: Mill) -> None:
    """Without script jobs are found, cancelled and retried by forms, also on a phone."""
    mill.record(f"{mill.word}.jpg")
    page = watched.page(f"/?q={mill.word}", java_script_enabled=False, viewport=PHONE)
    row = page.get_by_role("row").filter(has_text=f"{mill.word}.jpg")
    row.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("status").first).to_contain_text("cancelled")
    page.goto(f"/?q={mill.word}")
    row.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{mill.word}.jpg")
    page.get_by_role("button", name="Retry").click()
    wait_for(lambda: mill.jobs(mill.word)[0]["status"] == "queued", what="the job is queued again")
