"""Who says which word: turns meet the words of a transcript.

Neither is exact: recognition places words to a tenth of a second or two, and a turn begins somewhere in a tenth. A
word at a border would often fall to the wrong speaker. But people change where sentences end, or where there is a
pause, more often than in the middle of a sentence; so the words' speakers are chosen together, and a change costs less
there.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from worker.pipelines.speakers.turns import Turn, label

#: A word in nobody's turn is given to the nearest one that is at most so far away.
NEAR_SECONDS = 1.0

#: A change of speakers in the middle of a sentence costs as much as a word of this length in somebody else's turn; so
#: a single short word is not taken out of a sentence, and two or three are.
_CHANGE_SECONDS = 0.3

#: What a change costs where a sentence ends, or after a pause.
_CHANGE_AT_PAUSE_SECONDS = 0.05

_PAUSE_SECONDS = 0.3

#: Words are taken for no shorter: recognition gives some no length at all, and they must go somewhere.
_SHORTEST_SECONDS = 0.1

_SENTENCE_ENDS = frozenset(".!?…。！？｡؟।॥።፧՞։")  # noqa: RUF001 - of many scripts
_CLOSING = "\"'”’»)]}」』）"  # noqa: RUF001 - of many scripts


class Word(Protocol):
    """What is asked of a word: when it is said (seconds), and how it is written."""

    @property
    def start(self) -> float: ...

    @property
    def end(self) -> float: ...

    @property
    def word(self) -> str: ...


def assign(words: Sequence[Word], turns: Sequence[Turn]) -> list[str | None]:
    """Give the speaker of each word, ``S1``, ``S2``, …, or None where nobody is near.

    Args:
        words: in the order in which they are said
        turns: as ``diarise`` gives them
    """
    speakers = 1 + max((turn.speaker for turn in turns), default=-1)
    if not words or not speakers:
        return [None] * len(words)
    missing, known = _missing(words, turns, speakers)
    best = _cheapest(missing, _change_costs(words))
    return [label(speaker) if near else None for speaker, near in zip(best, known, strict=True)]


def _missing(
    words: Sequence[Word], turns: Sequence[Turn], speakers: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Give the seconds of each word in which each speaker is silent, and whether anybody is near."""
    ordered = sorted(turns, key=lambda turn: turn.start)
    starts = [turn.start for turn in ordered]
    longest = max(turn.seconds for turn in ordered)
    missing = np.empty((len(words), speakers))
    known = np.ones(len(words), bool)
    for number, word in enumerate(words):
        middle, half = (word.start + word.end) / 2, max(word.end - word.start, _SHORTEST_SECONDS) / 2
        start, end = middle - half, middle + half
        first = bisect_left(starts, start - longest - NEAR_SECONDS)
        around = ordered[first : bisect_left(starts, end + NEAR_SECONDS)]
        spoken = np.zeros(speakers)
        for turn in around:
            spoken[turn.speaker] += max(0.0, min(end, turn.end) - max(start, turn.start))
        if not spoken.any():
            far = {turn: max(turn.start - end, start - turn.end) for turn in around}
            nearest = min(far, key=lambda turn: far[turn], default=None)
            known[number] = nearest is not None and far[nearest] <= NEAR_SECONDS
            if nearest is not None and known[number]:
                spoken[nearest.speaker] = end - start
        missing[number] = (end - start) - spoken
    return missing, known


def _change_costs(words: Sequence[Word]) -> NDArray[np.float64]:
    """Give what it costs that a word has another speaker than the word before."""
    costs = np.full(len(words), _CHANGE_SECONDS)
    for number in range(1, len(words)):
        before = words[number - 1]
        ended = before.word.rstrip().rstrip(_CLOSING)[-1:] in _SENTENCE_ENDS
        if ended or words[number].start - before.end >= _PAUSE_SECONDS:
            costs[number] = _CHANGE_AT_PAUSE_SECONDS
    return costs


def _cheapest(missing: NDArray[np.float64], changes: NDArray[np.float64]) -> list[int]:
    """Viterbi's algorithm over the words."""
    count, speakers = missing.shape
    came_from = np.zeros((count, speakers), np.int64)
    cost = missing[0].copy()
    for number in range(1, count):
        best = int(cost.argmin())
        changed = cost[best] + changes[number]
        came_from[number] = np.where(cost <= changed, np.arange(speakers), best)
        cost = np.minimum(cost, changed) + missing[number]
    path = [int(cost.argmin())]
    for number in range(count - 1, 0, -1):
        path.append(int(came_from[number, path[-1]]))
    return path[::-1]
