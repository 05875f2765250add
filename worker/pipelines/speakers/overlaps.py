"""Where two speak at once, and who: turns that share no moment meet what the network says of each window."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from worker.pipelines.media.pcm import Span
from worker.pipelines.speakers.segmentation import CLASSES, LENGTH, TICKS
from worker.pipelines.speakers.turns import Turn, apart

Floats = NDArray[np.float32]

#: Two speak at once if the probability is so high somewhere, and as long as it is not below the second value, for at
#: least so long (seconds). On the development mixes with interruptions (bench/speakers) 77 % of the overlap is found,
#: and 92 % of what is found is right; with 0.5 instead of 0.8 only 83 % of it would be.
BEGIN = 0.8
KEEP = 0.35
SHORTEST_SECONDS = 0.25

#: A voice of a window is known by what it says alone in it: at least so long (seconds).
_KNOWN_SECONDS = 0.3

#: What it counts, against the network's word, that it is somebody's turn, and that somebody's turn is near: at most so
#: far away (seconds).
_TURN_WEIGHT = 0.3
_NEAR_WEIGHT = 0.1
_NEAR_SECONDS = 30.0

#: A change of turns so near to where two begin or cease to speak at once is that very moment (seconds).
_SAME_MOMENT_SECONDS = 0.3

#: How much less the edges of a window count than its middle: there the network has heard only one side.
_EDGE = 0.1

#: Which classes hold which of a window's voices, and which of them hold two.
_HOLDS = np.array([[voice in members for voice in range(3)] for members in CLASSES], np.float32)
_TWO = _HOLDS.sum(axis=1) > 1


def with_overlaps(turns: Sequence[Turn], starts: Sequence[int], classes: NDArray[np.uint8]) -> list[Turn]:
    """Add the second speaker where two speak at once.

    Args:
        turns: who is heard best, in order; they share no moment
        starts: the first tick of each window
        classes: what the network says of each window
    """
    ticks = max([*starts, 0]) + LENGTH
    heard = _heard(turns, ticks)
    both, who = _evidence(heard, starts, classes)
    pairs = {span: pair for span in spans(both) if len(pair := _pair(span, turns, who)) > 1}
    kept = _from_overlap_to_overlap([piece for turn in turns for piece in _without(turn, list(pairs))], pairs)
    return apart([*kept, *(Turn(span.start, span.end, voice) for span, pair in pairs.items() for voice in pair)])


def spans(both: Floats) -> list[Span]:
    """Find the stretches in which two speak at once; ``both`` is the probability at each tick."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], both >= KEEP, [False]])))
    return [
        Span(first / TICKS, end / TICKS)
        for first, end in edges.reshape(-1, 2).tolist()
        if both[first:end].max() >= BEGIN and end - first >= SHORTEST_SECONDS * TICKS
    ]


def _heard(turns: Sequence[Turn], ticks: int) -> Floats:
    """Tell at each tick which speaker's turn it is; shape (ticks, speakers)."""
    found = np.zeros((ticks, 1 + max(turn.speaker for turn in turns)), np.float32)
    for turn in turns:
        found[round(turn.start * TICKS) : round(turn.end * TICKS), turn.speaker] = 1
    return found


def _evidence(heard: Floats, starts: Sequence[int], classes: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """Give the probability that two speak at once, and how likely each speaker is one of them, at each tick."""
    both, weight = np.zeros(len(heard), np.float32), np.full(len(heard), 1e-9, np.float32)
    who = np.zeros_like(heard)
    places = np.arange(LENGTH, dtype=np.float32)
    shape = np.maximum(np.minimum(places, LENGTH - 1 - places) / (LENGTH / 2), _EDGE).astype(np.float32)
    for first, window in zip(starts, classes, strict=True):
        said = window.astype(np.float32) / 255
        part = slice(first, first + LENGTH)
        both[part] += shape * said[:, _TWO].sum(axis=1)
        weight[part] += shape
        for voice, speaker in _named(said[:, 1:4], heard[part]):
            who[part, speaker] += shape * said[:, _TWO & (_HOLDS[:, voice] > 0)].sum(axis=1)
    return both / weight, who / weight[:, None]


def _named(alone: Floats, heard: Floats) -> list[tuple[int, int]]:
    """Match a window's voices with speakers: by when each is heard alone."""
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 - takes a while to load

    shared = alone.T @ heard
    rows, columns = linear_sum_assignment(shared, maximize=True)
    return [
        (int(voice), int(speaker))
        for voice, speaker in zip(rows, columns, strict=True)
        if shared[voice, speaker] >= _KNOWN_SECONDS * TICKS
    ]


def _pair(span: Span, turns: Sequence[Turn], who: Floats) -> list[int]:
    """Choose who the two are: by the network's word, then by whose turn it is, then by who is nearest."""
    ticks = slice(round(span.start * TICKS), round(span.end * TICKS))
    score = who[ticks].mean(axis=0)
    near = np.zeros_like(score)
    first = bisect_left(turns, span.start - _NEAR_SECONDS, key=lambda turn: turn.end)
    for turn in turns[first : bisect_left(turns, span.end + _NEAR_SECONDS, key=lambda turn: turn.start)]:
        inside = max(0.0, min(turn.end, span.end) - max(turn.start, span.start))
        score[turn.speaker] += _TURN_WEIGHT * inside / span.seconds
        distance = max(0.0, turn.start - span.end, span.start - turn.end)
        near[turn.speaker] = max(near[turn.speaker], _NEAR_WEIGHT / (1 + distance))
    score += near
    return [int(voice) for voice in np.argsort(-score, kind="stable")[:2] if score[voice] > 0]


def _without(turn: Turn, taken: Sequence[Span]) -> list[Turn]:
    """Cut stretches, which are in order, out of a turn."""
    first = bisect_right(taken, turn.start, key=lambda span: span.end)
    inside = taken[first : bisect_left(taken, turn.end, key=lambda span: span.start)]
    edges = [turn.start, *(moment for span in inside for moment in (span.start, span.end)), turn.end]
    kept = zip(edges[::2], edges[1::2], strict=True)
    return [Turn(start, end, turn.speaker) for start, end in kept if end > start]


def _from_overlap_to_overlap(turns: Sequence[Turn], pairs: Mapping[Span, Sequence[int]]) -> list[Turn]:
    """Move changes of turns that are a little before or after two speak at once to its beginning or end.

    Who is interrupted goes on until the other begins, and who interrupts goes on when the other has ceased.
    """
    moved = list(turns)
    begin = {turn.start: number for number, turn in enumerate(turns)}
    finish = {turn.end: number for number, turn in enumerate(turns)}
    for span, pair in pairs.items():
        for ends, moment in ((finish, span.start), (begin, span.end)):
            short = ends.get(moment)
            if short is None or turns[short].seconds > _SAME_MOMENT_SECONDS:
                continue
            long = ends.get(turns[short].start if ends is finish else turns[short].end)
            if long is not None and {turns[short].speaker, turns[long].speaker} == set(pair):
                moved[short] = replace(turns[short], speaker=turns[long].speaker)
    return moved
