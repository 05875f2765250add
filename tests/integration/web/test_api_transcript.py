"""Transcripts through the API: read, downloaded in every form, their speakers named, and found again."""

import gzip
import io
import uuid

import docx as python_docx
import pytest
from werkzeug.test import TestResponse

from shared.transcript.schema import Transcript
from tests.finished_media import TALK, UNDERSTOOD, File, finished, recording, waveform
from tests.transcripts import conversation
from tests.web import API, PUBLIC_URL, Person, Web

ORIGIN = {"Origin": PUBLIC_URL}


@pytest.fixture
def ada(web: Web) -> Person:
    return web.person()


def put(person: Person, job: uuid.UUID, label: str, name: object, **headers: str) -> TestResponse:
    return person.put(f"{API}/jobs/{job}/speakers/{label}", json={"name": name}, headers=ORIGIN | headers)


def test_a_transcript_comes_whole(web: Web, ada: Person) -> None:
    """Words with times, paragraphs, statistics, analysis, and what each speaker is called."""
    job = recording(web.cloud, "Zürich.mp3", owner=ada.email)
    shown = ada.api(f"/jobs/{job}/transcript")
    assert shown["filename"] == "Zürich.mp3"
    assert [segment["text"] for segment in shown["segments"]] == [segment.text for segment in TALK.segments]
    assert shown["segments"][0]["words"][0] == {"start": 0.5, "end": 0.74, "word": " Good", "probability": 0.9}
    assert shown["segments"][0]["called"] == "Speaker 1"
    assert shown["speakers"] == [{"label": f"S{n}", "name": None, "called": f"Speaker {n}"} for n in (1, 2, 3)]
    assert shown["paragraphs"][0] | {"end": 0} == {"start": 0.5, "end": 0, "speaker": "S1", "first": 0, "last": 0}
    assert shown["statistics"]["speakers"][2]["questions"] == 0
    assert shown["analysis"]["action_items"][0]["who"] == "S2"
    assert shown["analysis"]["engine"] == UNDERSTOOD.engine
    again = ada.get(f"{API}/jobs/{job}/transcript")
    assert ada.get(f"{API}/jobs/{job}/transcript", headers={"If-None-Match": again.headers["ETag"]}).status_code == 304


def test_a_name_is_everywhere(web: Web, ada: Person) -> None:
    """Once a speaker is named, every view and every file says so; taken back, none does."""
    job = recording(web.cloud, "council.mp3", owner=ada.email)
    named = put(ada, job, "S2", "  Grace\tHopper ")
    assert named.get_json()["speakers"][1] == {"label": "S2", "name": "Grace Hopper", "called": "Grace Hopper"}
    shown = ada.api(f"/jobs/{job}/transcript")
    assert [s["called"] for s in shown["segments"][:2]] == ["Speaker 1", "Grace Hopper"]
    files = {form: ada.get(f"{API}/jobs/{job}/transcript.{form}") for form in ("srt", "vtt", "txt", "docx")}
    assert "Grace Hopper: So have I." in files["srt"].text
    assert "<v Grace Hopper>So have I." in files["vtt"].text
    assert "Grace Hopper: So have I." in files["txt"].text
    document = python_docx.Document(io.BytesIO(files["docx"].data))
    assert document.paragraphs[0].text == "council"
    assert document.paragraphs[3].text.startswith("Grace Hopper  0:")
    [hit] = ada.api("/search?q=draft")["hits"]
    assert hit["called"] == "Grace Hopper"
    assert put(ada, job, "S2", "").get_json()["speakers"][1]["name"] is None
    assert "Grace Hopper" not in ada.get(f"{API}/jobs/{job}/transcript.txt").text


