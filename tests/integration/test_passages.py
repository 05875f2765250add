"""What was said is found: in its own language, ranked, in pages, marked; committed with the job or not at all."""

import uuid
from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import Connection, Engine, text

from shared import lifecycle, passages, speakers
from shared.database import acting_as
from shared.jobs import Completion, NewJob, NewPassage

ANN = "ann@example.com"
RECORDING = NewJob("uploads", "a/meeting.mp3", 1, "speech", 1000, "audio/mpeg", owner=ANN)


def said(*texts: str, language: str = "en") -> list[NewPassage]:
    """Make one passage of ten seconds of each text, by two speakers in turn."""
    return [NewPassage(10.0 * n, 10.0 * n + 9.5, words, f"S{n % 2 + 1}", language) for n, words in enumerate(texts)]


def transcribed(engine: Engine, found: Sequence[NewPassage], job: NewJob = RECORDING) -> uuid.UUID:
    """Let a worker take a recording and commit what it heard."""
    with engine.begin() as connection:
        [recorded] = lifecycle.record(connection, [replace(job, object=f"{uuid.uuid4()}/meeting.mp3")])
        [claim] = lifecycle.claim(connection, [recorded.id], worker="vm-1/boot", lease_seconds=40)
        assert lifecycle.commit(connection, [Completion(claim.id, claim.attempt, {}, passages=found)])
    return recorded.id


def find(engine: Engine, q: str, *, after: passages.Place | None = None, most: int = 50) -> list[passages.Hit]:
    with engine.begin() as connection, acting_as(connection, ANN, admin=False):
        return passages.search(connection, q, after=after, most=most)


def excerpts(engine: Engine, q: str) -> list[str]:
    """Excerpts of all hits, with what was found in square brackets."""
    return ["".join(f"[{p.text}]" if p.found else p.text for p in hit.excerpt) for hit in find(engine, q)]


def test_a_hit_says_where_it_is_and_who_speaks(engine: Engine) -> None:
    """Recording, seconds, speaker and the speaker's name come with each passage that has the words, in any form."""
    job = transcribed(engine, said("Let us begin.", "We are budgeting for the harbour.", "Thank you."))
    with engine.begin() as connection, acting_as(connection, ANN, admin=False):
        assert speakers.rename(connection, job, "S2", "Grace")
    [hit] = find(engine, "budgets")
    assert (hit.place.job_id, hit.start_seconds, hit.end_seconds) == (job, 10.0, 19.5)
    assert (hit.speaker, hit.name, hit.language) == ("S2", "Grace", "en")
    assert hit.object.endswith("/meeting.mp3")
    assert excerpts(engine, "budgets") == ["We are [budgeting] for the harbour."]


@pytest.mark.parametrize(
    ("language", "words", "q", "marked"),
    [
        ("de", "Die Verträge werden morgen unterschrieben.", "vertrag", "Die [Verträge] werden morgen unterschrieben."),
        ("fr", "Nous avons choisi les maisons.", "maison", "Nous avons choisi les [maisons]."),
        ("ja", "明日は会議があります。", "会議", "明日は[会議]があります。"),
        ("zh", "我们明天讨论预算。", "预算", "我们明天讨论[预算]。"),
        ("th", "พรุ่งนี้มีประชุม", "ประชุม", "พรุ่งนี้มี[ประชุม]"),
        ("xx", "Qapla' batlh je.", "batlh", "Qapla' [batlh] je."),
    ],
)
def test_each_passage_is_searched_in_its_own_language(
    engine: Engine, language: str, words: str, q: str, marked: str
) -> None:
    """Other forms of a word are found, also where words are not set apart by spaces, beside passages in English."""
    transcribed(engine, said("Nothing of the kind.", "And nothing here."))
    transcribed(engine, said(words, language=language))
    assert excerpts(engine, q) == [marked]


def test_letters_in_another_order_are_another_word(engine: Engine) -> None:
    """Where no spaces are written, a word is its letters in their order."""
    transcribed(engine, said("京东商城", language="zh"))
    assert excerpts(engine, "东京") == []
    assert excerpts(engine, "京东") == ["[京东]商城"]


