"""What goes wrong in Whisper is told from how people speak."""

from itertools import chain, repeat

from worker.pipelines.media.pcm import Span
from worker.pipelines.speech.loops import is_loop
from worker.pipelines.speech.omissions import omissions


def _times(phrase: list[int], times: int) -> list[int]:
    return list(chain.from_iterable(repeat(phrase, times)))


def test_a_phrase_over_and_over_to_the_end_is_a_loop() -> None:
    beginning = list(range(100, 140))
    assert is_loop(beginning + _times([1, 2, 3, 4, 5], 8))
    assert is_loop(beginning + _times([7], 40))
    assert is_loop(beginning + _times([1, 2, 3, 4, 5], 8) + [1, 2])  # cut off in the middle of the phrase


def test_people_who_repeat_themselves_are_no_loop() -> None:
    assert not is_loop([])
    assert not is_loop(list(range(200)))
    assert not is_loop(_times([7], 12))  # no no no no
    assert not is_loop(_times([1, 2, 3, 4, 5], 4))  # a refrain
    assert not is_loop([token for number in range(20) for token in (1, 2, 3, 4, number + 100)])  # press one to …
    assert not is_loop(_times([1, 2, 3], 20) + list(range(100, 130)))  # it went on


def test_stretches_without_words_are_found() -> None:
    words = [Span(4.0, 4.5), Span(5.0, 5.2), Span(9.0, 9.5)]
    assert omissions(words, 29.0) == [Span(0.0, 4.0), Span(5.2, 9.0), Span(9.5, 29.0)]
    assert omissions([Span(0.5, 2.0), Span(4.9, 10.0)], 12.9) == []
    assert omissions([], 2.0) == []
