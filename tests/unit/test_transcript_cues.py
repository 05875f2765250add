"""Captions keep to the rules of the field, and to the transcript."""

from itertools import pairwise

from hypothesis import given

from shared.transcript.cues import cues
from shared.transcript.schema import Segment, Transcript, Word
from shared.transcript.wording import clean, width
from tests.transcripts import conversation, heard, transcripts

LONG = (
    "When we looked at the harbour last spring, the council had not decided yet, and nobody knew whether the "
    "old cranes would stay. Since then they have sold two of them. I think that we should ask again before the summer."
)


def letters(text: str) -> str:
    return "".join(clean(text).split())


@given(transcripts())
def test_captions_of_any_transcript_can_be_shown(transcript: Transcript) -> None:
    """One at a time, in order, of two lines of 42 columns at most, from one to seven seconds, and with every word."""
    found = cues(transcript)
    for cue in found:
        assert 1 <= len(cue.lines) <= 2
        assert all(line and line == line.strip() and width(line) <= 42 for line in cue.lines)
        assert 1000 <= cue.end - cue.start <= 7000
    assert all(before.end <= after.start for before, after in pairwise(found))
    shown = sorted(letters("".join("".join(cue.lines) for cue in found)))
    said = "".join("".join(word.word for word in s.words) if s.words else s.text for s in transcript.segments)
    assert shown == sorted(letters(said))
    assert cues(transcript) == found


def test_words_stand_in_their_order() -> None:
    """Of a recording in which nobody speaks at once, the captions read one after the other are the transcript."""
    transcript = conversation(("S1", LONG), ("S2", "Why?"), ("S1", LONG))
    assert " ".join(line for cue in cues(transcript) for line in cue.lines) == f"{LONG} Why? {LONG}"


def test_captions_end_where_sentences_do() -> None:
    """Rather a shorter caption than one that begins in the middle of a sentence."""
    shown = [" / ".join(cue.lines) for cue in cues(conversation(("S1", LONG)))]
    assert shown == [
        "When we looked at the harbour last spring, / the council had not decided yet,",
        "and nobody knew whether / the old cranes would stay.",
        "Since then they have sold two of them.",
        "I think that we should / ask again before the summer.",
    ]


def test_captions_are_there_when_the_words_are() -> None:
    """A caption comes with its first word and goes after its last, or after a second; no caption bridges a silence."""
    first, second = heard(3.0, "S1", "The first thing."), heard(9.0, "S1", "The other thing.")
    both = Segment(
        start=3.0,
        end=second.end,
        speaker="S1",
        text="The first thing. The other thing.",
        words=first.words + second.words,
    )
    shown = cues(Transcript(duration=12, language="en", model="m", segments=(both,)))
    assert [(cue.start, cue.end) for cue in shown] == [
        (3000, 4000),
        (9000, 10000),
    ]


def test_a_short_word_stays_for_a_second() -> None:
    """Long enough to be read; who speaks next waits, and catches up."""
    yes = Word(start=1.0, end=1.2, word=" Yes.", probability=1)
    next_one = heard(1.3, "S2", "Then let us go and see what the others have found out meanwhile.")
    segments = (Segment(start=1.0, end=1.2, speaker="S1", text="Yes.", words=(yes,)), next_one)
    first, second, *_ = cues(Transcript(duration=9, language="en", model="m", segments=segments))
    assert (first.start, first.end, second.start) == (1000, 2000, 2000)
    assert second.end >= round(next_one.end * 1000) or len(second.lines) == 2


def test_fast_speech_gets_the_time_there_is() -> None:
    """What is said faster than people read stays, up to what the next caption leaves."""
    hurry = tuple(Word(start=n / 10, end=n / 10 + 0.1, word=f" word{n:02}", probability=1) for n in range(10))
    segment = Segment(start=0, end=1, speaker="S1", text="".join(word.word for word in hurry), words=hurry)
    [cue] = cues(Transcript(duration=60, language="en", model="m", segments=(segment,)))
    assert cue.end == sum(map(len, cue.lines)) * 50


def test_a_transcript_of_three_hours_is_cut_in_a_moment() -> None:
    """30,000 words make captions that all follow the rules."""
    transcript = conversation(*((f"S{n % 3 + 1}", LONG) for n in range(750)))
    found = cues(transcript)
    assert sum(len(segment.words) for segment in transcript.segments) >= 30_000
    assert all(cue.end - cue.start <= 7000 for cue in found)
