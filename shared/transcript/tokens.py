"""What captions are put together from: stretches of text that stay on one line, each with its time in milliseconds."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from shared.transcript.schema import Segment
from shared.transcript.wording import clean, width

#: Widest line of a caption, in columns.
LINE = 42
#: Letters of scripts that may be broken anywhere: Thai, Lao, Burmese, Khmer, kana, Han.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fff\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)


@dataclass(frozen=True, slots=True)
class Token:
    """A stretch that no line break divides; ``spaced`` if a space stands before it."""

    text: str
    start: int
    end: int
    spaced: bool
    columns: int


def tokens(segment: Segment) -> list[Token]:
    """Take a segment apart. Words without times of their own share the segment's by their length."""
    return [piece for token in _glued(_timed(segment)) for piece in _cut(token)]


def _timed(segment: Segment) -> Iterator[Token]:
    """Give each word, or word within a word, its time; none ends before it starts or starts before the last one."""
    latest = _milliseconds(segment.start)
    if not segment.words:
        yield from _shared_out(segment.text, latest, max(latest, _milliseconds(segment.end)))
        return
    for word in segment.words:
        latest = max(latest, _milliseconds(word.start))
        end = max(latest, _milliseconds(word.end))
        spaced = word.word[:1].isspace()
        for number, token in enumerate(_shared_out(word.word, latest, end)):
            yield token if number else replace(token, spaced=spaced)


def _shared_out(text: str, start: int, end: int) -> Iterator[Token]:
    pieces = clean(text).split()
    letters = sum(map(len, pieces))
    done = 0
    for piece in pieces:
        begin = start + (end - start) * done // letters
        done += len(piece)
        yield Token(piece, begin, start + (end - start) * done // letters, spaced=True, columns=width(piece))


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _glued(words: Iterator[Token]) -> Iterator[Token]:
    """Join what is one word on the page though it was heard as several: ``can`` and ``'t``, a word and its stop."""
    held: Token | None = None
    for word in words:
        if held is None:
            held = word
        elif word.spaced or (_UNSPACED.match(word.text) and _UNSPACED.match(held.text[-1])):
            yield held
            held = word
        else:
            held = Token(held.text + word.text, held.start, word.end, held.spaced, held.columns + word.columns)
    if held is not None:
        yield held


def _cut(token: Token) -> Iterator[Token]:
    """Cut what is wider than a line: an address, or a sentence without spaces."""
    if token.columns <= LINE:
        yield token
        return
    pieces = [""]
    columns = 0
    for letter in token.text:
        columns += width(letter)
        if columns > LINE:
            pieces.append("")
            columns = width(letter)
        pieces[-1] += letter
    begin = token.start
    for number, piece in enumerate(pieces):
        end = token.start + (token.end - token.start) * (number + 1) // len(pieces)
        yield Token(piece, begin, end, token.spaced and number == 0, width(piece))
        begin = end
