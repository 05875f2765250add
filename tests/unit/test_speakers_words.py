"""Which word is given to which speaker."""

from shared.transcript.schema import Word
from worker.pipelines.speakers.turns import Turn
from worker.pipelines.speakers.words import assign


def said(text: str, start: float, each: float = 0.3) -> list[Word]:
    """Make words of equal length that follow each other."""
    return [
        Word(start=start + number * each, end=start + (number + 1) * each, word=f" {word}", probability=1.0)
        for number, word in enumerate(text.split())
    ]


def test_words_go_to_whoever_speaks_while_they_are_said() -> None:
    words = said("How are you?", 0.0) + said("Very well.", 1.5)
    assert assign(words, [Turn(0.0, 1.0, 0), Turn(1.4, 2.2, 1)]) == ["S1", "S1", "S1", "S2", "S2"]


def test_a_turn_that_begins_a_little_late_takes_the_first_word_of_its_sentence() -> None:
    words = said("I said so. But why", 0.0)
    assert assign(words, [Turn(0.0, 1.1, 0), Turn(1.1, 1.5, 1)]) == ["S1", "S1", "S1", "S2", "S2"]


def test_one_short_word_is_not_taken_out_of_a_sentence() -> None:
    words = said("we go to the sea today", 0.0)
    turns = [Turn(0.0, 0.9, 0), Turn(0.9, 1.2, 1), Turn(1.2, 1.8, 0)]
    assert assign(words, turns) == ["S1"] * 6


def test_an_answer_of_one_word_between_two_sentences_is_kept() -> None:
    words = said("Are you ready? Yes. Then go", 0.0)
    turns = [Turn(0.0, 0.9, 0), Turn(0.9, 1.2, 1), Turn(1.2, 1.8, 0)]
    assert assign(words, turns) == ["S1", "S1", "S1", "S2", "S1", "S1"]


def test_a_word_beside_a_turn_goes_to_it_and_one_far_from_all_to_nobody() -> None:
    words = said("near", 2.5) + said("far", 30.0)
    assert assign(words, [Turn(0.0, 2.0, 0)]) == ["S1", None]


def test_words_without_length_have_a_speaker() -> None:
    words = [Word(start=1.0, end=1.0, word=" and", probability=0.5)]
    assert assign(words, [Turn(0.0, 2.0, 0)]) == ["S1"]


def test_nobody_speaks_where_there_are_no_turns() -> None:
    assert assign(said("to be", 0.0), []) == [None, None]
    assert assign([], [Turn(0.0, 1.0, 0)]) == []


def test_while_two_speak_at_once_the_sentence_stays_with_whoever_began_it() -> None:
    words = said("I would like to", 0.0) + said("go home", 1.2)
    turns = [Turn(0.0, 1.2, 0), Turn(1.2, 1.8, 0, overlap=True), Turn(1.2, 1.8, 1, overlap=True)]
    assert assign(words, turns) == ["S1"] * 6
