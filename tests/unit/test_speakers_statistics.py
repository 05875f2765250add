"""The figures of a conversation."""

import pytest

from shared.transcript.schema import Segment, SpeakerStatistics
from worker.pipelines.speakers.statistics import statistics
from worker.pipelines.speakers.turns import Turn


def segment(speaker: str | None, text: str) -> Segment:
    return Segment(start=0, end=1, speaker=speaker, text=text)


def of(turns: list[Turn], *segments: Segment, duration: float = 60.0, language: str | None = None) -> SpeakerStatistics:
    """Give the figures of the first speaker."""
    return statistics(segments, turns, duration, language).speakers[0]


def test_talk_share_and_silence_add_up() -> None:
    found = statistics([], [Turn(0, 10, 0), Turn(10, 40, 1)], 60)
    assert (found.speech_seconds, found.silence_seconds, found.overlap_seconds) == (40, 20, 0)
    assert [(one.speaker, one.talk_seconds, one.share) for one in found.speakers] == [
        ("S1", 10, 0.25),
        ("S2", 30, 0.75),
    ]


def test_overlapped_speech_is_talk_of_both_but_speech_once() -> None:
    turns = [Turn(0, 8, 0), Turn(8, 10, 0, overlap=True), Turn(8, 10, 1, overlap=True), Turn(10, 12, 1)]
    found = statistics([], turns, 12)
    assert (found.speech_seconds, found.overlap_seconds) == (12, 2)
    assert [one.talk_seconds for one in found.speakers] == [10, 4]


def test_a_turn_lasts_until_somebody_else_speaks_or_a_long_silence() -> None:
    turns = [Turn(0, 2, 0), Turn(3, 5, 0), Turn(5.5, 6, 1), Turn(6.5, 8, 0), Turn(20, 21, 0)]
    found = of(turns)
    assert found.turns == 3
    assert found.longest_monologue_seconds == 5


def test_whoever_begins_while_another_speaks_and_goes_on_has_interrupted() -> None:
    turns = [Turn(0, 5, 1), Turn(5, 6, 1, overlap=True), Turn(5, 6, 0, overlap=True), Turn(6, 9, 0)]
    found = statistics([], turns, 9)
    assert [one.interruptions for one in found.speakers] == [1, 0]


def test_a_word_of_assent_interrupts_nobody() -> None:
    turns = [Turn(0, 5, 0), Turn(5, 5.5, 0, overlap=True), Turn(5, 5.5, 1, overlap=True), Turn(5.5, 9, 0)]
    found = statistics([], turns, 9)
    assert [one.interruptions for one in found.speakers] == [0, 0]


def test_words_per_minute_are_of_talk_and_not_of_the_recording() -> None:
    found = of([Turn(0, 30, 0)], segment("S1", "one two three four five"), duration=600)
    assert (found.words, found.words_per_minute) == (5, 10)


@pytest.mark.parametrize(
    ("text", "language", "questions"),
    [
        ("Who? Me?", "en", 2),
        ("What?! Really??", "en", 2),
        ("你是谁？", "zh", 1),  # noqa: RUF001 - Chinese
        ("من أنت؟", "ar", 1),
        ("¿Quién eres? ¿Y tú?", "es", 2),
        ("Ποιος είσαι;", "el", 1),
        ("Wait; no.", "en", 0),
        ("No.", "en", 0),
    ],
)
def test_questions_are_counted_by_the_marks_of_many_scripts(text: str, language: str, questions: int) -> None:
    assert of([Turn(0, 1, 0)], segment("S1", text), segment(None, "Eh?"), language=language).questions == questions


def test_an_empty_recording_has_figures_too() -> None:
    found = statistics([], [], 12.5)
    assert (found.speech_seconds, found.silence_seconds, found.speakers) == (0, 12.5, ())