def test_files_are_named_after_the_recording(web: Web, ada: Person) -> None:
    """Each form has its type and, when it is saved, a name of its own."""
    job = recording(web.cloud, "Zürich 1.mp3", owner=ada.email)
    for form, media in (
        ("srt", "application/x-subrip; charset=utf-8"),
        ("vtt", "text/vtt; charset=utf-8"),
        ("txt", "text/plain; charset=utf-8"),
        ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ):
        saved = ada.get(f"{API}/jobs/{job}/transcript.{form}?download=1")
        assert saved.headers["Content-Type"] == media
        said = saved.headers["Content-Disposition"]
        assert said == f"attachment; filename=\"Z_rich 1.{form}\"; filename*=UTF-8''Z%C3%BCrich%201.{form}"
    assert ada.get(f"{API}/jobs/{job}/transcript.vtt").headers["Content-Disposition"].startswith("inline;")
    assert "attachment" in ada.get(f"{API}/jobs/{job}/transcript?download=1").headers["Content-Disposition"]


def test_what_belongs_to_others_is_not_there(web: Web, ada: Person) -> None:
    """Nobody else reads it, names anybody in it or finds a word of it; an admin does."""
    job = recording(web.cloud, "council.mp3", owner=ada.email)
    bob, admin = web.person(), web.person("admin@example.org")
    for path in ("transcript", "transcript.srt", "transcript.docx"):
        assert bob.get(f"{API}/jobs/{job}/{path}").status_code == 404
    assert put(bob, job, "S1", "Mallory").status_code == 404
    assert bob.api("/search?q=harbour")["hits"] == []
    assert ada.api("/search?q=harbour")["hits"]
    assert put(admin, job, "S1", "Ada").status_code == 200
    assert ada.api(f"/jobs/{job}/transcript")["speakers"][0]["name"] == "Ada"


def test_writes_come_from_our_pages_and_make_sense(web: Web, ada: Person) -> None:
    """Another site's page names nobody; who does not speak is not named; a name is one short line."""
    job = recording(web.cloud, "council.mp3", owner=ada.email)
    assert put(ada, job, "S1", "Mallory", Origin="https://evil.example").status_code == 403
    assert put(ada, job, "S9", "Nobody").status_code == 404
    assert put(ada, uuid.uuid4(), "S1", "Nobody").status_code == 404
    for wrong in ("x" * 81, 5, None):
        refused = put(ada, job, "S1", wrong)
        assert refused.status_code == 422
        assert refused.get_json()["errors"][0]["pointer"] == "/name"
    assert put(ada, job, "S1", "\0Ann\nLee").get_json()["speakers"][0]["called"] == "Ann Lee"


@pytest.mark.parametrize("unseen", ["\0", " \t\n", "\u200b\u2060"])
def test_a_name_that_cannot_be_seen_is_refused(web: Web, ada: Person, unseen: str) -> None:
    """The name that somebody has stays; only an empty one takes it back."""
    job = recording(web.cloud, "council.mp3", owner=ada.email)
    put(ada, job, "S2", "Grace")
    refused = put(ada, job, "S2", unseen)
    assert refused.status_code == 422
    assert refused.get_json()["errors"][0]["pointer"] == "/name"
    assert ada.api(f"/jobs/{job}/transcript")["speakers"][1]["name"] == "Grace"
    assert put(ada, job, "S2", "").get_json()["speakers"][1]["name"] is None


def test_speakers_of_one_name_stay_two(web: Web, ada: Person) -> None:
    """Both are called so everywhere, and each has figures of its own."""
    job = recording(web.cloud, "council.mp3", owner=ada.email)
    before = ada.api(f"/jobs/{job}/transcript")["statistics"]
    for label in ("S1", "S3"):
        put(ada, job, label, "Ada")
    shown = ada.api(f"/jobs/{job}/transcript")
    assert [(s["label"], s["called"]) for s in shown["speakers"]] == [("S1", "Ada"), ("S2", "Speaker 2"), ("S3", "Ada")]
    assert shown["statistics"] == before
    assert [row["speaker"] for row in before["speakers"]] == ["S1", "S2", "S3"]
    text = ada.get(f"{API}/jobs/{job}/transcript.txt").text
    assert "Ada: Good morning" in text
    assert "Ada: We decided" in text


