"""Films: the picture that fits, captions with names, and a picture of each place under the pointer."""

import uuid

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watched
from tests.cloud import Cloud, wait_for
from tests.finished_media import TALK, File, film, filmed, finished, sound

CUES = """media => Array.from(media.textTracks[0].cues ?? [], cue => cue.text)"""


def holds(page: Page, what: str) -> None:
    """Wait until something is true of the page; Playwright's own way is against the Content-Security-Policy."""
    wait_for(lambda: page.evaluate(what), what=what)


@pytest.fixture
def page(watched: Watched, cloud: Cloud) -> Page:
    """A film that is loaded so far that it can be played."""
    page = watched.page(f"/jobs/{film(cloud, f'harbour-{uuid.uuid4().hex[:8]}.mp4')}")
    loaded(page)
    return page


def loaded(page: Page) -> None:
    holds(page, "document.querySelector('.player')?.readyState > 0")


def seconds(page: Page) -> float:
    return float(page.locator(".player").evaluate("media => media.currentTime"))


def test_another_picture_goes_on_where_one_was(page: Page) -> None:
    """The choice of rendition keeps place and speed."""
    film = page.locator(".player")
    assert film.evaluate("media => media.videoHeight") == 360
    assert film.get_attribute("poster")
    film.evaluate("media => (media.currentTime = 12)")
    page.get_by_label("Speed").select_option("1.5")
    page.get_by_label("Picture").select_option("180p")
    holds(page, "document.querySelector('.player').videoHeight === 180")
    wait_for(lambda: seconds(page) == pytest.approx(12), what="the film is where it was")
    assert film.evaluate("media => media.playbackRate") == 1.5


def test_captions_say_who_speaks(page: Page) -> None:
    """They come from the transcript, and a new name is in them without another load of the page."""
    film = page.locator(".player")
    film.evaluate("media => (media.textTracks[0].mode = 'showing')")
    wait_for(lambda: film.evaluate(CUES), what="captions are there")
    assert film.evaluate(CUES)[0].startswith("<v Speaker 1>Good morning, everybody.")
    page.locator(".speakers").get_by_role("button", name="Speaker 1").click()
    page.keyboard.type("Ada")
    page.keyboard.press("Enter")
    wait_for(lambda: [cue for cue in film.evaluate(CUES) if "<v Ada>" in cue], what="captions say Ada")


def test_the_line_shows_where_one_would_go(page: Page) -> None:
    """Under the pointer stand the time and its picture; a click goes there, and so do the arrow keys."""
    line = page.get_by_role("slider", name="Place in the recording")
    box = line.bounding_box()
    assert box
    line.hover(position={"x": box["width"] / 2, "y": 20})
    preview = page.locator(".timeline-preview")
    middle = TALK.duration / 2
    expect(preview).to_contain_text(f"0:{int(middle):02}")
    tile = int(middle // 4)
    shown = page.locator(".timeline-picture").evaluate("picture => picture.style.backgroundPosition")
    assert shown == f"-{tile % 5 * 160}px -{tile // 5 * 90}px"
    line.click(position={"x": box["width"] / 2, "y": 20})
    wait_for(lambda: abs(seconds(page) - middle) < 0.5, what="the film is in the middle")
    before = seconds(page)
    line.press("ArrowRight")
    wait_for(lambda: abs(seconds(page) - before - 5) < 0.1, what="five seconds further")
    expect(line).to_have_attribute("aria-valuetext", f"0:{int(before + 5):02} of 0:{int(TALK.duration):02}")
    line.press("Home")
    wait_for(lambda: seconds(page) == 0, what="the beginning")


def test_a_film_in_which_nobody_speaks_is_shown_alone(watched: Watched, cloud: Cloud) -> None:
    """No empty panels for words that there are not."""
    page = watched.page(f"/jobs/{finished(cloud, 'silent.mp4', filmed(TALK.duration), pipeline='video')}")
    loaded(page)
    expect(page.locator(".transcript, .speakers, .analysis")).to_have_count(0)
    with page.expect_download() as download:
        page.get_by_role("link", name="mp4-360").click()
    assert download.value.path().stat().st_size > 10_000
    expect(page.get_by_role("slider", name="Place in the recording")).to_be_visible()


def unpainted(page: Page) -> int:
    """How many pixels in the middle of the line are empty: a drawing of sound is made of bars."""
    # Read from a copy: Chromium warns of what is read from the page's own again and again.
    row = """canvas => {
        const copy = new OffscreenCanvas(canvas.width, 1).getContext("2d", { willReadFrequently: true });
        copy.drawImage(canvas, 0, -23);
        const { data, width } = copy.getImageData(0, 0, canvas.width, 1);
        return Array.from({ length: width }, (_, x) => data[4 * x + 3]).filter(alpha => !alpha).length;
    }"""
    return int(page.locator(".timeline-drawing").evaluate(row))


def test_without_sound_there_is_no_drawing_of_it(watched: Watched, cloud: Cloud, page: Page) -> None:
    """A film that is mute has a plain line to move on, not one that looks like a quiet recording."""
    wait_for(lambda: unpainted(page) > 100, what="the sound is drawn")
    mute = watched.page(f"/jobs/{finished(cloud, 'mute.mp4', filmed(TALK.duration), pipeline='video')}")
    loaded(mute)
    wait_for(lambda: unpainted(mute) == 0, what="the plain line is drawn")
    line = mute.get_by_role("slider", name="Place in the recording")
    line.press("ArrowRight")
    wait_for(lambda: abs(seconds(mute) - 5) < 0.1, what="five seconds further")
    expect(line).to_have_attribute("aria-valuetext", f"0:05 of 0:{int(TALK.duration):02}")


def test_what_was_found_of_a_film_is_said_once(watched: Watched, cloud: Cloud) -> None:
    """One duration, and words that people know."""
    found = {"seconds": 45.2, "starts_at": 0, "container": "mov,mp4,m4a,3gp,3g2,mj2", "duration": 44.1, "speech": True}
    page = watched.page(f"/jobs/{finished(cloud, 'a.mov', [], pipeline='video', result=found)}")
    facts = page.get_by_role("region", name="What was found").locator(".facts > div")
    expect(facts).to_have_text(["Duration45 s", "ContainerMP4/QuickTime", "Speechyes"])
    late = {"seconds": 45.2, "starts_at": 1.4, "container": "nobody knows", "language": "und"}
    page = watched.page(f"/jobs/{finished(cloud, 'a.ts', [], pipeline='video', result=late)}")
    facts = page.get_by_role("region", name="What was found").locator(".facts > div")
    expect(facts).to_have_text(["Duration45 s", "Containernobody knows", "Starts at1.4 s"])


def test_sound_alone_plays(watched: Watched, cloud: Cloud) -> None:
    """Also of a pipeline that published nothing but sound; an address with a time goes there."""
    files = [File("mp3", sound(TALK.duration), "audio/mp4", "sound.m4a")]
    page = watched.page(f"/jobs/{finished(cloud, 'hum.mp3', files)}#t=7.5")
    wait_for(
        lambda: page.locator("audio").count() == 1 and seconds(page) == pytest.approx(7.5), what="the sound is there"
    )
