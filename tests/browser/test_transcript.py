"""Reading a recording: click a word and hear it, find, name who speaks, check what a summary says; mouse and keys."""

import re
import uuid

import pytest
from playwright.sync_api import Locator, Page, ViewportSize, expect

from tests.browser.conftest import PHONE, Watched
from tests.cloud import Cloud, wait_for
from tests.finished_media import TALK, File, film, finished, recording
from tests.transcripts import conversation

#: The fourth word that Speaker 2 says: "They".
THEY = TALK.segments[1].words[3]


def opened(watched: Watched, job: uuid.UUID, at: str = "", **options: object) -> Page:
    page = watched.page(f"/jobs/{job}{at}", **options)
    expect(page.locator(".w").first).to_be_visible()
    return page


def seconds(page: Page) -> float:
    return float(page.locator(".player").evaluate("media => media.currentTime"))


def word(page: Page, text: str) -> Locator:
    return page.locator(".w").filter(has_text=re.compile(f"^{text}$")).first


def stopped(page: Page) -> None:
    page.locator(".player").evaluate("media => media.pause()")


@pytest.fixture
def talk(cloud: Cloud) -> uuid.UUID:
    return recording(cloud, f"council-{uuid.uuid4().hex[:8]}.mp3")


def test_a_click_on_a_word_plays_from_there(watched: Watched, talk: uuid.UUID) -> None:
    """The sound goes to the second of the word, plays on, and the word that is heard is marked."""
    page = opened(watched, talk)
    expect(page.locator(".para")).to_have_count(len(TALK.segments))
    word(page, "They").click()
    wait_for(lambda: seconds(page) > THEY.start + 0.5, what="the sound plays on")
    expect(page.locator(".w-heard")).not_to_have_text("They")
    expect(page.locator(".w-heard")).to_have_count(1)
    stopped(page)
    page.locator(".when").nth(4).click()
    wait_for(lambda: seconds(page) >= TALK.segments[4].start, what="the paragraph plays")
    stopped(page)


def test_the_keyboard_goes_from_word_to_word(watched: Watched, talk: uuid.UUID) -> None:
    """One stop for the tab key; arrows lead through paragraphs and words, Enter plays."""
    page = opened(watched, talk)
    assert page.locator(".transcript [tabindex='0']").count() == 1
    page.locator(".when").first.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".when").nth(1)).to_be_focused()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    expect(word(page, "They")).to_be_focused()
    page.keyboard.press("Enter")
    wait_for(lambda: seconds(page) >= THEY.start - 0.05, what="the word plays")
    stopped(page)
    page.keyboard.press("ArrowUp")
    expect(page.locator(".when").nth(1)).to_be_focused()
    page.keyboard.press("End")
    expect(page.locator(".when").last).to_be_focused()


def test_arrows_go_on_from_the_word_that_was_clicked(watched: Watched, talk: uuid.UUID) -> None:
    """The mouse leaves the keys where it was, without a frame that would keep the words from following the sound."""
    page = opened(watched, talk)
    word(page, "They").click()
    stopped(page)
    expect(word(page, "They")).to_be_focused()
    assert page.locator(".transcript :focus-visible").count() == 0
    page.keyboard.press("ArrowRight")
    expect(page.locator(".w:focus")).to_have_text(TALK.segments[1].words[4].word.strip())
    word(page, "They").click()
    stopped(page)
    page.keyboard.press("ArrowDown")
    expect(page.locator(".when").nth(2)).to_be_focused()


def test_a_name_is_given_in_place_and_is_everywhere_at_once(watched: Watched, talk: uuid.UUID) -> None:
    """In every paragraph, the panel and the analysis; for the next reader and in what is downloaded, too."""
    page = opened(watched, talk)
    page.locator(".speakers").get_by_role("button", name="Speaker 2").click()
    field = page.get_by_role("textbox", name="Name of Speaker 2")
    expect(field).to_be_focused()
    field.fill("Grace <b>Hopper</b>")
    field.press("Enter")
    expect(page.locator(".para .speaker-name").filter(has_text="Grace <b>Hopper</b>")).to_have_count(3)
    expect(page.locator(".analysis")).to_contain_text("Grace <b>Hopper</b>: write to the council")
    expect(page.locator(".transcript")).not_to_contain_text("Speaker 2")
    expect(page.locator("#toast-words")).to_contain_text("Speaker 2 is Grace <b>Hopper</b> now")
    page.reload()
    expect(page.locator(".speaker-list")).to_contain_text("Grace <b>Hopper</b>")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the transcript as Text").click()
    assert "Grace <b>Hopper</b>: So have I." in download.value.path().read_text(encoding="utf-8")

    page.locator(".para .speaker-name").nth(1).click()
    page.keyboard.press("Escape")
    expect(page.locator(".para .speaker-name").nth(1)).to_be_focused()
    page.locator(".para .speaker-name").nth(1).click()
    page.get_by_role("textbox", name="Name of Grace").fill("")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".para .speaker-name").nth(1)).to_have_text("Speaker 2")


