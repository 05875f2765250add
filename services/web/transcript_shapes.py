"""The JSON of transcripts, speakers and search in API v1."""

import re
import uuid
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from services.web.shapes import Shape, Wish
from shared.transcript.analysis import Analysis
from shared.transcript.schema import Segment, Statistics
from shared.transcript.wording import clean


class NamedSpeaker(Shape):
    """One who speaks in a recording."""

    label: str = Field(description="As the transcript has it: S1, S2, …")
    name: str | None = Field(description="What somebody named them; null if nobody did.")
    called: str = Field(description="The name, else 'Speaker 1' for S1.")


class Speakers(Shape):
    """All who speak in a recording."""

    speakers: list[NamedSpeaker]


class SpokenSegment(Segment):
    """What one speaker says; ``called`` is what that speaker is called, null if nobody could tell who it is."""

    called: str | None


class SpokenParagraph(Shape):
    """What one speaker says until somebody else does or a pause comes: segments ``first`` to ``last``, from 0."""

    start: float
    end: float
    speaker: str | None
    first: int
    last: int


class JobTranscript(Shape):
    """What was said in a recording, as docs/pipelines/speech.md describes it. Times are seconds."""

    job_id: uuid.UUID
    filename: str
    duration: float
    language: str
    language_probability: float | None
    task: str
    model: str
    speakers: list[NamedSpeaker]
    paragraphs: list[SpokenParagraph]
    segments: list[SpokenSegment]
    statistics: Statistics | None
    analysis: Analysis | None = Field(description="Null if the job made none.")


#: A letter that can be seen: no white space, no control, no mark that only joins letters or turns their direction.
_SEEN = (
    r"[^\s\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    r"\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff]"
)


def _readable(name: str) -> str:
    if name and not re.search(_SEEN, name):
        raise ValueError("No letter of the name can be seen; an empty one takes a name back.")
    return clean(name)


class NewName(Wish):
    """What a speaker is to be called; an empty name takes back the one that was given."""

    name: Annotated[
        str,
        StringConstraints(max_length=80),
        AfterValidator(_readable),
        Field(json_schema_extra={"anyOf": [{"maxLength": 0}, {"pattern": _SEEN}]}),
    ]


class ExcerptPart(Shape):
    """A piece of what was said; ``found`` if it is what was looked for."""

    text: str
    found: bool


class SearchHit(Shape):
    """A passage that has the words."""

    job_id: uuid.UUID
    filename: str
    content_type: str
    start: float
    end: float
    speaker: str | None = Field(description="The speaker's label.")
    called: str | None = Field(description="What the speaker is called.")
    language: str
    excerpt: list[ExcerptPart]
    url: str = Field(description="Path of the job's page at that second.")


class SearchPage(Shape):
    """A page of passages, the best first."""

    hits: list[SearchHit]
    next_cursor: str | None = Field(description="Pass it as 'cursor' for the next page; null on the last one.")
