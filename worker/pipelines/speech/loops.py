"""Whisper going round in circles: the same few words again and again to the end of the clip.

Its own measure, how well the text compresses, takes prompts and prayers for loops; they repeat themselves, but not word
for word without anything between, as often as this.
"""

from collections.abc import Sequence

#: How often the same tokens come one after the other in a loop, at least, and how many tokens those are together.
_TIMES, _TOKENS = 6, 24
#: Tokens of the longest phrase that is looked for.
_LONGEST = 24


def is_loop(tokens: Sequence[int]) -> bool:
    """Say whether a phrase is repeated at the end of what was recognised, more often than people do."""
    return any(_repeated(tokens, length) >= max(_TOKENS, _TIMES * length) for length in range(1, _LONGEST + 1))


def _repeated(tokens: Sequence[int], length: int) -> int:
    """Count the tokens at the end that repeat with this period; the last one may be a phrase that was cut off."""
    count = 0
    for later, earlier in zip(reversed(tokens), reversed(tokens[:-length]), strict=False):
        if later != earlier:
            break
        count += 1
    return count + length if count else 0
