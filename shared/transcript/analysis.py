"""What a recording was about, as it is published; docs/pipelines/analysis.md describes it for readers.

Every statement names the segments of the transcript that it rests on, so that a reader can check it: indices into
``Transcript.segments`` from 0, ascending, at least one. Times are seconds from the start of the recording.
``VERSION`` is raised when a reader of the version before would be wrong; fields may be added without that, so readers
ignore what they do not know.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

VERSION: Literal[1] = 1

#: Indices of transcript segments, ascending.
Segments = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Statement(_Part):
    """One thing that was said."""

    text: str
    quote: bool = False  #: the words are the transcript's own, in one piece
    segments: Segments


class Topic(_Part):
    """What a stretch of the recording is about. Topics follow one another; there may be gaps between them."""

    title: str
    start: float = Field(ge=0)
    end: float = Field(ge=0)
    segments: Segments


class ActionItem(_Part):
    """Something that somebody is to do."""

    what: str
    who: str | None = None  #: the label of a speaker (``S1``), a name as it was said, or None if nobody in particular
    until: str | None = None  #: as it was said ("by Friday"), None if no time was named
    segments: Segments


class Analysis(_Part):
    """The artifact ``analysis``.

    ``engine`` is ``extractive`` (rules and statistics on the worker itself) or the hosted service that was asked:
    ``gemini``, ``vertex``, ``openai``, ``anthropic``.
    """

    version: Literal[1] = VERSION
    engine: str
    model: str | None = None  #: of a hosted engine, as its service names it
    language: str  #: of the texts, ISO 639-1
    summary: tuple[Statement, ...] = ()
    topics: tuple[Topic, ...] = ()
    decisions: tuple[Statement, ...] = ()
    action_items: tuple[ActionItem, ...] = ()
    note: str | None = None  #: what a reader should know of how it was made
    missing: str | None = None  #: why there is no analysis; None if there is one
