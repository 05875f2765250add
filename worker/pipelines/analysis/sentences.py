"""A transcript as sentences, each with the segments that it stands in and the words that carry its meaning."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shared.transcript.schema import Segment
from worker.pipelines.analysis.languages.language import Language

#: A sentence goes on in a segment that follows within so many seconds, as long as it has fewer than so many words.
PAUSE_SECONDS, LONG_WORDS = 2.0, 40
#: If fewer segments than this share end like a sentence, the recogniser writes no points: each segment is a sentence.
POINTED_SHARE = 0.2

#: Longest sentence that rules look at, in characters: a longer one has lost its points, and patterns take their time.
LONG = 500

_END = re.compile(r"[.!?…]+[\"'”’»)\]]*\s+|[。！？]+[」』）]*\s*")  # noqa: RUF001 - the points of Chinese and Japanese
_ENDED = re.compile(r"[.!?…。！？][\"'”’»)\]」』）]*$")  # noqa: RUF001 - as above
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")  # noqa: RUF001 - an apostrophe that recognisers write
#: Scripts without spaces between words; two neighbouring characters stand for a word there.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence in the transcript's own words, on one line."""

    text: str
    speaker: str | None
    segments: tuple[int, ...]
    start: float  #: of its first segment
    end: float  #: of its last one
    terms: tuple[str, ...]  #: stems of the words that are no stop words

    @property
    def beginning(self) -> str:
        """Give what rules may look at of it."""
        return self.text[:LONG]

    @property
    def length(self) -> int:
        """How many words it has."""
        return len(words(self.text))


def wording(text: str) -> tuple[str, ...]:
    """Return the words of a text without case and punctuation: equal for what says the same in the same words."""
    return tuple(word.casefold().replace("’", "'") for word in words(text))  # noqa: RUF001 - as above


def words(text: str) -> list[str]:
    """Return the words of a text as they stand there; of scripts without spaces, pairs of characters."""
    found: list[str] = []
    for word in _WORD.findall(text):
        run = _UNSPACED.search(word)
        found.extend([word] if run is None else (word[i : i + 2] for i in range(max(1, len(word) - 1))))
    return found


def term(word: str, language: Language | None) -> str | None:
    """Return the stem of a word, None if it says nothing about what a text is about."""
    lower = word.lower().replace("’", "'")  # noqa: RUF001 - as above
    if language is not None and (lower in language.stop_words or lower.split("'")[0] in language.stop_words):
        return None
    if lower.isdigit() or (len(lower) < 3 and not _UNSPACED.match(lower)):
        return None
    return language.stem(lower) if language is not None else lower


def sentences(segments: tuple[Segment, ...], language: Language | None) -> list[Sentence]:
    """Cut a transcript into sentences. One that its speaker goes on with in the next segment is put together."""
    texts = [" ".join(segment.text.split()) for segment in segments]
    spoken = [text for text in texts if text]
    pointed = sum(bool(_ENDED.search(text)) for text in spoken) >= POINTED_SHARE * len(spoken)
    found: list[tuple[str, list[int]]] = []
    for index, text in enumerate(texts):
        parts = list(_cut(text, language)) if pointed else [text]
        for number, part in enumerate(filter(None, parts)):
            if number == 0 and pointed and found and _goes_on(found[-1], index, segments):
                found[-1] = (f"{found[-1][0]} {part}", [*found[-1][1], index])
            else:
                found.append((part, [index]))
    return [_sentence(text, tuple(covered), segments, language) for text, covered in found]


def _sentence(
    text: str, covered: tuple[int, ...], segments: tuple[Segment, ...], language: Language | None
) -> Sentence:
    terms = tuple(stem for word in words(text) if (stem := term(word, language)))
    first, last = segments[covered[0]], segments[covered[-1]]
    return Sentence(text, first.speaker, covered, first.start, last.end, terms)


def _cut(text: str, language: Language | None) -> Iterator[str]:
    start = 0
    for point in _END.finditer(text):
        if _is_abbreviation(text[start : point.end()].split()[-1:], text[point.end() :], language):
            continue
        yield text[start : point.end()].strip()
        start = point.end()
    yield text[start:].strip()


def _is_abbreviation(last: list[str], rest: str, language: Language | None) -> bool:
    if not last or not last[0].endswith("."):
        return False
    word = last[0].lower().lstrip("(\"'")
    if language is not None and word in language.abbreviations:
        return True
    # An initial, a number such as the German "15. März", or a point in the middle of a sentence.
    return bool(re.fullmatch(r"[^\W\d_]\.|\d{1,2}\.", word)) or rest[:1].islower()


def _goes_on(before: tuple[str, list[int]], index: int, segments: tuple[Segment, ...]) -> bool:
    text, covered = before
    last, this = segments[covered[-1]], segments[index]
    return (
        last.speaker == this.speaker
        and not _ENDED.search(text)
        and this.start - last.end < PAUSE_SECONDS
        and len(text.split()) < LONG_WORDS
    )
