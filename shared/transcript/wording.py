"""Words as the renderings write them: without what no file can hold, with the names that people gave, and how wide."""

import re
import unicodedata
from collections.abc import Mapping

#: Languages that write no spaces between sentences (ISO 639-1, and the codes that Whisper adds).
UNSPACED = frozenset({"ja", "km", "lo", "my", "th", "yue", "zh"})
_LABEL = re.compile(r"S(\d+)")
#: What XML 1.0, SubRip and WebVTT cannot carry, or would take for their own; and what turns the direction of the text
#: behind it (Unicode Standard Annex 9), for a name stands in the middle of other people's words.
_BARRED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069"
    "\ud800-\udfff\ufdd0-\ufdef\ufeff\ufffe\uffff]"
)


def clean(words: str) -> str:
    """Leave out characters that no file of ours can hold, and make every run of white space one space."""
    return " ".join(_BARRED.sub("", words).split())


def called(label: str, names: Mapping[str, str]) -> str:
    """Say what a speaker is called: the name that somebody gave, else ``Speaker 1`` for ``S1``."""
    if name := clean(names.get(label, "")):
        return name
    numbered = _LABEL.fullmatch(label)
    return f"Speaker {numbered[1]}" if numbered else clean(label)


def width(words: str) -> int:
    """Measure a line in columns: letters that East Asian type sets in a square count twice, marks on letters nothing.

    Source: https://www.unicode.org/reports/tr11/
    """
    if words.isascii():
        return len(words)
    return sum(
        0 if unicodedata.category(letter) in {"Mn", "Me", "Cf"} else 1 + (unicodedata.east_asian_width(letter) in "WF")
        for letter in words
    )


def clock(seconds: float) -> str:
    """Write a time as people do: ``0:07``, ``12:34``, ``1:02:03``; fractions are left out."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
