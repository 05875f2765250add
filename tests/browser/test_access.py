"""Everybody can use it: by keyboard, by screen reader, on a phone, in light and dark, with little motion."""

import itertools
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, Watched
from tests.browser.mill import Mill
from tests.cloud import wait_for

SCHEMES = ("light", "dark")
#: (foreground, background) of text, by the names of the custom properties.
TEXT_PAIRS = (
    *itertools.product(("ink", "ink-soft", "link"), ("paper", "sheet", "sunken")),
    *itertools.product(
        ("queued", "running", "succeeded", "failed", "cancelled", "superseded", "preempted", "danger"),
        ("paper", "sheet"),
    ),
    *itertools.product(("ink",), ("wash-warning", "wash-error", "wash-success", "wash-info")),
    ("band-ink", "band"),
    ("band-soft", "band"),
    ("primary-ink", "primary"),
)
#: What is no text: borders of controls, the ring around what has the focus.
SHAPE_PAIRS = (*itertools.product(("edge", "focus"), ("paper", "sheet")), ("spot", "band"))


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb`` (WCAG 2.2)."""

    def linear(part: str) -> float:
        value = int(part, 16) / 255
        return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)

    red, green, blue = (linear(colour[place : place + 2]) for place in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_contrast(watched: Watched, scheme: str) -> None:
    """Text has a contrast of 4.5 and shapes of 3 on every ground they stand on, in light and dark."""
    page = watched.page("/", color_scheme=scheme)
    names = sorted({name for pair in (*TEXT_PAIRS, *SHAPE_PAIRS) for name in pair})
    read = "names => names.map(name => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim())"
    colours = dict(zip(names, page.evaluate(read, names), strict=True))
    wanted = [(pair, 4.5) for pair in TEXT_PAIRS] + [(pair, 3.0) for pair in SHAPE_PAIRS]
    poor = {
        pair: round(ratio, 2)
        for pair, least in wanted
        if (ratio := contrast(colours[pair[0]], colours[pair[1]])) < least
    }
    assert poor == {}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_phone(watched: Watched, mill: Mill, scheme: str, shot: Callable[[Page, str], None]) -> None:
    """At 360 pixels nothing sticks out to the side, however long a name is."""
    long_name = f"{mill.word}-{'long-' * 30}name.jpg"
    ids = mill.record(long_name, f"{mill.word}-short.jpg")
    mill.fail(mill.take(ids[0]), "This picture was cut off, which the camera should have told. " * 3)
    context = watched.context(viewport=PHONE, color_scheme=scheme, has_touch=True)
    page = context.new_page()
    for path in (f"/?q={mill.word}", "/upload", f"/jobs/{ids[0]}", "/nowhere"):
        page.goto(path)
        expect(page.locator("main")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
        shot(page, f"phone-{scheme}-{re.sub(r'[^a-z]+', '-', path.split('?')[0]).strip('-')[:12] or 'processing'}")
    watched.forgive("404")


def test_names_and_landmarks(watched: Watched, mill: Mill) -> None:
    """Every control and picture has a name, ids are unique, and each page has one main heading and landmarks."""
    (job,) = mill.record(f"{mill.word}.jpg")
    context = watched.context()
    page = context.new_page()
    for path in (f"/?q={mill.word}", "/upload", f"/jobs/{job}"):
        page.goto(path)
        page.locator("main").wait_for()
        faults = page.evaluate("""() => {
            const faults = [];
            const seen = new Set();
            for (const { id } of document.querySelectorAll("[id]")) {
                if (seen.has(id)) faults.push(`twice: ${id}`);
                seen.add(id);
            }
            for (const element of document.querySelectorAll("a, button, input, select, progress")) {
                const labels = [...(element.labels ?? [])].map((label) => label.textContent).join(" ");
                const name = element.getAttribute("aria-label") ?? (labels || element.textContent);
                if (!name.trim()) faults.push(`no name: ${element.outerHTML.slice(0, 100)}`);
            }
            for (const image of document.querySelectorAll("img:not([alt])")) faults.push(`no alt: ${image.src}`);
            for (const reference of document.querySelectorAll("[aria-labelledby], [aria-describedby], [for]")) {
                if (reference.closest("[hidden]")) continue;
                for (const name of ["aria-labelledby", "aria-describedby", "for"]) {
                    const id = reference.getAttribute(name);
                    if (id && !document.getElementById(id)) faults.push(`no such id: ${id}`);
                }
            }
            for (const kind of ["main", "header.masthead", "nav", "h1"]) {
                if (!document.querySelector(kind)) faults.push(`no ${kind}`);
            }
            if (document.querySelectorAll("h1").length !== 1) faults.push("not one h1");
            if (!document.documentElement.lang) faults.push("no language");
            return faults;
        }""")
        assert faults == [], path


def press_until(page: Page, selector: str, key: str = "Tab", most: int = 60) -> None:
    """Press a key until the focus is on ``selector``."""
    for _ in range(most):
        page.keyboard.press(key)
        if page.evaluate("selector => document.activeElement?.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} is not reached by {key}")


def test_keyboard_only(watched: Watched, mill: Mill) -> None:
    """Run, stop and its question are done without a mouse, and the focus is always somewhere visible."""
    mill.record(f"{mill.word}.jpg")
    page = watched.page(f"/?q={mill.word}")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    press_until(page, "#run-workers")
    page.keyboard.press("Control+a")
    page.keyboard.type("1")
    page.keyboard.press("Enter")
    run = wait_for(lambda: mill.get("/queue")["run"], what="the run")
    assert run["workers"] == 1
    expect(page.locator("#stop-now")).to_be_visible()
    press_until(page, "#stop-now")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Stop now?")
    expect(dialog.get_by_role("button", name="Go back")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator("#stop-now")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    wait_for(lambda: (mill.get("/queue")["run"] or {}).get("state") != "running", what="the run is stopped")
    expect(page.locator("#run-state")).not_to_have_text("Running")


def test_little_motion(watched: Watched) -> None:
    """Nothing moves for those who asked for less motion."""
    page = watched.page("/", reduced_motion="reduce")
    page.evaluate("document.body.dataset.mill = 'running'")
    assert page.locator(".wheel-turns").evaluate("wheel => getComputedStyle(wheel).animationName") == "none"
