"""What a job may ask of speech recognition; the video pipeline offers the same for its captions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

#: JSON Schema of each setting.
PROPERTIES: dict[str, Any] = {
    "model": {
        "type": "string",
        "minLength": 1,
        "maxLength": 100,
        "default": "whisper",
        "description": "Name of the Whisper model, as this mill's operator offers it.",
    },
    "language": {
        "type": "string",
        "pattern": "^[a-z]{2,3}$",
        "description": "What is spoken (ISO 639-1: en, de, fr); found out if it is not given.",
    },
    "task": {
        "enum": ["transcribe", "translate"],
        "default": "transcribe",
        "description": "Write down what is said, or translate it into English.",
    },
    "vocabulary": {
        "type": "array",
        "maxItems": 100,
        "items": {"type": "string", "minLength": 1, "maxLength": 100},
        "default": [],
        "description": "Names and terms that are likely to come up, spelled as they should be written.",
    },
    "beam_size": {
        "type": "integer",
        "minimum": 1,
        "maximum": 10,
        "default": 5,
        "description": "How many readings are followed at once; 1 is the fastest and a little less exact.",
    },
    "track": {
        "anyOf": [{"enum": ["default", "mix"]}, {"type": "integer", "minimum": 1, "maximum": 200}],
        "default": "default",
        "description": "Which sound track: the one that players choose, all at once, or one by its number from 1.",
    },
    "speakers": {
        "anyOf": [{"enum": ["auto", "off"]}, {"type": "integer", "minimum": 1, "maximum": 20}],
        "default": "auto",
        "description": "How many people speak, if that is known; off tells no speakers apart.",
    },
    "speaker_engine": {
        "enum": ["campplus", "pyannote"],
        "default": "campplus",
        "description": "What tells speakers apart; pyannote needs a worker that has it, its weights and a GPU.",
    },
    "analysis": {
        "type": "boolean",
        "default": True,
        "description": "Summarise, and list topics, decisions and action items.",
    },
    "max_hours": {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 1000,
        "default": 24,
        "description": "Recordings that are longer fail.",
    },
}

SETTINGS_SCHEMA: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": PROPERTIES}


@dataclass(frozen=True, slots=True)
class SpeechSettings:
    """The settings of a job, with defaults for what it leaves open."""

    model: str = "whisper"
    language: str | None = None
    task: Literal["transcribe", "translate"] = "transcribe"
    vocabulary: tuple[str, ...] = ()
    beam_size: int = 5
    track: int | str = "default"
    speakers: int | str = "auto"
    speaker_engine: Literal["campplus", "pyannote"] = "campplus"
    analysis: bool = True
    max_hours: float = 24.0

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """Read settings that the schema has checked; those of other pipelines are left alone."""
        known = {name: value for name, value in given.items() if name in PROPERTIES}
        return cls(**known | {"vocabulary": tuple(known.get("vocabulary", ()))})
