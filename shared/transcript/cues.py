"""A transcript cut into captions by the rules of the field: two lines of 42 columns, 1 to 7 s, 20 letters a second.

Sources: the Timed Text Style Guide of Netflix (https://partnerhelp.netflixstudios.com/hc/en-us/articles/217350977) and
the subtitle guidelines of the BBC (https://www.bbc.co.uk/accessibility/forproducts/guides/subtitles/).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from shared.transcript.schema import Segment, Transcript
from shared.transcript.tokens import LINE, Token, tokens
from shared.transcript.wording import width

_SHORTEST, _LONGEST = 1000, 7000  # milliseconds
_LETTERS_PER_SECOND = 20
#: A silence that no caption should bridge, and one that is a good place to end one, in milliseconds.
_SILENCE, _PAUSE = 1500, 300
#: What breaks cost against each other; found by looking at captions of real calls.
_EACH, _IN_CLAUSE, _AT_CLAUSE, _BRIDGED = 10.0, 16.0, 5.0, 20.0
_SENTENCE_ENDS = tuple(".?!…\u3002\uff1f\uff01")
_CLAUSE_ENDS = tuple(",;:\u2013—\u3001\uff0c\uff1b\uff1a")
_CLOSING = "\"')]}»”\u2019\u300d\u300f\uff09"


@dataclass(frozen=True, slots=True)
class Cue:
    """One caption: when it is shown, in milliseconds, whose words these are, and its one or two lines."""

    start: int
    end: int
    speaker: str | None
    lines: tuple[str, ...]


def cues(transcript: Transcript, said_by: Callable[[str], str] | None = None) -> list[Cue]:
    """Cut a transcript into captions that follow one another without overlap, also where people speak at once.

    With ``said_by``, the words that it makes of a speaker's label stand before what that speaker begins to say.
    """
    found: list[Cue] = []
    before: str | None = None
    for segment in transcript.segments:
        words = tokens(segment)
        if said_by is not None and words and segment.speaker not in (None, before):
            words = _introduced(said_by(segment.speaker or ""), words)
        if words:
            before = segment.speaker
        found += _of(segment, words)
    found.sort(key=lambda cue: cue.start)
    return _in_turn(found)


def _introduced(name: str, words: list[Token]) -> list[Token]:
    first = words[0]
    together = f"{name} {first.text}" if first.spaced else f"{name}{first.text}"
    columns = width(name) + first.spaced + first.columns
    if columns <= LINE:
        return [Token(together, first.start, first.end, first.spaced, columns), *words[1:]]
    return [
        Token(name, first.start, first.start, spaced=True, columns=width(name)),
        replace(first, spaced=True),
        *words[1:],
    ]


def _of(segment: Segment, words: Sequence[Token]) -> Iterator[Cue]:
    ends = _breaks(words)
    for begin, end in zip([0, *ends], ends, strict=False):
        part = words[begin:end]
        yield Cue(part[0].start, part[-1].end, segment.speaker, _lines(part))


def _in_turn(found: list[Cue]) -> list[Cue]:
    """Show one caption at a time, each long enough to be read if the next leaves time for that."""
    placed: list[Cue] = []
    free = 0
    for number, cue in enumerate(found):
        start = max(cue.start, free)
        letters = sum(map(len, cue.lines))
        wanted = max(cue.end, start + _SHORTEST, start + letters * 1000 // _LETTERS_PER_SECOND)
        following = found[number + 1].start if number + 1 < len(found) else wanted
        free = min(wanted, max(following, start + _SHORTEST), start + _LONGEST)
        placed.append(replace(cue, start=start, end=free))
    return placed


def _breaks(words: Sequence[Token]) -> list[int]:
    """Find after which words captions end best: the cheapest way through all that fit."""
    costs = [0.0]
    ways = [0]
    edges = _edges(words)
    for end in range(1, len(words) + 1):
        last = words[end - 1]
        at_end = 0.0 if end == len(words) else _cost_of_end(last, words[end])
        best, way = float("inf"), end - 1
        silences = 0
        for begin in range(end - 1, -1, -1):
            first = words[begin]
            if begin < end - 1 and (last.end - first.start > _LONGEST or not _fits(words, edges, begin, end)):
                break
            if begin < end - 1 and words[begin + 1].start - first.end > _SILENCE:
                silences += 1
            shown = (words[end].start if end < len(words) else last.end + _SHORTEST) - first.start
            cost = (
                costs[begin] + _EACH + at_end + _BRIDGED * silences + _cost_of_haste(edges[end] - edges[begin], shown)
            )
            if cost < best:
                best, way = cost, begin
        costs.append(best)
        ways.append(way)
    ends: list[int] = []
    at = len(words)
    while at:
        ends.append(at)
        at = ways[at]
    return ends[::-1]


def _edges(words: Sequence[Token]) -> list[int]:
    """Sum up columns: words begin to end are ``edges[end] - edges[begin]`` wide, with the space that leads them."""
    edges = [0]
    for word in words:
        edges.append(edges[-1] + word.spaced + word.columns)
    return edges


def _columns(words: Sequence[Token], edges: Sequence[int], begin: int, end: int) -> int:
    return edges[end] - edges[begin] - words[begin].spaced


def _fits(words: Sequence[Token], edges: Sequence[int], begin: int, end: int) -> bool:
    if (columns := _columns(words, edges, begin, end)) <= LINE:
        return True
    if columns > 2 * LINE + 1:
        return False
    return any(
        _columns(words, edges, begin, middle) <= LINE and _columns(words, edges, middle, end) <= LINE
        for middle in range(begin + 1, end)
    )


def _cost_of_end(last: Token, following: Token) -> float:
    text = last.text.rstrip(_CLOSING)
    cost = 0.0 if text.endswith(_SENTENCE_ENDS) else _AT_CLAUSE if text.endswith(_CLAUSE_ENDS) else _IN_CLAUSE
    return cost - (_AT_CLAUSE if following.start - last.end >= _PAUSE else 0)


def _cost_of_haste(columns: int, shown: int) -> float:
    too_short = max(0, _SHORTEST - shown) / 100
    too_fast = max(0.0, columns * 1000 / max(shown, 1) - _LETTERS_PER_SECOND)
    return too_short + min(too_fast, 20.0)


def _lines(words: Sequence[Token]) -> tuple[str, ...]:
    """Set a caption in one line, or in two: broken where the sense breaks, the lower one rather the longer."""
    edges = _edges(words)
    if _columns(words, edges, 0, len(words)) <= LINE:
        return (_joined(words),)

    def cost(middle: int) -> tuple[float, int]:
        upper, lower = _columns(words, edges, 0, middle), _columns(words, edges, middle, len(words))
        unfit = 1000.0 * (upper > LINE or lower > LINE)
        uneven = abs(upper - lower) / 4 + (2 if upper > lower else 0)
        return unfit + uneven + _cost_of_end(words[middle - 1], words[middle]), middle

    middle = min(range(1, len(words)), key=cost)
    return _joined(words[:middle]), _joined(words[middle:])


def _joined(words: Sequence[Token]) -> str:
    return "".join(" " + word.text if word.spaced and number else word.text for number, word in enumerate(words))