def test_questions_are_asked_as_on_the_web(engine: Engine) -> None:
    """All words, a phrase, one or the other, and without; what asks for nothing finds nothing."""
    transcribed(engine, said("red boats and a blue harbour", "a red harbour", "blue boats"))
    assert len(excerpts(engine, "red harbour")) == 2
    assert excerpts(engine, '"red harbour"') == ["a [red] [harbour]"]
    assert len(excerpts(engine, "red or blue")) == 3
    assert excerpts(engine, "boats -red") == ["blue [boats]"]
    for nothing in ("", "   ", "the and of", "-red", "'); DROP TABLE jobs; --", '"', "\x02", "🦀", "a" * 3000):
        assert excerpts(engine, nothing) == []


def test_the_best_come_first_and_pages_leave_nothing_out(engine: Engine) -> None:
    """Passages that say it more often stand before others; walking from page to page meets each hit once."""
    for _ in range(3):
        transcribed(engine, said("harbour harbour harbour", *["One word of the harbour and many others."] * 5))
    everything = find(engine, "harbour")
    assert len(everything) == 18
    assert [hit.place.ordinal for hit in everything[:3]] == [1, 1, 1]
    walked: list[passages.Hit] = []
    while page := find(engine, "harbour", most=4, after=walked[-1].place if walked else None):
        walked += page
    assert walked == everything


def test_what_is_said_is_text_and_never_markup(engine: Engine) -> None:
    """Angle brackets come back as they are, and nobody can say the marks."""
    transcribed(engine, said("<b>harbour</b> & \x02mine\x03 <script>alert(1)</script>"))
    [hit] = find(engine, "harbour")
    assert [part.text for part in hit.excerpt if part.found] == ["harbour"]
    assert "".join(part.text for part in hit.excerpt) == "<b>harbour</b> &  mine  <script>alert(1)</script>"


def test_monstrous_passages_are_taken(engine: Engine) -> None:
    """No text is too long or too odd to be committed: its beginning is searched."""
    texts = ["harbour " + "x" * 3_000_000, " ".join(f"w{n}" for n in range(300_000)), "预" * 1_000_000, "a-" * 500_000]
    transcribed(engine, said(*texts, ""))
    assert len(find(engine, "harbour")) == 1
    assert len(find(engine, "w100")) == 1


def test_a_fenced_worker_leaves_no_passages(engine: Engine) -> None:
    """What a worker heard that has lost the job is nowhere to be found."""
    with engine.begin() as connection:
        [recorded] = lifecycle.record(connection, [RECORDING])
        [claim] = lifecycle.claim(connection, [recorded.id], worker="vm-1/boot", lease_seconds=40)
        stale = Completion(claim.id, claim.attempt - 1, {}, passages=said("harbour"))
        assert lifecycle.commit(connection, [stale]) == set()
    assert find(engine, "harbour") == []


def test_a_job_takes_its_passages_and_names_along(engine: Engine) -> None:
    """When a job is deleted, nothing of what was said in it is left."""
    job = transcribed(engine, said("harbour"))
    with engine.begin() as connection, acting_as(connection, ANN, admin=False):
        assert passages.labels(connection, job) == ["S1"]
        assert speakers.rename(connection, job, "S1", "Ada")
        assert speakers.names(connection, job) == {"S1": "Ada"}
        connection.execute(text("DELETE FROM jobs"))
        assert rows(connection, "passages") == rows(connection, "speakers") == 0


def rows(connection: Connection, table: str) -> int:
    return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())  # noqa: S608 - a name from here


def test_names_are_given_changed_and_taken_back(engine: Engine) -> None:
    """The last name counts, an empty one leaves the label, and nobody is named who does not speak."""
    job = transcribed(engine, said("harbour"))
    with engine.begin() as connection, acting_as(connection, ANN, admin=False):
        assert speakers.rename(connection, job, "S1", "Ada")
        assert speakers.rename(connection, job, "S1", "Ada Lovelace")
        assert speakers.names(connection, job) == {"S1": "Ada Lovelace"}
        assert speakers.rename(connection, job, "S1", "")
        assert not speakers.rename(connection, job, "S7", "Nobody")
        assert not speakers.rename(connection, uuid.uuid4(), "S1", "Nobody")
        assert speakers.names(connection, job) == {}
