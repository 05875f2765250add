"""What a job may ask of the video pipeline, and the limits it keeps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from worker.pipelines.speech.settings import SETTINGS_SCHEMA as SPEECH

PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow")


@dataclass(frozen=True, slots=True)
class Settings:
    """A job's settings, checked by the schema. ``chunk_seconds`` None means: as many as ten seconds of work take."""

    renditions: tuple[int, ...] = (1080, 720, 480)
    encoder: str = "auto"
    preset: str = "veryfast"
    crf: int = 23
    av1: bool = False
    av1_preset: int = 10
    av1_crf: int = 35
    audio_track: int | None = None
    audio_kbps: int = 128
    chunk_seconds: float | None = None
    captions: bool = True
    max_pixels: int = 8192 * 4320
    max_fps: int = 60
    max_hours: float = 12.0

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Settings":
        """Fill in the defaults."""
        values = {name: value for name, value in given.items() if name != "speech"}
        if "renditions" in values:
            values["renditions"] = tuple(sorted(values["renditions"], reverse=True))
        return cls(**values)


_DEFAULTS = Settings()

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "renditions": {
            "type": "array",
            "items": {"type": "integer", "enum": [2160, 1440, 1080, 720, 480, 360, 240]},
            "minItems": 1,
            "uniqueItems": True,
            "default": list(_DEFAULTS.renditions),
            "description": "Sizes to make: the height of the 16:9 box that a film fits into. Nothing is enlarged.",
        },
        "encoder": {
            "type": "string",
            "enum": ["auto", "x264", "nvenc"],
            "default": _DEFAULTS.encoder,
            "description": "Who encodes H.264; auto takes NVENC where the worker has it.",
        },
        "preset": {
            "type": "string",
            "enum": list(PRESETS),
            "default": _DEFAULTS.preset,
            "description": "x264's preset: slower ones make smaller files of the same look.",
        },
        "crf": {
            "type": "integer",
            "minimum": 12,
            "maximum": 40,
            "default": _DEFAULTS.crf,
            "description": "Quality of H.264: 6 less look better and take twice the bytes.",
        },
        "av1": {
            "type": "boolean",
            "default": _DEFAULTS.av1,
            "description": "Make AV1 files of the same sizes, too: a third smaller, several times the work.",
        },
        "av1_preset": {
            "type": "integer",
            "minimum": 4,
            "maximum": 13,
            "default": _DEFAULTS.av1_preset,
            "description": "SVT-AV1's preset; higher is faster.",
        },
        "av1_crf": {
            "type": "integer",
            "minimum": 15,
            "maximum": 60,
            "default": _DEFAULTS.av1_crf,
            "description": "Quality of AV1.",
        },
        "audio_track": {
            "type": "integer",
            "minimum": 0,
            "maximum": 199,
            "description": "Which sound track to take, counted from 0; without it the one a player would take.",
        },
        "audio_kbps": {
            "type": "integer",
            "minimum": 48,
            "maximum": 320,
            "default": _DEFAULTS.audio_kbps,
            "description": "Kilobits of sound for each second.",
        },
        "chunk_seconds": {
            "type": "number",
            "minimum": 2,
            "maximum": 60,
            "description": "Length of the pieces that are encoded and stored one by one; found by the work they take.",
        },
        "captions": {
            "type": "boolean",
            "default": _DEFAULTS.captions,
            "description": "Transcribe what is said, for captions, search and analysis.",
        },
        "speech": {**SPEECH, "description": "How to transcribe it: the settings of the speech pipeline."},
        "max_pixels": {
            "type": "integer",
            "minimum": 1,
            "maximum": 16384 * 8640,
            "default": _DEFAULTS.max_pixels,
            "description": "Films whose frames have more pixels than this are refused.",
        },
        "max_fps": {
            "type": "integer",
            "minimum": 1,
            "maximum": 120,
            "default": _DEFAULTS.max_fps,
            "description": "Frames a second that are kept; of faster films every second, third, … frame is.",
        },
        "max_hours": {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 48,
            "default": _DEFAULTS.max_hours,
            "description": "Longer films are refused.",
        },
    },
}
