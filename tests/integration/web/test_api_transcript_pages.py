"""Pages of results as the server writes them: whole without script, and only for who may see them."""

import re

import pytest

from tests.finished_media import TALK, picture, recording
from tests.transcripts import conversation
from tests.web import PUBLIC_URL, Web

EVIL = "<script>alert(1)</script>"


def test_a_transcript_can_be_read_without_script(web: Web) -> None:
    """Paragraphs with times and names, forms to name who speaks, links to every file; nothing of it for others."""
    ada, bob = web.person(), web.person()
    job = recording(web.cloud, owner=ada.email, transcript=conversation(("S1", f"Hello {EVIL}"), ("S2", "Bye.")))
    named = ada.post(f"/jobs/{job}/speakers", data={"label": "S2", "name": EVIL}, headers={"Origin": PUBLIC_URL})
    assert (named.status_code, named.headers["Location"]) == (303, f"/jobs/{job}?notice=named")
    html = ada.get(f"/jobs/{job}/transcript").text
    assert EVIL not in html
    assert "Hello &lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<strong>&lt;script&gt;alert(1)&lt;/script&gt;</strong>" in html
    assert len(re.findall(r'href="[^"]*/transcript\.(docx|txt|srt|vtt)\?download=1"', html)) == 4
    assert f'href="/jobs/{job}/transcript"' in ada.get(f"/jobs/{job}").text
    assert bob.get(f"/jobs/{job}/transcript").status_code == 404
    assert bob.post(f"/jobs/{job}/speakers", data={"label": "S2", "name": "M"}).status_code == 404
    assert ada.post(f"/jobs/{job}/speakers", data={"label": "S2", "name": "x" * 81}).status_code == 422
    assert ada.post(f"/jobs/{job}/speakers", data={"label": "S 2", "name": "x"}).status_code == 422


def test_search_shows_what_was_said_as_text(web: Web) -> None:
    """Words that were found are marked; what looks like markup is text."""
    ada = web.person()
    job = recording(web.cloud, owner=ada.email, transcript=conversation(("S1", f"The harbour {EVIL} is sold.")))
    html = ada.get("/search?q=harbours").text
    assert f'href="/jobs/{job}#t=0.5"' in html
    assert "The <mark>harbour</mark> &lt;script&gt;alert(1)&lt;/script&gt; is sold." in html
    assert "<mark>" not in web.person().get("/search?q=harbours").text
    assert ada.get("/search?q=x&cursor=rubbish").status_code == 400
    assert f'value="{EVIL}"' not in ada.get("/search", query_string={"q": EVIL}).text


@pytest.mark.parametrize("searched", ["", "&q=harbour"])
def test_the_gallery_leaves_no_picture_out(web: Web, searched: str) -> None:
    """Newest first, a page at a time, and nothing but finished pictures of one's own."""
    ada = web.person()
    for number in range(3):
        picture(web.cloud, f"harbour-{number}.jpg", owner=ada.email)
    web.record(ada.email, "harbour-waits.jpg")
    recording(web.cloud, "harbour.mp3", owner=ada.email)
    small = web.person(ada.email, web.make(page_size=2))
    address: str | None = f"/gallery?{searched}"
    seen: list[str] = []
    while address:
        html = small.get(address).text
        seen += re.findall(r'<span class="picture-name">([^<]+)<', html)
        more = re.search(r'data-more="#pictures" href="([^"]+)"', html)
        address = more[1].replace("&amp;", "&") if more else None
    assert seen == ["harbour-2.jpg", "harbour-1.jpg", "harbour-0.jpg"]
    assert "picture-name" not in web.person().get("/gallery").text


def test_pages_that_do_not_exist_say_so(web: Web) -> None:
    """A job without a transcript has no page for one."""
    ada = web.person()
    [waiting] = web.record(ada.email, "later.mp3", pipeline="speech")
    answer = ada.get(f"/jobs/{waiting}/transcript")
    assert (answer.status_code, "The job has none yet." in answer.text) == (409, True)
    assert ada.get(f"/jobs/{recording(web.cloud, owner=ada.email)}/transcript").text.count("para-text") == len(
        TALK.segments
    )
