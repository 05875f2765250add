"""Turns: their order, their speakers' numbers, and where they overlap."""

from worker.pipelines.speakers.turns import Turn, apart, in_order, label, overlapped


def test_speakers_are_numbered_by_who_speaks_first() -> None:
    found = in_order([Turn(5, 6, 0), Turn(1, 2, 7), Turn(3, 4, 3)])
    assert found == [Turn(1, 2, 0), Turn(3, 4, 1), Turn(5, 6, 2)]
    assert label(found[0].speaker) == "S1"


def test_turns_that_follow_each_other_without_a_gap_are_one() -> None:
    assert in_order([Turn(0, 1, 0), Turn(1, 2, 0), Turn(2, 3, 1), Turn(3.5, 4, 1)]) == [
        Turn(0, 2, 0),
        Turn(2, 3, 1),
        Turn(3.5, 4, 1),
    ]


def test_where_two_speak_at_once_each_has_a_turn_of_just_that_stretch() -> None:
    assert apart([Turn(0, 5, 4), Turn(4, 8, 2)]) == [
        Turn(0, 4, 0),
        Turn(4, 5, 1, overlap=True),
        Turn(4, 5, 0, overlap=True),
        Turn(5, 8, 1),
    ]


def test_a_speaker_does_not_overlap_with_himself() -> None:
    assert apart([Turn(0, 3, 1), Turn(2, 4, 1)]) == [Turn(0, 4, 0)]


def test_a_stretch_is_overlapped_if_half_of_it_is() -> None:
    turns = apart([Turn(0, 5, 0), Turn(4, 8, 1)])
    assert overlapped(3.5, 4.5, turns)
    assert not overlapped(0, 5, turns)
    assert not overlapped(6, 7, turns)
