"""A transcript as a model reads it: numbered lines, in pieces that fit its window."""

from collections.abc import Iterator
from dataclasses import dataclass

from shared.transcript.schema import Segment

#: Most tokens of transcript in one question, by the estimate below; almost an hour and a half of English. A model
#: answers in about a minute, which is what a lost VM costs, and overlooks less than in a whole day's text.
PIECE_TOKENS = 40_000
#: Tokens of a line's number, time and label.
LINE_TOKENS = 16


@dataclass(frozen=True, slots=True)
class Line:
    """One segment as the model sees it; ``index`` is its own in the transcript."""

    index: int
    text: str


def tokens(text: str) -> int:
    """Estimate the tokens of a text, rather too many than too few.

    Tokenizers differ by vendor and none of them is at hand. A third of the characters is half as many again as GPT-2's
    makes of English, and a fifth more of German. Outside ASCII two bytes of UTF-8 are taken for a token: more than
    tokenizers with a vocabulary for many languages make, up to half of what GPT-2's made (Korean, Burmese).
    """
    encoded = text.encode()
    ascii_bytes = sum(byte < 128 for byte in encoded)
    return -(-ascii_bytes // 3) + -(-(len(encoded) - ascii_bytes) // 2)


def lines(segments: tuple[Segment, ...]) -> Iterator[Line]:
    """Write each segment as ``[17] 00:04:31 S2: text``; those without a word are left out."""
    for index, segment in enumerate(segments):
        # Line breaks would let a recording forge lines of its own.
        text = " ".join(segment.text.split())
        if text:
            speaker = f" {segment.speaker}" if segment.speaker else ""
            yield Line(index, f"[{index}] {_clock(segment.start)}{speaker}: {text}")


def pieces(numbered: list[Line], budget: int) -> list[list[Line]]:
    """Cut lines (one at least) into the fewest pieces of ``budget`` estimated tokens each, evenly filled.

    A line that is longer by itself is shortened, which only a transcript without any pause has.
    """
    fitting = [Line(line.index, _shortened(line.text, budget - LINE_TOKENS)) for line in numbered]
    sizes = [tokens(line.text) + LINE_TOKENS for line in fitting]
    greedy = _cut(fitting, sizes, budget)
    even = _cut(fitting, sizes, min(budget, sum(sizes) // len(greedy) + max(sizes)))
    return even if len(even) <= len(greedy) else greedy


def _cut(numbered: list[Line], sizes: list[int], most: int) -> list[list[Line]]:
    found: list[list[Line]] = []
    filled = 0
    for line, size in zip(numbered, sizes, strict=True):
        if not found or filled + size > most:
            found.append([])
            filled = 0
        found[-1].append(line)
        filled += size
    return found


def _shortened(text: str, most: int) -> str:
    while tokens(text) > most:
        text = text[: max(1, len(text) * most // (tokens(text) + 1))]
    return text


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"
