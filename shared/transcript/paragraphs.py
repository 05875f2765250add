"""A transcript as people read it: a paragraph for what one speaker says, until somebody else does or a pause comes."""

from dataclasses import dataclass

from shared.transcript.schema import Segment, Transcript
from shared.transcript.wording import UNSPACED, clean

#: A pause and a length that begin another paragraph with the next segment, in seconds and letters.
_PAUSE_SECONDS = 2.5
_LONG = 700


@dataclass(frozen=True, slots=True)
class Paragraph:
    """What one speaker says, from second ``start`` to ``end``: segments ``first`` to ``last``, both included."""

    start: float
    end: float
    speaker: str | None
    first: int
    last: int
    text: str


def paragraphs(transcript: Transcript) -> list[Paragraph]:
    """Gather segments; none is left out, and none that has no words makes a paragraph of its own."""
    space = "" if transcript.language in UNSPACED and transcript.task == "transcribe" else " "
    gathered: list[Paragraph] = []
    for number, segment in enumerate(transcript.segments):
        text = clean(segment.text)
        if gathered and (not text or _goes_on(gathered[-1], segment)):
            before = gathered[-1]
            gathered[-1] = Paragraph(
                before.start,
                max(before.end, segment.end),
                before.speaker,
                before.first,
                number,
                space.join(filter(None, (before.text, text))),
            )
        elif text:
            # Segments without words that come before all others belong to the first paragraph.
            gathered.append(
                Paragraph(segment.start, segment.end, segment.speaker, number if gathered else 0, number, text)
            )
    return gathered


def _goes_on(paragraph: Paragraph, segment: Segment) -> bool:
    return (
        segment.speaker == paragraph.speaker
        and segment.start - paragraph.end < _PAUSE_SECONDS
        and len(paragraph.text) < _LONG
    )
