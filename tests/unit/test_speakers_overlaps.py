"""Where two speak at once: what a network says of windows meets turns that share no moment."""

import numpy as np
from numpy.typing import NDArray

from worker.pipelines.media.pcm import Span
from worker.pipelines.speakers.overlaps import with_overlaps
from worker.pipelines.speakers.segmentation import CLASSES, LENGTH, TICKS, starts
from worker.pipelines.speakers.statistics import statistics
from worker.pipelines.speakers.turns import Turn


def said(*stretches: tuple[float, float, tuple[int, ...]]) -> NDArray[np.uint8]:
    """Say of one window, which voices are heard from when to when; it is certain."""
    found = np.zeros((1, LENGTH, len(CLASSES)), np.uint8)
    for start, end, voices in stretches:
        found[0, round(start * TICKS) : round(end * TICKS), CLASSES.index(voices)] = 255
    return found


def test_an_interruption_is_both_speakers_turn() -> None:
    turns = [Turn(0, 4.4, 0), Turn(4.4, 8, 1)]
    window = said((0, 4, (2,)), (4, 5, (1, 2)), (5, 8, (1,)))
    found = with_overlaps(turns, [0], window)
    assert found == [Turn(0, 4, 0), Turn(4, 5, 0, overlap=True), Turn(4, 5, 1, overlap=True), Turn(5, 8, 1)]
    figures = statistics([], found, 8.0)
    assert figures.overlap_seconds == 1.0
    assert [speaker.interruptions for speaker in figures.speakers] == [0, 1]


def test_who_agrees_while_another_speaks_is_named_by_what_is_said_alone() -> None:
    turns = [Turn(0, 6, 0), Turn(6, 7, 1), Turn(7, 9, 2)]
    window = said((0, 2, (0,)), (2, 3, (0, 1)), (3, 6, (0,)), (6, 7, (2,)), (7, 9, (1,)))
    found = with_overlaps(turns, [0], window)
    assert [turn for turn in found if turn.overlap] == [Turn(2, 3, 0, overlap=True), Turn(2, 3, 1, overlap=True)]
    # Speakers are numbered by who speaks first: who agreed is now the second.
    assert found[-1] == Turn(7, 9, 1)
    assert statistics([], found, 9.0).speakers[1].interruptions == 0


def test_who_is_heard_nowhere_else_in_a_window_is_the_nearest_other_speaker() -> None:
    turns = [Turn(0, 12, 0), Turn(13, 14, 1), Turn(30, 40, 2)]
    found = with_overlaps(turns, [0], said((0, 5, (0,)), (5, 6, (0, 2)), (6, 10, (0,))))
    assert {turn.speaker for turn in found if turn.overlap} == {0, 1}


def test_windows_say_together_what_is_likely() -> None:
    turns = [Turn(0, 6, 0), Turn(6, 12, 1)]
    one, none = said((0, 6, (0,)), (6, 7, (0, 1)), (7, 10, (1,))), said((0, 3.5, (0,)), (3.5, 10, (1,)))
    assert with_overlaps(turns, [0, 50], np.concatenate([one, none])) == turns


def test_changes_near_the_beginning_of_an_overlap_are_the_same_moment() -> None:
    turns = [Turn(0, 4.8, 0), Turn(4.8, 10, 1)]
    found = with_overlaps(turns, [0], said((0, 5, (0,)), (5, 6, (0, 1)), (6, 10, (1,))))
    assert found == [Turn(0, 5, 0), Turn(5, 6, 0, overlap=True), Turn(5, 6, 1, overlap=True), Turn(6, 10, 1)]
    assert [speaker.turns for speaker in statistics([], found, 10.0).speakers] == [1, 1]


def test_only_windows_with_speech_are_listened_to() -> None:
    found = starts([Span(100, 101)], 1000)
    assert found == [1850, 1900, 1950, 2000]
    assert all(at < 101 * TICKS and at + LENGTH > 100 * TICKS for at in found)
    assert starts([], 1000) == []
    assert starts([Span(0, 1)], 2.0) == [0]