def test_a_name_that_is_refused_is_taken_back(watched: Watched, talk: uuid.UUID, cloud: Cloud) -> None:
    """What could not be saved is not shown as if it were, and the page says why."""
    page = opened(watched, talk)
    page.route(
        "**/speakers/*",
        lambda route: route.fulfill(status=404, content_type="application/problem+json", body='{"detail": "No."}'),
    )
    page.locator(".speakers").get_by_role("button", name="Speaker 1").click()
    page.keyboard.type("Ada")
    page.keyboard.press("Enter")
    expect(page.locator("#banners")).to_contain_text("No.")
    expect(page.locator(".para .speaker-name").first).to_have_text("Speaker 1")
    watched.forgive("404")
    page.unroute("**/speakers/*")
    page.locator(".speakers").get_by_role("button", name="Speaker 1").click()
    page.keyboard.type("Ada")
    page.keyboard.press("Enter")
    expect(page.locator("#banners")).to_be_empty()


def test_find_goes_from_place_to_place(watched: Watched, talk: uuid.UUID) -> None:
    """All places are marked, also of several words; Enter goes on and around, and nothing is said if there is none."""
    page = opened(watched, talk)
    find = page.get_by_role("searchbox", name="Find in what was said")
    find.fill("the cranes")
    expect(page.locator(".find-count")).to_have_text("1 of 1")
    expect(page.locator(".w-found")).to_have_text(["the", "cranes"])
    find.fill("think")
    expect(page.locator(".find-count")).to_have_text("1 of 3")
    find.press("Enter")
    find.press("Enter")
    find.press("Enter")
    expect(page.locator(".find-count")).to_have_text("1 of 3")
    find.press("Shift+Enter")
    expect(page.locator(".find-count")).to_have_text("3 of 3")
    expect(page.locator(".w-found-now")).to_be_in_viewport()
    find.fill("zebra")
    expect(page.locator(".find-count")).to_have_text("none")
    expect(page.locator(".w-found")).to_have_count(0)


def test_a_summary_can_be_checked(watched: Watched, talk: uuid.UUID) -> None:
    """It says what made it, and each statement leads to the words that it rests on."""
    page = opened(watched, talk)
    analysis = page.locator(".analysis")
    expect(analysis).to_contain_text("not by a language model")
    analysis.locator("li", has_text="four thousand").get_by_role("link").click()
    wait_for(lambda: seconds(page) >= TALK.segments[7].start, what="the player is there")
    expect(page.locator(".para").nth(7)).to_be_in_viewport()
    assert page.url.endswith(f"#t={TALK.segments[7].start:g}")
    stopped(page)


def test_a_search_leads_to_the_word(watched: Watched, cloud: Cloud) -> None:
    """From the search page to the very second; the rest of the hits comes on the same page."""
    rare = f"zebra{uuid.uuid4().hex[:6]}"
    talk = conversation(*((f"S{n % 2 + 1}", f"Number {n} of the {rare}, and nothing else.") for n in range(25)))
    job = recording(cloud, "zoo.mp3", transcript=talk)
    page = watched.page("/search")
    page.get_by_role("searchbox").fill(rare)
    page.keyboard.press("Enter")
    expect(page.locator(".hit")).to_have_count(20)
    expect(page.locator(".hit mark").first).to_have_text(rare)
    page.wait_for_load_state()  # without the script, the rest comes on another page
    page.get_by_role("link", name="More").click()
    expect(page.locator(".hit")).to_have_count(25)
    expect(page.get_by_role("link", name="More")).to_have_count(0)
    page.locator(".hit", has_text="Number 24").get_by_role("link").first.click()
    expect(page).to_have_url(re.compile(rf"/jobs/{job}#t={talk.segments[24].start:g}$"))
    expect(page.locator(".w-heard")).to_have_text("Number")
    expect(page.locator(".w-heard")).to_be_in_viewport()
    wait_for(lambda: abs(seconds(page) - talk.segments[24].start) < 0.1, what="the player is there")


def test_a_recording_of_three_hours_can_be_read(watched: Watched, cloud: Cloud) -> None:
    """30,000 words are there, and the last of them can be found, clicked and heard of."""
    words = "and then they asked whether the harbour could be sold to somebody who would keep it, or not. " * 2
    long = conversation(*((f"S{n % 3 + 1}", words.strip()) for n in range(850)), ("S1", "The very last word is finis."))
    files = [File("transcript", long.model_dump_json().encode(), "application/json", "transcript.json")]
    page = opened(watched, finished(cloud, "long.mp3", files, transcript=long))
    assert page.locator(".w").count() >= 30_000
    expect(page.locator(".recording-side")).to_contain_text("There is no sound to play here.")
    page.get_by_role("searchbox", name="Find in what was said").fill("finis")
    expect(page.locator(".w-found-now")).to_be_in_viewport()
    page.goto(f"/jobs/{page.url.rsplit('/', 1)[-1]}#t={long.segments[-1].start}")
    expect(page.locator(".w-heard")).to_be_in_viewport()


