"""How wrong a diarisation is: NIST's diarisation error rate, by ``pyannote.metrics``."""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.speech_media import Turn as TrueTurn
from worker.pipelines.speakers.turns import Turn, label


@dataclass(frozen=True, slots=True)
class DiarisationError:
    """Shares of the time in which people speak."""

    missed: float
    false_alarm: float
    confusion: float

    @property
    def rate(self) -> float:
        """All of it."""
        return self.missed + self.false_alarm + self.confusion


def diarisation_error(
    truth: Sequence[TrueTurn], found: Sequence[Turn], collar_seconds: float = 0.25
) -> DiarisationError:
    """Compare turns; what is nearer than the collar to a true boundary, on either side, is not judged.

    Overlapped speech is judged: it counts once for each who speaks.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pyannote.metrics guesses what is to be judged, and says so
        from pyannote.core import Annotation, Segment  # noqa: PLC0415
        from pyannote.metrics.diarization import DiarizationErrorRate  # noqa: PLC0415

        def annotation(rows: Iterable[tuple[float, float, str]]) -> object:
            made = Annotation()
            for number, (start, end, speaker) in enumerate(rows):
                made[Segment(start, end), number] = speaker
            return made

        # pyannote.metrics calls the collar on both sides together "collar".
        metric = DiarizationErrorRate(collar=2 * collar_seconds)
        parts = metric(
            annotation((turn.start, turn.end, turn.speaker) for turn in truth),
            annotation((turn.start, turn.end, label(turn.speaker)) for turn in found),
            detailed=True,
        )
    shares = [parts[name] / parts["total"] for name in ("missed detection", "false alarm", "confusion")]
    return DiarisationError(*shares)
