"""How much of the time in which two speak at once is found."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.speech_media import Turn as TrueTurn
from worker.pipelines.speakers.turns import Turn

#: The truth is no more exact than this (seconds).
_STEP = 0.01


@dataclass(frozen=True, slots=True)
class OverlapFound:
    """Seconds in which two speak, in truth, as found, and both."""

    true_seconds: float
    found_seconds: float
    right_seconds: float

    @property
    def recall(self) -> float:
        """The share of the truth that is found."""
        return self.right_seconds / self.true_seconds if self.true_seconds else 1.0

    @property
    def precision(self) -> float:
        """The share of what is found that is true."""
        return self.right_seconds / self.found_seconds if self.found_seconds else 1.0


def overlap_found(truth: Sequence[TrueTurn], found: Sequence[Turn]) -> OverlapFound:
    """Compare where two speak at once; who they are is not judged, and there is no collar."""
    true, said = _overlapped(truth), _overlapped(found)
    return OverlapFound(_STEP * len(true), _STEP * len(said), _STEP * len(true & said))


def _overlapped(turns: Iterable[TrueTurn | Turn]) -> set[int]:
    """Give the hundredths of a second in which more than one speaks."""
    spoken: dict[str | int, set[int]] = {}
    for turn in turns:
        spoken.setdefault(turn.speaker, set()).update(range(round(turn.start / _STEP), round(turn.end / _STEP)))
    once: set[int] = set()
    twice: set[int] = set()
    for moments in spoken.values():
        twice |= once & moments
        once |= moments
    return twice
