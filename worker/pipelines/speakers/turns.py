"""Who speaks when: turns, and the stretches of speech that they are made of."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Turn:
    """One speaker's speech without a pause; seconds. Speakers are numbered from 0 in the order of their first turn.

    Where two speak at once, each has a turn of exactly that stretch with ``overlap`` set; so two turns either cover the
    same stretch or share no moment.
    """

    start: float
    end: float
    speaker: int
    overlap: bool = False

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.start


def label(speaker: int) -> str:
    """Name a speaker as transcripts do: ``S1`` is who speaks first."""
    return f"S{speaker + 1}"


def in_order(turns: Iterable[Turn]) -> list[Turn]:
    """Sort turns, join those that follow each other without a gap, and number speakers by their first turn."""
    joined: list[Turn] = []
    last: dict[tuple[int, bool], int] = {}  # where in ``joined`` a speaker's newest turn is
    for turn in sorted(turns, key=lambda turn: (turn.start, turn.end, turn.speaker)):
        if turn.end <= turn.start:
            continue
        at = last.get((turn.speaker, turn.overlap))
        if at is not None and joined[at].end == turn.start:
            joined[at] = replace(joined[at], end=turn.end)
        else:
            last[turn.speaker, turn.overlap] = len(joined)
            joined.append(turn)
    numbers: dict[int, int] = {}
    for turn in joined:
        numbers.setdefault(turn.speaker, len(numbers))
    return [replace(turn, speaker=numbers[turn.speaker]) for turn in joined]


def overlapped(start: float, end: float, turns: Sequence[Turn], least: float = 0.5) -> bool:
    """Tell whether two speak at once in at least the share ``least`` of a stretch."""
    both = {(turn.start, turn.end) for turn in turns if turn.overlap and turn.start < end and turn.end > start}
    shared = sum(min(end, until) - max(start, since) for since, until in both)
    return shared > 0 and shared >= least * (end - start)


def apart(turns: Iterable[Turn]) -> list[Turn]:
    """Cut turns that run into each other where one of them begins or ends, so that each piece is overlapped or not.

    A speaker's own turns may touch or overlap, too; they count once.
    """
    given = list(turns)
    cuts = sorted({moment for turn in given for moment in (turn.start, turn.end)})
    begin, finish = defaultdict[float, list[int]](list), defaultdict[float, list[int]](list)
    for turn in given:
        begin[turn.start].append(turn.speaker)
        finish[turn.end].append(turn.speaker)
    speaking: Counter[int] = Counter()
    pieces = []
    for start, end in pairwise(cuts):
        speaking.subtract(finish[start])
        speaking.update(begin[start])
        now = [speaker for speaker, count in speaking.items() if count > 0]
        pieces += [Turn(start, end, speaker, len(now) > 1) for speaker in now]
    return in_order(pieces)
