"""A transcript as plain text."""

from collections.abc import Mapping

from shared.transcript.paragraphs import paragraphs
from shared.transcript.schema import Transcript
from shared.transcript.wording import called, clock


def txt(transcript: Transcript, names: Mapping[str, str]) -> str:
    """Write paragraphs with a blank line between them, each with its time and speaker: ``[12:34] Ada: …``."""
    written = []
    for paragraph in paragraphs(transcript):
        speaker = f"{called(paragraph.speaker, names)}: " if paragraph.speaker else ""
        written.append(f"[{clock(paragraph.start)}] {speaker}{paragraph.text}\n")
    return "\n".join(written)
