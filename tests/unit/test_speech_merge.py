"""A transcript is cut into segments that people can read, and loses no word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.transcript.schema import Word
from worker.pipelines.media.pcm import Span
from worker.pipelines.speakers.turns import Turn
from worker.pipelines.speech.clips import Clip
from worker.pipelines.speech.merge import LONGEST_SECONDS, Spoken, passages, segments, words
from worker.pipelines.speech.whisper import Heard, HeardWord


def _said(text: str, *, start: float = 0.0, each: float = 0.4, speaker: str | None = None) -> list[Spoken]:
    return [
        Spoken(Word(start=start + n * each, end=start + (n + 1) * each, word=f" {word}", probability=0.9), speaker)
        for n, word in enumerate(text.split())
    ]


def test_words_of_clips_go_to_their_place_in_the_recording() -> None:
    clips = [Clip((Span(5, 7), Span(10, 11))), Clip((Span(20, 22),))]
    heard = [
        Heard((HeardWord(0.5, 1.0, " one", 0.9), HeardWord(2.25, 2.5, " two", 0.8))),
        Heard((HeardWord(0.0, 0.5, " three", 0.7),)),
    ]
    assert [(word.start, word.end, word.word) for word in words(clips, heard)] == [
        (5.5, 6.0, " one"),
        (10.25, 10.5, " two"),
        (20.0, 20.5, " three"),
    ]


def test_a_segment_ends_where_somebody_else_speaks() -> None:
    spoken = [*_said("how are you", speaker="S1"), *_said("fine", start=1.2, speaker="S2")]
    assert [(made.speaker, made.text) for made in segments(spoken)] == [("S1", "how are you"), ("S2", "fine")]


def test_a_segment_ends_with_a_pause() -> None:
    spoken = [*_said("well then"), *_said("let us go", start=2.0)]
    assert [made.text for made in segments(spoken)] == ["well then", "let us go"]


def test_a_segment_ends_with_a_sentence_if_it_has_lasted_a_while() -> None:
    spoken = _said("Yes. I think that we should all go home now, before it rains. Or not.")
    assert [made.text for made in segments(spoken)] == [
        "Yes. I think that we should all go home now, before it rains.",
        "Or not.",
    ]


def test_people_who_speak_at_once_are_marked() -> None:
    turns = [Turn(0, 1.2, 0), Turn(1.2, 2, 0, overlap=True), Turn(1.2, 2, 1, overlap=True)]
    spoken = [*_said("how are you", speaker="S1"), *_said("fine thanks", start=1.2, speaker="S2")]
    assert [made.overlap for made in segments(spoken, turns)] == [False, True]


def test_search_finds_each_segment() -> None:
    made = segments(_said("how are you", speaker="S1"))
    (passage,) = passages(made)
    assert (passage.start, passage.text, passage.speaker) == (0.0, "how are you", "S1")
    assert passage.end == pytest.approx(1.2)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([" a", " word", " end.", " why?", "-ish", "。", "好"]),
            st.floats(0, 2),
            st.floats(0, 1),
            st.sampled_from(["S1", "S2", None]),
        ),
        max_size=120,
    )
)
def test_no_word_is_lost_and_no_segment_is_endless(drawn: list[tuple[str, float, float, str | None]]) -> None:
    spoken: list[Spoken] = []
    at = 0.0
    for text, pause, length, speaker in drawn:
        spoken.append(Spoken(Word(start=at + pause, end=at + pause + length, word=text, probability=0.5), speaker))
        at += pause + length
    made = segments(spoken)
    assert [word for segment in made for word in segment.words] == [each.word for each in spoken]
    assert all(segment.text == "".join(word.word for word in segment.words).strip() for segment in made)
    assert all(segment.end - segment.start <= LONGEST_SECONDS or len(segment.words) < 4 for segment in made)
    assert all(segment.start == segment.words[0].start for segment in made)