def test_jobs_without_a_transcript_say_so(web: Web, ada: Person) -> None:
    """A job that waits, one that made none, one whose transcript nobody can read, and one that is too long: 409."""
    [waiting] = web.record(ada.email, "later.mp3", pipeline="speech")
    silent = finished(web.cloud, "silent.mp3", [waveform(TALK)], owner=ada.email)
    odd = finished(web.cloud, "odd.mp3", [File("transcript", b"{}", "application/json", "t.json")], owner=ada.email)
    for job, words in ((waiting, "none yet"), (silent, "made none"), (odd, "cannot read")):
        answer = ada.get(f"{API}/jobs/{job}/transcript")
        assert (answer.status_code, words in answer.get_json()["detail"]) == (409, True)
        assert ada.get(f"{API}/jobs/{job}/transcript.srt").status_code == 409
        assert put(ada, job, "S1", "Ada").status_code == 409
    strict = web.person(ada.email, web.make(transcript_max_bytes=100))
    assert strict.get(f"{API}/jobs/{recording(web.cloud, owner=ada.email)}/transcript").status_code == 409


def test_an_analysis_that_cannot_be_read_takes_nothing_else_away(web: Web, ada: Person) -> None:
    """The transcript is shown without it."""
    files = [
        File("transcript", TALK.model_dump_json().encode(), "application/json", "t.json"),
        File("analysis", b'{"version": 7}', "application/json", "a.json"),
    ]
    job = finished(web.cloud, "a.mp3", files, owner=ada.email, transcript=TALK)
    assert ada.api(f"/jobs/{job}/transcript")["analysis"] is None


def test_search_leads_to_the_second(web: Web, ada: Person) -> None:
    """A hit names recording, speaker and time, marks what was found, and pages leave none out."""
    job = recording(web.cloud, "council.mp3", owner=ada.email)
    talk = conversation(*((f"S{n % 2 + 1}", f"The harbour, number {n}.") for n in range(7)))
    recording(web.cloud, "long.mp3", owner=ada.email, transcript=talk)
    [hit] = ada.api("/search?q=cranes+paying")["hits"]
    assert (hit["job_id"], hit["filename"], hit["called"]) == (str(job), "council.mp3", "Speaker 2")
    assert hit["url"] == f"/jobs/{job}#t={hit['start']:g}"
    assert [part["text"] for part in hit["excerpt"] if part["found"]] == ["cranes", "pay"]
    [odd] = ada.api("/search?q=laughed")["hits"]
    assert "laughed & said <perhaps>" in "".join(part["text"] for part in odd["excerpt"])
    seen, cursor = [], ""
    while cursor is not None:
        page = ada.api(f"/search?q=harbour&limit=3&cursor={cursor}")
        seen += [(hit["job_id"], hit["start"]) for hit in page["hits"]]
        cursor = page["next_cursor"]
    assert len(seen) == len(set(seen)) == 8
    assert ada.get(f"{API}/search?q=harbour&cursor=rubbish").status_code == 400
    assert ada.api("/search")["hits"] == []


def test_a_transcript_of_three_hours_is_read(web: Web, ada: Person) -> None:
    """30,000 words come back in every form."""
    words = "and then they asked whether the harbour could be sold to somebody who would keep it, or not. " * 2
    long: Transcript = conversation(*((f"S{n % 3 + 1}", words.strip()) for n in range(900)))
    job = finished(
        web.cloud,
        "long.mp3",
        [File("transcript", long.model_dump_json().encode(), "application/json", "t.json")],
        owner=ada.email,
        transcript=long,
    )
    assert sum(len(s["words"]) for s in ada.api(f"/jobs/{job}/transcript")["segments"]) >= 30_000
    plain = ada.get(f"{API}/jobs/{job}/transcript")
    packed = ada.get(f"{API}/jobs/{job}/transcript", headers={"Accept-Encoding": "gzip, br"})
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) < len(plain.data) / 4
    for form in ("srt", "vtt", "txt", "docx"):
        assert ada.get(f"{API}/jobs/{job}/transcript.{form}").status_code == 200
