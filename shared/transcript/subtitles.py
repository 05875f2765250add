"""Captions as files: SubRip, which every player takes, and WebVTT, which browsers show and which tells speakers apart.

Sources: https://www.w3.org/TR/webvtt1/, https://www.matroska.org/technical/subtitles.html#srt-subtitles
"""

from collections.abc import Mapping
from html import escape

from shared.transcript.cues import cues
from shared.transcript.schema import Transcript
from shared.transcript.wording import called, width

#: What players take for markup (``<b>``, ``{\\an8}``); SubRip has no way to write it as text.
_NO_MARKUP = str.maketrans(
    {
        "<": "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}",
        ">": "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}",
        "{": "(",
        "}": ")",
    }
)
#: Room that a name may take on the first line of a caption, in columns.
_NAME = 24


def srt(transcript: Transcript, names: Mapping[str, str]) -> str:
    """Write SubRip. Where several speak, each is named when they begin to; ``names`` maps labels to names."""
    several = len({segment.speaker for segment in transcript.segments if segment.speaker}) > 1

    def said_by(label: str) -> str:
        return f"{_short(called(label, names))}:"

    blocks = [
        f"{number}\n{_time(cue.start, ',')} --> {_time(cue.end, ',')}\n"
        + "".join(f"{line.translate(_NO_MARKUP)}\n" for line in cue.lines)
        for number, cue in enumerate(cues(transcript, said_by if several else None), 1)
    ]
    return "\n".join(blocks)


def vtt(transcript: Transcript, names: Mapping[str, str]) -> str:
    """Write WebVTT with a voice for each speaker; ``names`` maps labels to names."""
    blocks = ["WEBVTT\n"]
    for cue in cues(transcript):
        voice = f"<v {escape(called(cue.speaker, names), quote=False)}>" if cue.speaker else ""
        text = "\n".join(escape(line, quote=False) for line in cue.lines)
        blocks.append(f"{_time(cue.start, '.')} --> {_time(cue.end, '.')}\n{voice}{text}\n")
    return "\n".join(blocks)


def _time(milliseconds: int, point: str) -> str:
    seconds, fraction = divmod(milliseconds, 1000)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02}:{minute:02}:{second:02}{point}{fraction:03}"


def _short(name: str) -> str:
    if width(name) <= _NAME:
        return name
    kept = ""
    for letter in name:
        if width(kept + letter) >= _NAME:
            break
        kept += letter
    return kept.rstrip() + "…"