def test_nothing_that_was_said_becomes_markup(watched: Watched, cloud: Cloud) -> None:
    """Neither words nor labels nor what an analysis says; odd languages and empty segments do no harm."""
    evil = "<img src=x onerror=alert(1)> </script><b>bold</b>"
    talk = conversation(("S1", evil), (None, evil), language="x<y")
    page = opened(watched, recording(cloud, "evil.mp3", transcript=talk))
    assert page.locator(".transcript img, .transcript b, .transcript script").count() == 0
    expect(page.locator(".para-text").first).to_have_text(evil)


def test_a_phone_shows_all_of_it(watched: Watched, talk: uuid.UUID) -> None:
    """Nothing is cut off at 360 pixels, and the player stays in sight while one reads."""
    page = opened(watched, talk, viewport=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator(".para").last.scroll_into_view_if_needed()
    expect(page.locator(".player")).to_be_in_viewport()


@pytest.mark.parametrize("size", [{"width": 1280, "height": 720}, PHONE])
def test_a_link_leads_to_the_word_among_long_paragraphs(watched: Watched, cloud: Cloud, size: ViewportSize) -> None:
    """Their heights are known only when they come into view."""
    words = "and then they asked whether the harbour could be sold to somebody who would keep it, or not. "
    long = conversation(*((f"S{n % 2 + 1}", (words * 7).strip()) for n in range(3)))
    job = film(cloud, "long-words.mp4", transcript=long)
    for where in (1, 2):
        page = watched.page(f"/jobs/{job}#t={long.segments[where].words[20].start:g}", viewport=size)
        expect(page.locator(".w-heard")).to_be_in_viewport()
        page.get_by_role("searchbox", name="Find in what was said").fill("somebody")
        for _ in range(10 * where):
            page.keyboard.press("Enter")
        expect(page.locator(".w-found-now")).to_be_in_viewport()
        page.close()


def test_the_player_stays_beside_what_is_heard(watched: Watched, cloud: Cloud) -> None:
    """However far down the words are."""
    long = conversation(*((f"S{n % 2 + 1}", "They asked whether the harbour could be sold.") for n in range(150)))
    job = recording(cloud, "long-council.mp3", transcript=long)
    page = opened(watched, job)
    for where in (75, 149):
        page.goto(f"/jobs/{job}#t={long.segments[where].start:g}")
        expect(page.locator(".w-heard")).to_be_in_viewport()
        expect(page.locator(".player")).to_be_in_viewport(ratio=1)


def test_the_list_says_how_long_recordings_and_films_are(watched: Watched, cloud: Cloud) -> None:
    """Also one of less than a second; of a film, its own length counts, not that of its sound."""
    name = uuid.uuid4().hex[:8]
    recording(cloud, f"{name}.mp3")
    finished(cloud, f"{name}-short.wav", [], result={"duration": 0.12})
    shown = {"width": 640, "height": 360, "seconds": 40.0, "duration": 41.5}
    finished(cloud, f"{name}.mp4", [], pipeline="video", result=shown)
    page = watched.page(f"/?q={name}")
    expect(page.get_by_role("row", name=f"{name}.mp4")).to_contain_text("640 \N{MULTIPLICATION SIGN} 360 · 40 s")
    expect(page.get_by_role("row", name=f"{name}.mp3")).to_contain_text(f"{round(TALK.duration)} s")
    expect(page.get_by_role("row", name=f"{name}-short.wav")).to_contain_text("0.1 s")


def test_where_nobody_speaks_no_language_is_named(watched: Watched, cloud: Cloud) -> None:
    """Nor a model that heard it, nor words to click on."""
    page = watched.page(f"/jobs/{recording(cloud, 'silence.wav', transcript=conversation(language='und'))}")
    expect(page.locator(".said")).to_contain_text("Nobody says anything here.")
    expect(page.locator(".said-note")).to_have_count(0)


def test_without_script_it_can_be_read_and_named(watched: Watched, talk: uuid.UUID) -> None:
    """The words, the files and the names of speakers need none."""
    page = watched.page(f"/jobs/{talk}", java_script_enabled=False)
    page.get_by_role("link", name="Read what was said").click()
    expect(page.locator(".para-text")).to_have_count(len(TALK.segments))
    page.get_by_label("Speaker 3").fill("Alan")
    page.locator("form", has_text="Speaker 3").get_by_role("button").click()
    expect(page.get_by_role("status").first).to_contain_text("new name")
    page.get_by_role("link", name="Read what was said").click()
    expect(page.locator(".para-head", has_text="Alan")).to_have_count(3)
    with page.expect_download() as download:
        page.get_by_role("link", name="SubRip").click()
    assert "Alan: We decided" in download.value.path().read_text(encoding="utf-8")
