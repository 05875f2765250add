"""The transcript of one recording, as it is published; docs/pipelines/speech.md describes it for readers.

Times are seconds from the start of the recording. ``VERSION`` is raised when a reader of the version before would be
wrong; fields may be added without that, so readers ignore what they do not know.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

VERSION: Literal[1] = 1


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Word(_Part):
    """One word as it was heard; ``probability`` is the model's confidence, 0 to 1."""

    start: float = Field(ge=0)
    end: float = Field(ge=0)
    word: str  #: with the space before it, where the language has one: joined, they are the segment's text
    probability: float = Field(ge=0, le=1)


class Segment(_Part):
    """What one speaker says without a pause worth a paragraph."""

    start: float = Field(ge=0)
    end: float = Field(ge=0)
    speaker: str | None = None  #: the label of a speaker, None if nobody could tell
    text: str
    overlap: bool = False  #: somebody else speaks at the same time
    words: tuple[Word, ...] = ()


class SpeakerStatistics(_Part):
    """How one speaker took part; docs/pipelines/speakers.md defines each figure."""

    speaker: str
    talk_seconds: float
    share: float  #: of all talk, 0 to 1
    turns: int
    words: int
    words_per_minute: float
    longest_monologue_seconds: float
    interruptions: int  #: turns that began while somebody else was speaking, who then stopped
    questions: int


class Statistics(_Part):
    """How a conversation went."""

    speech_seconds: float  #: in which anybody speaks
    silence_seconds: float
    overlap_seconds: float  #: in which two or more speak
    speakers: tuple[SpeakerStatistics, ...] = ()


class Transcript(_Part):
    """The artifact ``transcript``. Speakers are labelled ``S1``, ``S2``, … in the order in which they first speak."""

    version: Literal[1] = VERSION
    duration: float  #: of the recording
    language: str  #: ISO 639-1, as the model names it
    language_probability: float | None = None  #: None if the language was given, or the model knows one only
    task: Literal["transcribe", "translate"] = "transcribe"
    model: str
    segments: tuple[Segment, ...]
    statistics: Statistics | None = None
