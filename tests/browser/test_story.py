"""The story that Spotmill is for: drop photographs, press Run, lose a VM, find every result once."""

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import PATIENCE_MS, Watched
from tests.browser.drops import drop
from tests.browser.mill import Mill, named_photographs
from tests.cloud import wait_for

COUNT = 42
#: Sums up how far things jump without anybody having touched anything (https://web.dev/articles/cls).
COUNT_JUMPS = """
    window.jumps = 0;
    new PerformanceObserver((list) => {
        for (const shift of list.getEntries()) if (!shift.hadRecentInput) window.jumps += shift.value;
    }).observe({ type: "layout-shift", buffered: true });
"""


def test_every_result_once(watched: Watched, mill: Mill, tmp_path: Path, shot: Callable[[Page, str], None]) -> None:
    """Dropped photographs become results, each exactly once, though one of two workers is taken away in the middle."""
    folder = tmp_path / "story"
    named_photographs(folder, mill.word, COUNT)
    page = watched.page("/upload")
    page.add_init_script(COUNT_JUMPS)
    drop(page, folder)
    expect(page.locator("#totals-count")).to_have_text(f"{COUNT} of {COUNT} files arrived", timeout=60_000)
    shot(page, "upload-arrived")

    page.get_by_role("link", name="Process them").click()
    page.get_by_role("searchbox").fill(mill.word)
    wait_for(lambda: len(mill.jobs(mill.word)) == COUNT, what="a job for each photograph")
    expect(page.locator("#run-line")).to_contain_text("wait for a run")
    expect(page.get_by_role("spinbutton", name="Workers")).to_have_value("2")
    page.get_by_role("button", name="Run").click()

    expect(page.locator(".worker[data-instance]")).to_have_count(2)
    busy = page.locator('.worker[data-state="busy"]').first
    expect(busy).to_be_visible()
    taken = busy.get_attribute("data-instance")
    assert taken
    zone = (busy.locator(".worker-where").text_content() or "").split(" · ")[0]
    cut = "names => names.filter(name => name.scrollWidth > name.clientWidth).map(name => name.textContent)"
    assert page.locator(".worker-name span:first-child").evaluate_all(cut) == []
    shot(page, "processing-busy")
    mill.cloud.instances.simulate_maintenance_event(project=mill.cloud.settings.project, zone=zone, instance=taken)

    done = page.locator("#jobs tr[data-status='succeeded']")
    expect(done).to_have_count(COUNT, timeout=180_000)
    shot(page, "processing-done")
    jumps = page.evaluate("window.jumps")
    assert jumps < 0.1
    assert sorted(mill.sets_of_artifacts(mill.word)) == sorted((job["id"], 1, 1) for job in mill.jobs(mill.word))

    done.first.get_by_role("link").click()
    expect(page.locator(".job-now")).to_contain_text("Done")
    expect(page.get_by_role("link", name=re.compile("^Download"))).to_have_count(3)
    picture = page.get_by_role("img", name=re.compile("processed"))
    expect(picture).to_be_visible()
    page.wait_for_function("document.querySelector('.preview').naturalWidth > 0", timeout=PATIENCE_MS)
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download thumbnail").click()
    assert downloading.value.path().stat().st_size > 500
    shot(page, "job-done")
